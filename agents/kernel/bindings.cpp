#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "corrupt_state.hpp"
#include "partition_fold.hpp"
#include "quote_join.hpp"

/// The kernel as Python sees it. Bytes are read in place, many of them with the interpreter's lock released.
namespace nb = nanobind;
using namespace nb::literals;

// They hold batches, which are not copied: a vector does not say so of itself.
template <>
struct nb::detail::is_copy_constructible<livetape::kernel::Flush> : std::false_type {};
template <>
struct nb::detail::is_copy_constructible<livetape::kernel::JoinFlush> : std::false_type {};

namespace livetape::kernel {
namespace {

using AbortedPairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

class CorruptBatch : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

Bytes view(const nb::bytes& bytes) { return {static_cast<const std::uint8_t*>(bytes.data()), bytes.size()}; }

/// A record set of Python's, `bytes` or a view of some, held as long as it is read.
class HeldBytes {
 public:
  explicit HeldBytes(const nb::object& holder) {
    if (PyObject_GetBuffer(holder.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() { PyBuffer_Release(&view_); }

  [[nodiscard]] Bytes bytes() const noexcept {
    return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

// Work on so little ends sooner than another thread would give the interpreter's lock back.
constexpr std::size_t kBriefBytes = 16 * 1024;
constexpr std::size_t kBriefSeries = 100;

/// Python looks into a batch where it is: on its way to the socket it is not copied.
int view_packed_batch(PyObject* holder, Py_buffer* view, int flags) noexcept {
  const Bytes bytes = nb::inst_ptr<PackedBatch>(holder)->bytes();
  constexpr int kReadOnly = 1;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): Python has one type for what may be written and what may not
  void* const first = const_cast<std::uint8_t*>(bytes.data());
  return PyBuffer_FillInfo(view, holder, first, static_cast<Py_ssize_t>(bytes.size()), kReadOnly, flags);
}

PyType_Slot kPackedBatchSlots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(view_packed_batch)}, {0, nullptr}};

/// Lets other threads have the interpreter's lock where that is worth the wait for it.
class ReleasedIf {
 public:
  explicit ReleasedIf(bool is_released) {
    if (is_released) released_.emplace();
  }

 private:
  std::optional<nb::gil_scoped_release> released_;
};

std::vector<AbortedTransaction> aborted_from(const AbortedPairs& pairs) {
  std::vector<AbortedTransaction> aborted;
  for (const auto& [producer_id, first_offset] : pairs) aborted.push_back({producer_id, first_offset});
  return aborted;
}

nb::bytes to_bytes(const std::string& text) { return nb::bytes(text.data(), text.size()); }
nb::bytes to_bytes(Bytes bytes) { return nb::bytes(bytes.data(), bytes.size()); }

/// Any 128-bit number; the stable ABI of Python has no way in one step.
nb::object to_int(UInt128 value) {
  const auto low = static_cast<std::uint64_t>(value);
  const auto high = static_cast<std::uint64_t>(value >> 64);
  if (high == 0) return nb::int_(low);
  return (nb::int_(high) << nb::int_(64)) | nb::int_(low);
}

/// A column of a batch, a row a trade.
template <typename Value>
nb::list column(const TradeBatch& batch, Value value) {
  nb::list rows;
  for (const AcceptedTrade& trade : batch.trades) rows.append(value(trade));
  return rows;
}

nb::list to_list(const std::vector<PublishedBar>& bars) {
  nb::list list;
  for (const PublishedBar& bar : bars) {
    list.append(nb::make_tuple(bar.venue, bar.instrument, bar.level, bar.start_ns, bar.revision, bar.seq,
                               bar.trade_count, bar.first_offset));
  }
  return list;
}

nb::list to_list(const std::vector<EvictedBar>& bars) {
  nb::list list;
  for (const EvictedBar& bar : bars) list.append(nb::make_tuple(bar.venue, bar.instrument, bar.level, bar.start_ns));
  return list;
}

template <typename T>
nb::object optional_bytes(const std::optional<T>& value) {
  return value ? nb::object(to_bytes(*value)) : nb::none();
}

nb::list refused_to_list(const std::vector<RefusedRecord>& records) {
  nb::list list;
  for (const RefusedRecord& record : records) {
    const nb::object value = record.has_value ? nb::object(to_bytes(record.value)) : nb::none();
    list.append(nb::make_tuple(optional_bytes(record.key), value, record.offset, record.reason));
  }
  return list;
}

/// What a trade counts for, as venue rules name it: `open_close`, `high_low`, `volume`.
CountsFor make_counts_for(const std::vector<std::string>& names) {
  CountsFor counts{false, false, false};
  for (const std::string& name : names) {
    counts.open_close |= name == "open_close";
    counts.high_low |= name == "high_low";
    counts.volume |= name == "volume";
  }
  return counts;
}

VenueRules make_rules(bool has_contiguous_ids, const std::map<std::string, std::vector<std::string>>& conditions) {
  VenueRules rules;
  rules.has_contiguous_ids = has_contiguous_ids;
  for (const auto& [code, names] : conditions) rules.conditions[code] = make_counts_for(names);
  return rules;
}

/// A step as decode_plan.py makes it.
Step make_step(const nb::tuple& step) {
  static const std::unordered_map<std::string, Step::Code> kCodes{
      {"skip_varint", Step::Code::skip_varint}, {"skip_bytes", Step::Code::skip_bytes},
      {"skip_fixed", Step::Code::skip_fixed},   {"text", Step::Code::text},
      {"number", Step::Code::number},           {"decimal", Step::Code::decimal},
      {"symbol", Step::Code::symbol},           {"texts", Step::Code::texts},
      {"union_of", Step::Code::union_of},       {"record_of", Step::Code::record_of},
      {"blocks_of", Step::Code::blocks_of},     {"no_null", Step::Code::no_null}};
  static const std::unordered_map<std::string, Slot> kSlots{{"", Slot{}},
                                                            {"venue", Slot::venue},
                                                            {"instrument", Slot::instrument},
                                                            {"trade_id", Slot::trade_id},
                                                            {"trade_seq", Slot::trade_seq},
                                                            {"price", Slot::price},
                                                            {"size", Slot::size},
                                                            {"aggressor", Slot::aggressor},
                                                            {"event_time_ns", Slot::event_time_ns},
                                                            {"receive_time_ns", Slot::receive_time_ns},
                                                            {"action", Slot::action},
                                                            {"refers_to", Slot::refers_to},
                                                            {"conditions", Slot::conditions},
                                                            {"ask_price", Slot::ask_price},
                                                            {"ask_size", Slot::ask_size}};
  Step made{kCodes.at(nb::cast<std::string>(step[0])),
            kSlots.at(nb::cast<std::string>(step[1])),
            nb::cast<std::int64_t>(step[2]),
            {},
            {}};
  for (const nb::handle symbol : nb::cast<nb::tuple>(step[3])) {
    made.symbols.push_back(nb::cast<std::uint8_t>(symbol));
  }
  for (const nb::handle child : nb::cast<nb::tuple>(step[4])) {
    made.children.push_back(make_step(nb::cast<nb::tuple>(child)));
  }
  return made;
}

void add_plan(WriterSchemas& schemas, std::int32_t schema_id, const std::string& kind, const nb::list& steps) {
  std::vector<Step> made;
  for (const nb::handle step : steps) made.push_back(make_step(nb::cast<nb::tuple>(step)));
  static const std::unordered_map<std::string, RecordKind> kKinds{
      {"trade", RecordKind::trade}, {"clock", RecordKind::clock}, {"quote", RecordKind::quote}};
  schemas.add(schema_id, DecodePlan(kKinds.at(kind), made));
}

/// What takes a record set from an offset on, for Python: its bytes are held, and the interpreter's lock is let go of.
template <typename Owner, typename Result>
auto on_record_set(Result (Owner::*take)(Bytes, std::vector<AbortedTransaction>, std::int64_t)) {
  return [take](Owner& owner, const nb::object& record_set, const AbortedPairs& aborted, std::int64_t start_offset) {
    const HeldBytes held(record_set);
    const nb::gil_scoped_release released;
    return (owner.*take)(held.bytes(), aborted_from(aborted), start_offset);
  };
}

FoldOutcome fold(PartitionFold& partition, const nb::object& record_set, const AbortedPairs& aborted,
                 std::int64_t start_offset) {
  const HeldBytes held(record_set);
  const ReleasedIf released(held.bytes().size() > kBriefBytes);
  return partition.fold(held.bytes(), aborted_from(aborted), start_offset);
}

std::optional<std::int32_t> reread(PartitionFold& partition, const nb::object& record_set,
                                   const AbortedPairs& aborted) {
  const HeldBytes held(record_set);
  const nb::gil_scoped_release released;
  return partition.reread(held.bytes(), aborted_from(aborted));
}

/// A header's name: Kafka takes any bytes for one.
nb::object name_of(const Header& header) {
  const auto size = static_cast<Py_ssize_t>(header.key.size());
  PyObject* const text = PyUnicode_DecodeUTF8(header.key.data(), size, "backslashreplace");
  if (text == nullptr) throw nb::python_error();
  return nb::steal(text);
}

void append(nb::list& records, const Record& record, const std::vector<Header>& with) {
  nb::list headers;
  for (const Header& header : with) {
    headers.append(nb::make_tuple(name_of(header), optional_bytes(header.value)));
  }
  records.append(nb::make_tuple(record.offset, record.timestamp_ms, optional_bytes(record.key),
                                optional_bytes(record.value), headers, record.appended_ms));
}

std::int64_t end_of_set(const nb::object& record_set, std::int64_t start_offset) {
  return end_of(HeldBytes(record_set).bytes(), start_offset);
}

/// All records of a set, and the batches that cannot be read, for sinks and tests.
nb::tuple read_records(const nb::object& record_set, const AbortedPairs& aborted) {
  thread_local Decompressor decompressor;
  const HeldBytes held(record_set);
  RecordSetReader reader(held.bytes(), aborted_from(aborted), decompressor);
  nb::list records;
  nb::list damaged;
  while (true) {
    while (const Record* record = reader.next(true)) append(records, *record, reader.headers());
    if (reader.error().empty()) return nb::make_tuple(records, damaged);
    const std::string reason = reader.error();
    const std::optional<DamagedBatch> batch = reader.pass_over();
    if (!batch) throw CorruptBatch("offset " + std::to_string(reader.next_offset()) + ": " + reason);
    damaged.append(nb::make_tuple(batch->first_offset, reader.next_offset(),
                                  nb::bytes(batch->bytes.data(), batch->bytes.size()), reason));
  }
}

nb::tuple make_progress_record(std::string epoch, std::int32_t generation, std::int64_t next_offset) {
  const auto [key, value] = progress_record({std::move(epoch), generation, next_offset, {}});
  return nb::make_tuple(to_bytes(key), to_bytes(value));
}

using HeaderPairs = std::vector<std::pair<std::string, std::optional<nb::bytes>>>;

std::optional<Bytes> view(const std::optional<nb::bytes>& bytes) {
  return bytes ? std::optional(view(*bytes)) : std::nullopt;
}

void append_record(RecordBatchWriter& writer, const std::optional<nb::bytes>& key,
                   const std::optional<nb::bytes>& value, const HeaderPairs& pairs) {
  std::vector<Header> headers;
  for (const auto& [name, text] : pairs) headers.push_back({name, view(text)});
  writer.append(view(key), view(value), headers);
}

Progress progress_from(const nb::bytes& value) {
  std::optional<Progress> progress = read_progress(view(value));
  if (!progress) throw CorruptState("the progress record " + no_known_version());
  return *std::move(progress);
}

/// By venue and instrument, and by the bar's name: start and end of each window.
using Windows = std::vector<std::pair<std::int64_t, std::int64_t>>;
using SessionTables = std::map<std::pair<std::string, std::string>, std::map<std::string, Windows>>;

std::map<std::pair<std::string, std::string>, std::vector<Level>, std::less<>> session_levels(
    const std::vector<Interval>& intervals, const SessionTables& tables) {
  std::map<std::pair<std::string, std::string>, std::vector<Level>, std::less<>> levels;
  for (const auto& [whose, table] : tables) {
    Sessions sessions;
    for (const auto& [name, windows] : table) {
      for (const auto& [start_ns, end_ns] : windows) sessions[name].push_back({start_ns, end_ns});
    }
    try {
      levels[whose] = make_levels(intervals, sessions);
    } catch (const std::invalid_argument& error) {
      const std::string instrument = whose.second.empty() ? "" : ' ' + whose.second;
      throw std::invalid_argument("venue " + whose.first + instrument + ": " + error.what());
    }
  }
  return levels;
}

void bind_config(nb::module_& module) {
  nb::class_<VenueRules>(module, "VenueRules")
      .def(
          "__init__",
          [](VenueRules* self, bool has_contiguous_ids,
             const std::map<std::string, std::vector<std::string>>& conditions) {
            new (self) VenueRules(make_rules(has_contiguous_ids, conditions));
          },
          nb::kw_only(), "has_contiguous_ids"_a, "conditions"_a);
  nb::class_<Level>(module, "Level")
      .def_ro("name", &Level::name)
      .def_prop_ro("child",
                   [](const Level& level) {
                     return level.child == Level::kNone ? std::nullopt : std::optional<std::size_t>(level.child);
                   })
      .def_ro("parents", &Level::parents)
      .def("end_ns", &Level::end_ns, "start_ns"_a)
      .def(
          "starts_at",
          [](const Level& level, std::int64_t time_ns) {
            std::vector<std::int64_t> starts;
            level.each_start_at(time_ns, [&](std::int64_t start_ns) { starts.push_back(start_ns); });
            return starts;
          },
          "time_ns"_a);
  nb::class_<FoldConfig>(module, "FoldConfig")
      .def(
          "__init__",
          [](FoldConfig* self, const std::vector<Interval>& intervals, std::int64_t out_of_order_ns,
             std::int64_t grace_ns, std::int64_t horizon_ns, std::int64_t max_ahead_ns,
             const std::map<std::string, VenueRules>& venues, const VenueRules& other_venues,
             const SessionTables& sessions) {
            new (self) FoldConfig{make_levels(intervals),
                                  out_of_order_ns,
                                  grace_ns,
                                  horizon_ns,
                                  max_ahead_ns,
                                  {venues.begin(), venues.end()},
                                  other_venues,
                                  session_levels(intervals, sessions)};
          },
          nb::kw_only(), "intervals"_a, "out_of_order_ns"_a, "grace_ns"_a, "horizon_ns"_a, "max_ahead_ns"_a,
          "venues"_a = std::map<std::string, VenueRules>{}, "other_venues"_a = VenueRules{},
          "sessions"_a = SessionTables{})
      .def(
          "levels_of",
          [](const FoldConfig& config, const std::string& venue, const std::string& instrument) {
            std::vector<const Level*> levels;
            for (const Level& level : config.levels_of(venue, instrument)) levels.push_back(&level);
            return levels;
          },
          nb::rv_policy::reference_internal, "venue"_a, "instrument"_a);
  nb::class_<WriterSchemas>(module, "WriterSchemas")
      .def(nb::init<>())
      .def("add_plan", &add_plan, "schema_id"_a, "kind"_a, "steps"_a)
      .def("refuse", &WriterSchemas::refuse, "schema_id"_a, "reason"_a)
      .def("forget", &WriterSchemas::forget, "schema_id"_a);
}

void bind_progress(nb::module_& module) {
  nb::class_<FoldOutcome>(module, "FoldOutcome")
      .def_ro("next_offset", &FoldOutcome::next_offset)
      .def_ro("needs_schema", &FoldOutcome::needs_schema)
      .def_ro("needs_history", &FoldOutcome::needs_history)
      .def_ro("corrupt", &FoldOutcome::corrupt)
      .def_ro("records", &FoldOutcome::records)
      .def_ro("trades", &FoldOutcome::trades)
      .def_ro("duplicates", &FoldOutcome::duplicates)
      .def_ro("late", &FoldOutcome::late)
      .def_ro("dead", &FoldOutcome::dead)
      .def_ro("clocks", &FoldOutcome::clocks)
      .def_ro("corrections", &FoldOutcome::corrections)
      .def_ro("finals", &FoldOutcome::finals)
      .def_ro("revisions", &FoldOutcome::revisions)
      .def_ro("newest_event_time_ns", &FoldOutcome::newest_event_time_ns)
      .def_ro("new_series", &FoldOutcome::new_series);
  nb::class_<Progress>(module, "Progress")
      .def_ro("epoch", &Progress::epoch)
      .def_ro("generation", &Progress::generation)
      .def_ro("next_offset", &Progress::next_offset)
      .def_prop_ro("clocks", [](const Progress& progress) {
        nb::dict clocks;
        for (const VenueClock& clock : progress.clocks) clocks[clock.venue.c_str()] = clock.time_ns;
        return clocks;
      });
}

void bind_batches(nb::module_& module) {
  nb::class_<PackedBatch>(module, "PackedBatch", nb::type_slots(kPackedBatchSlots))
      .def_prop_ro("records", &PackedBatch::records)
      .def_prop_ro("size", &PackedBatch::size)
      .def(
          "marked",
          [](nb::pointer_and_handle<PackedBatch> batch, std::int64_t producer_id, std::int16_t producer_epoch,
             std::int32_t base_sequence, std::int64_t timestamp_ms) {
            batch.p->mark(producer_id, producer_epoch, base_sequence, timestamp_ms);
            return nb::steal(PyMemoryView_FromObject(batch.h.ptr()));
          },
          "producer_id"_a, "producer_epoch"_a, "base_sequence"_a, "timestamp_ms"_a)
      .def(
          "stamped",
          [](nb::pointer_and_handle<PackedBatch> batch, std::int64_t timestamp_ms) {
            batch.p->stamp(timestamp_ms);
            return nb::steal(PyMemoryView_FromObject(batch.h.ptr()));
          },
          "timestamp_ms"_a);
  nb::class_<RecordBatchWriter>(module, "RecordBatchWriter")
      .def(nb::init<>())
      .def("append", &append_record, "key"_a.none(), "value"_a.none(), "headers"_a = HeaderPairs{})
      .def("take", &RecordBatchWriter::take);
  nb::class_<Flush>(module, "Flush")
      .def_ro("next_offset", &Flush::next_offset)
      .def_ro("is_empty", &Flush::is_empty)
      .def_ro("changelog", &Flush::changelog)
      .def_ro("bars", &Flush::bars)
      .def_ro("bars_1s", &Flush::bars_1s)
      .def_prop_ro("late", [](const Flush& flush) { return refused_to_list(flush.late); })
      .def_prop_ro("dead", [](const Flush& flush) { return refused_to_list(flush.dead); })
      .def_prop_ro("published", [](const Flush& flush) { return to_list(flush.published); })
      .def_prop_ro("evicted", [](const Flush& flush) { return to_list(flush.evicted); });
}

void bind_trade_batch(nb::module_& module) {
  nb::class_<TradeBatch>(module, "TradeBatch")
      .def_ro("venue", &TradeBatch::venue)
      .def_ro("instrument", &TradeBatch::instrument)
      .def_ro("start_ns", &TradeBatch::start_ns)
      .def_ro("is_whole", &TradeBatch::is_whole)
      .def("__len__", [](const TradeBatch& batch) { return batch.trades.size(); })
      .def_prop_ro("prices",
                   [](const TradeBatch& batch) {
                     return column(batch, [](const auto& trade) { return to_int(static_cast<UInt128>(trade.price)); });
                   })
      .def_prop_ro(
          "sizes",
          [](const TradeBatch& batch) { return column(batch, [](const auto& trade) { return to_int(trade.size); }); })
      .def_prop_ro("volumes",
                   [](const TradeBatch& batch) {
                     return column(batch, [](const auto& trade) {
                       return trade.counts_for.volume ? to_int(trade.size) : nb::object(nb::int_(0));
                     });
                   })
      .def_prop_ro("sides",
                   [](const TradeBatch& batch) {
                     static constexpr const char* kSides[] = {"unknown", "buy", "sell"};
                     return column(batch, [](const auto& trade) { return kSides[static_cast<int>(trade.aggressor)]; });
                   })
      .def_prop_ro("count_for_open_close",
                   [](const TradeBatch& batch) {
                     return column(batch, [](const auto& trade) { return trade.counts_for.open_close; });
                   })
      .def_prop_ro("count_for_high_low",
                   [](const TradeBatch& batch) {
                     return column(batch, [](const auto& trade) { return trade.counts_for.high_low; });
                   })
      .def_prop_ro("orders",
                   [](const TradeBatch& batch) {
                     return column(batch, [](const auto& trade) {
                       return nb::make_tuple(trade.order.first, trade.order.second);
                     });
                   })
      .def_prop_ro(
          "event_times_ns",
          [](const TradeBatch& batch) { return column(batch, [](const auto& trade) { return trade.event_time_ns; }); })
      .def_prop_ro(
          "offsets",
          [](const TradeBatch& batch) { return column(batch, [](const auto& trade) { return trade.offset; }); })
      .def_prop_ro("trade_ids", [](const TradeBatch& batch) {
        TradeIdText text;
        return column(batch, [&](const auto& trade) { return std::string(trade.id.text_in(text)); });
      });
}

std::vector<PackedBatch> live(PartitionFold& partition) {
  const ReleasedIf released(partition.live_count() > kBriefSeries);
  return partition.live();
}

void bind_fold(nb::module_& module) {
  nb::class_<PartitionFold>(module, "PartitionFold")
      .def(
          "__init__",
          [](PartitionFold* self, const FoldConfig& config, std::shared_ptr<WriterSchemas> schemas,
             std::int32_t bar_schema_id, std::int32_t live_schema_id, std::int32_t partition, std::string epoch,
             std::int32_t generation) {
            new (self) PartitionFold(config, std::move(schemas),
                                     Origin{partition, std::move(epoch), generation, bar_schema_id, live_schema_id});
          },
          "config"_a, "writer_schemas"_a, nb::kw_only(), "bar_schema_id"_a, "live_schema_id"_a, "partition"_a,
          "epoch"_a, "generation"_a)
      .def("restore", on_record_set(&PartitionFold::restore), "record_set"_a, "aborted"_a, "start_offset"_a)
      .def("restored", &PartitionFold::restored, nb::call_guard<nb::gil_scoped_release>())
      .def("lacks_beginning", &PartitionFold::lacks_beginning)
      .def("hand_out_trades", &PartitionFold::hand_out_trades)
      .def("take_accepted", &PartitionFold::take_accepted)
      .def("has_bar", &PartitionFold::has_bar, "venue"_a, "instrument"_a, "level"_a, "start_ns"_a)
      .def("fold", &fold, "record_set"_a, "aborted"_a, "start_offset"_a)
      .def("reread", &reread, "record_set"_a, "aborted"_a)
      .def("history_is_gone", &PartitionFold::history_is_gone)
      .def("live", &live)
      .def("live_all", &PartitionFold::live_all, nb::call_guard<nb::gil_scoped_release>())
      .def("take_flush", &PartitionFold::take_flush, nb::call_guard<nb::gil_scoped_release>());
}

void bind_join_values(nb::module_& module) {
  nb::class_<JoinConfig>(module, "JoinConfig")
      .def(
          "__init__",
          [](JoinConfig* self, std::int64_t base_ns, std::int64_t horizon_ns, std::int64_t quote_horizon_ns,
             std::int64_t max_quote_age_ns, std::int64_t max_ahead_ns, const std::vector<std::string>& quoted_venues,
             const std::vector<std::string>& contiguous_venues) {
            new (self) JoinConfig{base_ns,
                                  horizon_ns,
                                  quote_horizon_ns,
                                  max_quote_age_ns,
                                  max_ahead_ns,
                                  {quoted_venues.begin(), quoted_venues.end()},
                                  {contiguous_venues.begin(), contiguous_venues.end()}};
          },
          nb::kw_only(), "base_ns"_a, "horizon_ns"_a, "quote_horizon_ns"_a, "max_quote_age_ns"_a, "max_ahead_ns"_a,
          "quoted_venues"_a, "contiguous_venues"_a);
  nb::class_<JoinOutcome>(module, "JoinOutcome")
      .def_ro("next_offset", &JoinOutcome::next_offset)
      .def_ro("needs_schema", &JoinOutcome::needs_schema)
      .def_ro("corrupt", &JoinOutcome::corrupt)
      .def_ro("trades", &JoinOutcome::trades)
      .def_ro("duplicates", &JoinOutcome::duplicates)
      .def_ro("late", &JoinOutcome::late)
      .def_ro("unusable", &JoinOutcome::unusable)
      .def_ro("quotes", &JoinOutcome::quotes)
      .def_ro("late_quotes", &JoinOutcome::late_quotes)
      .def_ro("ignored", &JoinOutcome::ignored)
      .def_ro("dead", &JoinOutcome::dead);
  nb::class_<JoinProgress>(module, "JoinProgress")
      .def_ro("trades_epoch", &JoinProgress::trades_epoch)
      .def_ro("trades_reached", &JoinProgress::trades_reached)
      .def_prop_ro("trades_from", &JoinProgress::trades_from)
      .def_ro("quotes_epoch", &JoinProgress::quotes_epoch)
      .def_ro("quotes_reached", &JoinProgress::quotes_reached)
      .def_ro("quotes_from", &JoinProgress::quotes_from)
      .def_ro("trades_gone", &JoinProgress::trades_gone)
      .def_ro("quotes_gone", &JoinProgress::quotes_gone)
      .def_ro("lacks_older_quotes", &JoinProgress::lacks_older_quotes);
  nb::class_<JoinFlush>(module, "JoinFlush")
      .def_ro("trades_reached", &JoinFlush::trades_reached)
      .def_ro("quotes_reached", &JoinFlush::quotes_reached)
      .def_ro("is_empty", &JoinFlush::is_empty)
      .def_ro("changelog", &JoinFlush::changelog)
      .def_ro("joined", &JoinFlush::joined)
      .def_prop_ro("dead", [](const JoinFlush& flush) { return refused_to_list(flush.dead); });
}

void bind_join(nb::module_& module) {
  bind_join_values(module);
  nb::class_<QuoteJoin>(module, "QuoteJoin")
      .def(
          "__init__",
          [](QuoteJoin* self, const JoinConfig& config, std::shared_ptr<WriterSchemas> trade_schemas,
             std::shared_ptr<WriterSchemas> quote_schemas, std::int32_t joined_schema_id, std::int32_t partition,
             std::string trades_epoch, std::string quotes_epoch) {
            new (self)
                QuoteJoin(config, std::move(trade_schemas), std::move(quote_schemas),
                          JoinOrigin{partition, std::move(trades_epoch), std::move(quotes_epoch), joined_schema_id});
          },
          "config"_a, "trade_schemas"_a, "quote_schemas"_a, nb::kw_only(), "joined_schema_id"_a, "partition"_a,
          "trades_epoch"_a, "quotes_epoch"_a)
      .def("restore", on_record_set(&QuoteJoin::restore), "record_set"_a, "aborted"_a, "start_offset"_a)
      .def("restored", &QuoteJoin::restored, "trades_begin"_a, "quotes_begin"_a,
           nb::call_guard<nb::gil_scoped_release>())
      .def("take_trades", on_record_set(&QuoteJoin::take_trades), "record_set"_a, "aborted"_a, "start_offset"_a)
      .def("take_quotes", on_record_set(&QuoteJoin::take_quotes), "record_set"_a, "aborted"_a, "start_offset"_a)
      .def("end_quotes", &QuoteJoin::end_quotes, "offset"_a, "trades_ms"_a)
      .def("take_flush", &QuoteJoin::take_flush, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("overdue_ms", &QuoteJoin::overdue_ms)
      .def_prop_ro("waiting_for_quotes", &QuoteJoin::waiting_for_quotes)
      .def_prop_ro("kept_quotes", &QuoteJoin::kept_quotes);
}

}  // namespace
}  // namespace livetape::kernel

NB_MODULE(_native, module) {
  using namespace livetape::kernel;
  nb::exception<CorruptBatch>(module, "CorruptBatch");
  nb::exception<CorruptState>(module, "CorruptState");
  bind_config(module);
  bind_progress(module);
  bind_batches(module);
  bind_trade_batch(module);
  bind_fold(module);
  bind_join(module);
  module.def("progress_record", &make_progress_record, "epoch"_a, "generation"_a, "next_offset"_a);
  module.def("read_progress", &progress_from, "value"_a);
  module.def("end_of", &end_of_set, "record_set"_a, "start_offset"_a);
  module.def("read_records", &read_records, "record_set"_a, "aborted"_a);
}
