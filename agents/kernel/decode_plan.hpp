#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "byte_reader.hpp"
#include "livetape/int128.hpp"
#include "trade_id.hpp"

/// Decoding of trades, quotes and clocks by the schema they were written with.
namespace livetape::kernel {

/// What a record of `trades` or `quotes` is.
enum class RecordKind : std::uint8_t { trade, clock, quote };

/// Actions of trade.avsc, in the order of its symbols.
enum class Action : std::uint8_t { trade, correct, cancel };

/// Aggressors of trade.avsc, in the order of its symbols.
enum class Aggressor : std::uint8_t { unknown, buy, sell };

/// The fields of a trade, a quote or a clock that are wanted; text points into the record. A quote's bid is in `price`
/// and `size`, its sequence in `trade_seq`. A field without a default is
/// what an earlier record had until it is decoded.
struct Decoded {
  std::string_view venue;
  std::string_view instrument;
  TradeIdView trade_id;
  std::string_view refers_to;
  std::span<const std::uint8_t> conditions;  // Avro's array of strings, as it came; empty when there are none
  Int128 price = 0;
  Int128 size = 0;
  std::int64_t trade_seq = 0;
  std::int64_t event_time_ns = 0;  // a clock's time as well
  std::int64_t receive_time_ns = 0;
  Action action = Action::trade;
  Aggressor aggressor = Aggressor::unknown;
  bool has_trade_seq = false;
  Int128 ask_price = 0;
  Int128 ask_size = 0;

  void reset_defaults() noexcept {
    refers_to = {};
    conditions = {};
    action = Action::trade;
    aggressor = Aggressor::unknown;
    has_trade_seq = false;
  }
};

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

enum class DecodeError : std::uint8_t { none, corrupt, trailing_bytes, decimal_out_of_range };

/// Decodes an Avro body by its writer's plan. Where the memory that the body is in goes on for a while behind it, a
/// trade of the usual schema is read in half the time.
[[nodiscard]] DecodeError decode(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out,
                                 const std::uint8_t* readable_end = nullptr) noexcept;

/// The plans of all schemas met so far, by registry id. Many threads may look up while one adds.
class WriterSchemas {
 public:
  /// A plan, or the reason why records of this schema are refused.
  struct Entry {
    std::unique_ptr<const DecodePlan> plan;
    std::string refusal;
  };

  void add(std::int32_t schema_id, DecodePlan plan);
  void refuse(std::int32_t schema_id, std::string reason);
  /// Lets a refused id be met anew; nothing happens to one that has a plan.
  void forget(std::int32_t schema_id);
  /// Null when the id was never met; entries stay where they are for good.
  [[nodiscard]] const Entry* find(std::int32_t schema_id) const;

 private:
  void set(std::int32_t schema_id, Entry entry);

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::int32_t, std::unique_ptr<const Entry>> entries_;
  std::vector<std::unique_ptr<const Entry>> forgotten_;  // readers may hold them
};

}  // namespace livetape::kernel
