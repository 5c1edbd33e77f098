#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace livetape::bridge {

/// A venue's own symbols, and which of our instruments each is.
class Symbols {
 public:
  void add(std::string symbol, std::uint32_t instrument) { index_.emplace(std::move(symbol), instrument); }

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view symbol) const {
    const auto found = index_.find(symbol);
    if (found == index_.end()) return std::nullopt;
    return found->second;
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index_;
};

}  // namespace livetape::bridge
