#include "decode_plan.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "byte_reader.hpp"
#include "livetape/decimal.hpp"
#include "unchecked_reader.hpp"

namespace livetape::kernel {
namespace {

// Items may be of no bytes: a count alone must not cost more than this.
constexpr std::int64_t kMaxBlockItems = 1 << 20;

}  // namespace

DecodePlan::DecodePlan(RecordKind kind, const std::vector<Step>& steps) : kind_(kind) {
  for (const Step& step : steps) lay_out(step);
  // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): it shows once all is laid out
  is_usual_ = has_usual_shape();
}

void DecodePlan::lay_out(const Step& step) {
  switch (step.code) {
    case Step::Code::record_of:
      for (const Step& child : step.children) lay_out(child);
      return;
    case Step::Code::union_of:
      return lay_out_union(step);
    case Step::Code::blocks_of: {
      const std::size_t at = instructions_.size();
      instructions_.push_back({Code::repeat});
      for (const Step& child : step.children) lay_out(child);
      instructions_[at].argument = static_cast<std::int64_t>(instructions_.size());
      return;
    }
    case Step::Code::symbol:
      instructions_.push_back(
          {code_of(step), static_cast<std::uint32_t>(step.symbols.size()), static_cast<std::int64_t>(tables_.size())});
      tables_.insert(tables_.end(), step.symbols.begin(), step.symbols.end());
      return;
    default:
      instructions_.push_back({code_of(step), 0, step.size});
  }
}

void DecodePlan::lay_out_union(const Step& step) {
  const bool is_nullable =
      step.children.size() == 2 && step.children[0].code == Step::Code::skip_fixed && step.children[0].size == 0;
  if (is_nullable && step.children[1].code == Step::Code::number && step.children[1].slot == Slot::trade_seq) {
    instructions_.push_back({Code::maybe_trade_seq});
    return;
  }
  if (is_nullable && step.children[1].code == Step::Code::text && step.children[1].slot == Slot::refers_to) {
    instructions_.push_back({Code::maybe_refers_to});
    return;
  }
  if (is_nullable && step.children[1].code == Step::Code::skip_varint) {
    instructions_.push_back({Code::maybe_skip_varint});
    return;
  }
  const std::size_t table = tables_.size();
  tables_.resize(table + step.children.size());
  instructions_.push_back(
      {Code::choose, static_cast<std::uint32_t>(step.children.size()), static_cast<std::int64_t>(table)});
  std::vector<std::size_t> jumps;
  for (std::size_t branch = 0; branch < step.children.size(); ++branch) {
    tables_[table + branch] = static_cast<std::uint32_t>(instructions_.size());
    lay_out(step.children[branch]);
    jumps.push_back(instructions_.size());
    instructions_.push_back({Code::jump});
  }
  for (const std::size_t jump : jumps) instructions_[jump].argument = static_cast<std::int64_t>(instructions_.size());
}

DecodePlan::Code DecodePlan::code_of(const Step& step) {
  switch (step.code) {
    case Step::Code::skip_varint:
      return Code::skip_varint;
    case Step::Code::skip_bytes:
      return Code::skip_bytes;
    case Step::Code::skip_fixed:
      return Code::skip_fixed;
    case Step::Code::no_null:
      return Code::no_null;
    default:
      break;
  }
  switch (step.slot) {
    case Slot::venue:
      return Code::venue;
    case Slot::instrument:
      return Code::instrument;
    case Slot::trade_id:
      return Code::trade_id;
    case Slot::refers_to:
      return Code::refers_to;
    case Slot::trade_seq:
      return Code::trade_seq;
    case Slot::event_time_ns:
      return Code::event_time_ns;
    case Slot::receive_time_ns:
      return Code::receive_time_ns;
    case Slot::price:
      return Code::price;
    case Slot::size:
      return Code::size;
    case Slot::aggressor:
      return Code::aggressor;
    case Slot::action:
      return Code::action;
    case Slot::conditions:
      return Code::conditions;
    case Slot::ask_price:
      return Code::ask_price;
    case Slot::ask_size:
      return Code::ask_size;
  }
  throw std::logic_error("a step of a kind that no instruction does");
}

class Decoder {
 public:
  using Code = DecodePlan::Code;
  Decoder(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out) noexcept
      : plan_(plan), in_(body), out_(out) {}

