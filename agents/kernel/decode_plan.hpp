#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "byte_reader.hpp"
#include "livetape/int128.hpp"

/// Decoding of trades and clocks by the schema they were written with.
namespace livetape::kernel {

/// What a record of `trades` is.
enum class RecordKind : std::uint8_t { trade, clock };

/// Actions of trade.avsc, in the order of its symbols.
enum class Action : std::uint8_t { trade, correct, cancel };

/// The fields of a trade or a clock that the fold wants; text points into the record.
struct Decoded {
  std::string_view venue;
  std::string_view instrument;
  std::string_view trade_id;
  Int128 price = 0;
  Int128 size = 0;
  std::int64_t trade_seq = 0;
  std::int64_t event_time_ns = 0;  // a clock's time as well
  std::int64_t receive_time_ns = 0;
  Action action = Action::trade;
  bool has_trade_seq = false;
};

/// Where a decoded value goes.
enum class Slot : std::uint8_t {
  venue,
  instrument,
  trade_id,
  trade_seq,
  price,
  size,
  event_time_ns,
  receive_time_ns,
  action,
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
    action,  // `symbols` maps the writer's index to an Action
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

struct DecodePlan {
  RecordKind kind;
  std::vector<Step> steps;
};

enum class DecodeError : std::uint8_t { none, corrupt, trailing_bytes, decimal_out_of_range };

/// Decodes an Avro body by its writer's plan.
[[nodiscard]] DecodeError decode(const DecodePlan& plan, std::span<const std::uint8_t> body, Decoded& out) noexcept;

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
  /// Null when the id was never met; entries stay where they are for good.
  [[nodiscard]] const Entry* find(std::int32_t schema_id) const;

 private:
  void set(std::int32_t schema_id, Entry entry);

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::int32_t, std::unique_ptr<const Entry>> entries_;
};

}  // namespace livetape::kernel
