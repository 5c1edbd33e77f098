#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoded.hpp"

/// Decoding of trades, quotes and clocks by the schema they were written with.
namespace livetape::kernel {

/// Where a decoded value goes.
enum class Slot : std::uint8_t {
  venue,
  instrument,
  trade_id,
  trade_seq,
  price,
  size,
  aggressor,
  event_time_ns,
  receive_time_ns,
  action,
  refers_to,
  conditions,
  ask_price,
  ask_size,
};

/// One step through a record's bytes. `children` are the branches of a union, the fields of a record, the items of an
/// array or map (one step).
struct Step {
  enum class Code : std::uint8_t {
    skip_varint,
    skip_bytes,
    skip_fixed,  // `size` bytes
    text,
    number,
    decimal,
    symbol,  // of an enum: `symbols` maps the writer's index to the reader's
    texts,   // an array of strings
    union_of,
    record_of,
    blocks_of,  // arrays; a map is one whose items are a record of a string and a value
    no_null,    // a null where ours has none
  };
  Code code;
  Slot slot{};
  std::int64_t size = 0;
  std::vector<std::uint8_t> symbols;
  std::vector<Step> children;
};

/// The steps of a record, laid out flat so that a record costs one pass over an array.
class DecodePlan {
 public:
  DecodePlan(RecordKind kind, const std::vector<Step>& steps);

  [[nodiscard]] RecordKind kind() const noexcept { return kind_; }
  /// Whether it reads trades of schemas/trade.avsc as it is now, which nearly all records are.
  [[nodiscard]] bool is_usual() const noexcept { return is_usual_; }

 private:
  friend class Decoder;

  enum class Code : std::uint8_t {
    skip_varint,
    skip_bytes,
    skip_fixed,
    venue,
    instrument,
    trade_id,
    refers_to,
    trade_seq,
    event_time_ns,
    receive_time_ns,
    price,
    size,
    aggressor,
    action,
    conditions,
    ask_price,
    ask_size,
    maybe_trade_seq,  // a union of null and the value, in this order
    maybe_refers_to,
    maybe_skip_varint,
    no_null,
    choose,  // one of `count` branches: `tables_[argument + index]` is where it begins
    jump,    // to `argument`
    repeat,  // what comes up to `argument`, as often as the blocks say
  };
  struct Instruction {
    Code code{};
    std::uint32_t count = 0;
    std::int64_t argument = 0;
  };

  [[nodiscard]] bool has_usual_shape() const noexcept;
  static Code code_of(const Step& step);
  void lay_out(const Step& step);
  void lay_out_union(const Step& step);

  RecordKind kind_;
  bool is_usual_ = false;
  std::vector<Instruction> instructions_;
  std::vector<std::uint32_t> tables_;  // of symbols, and of where branches begin
};

enum class DecodeError : std::uint8_t { none, corrupt, trailing_bytes, decimal_out_of_range, null_where_none_may_be };

/// Decodes an Avro body by its writer's plan. Where the memory that the body is in goes on for a while behind it, a
/// trade of the usual schema is read in half the time.
[[nodiscard]] DecodeError decode(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out,
                                 const std::uint8_t* readable_end = nullptr) noexcept;

}  // namespace livetape::kernel