  DecodeError run() noexcept {
    out_.reset_defaults();
    run(0, plan_.instructions_.size());
    if (has_bad_null_) return DecodeError::null_where_none_may_be;
    if (!in_.ok()) return DecodeError::corrupt;
    if (in_.remaining() != 0) return DecodeError::trailing_bytes;
    return is_decimal_out_of_range_ ? DecodeError::decimal_out_of_range : DecodeError::none;
  }

 private:
  using Instruction = DecodePlan::Instruction;

  void run(std::size_t from, std::size_t to) noexcept {
    const Instruction* const begin = plan_.instructions_.data();
    const Instruction* const end = begin + to;
    for (const Instruction* at = begin + from; at != end && in_.ok();) {
      const Instruction& now = *at++;
      switch (now.code) {
        case Code::choose:
          at = begin + entry(now);
          break;
        case Code::jump:
          at = begin + now.argument;
          break;
        case Code::repeat: {
          const auto first = static_cast<std::size_t>(at - begin);
          for_each_item([&] { run(first, static_cast<std::size_t>(now.argument)); });
          at = begin + now.argument;
          break;
        }
        default:
          execute(now);
      }
    }
  }

  void execute(const Instruction& now) noexcept {
    switch (now.code) {
      case Code::skip_varint:
        return execute<Code::skip_varint>(now);
      case Code::skip_bytes:
        return execute<Code::skip_bytes>(now);
      case Code::skip_fixed:
        return execute<Code::skip_fixed>(now);
      case Code::venue:
        return execute<Code::venue>(now);
      case Code::instrument:
        return execute<Code::instrument>(now);
      case Code::trade_id:
        return execute<Code::trade_id>(now);
      case Code::refers_to:
        return execute<Code::refers_to>(now);
      case Code::trade_seq:
        return execute<Code::trade_seq>(now);
      case Code::event_time_ns:
        return execute<Code::event_time_ns>(now);
      case Code::receive_time_ns:
        return execute<Code::receive_time_ns>(now);
      case Code::price:
        return execute<Code::price>(now);
      case Code::size:
        return execute<Code::size>(now);
      case Code::aggressor:
        return execute<Code::aggressor>(now);
      case Code::action:
        return execute<Code::action>(now);
      case Code::conditions:
        return execute<Code::conditions>(now);
      case Code::ask_price:
        return execute<Code::ask_price>(now);
      case Code::ask_size:
        return execute<Code::ask_size>(now);
      case Code::maybe_trade_seq:
        return execute<Code::maybe_trade_seq>(now);
      case Code::maybe_refers_to:
        return execute<Code::maybe_refers_to>(now);
      case Code::maybe_skip_varint:
        return execute<Code::maybe_skip_varint>(now);
      case Code::no_null:
        return execute<Code::no_null>(now);
      case Code::choose:
      case Code::jump:
      case Code::repeat:
        return;  // `run` does these
    }
  }

