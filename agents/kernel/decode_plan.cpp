#include "decode_plan.hpp"

#include <mutex>
#include <utility>

#include "livetape/decimal.hpp"

namespace livetape::kernel {
namespace {

constexpr std::int64_t kMaxBlockItems = 1
                                        << 20;  // items may be of no bytes: a count alone must not cost more than this

class Decoder {
 public:
  Decoder(std::span<const std::uint8_t> body, Decoded& out) noexcept : in_(body), out_(out) {}

  DecodeError run(const std::vector<Step>& steps) noexcept {
    all(steps);
    if (!in_.ok()) return DecodeError::corrupt;
    if (in_.remaining() != 0) return DecodeError::trailing_bytes;
    return is_decimal_out_of_range_ ? DecodeError::decimal_out_of_range : DecodeError::none;
  }

 private:
  void all(const std::vector<Step>& steps) noexcept {
    for (const Step& step : steps) one(step);
  }

  void one(const Step& step) noexcept {
    switch (step.code) {
      case Step::Code::skip_varint:
        in_.varlong();
        return;
      case Step::Code::skip_bytes:
        in_.prefixed_bytes();
        return;
      case Step::Code::skip_fixed:
        in_.bytes(static_cast<std::size_t>(step.size));
        return;
      case Step::Code::text:
        text(step.slot) = in_.prefixed_text();
        return;
      case Step::Code::number:
        number(step.slot) = in_.varlong();
        out_.has_trade_seq |= step.slot == Slot::trade_seq;
        return;
      case Step::Code::decimal:
        is_decimal_out_of_range_ |=
            !decode_decimal(in_.prefixed_bytes(), step.slot == Slot::price ? out_.price : out_.size);
        return;
      case Step::Code::action:
        return action(step);
      case Step::Code::union_of:
        return branch(step);
      case Step::Code::record_of:
        return all(step.children);
      case Step::Code::blocks_of:
        return blocks(step);
    }
  }

  void action(const Step& step) noexcept {
    const auto index = static_cast<std::uint64_t>(in_.varlong());
    if (index >= step.symbols.size()) return in_.fail();
    out_.action = static_cast<Action>(step.symbols[index]);
  }

  void branch(const Step& step) noexcept {
    const auto index = static_cast<std::uint64_t>(in_.varlong());
    if (index >= step.children.size()) return in_.fail();
    one(step.children[index]);
  }

  /// Blocks of items, each behind its count; a negative count has the block's size in bytes behind it.
  void blocks(const Step& step) noexcept {
    std::int64_t items = 0;
    for (std::int64_t count = in_.varlong(); count != 0 && in_.ok(); count = in_.varlong()) {
      if (count < 0) {
        in_.prefixed_bytes();
        continue;
      }
      items += count;
      if (count > kMaxBlockItems || items > kMaxBlockItems) return in_.fail();
      for (; count > 0 && in_.ok(); --count) all(step.children);
    }
  }

  std::string_view& text(Slot slot) noexcept {
    return slot == Slot::venue ? out_.venue : slot == Slot::instrument ? out_.instrument : out_.trade_id;
  }

  std::int64_t& number(Slot slot) noexcept {
    return slot == Slot::trade_seq       ? out_.trade_seq
           : slot == Slot::event_time_ns ? out_.event_time_ns
                                         : out_.receive_time_ns;
  }

  ByteReader in_;
  Decoded& out_;
  bool is_decimal_out_of_range_ = false;
};

}  // namespace

DecodeError decode(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out) noexcept {
  out = Decoded{};
  return Decoder(body, out).run(plan.steps);
}

void WriterSchemas::add(std::int32_t schema_id, DecodePlan plan) {
  set(schema_id, {std::make_unique<const DecodePlan>(std::move(plan)), {}});
}

void WriterSchemas::refuse(std::int32_t schema_id, std::string reason) { set(schema_id, {nullptr, std::move(reason)}); }

const WriterSchemas::Entry* WriterSchemas::find(std::int32_t schema_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(schema_id);
  return found == entries_.end() ? nullptr : found->second.get();
}

void WriterSchemas::set(std::int32_t schema_id, Entry entry) {
  const std::unique_lock lock(mutex_);
  // What a registry id means never changes, and readers may hold the entry: the first stays.
  entries_.try_emplace(schema_id, std::make_unique<const Entry>(std::move(entry)));
}

}  // namespace livetape::kernel
