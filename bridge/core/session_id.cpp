#include "core/session_id.hpp"

#include <zlib.h>

#include <algorithm>
#include <random>

#include "core/big_endian.hpp"

namespace livetape::bridge {

NamespaceMark mark_of_namespace(std::string_view name) {
  NamespaceMark mark{};
  write_big_endian<mark.size()>(mark.data(), ::crc32_z(0, reinterpret_cast<const Bytef*>(name.data()), name.size()));
  return mark;
}

SessionId random_session_id(const NamespaceMark& mark) {
  std::random_device random;
  SessionId id;
  for (auto& byte : id) byte = static_cast<unsigned char>(random());
  std::ranges::copy(mark, id.begin());
  return id;
}

bool is_marked(const SessionId& session, const NamespaceMark& mark) noexcept {
  return std::equal(mark.begin(), mark.end(), session.begin());
}

}  // namespace livetape::bridge
