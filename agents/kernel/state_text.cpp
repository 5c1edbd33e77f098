#include "state_text.hpp"

namespace livetape::kernel {

StateText& StateText::clear() {
  size_ = 0;
  return *this;
}

std::uint8_t* StateText::room(std::size_t bytes) {
  if (size_ + bytes > bytes_.size()) bytes_.resize(2 * (size_ + bytes));
  return bytes_.data() + size_;
}

StateText& StateText::raw(std::uint8_t byte) {
  *room(1) = byte;
  ++size_;
  return *this;
}

StateText& StateText::raw(Bytes bytes) {
  return append(bytes.size(), [&](AvroCursor& out) { out.bytes(bytes); });
}

StateText& StateText::number(std::int64_t value) {
  return append(AvroCursor::kMaxNumberBytes, [&](AvroCursor& out) { out.number(value); });
}

StateText& StateText::text(std::string_view value) {
  return append(AvroCursor::kMaxNumberBytes + value.size(), [&](AvroCursor& out) { out.text(value); });
}

}  // namespace livetape::kernel
