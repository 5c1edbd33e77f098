#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::bridge {

/// A venue's instruments by the numbers that its trades carry. One thread may add some while others read those whose
/// number they were given: nothing that is there ever moves.
class Instruments {
 public:
  /// Takes so many at most.
  Instruments(std::string venue, std::size_t most)
      : venue_(std::move(venue)), any_key_(venue_ + ":*"), most_(most), keys_(std::make_unique<std::string[]>(most)) {}
  /// Has these. Throws std::invalid_argument for too long a name.
  Instruments(std::string venue, const std::vector<std::string>& names) : Instruments(std::move(venue), names.size()) {
    for (const std::string& name : names) add(name);
  }

  /// Adds one and gives its number. Throws std::invalid_argument for a name that would not leave room for the rest of a
  /// record, and for one instrument too many.
  std::uint32_t add(std::string_view name) {
    if (size_ == most_) throw std::invalid_argument("too many instruments of " + venue_);
    if (venue_.size() + name.size() > kLongestKey) throw std::invalid_argument("too long a name: " + std::string(name));
    keys_[size_] = venue_ + ':' + std::string(name);
    return size_++;
  }

  [[nodiscard]] std::string_view venue() const noexcept { return venue_; }
  /// `venue:INSTRUMENT`.
  [[nodiscard]] std::string_view key(std::uint32_t number) const noexcept { return keys_[number]; }
  [[nodiscard]] std::string_view name(std::uint32_t number) const noexcept {
    return key(number).substr(venue_.size() + 1);
  }
  /// `venue:*` and `*`, of what may be of any instrument.
  [[nodiscard]] std::string_view any_key() const noexcept { return any_key_; }
  [[nodiscard]] std::string_view any_name() const noexcept { return any_key().substr(venue_.size() + 1); }

 private:
  static constexpr std::size_t kLongestKey = 512;

  std::string venue_;
  std::string any_key_;
  std::size_t most_;
  std::unique_ptr<std::string[]> keys_;
  std::uint32_t size_ = 0;
};

}  // namespace livetape::bridge