  template <Code kCode>
  [[gnu::always_inline]] void execute(const Instruction& now) noexcept {
    if constexpr (kCode == Code::skip_varint) in_.varlong();
    if constexpr (kCode == Code::skip_bytes) in_.prefixed_bytes();
    if constexpr (kCode == Code::skip_fixed) in_.bytes(static_cast<std::size_t>(now.argument));
    if constexpr (kCode == Code::venue) out_.venue = in_.prefixed_text();
    if constexpr (kCode == Code::instrument) out_.instrument = in_.prefixed_text();
    if constexpr (kCode == Code::trade_id) trade_id();
    if constexpr (kCode == Code::refers_to) out_.refers_to = in_.prefixed_text();
    if constexpr (kCode == Code::trade_seq) trade_seq();
    if constexpr (kCode == Code::event_time_ns) out_.event_time_ns = in_.varlong();
    if constexpr (kCode == Code::receive_time_ns) out_.receive_time_ns = in_.varlong();
    if constexpr (kCode == Code::price) decimal(out_.price);
    if constexpr (kCode == Code::size) decimal(out_.size);
    if constexpr (kCode == Code::aggressor) out_.aggressor = static_cast<Aggressor>(entry(now));
    if constexpr (kCode == Code::action) out_.action = static_cast<Action>(entry(now));
    if constexpr (kCode == Code::conditions) conditions();
    if constexpr (kCode == Code::ask_price) decimal(out_.ask_price);
    if constexpr (kCode == Code::ask_size) decimal(out_.ask_size);
    if constexpr (kCode == Code::maybe_trade_seq) {
      if (is_there()) trade_seq();
    }
    if constexpr (kCode == Code::maybe_refers_to) {
      if (is_there()) out_.refers_to = in_.prefixed_text();
    }
    if constexpr (kCode == Code::maybe_skip_varint) skip_maybe_varint();
    if constexpr (kCode == Code::no_null) refuse_null();
  }

  /// What the table of an instruction has at the index that comes; 0 when there is no such.
  [[gnu::always_inline]] std::uint32_t entry(const Instruction& now) noexcept {
    const auto index = static_cast<std::uint64_t>(in_.varlong());
    if (index >= now.count) return in_.fail(), 0;
    return plan_.tables_[static_cast<std::size_t>(now.argument) + index];
  }

  /// Which branch of a union of null and a value comes.
  [[gnu::always_inline]] bool is_there() noexcept {
    const std::int64_t branch = in_.varlong();
    if (branch != 0 && branch != 1) in_.fail();
    return branch == 1;
  }

  void refuse_null() noexcept {
    has_bad_null_ = true;
    in_.fail();  // no field behind it matters
  }

  [[gnu::always_inline]] void skip_maybe_varint() noexcept {
    if (is_there()) in_.varlong();
  }

  [[gnu::always_inline]] void trade_seq() noexcept {
    out_.trade_seq = in_.varlong();
    out_.has_trade_seq = true;
  }

  /// How many bytes there are from the first of these on. Before reading them nobody knows: a length's own size varies.
  [[nodiscard]] std::size_t readable_from(std::size_t size) const noexcept { return size + in_.remaining(); }

  [[gnu::always_inline]] void trade_id() noexcept {
    constexpr std::size_t kPadded = 16;
    const std::string_view text = in_.prefixed_text();
    const bool is_padded = readable_from(text.size()) >= kPadded;
    out_.trade_id = is_padded ? TradeIdView::parse_padded(text) : TradeIdView::parse(text);
  }

  [[gnu::always_inline]] void decimal(Int128& unscaled) noexcept {
    const auto bytes = in_.prefixed_bytes();
    const bool is_short = !bytes.empty() && bytes.size() <= kMaxDecimalBytes;
    const bool is_padded = is_short && readable_from(bytes.size()) >= kMaxDecimalBytes;
    is_decimal_out_of_range_ |= is_padded ? !decode_padded_decimal(bytes, unscaled) : !decode_decimal(bytes, unscaled);
  }

  void conditions() noexcept {
    const ByteReader before = in_;
    bool is_empty = true;
    for_each_item([&] {
      in_.prefixed_bytes();
      is_empty = false;
    });
    if (!is_empty) out_.conditions = before.up_to(in_);
  }

  /// Blocks of items, each behind its count; a negative count has the block's size in bytes behind it.
  template <typename Item>
  void for_each_item(Item item) noexcept {
    for (std::int64_t count = in_.varlong(); count != 0 && in_.ok(); count = in_.varlong()) {
      if (count < 0) {
        if (count < -kMaxBlockItems) return in_.fail();
        count = -count;
        in_.varlong();
      }
      if (count > kMaxBlockItems - items_) return in_.fail();
      items_ += count;
      for (; count > 0 && in_.ok(); --count) item();
    }
  }

