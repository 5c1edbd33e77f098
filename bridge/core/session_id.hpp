#pragma once

#include <array>
#include <string_view>

#include "core/trade.hpp"

namespace livetape::bridge {

/// What a namespace's sessions begin with, so that who hears messages at an address knows whether they are of his own:
/// CRC-32 of its name, as zlib has it, big-endian.
using NamespaceMark = std::array<unsigned char, 4>;

[[nodiscard]] NamespaceMark mark_of_namespace(std::string_view name);

/// A session of a namespace that no other run has.
[[nodiscard]] SessionId random_session_id(const NamespaceMark& mark);

[[nodiscard]] bool is_marked(const SessionId& session, const NamespaceMark& mark) noexcept;

}  // namespace livetape::bridge
