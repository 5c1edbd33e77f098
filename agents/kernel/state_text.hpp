#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "avro_cursor.hpp"
#include "byte_reader.hpp"

namespace livetape::kernel {

/// A growing piece of a state record, in memory that is kept for the next one.
class StateText {
 public:
  StateText& clear();
  StateText& begin(std::uint8_t version) { return clear().raw(version); }
  StateText& raw(std::uint8_t byte);
  StateText& raw(Bytes bytes);
  StateText& number(std::int64_t value);
  StateText& text(std::string_view value);
  /// Appends what `write` puts where there is room for so many bytes.
  template <typename Write>
  StateText& append(std::size_t most, Write write) {
    AvroCursor out(room(most));
    write(out);
    size_ = static_cast<std::size_t>(out.at() - bytes_.data());
    return *this;
  }
  [[nodiscard]] Bytes bytes() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::uint8_t* room(std::size_t bytes);

  std::vector<std::uint8_t> bytes_;
  std::size_t size_ = 0;
};

}  // namespace livetape::kernel