  const DecodePlan& plan_;
  ByteReader in_;
  Decoded& out_;
  bool is_decimal_out_of_range_ = false;
  bool has_bad_null_ = false;
  std::int64_t items_ = 0;  // of all blocks of the record: those in one another would multiply
};

/// The instructions of schemas/trade.avsc as it is now, and its enums' symbols in the reader's order.
bool DecodePlan::has_usual_shape() const noexcept {
  static constexpr Code kShape[] = {Code::venue,
                                    Code::instrument,
                                    Code::trade_id,
                                    Code::maybe_trade_seq,
                                    Code::price,
                                    Code::size,
                                    Code::aggressor,
                                    Code::event_time_ns,
                                    Code::receive_time_ns,
                                    Code::action,
                                    Code::maybe_refers_to,
                                    Code::conditions,
                                    Code::skip_varint,
                                    Code::skip_bytes,
                                    Code::skip_varint,
                                    Code::maybe_skip_varint,
                                    Code::maybe_skip_varint};
  static constexpr std::uint32_t kSymbols[] = {0, 1, 2, 0, 1, 2};
  return std::ranges::equal(instructions_, kShape, {}, &Instruction::code) && std::ranges::equal(tables_, kSymbols);
}

namespace {

/// Reads a trade of schemas/trade.avsc that is no correction and has no conditions; false where it is another, or is
/// not well formed.
bool read_usual_trade(std::span<const std::uint8_t> body, Decoded& out) noexcept {
  constexpr std::uint8_t kFirstBranch = 0;
  constexpr std::uint8_t kSecondBranch = 2;
  constexpr std::uint8_t kLastAggressor = 2 * static_cast<std::uint8_t>(Aggressor::sell);
  UncheckedReader in(body.data());
  std::string_view text;
  if (!in.short_text(out.venue) || !in.short_text(out.instrument) || !in.short_text(text)) return false;
  out.trade_id = TradeIdView::parse_padded(text);
  const std::uint8_t seq_branch = in.byte();
  out.has_trade_seq = seq_branch == kSecondBranch;
  if (out.has_trade_seq ? !in.long_varlong(out.trade_seq) : seq_branch != kFirstBranch) return false;
  if (!in.short_decimal(out.price) || !in.short_decimal(out.size)) return false;
  const std::uint8_t aggressor = in.byte();
  if (aggressor > kLastAggressor || (aggressor & 1) != 0) return false;
  out.aggressor = static_cast<Aggressor>(aggressor >> 1);
  if (!in.time(out.event_time_ns) || !in.time(out.receive_time_ns)) return false;
  const std::uint8_t action = in.byte();
  const std::uint8_t refers_branch = in.byte();
  const std::uint8_t conditions = in.byte();
  if ((action | refers_branch | conditions) != kFirstBranch) return false;
  out.action = Action::trade;
  out.refers_to = {};
  out.conditions = {};
  const std::uint8_t source = in.byte();
  if (source >= 0x80 || !in.short_text(text) || !in.skip_varlong()) return false;  // the bridge's session and sequence
  if (!in.skip_maybe_time()) return false;                                         // when it was published
  if (!in.skip_maybe_time()) return false;                                         // when the card had it
  return in.at() == body.data() + body.size();
}

}  // namespace

DecodeError decode(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out,
                   const std::uint8_t* readable_end) noexcept {
  const auto behind = readable_end == nullptr ? 0 : readable_end - (body.data() + body.size());
  const bool is_roomy = behind >= static_cast<std::ptrdiff_t>(UncheckedReader::kMargin) && !body.empty();
  if (is_roomy && plan.is_usual() && read_usual_trade(body, out)) return DecodeError::none;
  return Decoder(plan, body, out).run();
}

}  // namespace livetape::kernel
