#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/session_id.hpp"
#include "livetape/decimal.hpp"
#include "publish/record.hpp"

namespace livetape::bridge {
namespace {

using simdjson::dom::element;

std::string text(const element& json) { return std::string(std::string_view(json)); }

Int128 amount(const element& json) {
  const ParsedDecimal parsed = parse_decimal(std::string_view(json));
  EXPECT_EQ(parsed.error, DecimalError::none);
  return parsed.unscaled;
}

/// The conditions' texts are the JSON's own.
std::vector<std::string_view> conditions_of(const element& fields) {
  std::vector<std::string_view> codes;
  simdjson::dom::array array;
  if (fields["conditions"].get(array) != simdjson::SUCCESS) return codes;
  for (const element code : array) codes.emplace_back(std::string_view(code));
  return codes;
}

Message message_of(const element& golden) {
  const element fields = golden["fields"];
  Message message;
  message.sequence = static_cast<std::uint64_t>(std::int64_t(fields["bridge_sequence"]));
  if (text(golden["type"]) == "Clock") {
    message.kind = Message::Kind::clock;
    message.clock_time_ns = std::int64_t(fields["time_ns"]);
    return message;
  }
  Trade& trade = message.trade;
  EXPECT_TRUE(trade.id.assign(text(fields["trade_id"])));
  trade.has_seq = !fields["trade_seq"].is_null();
  if (trade.has_seq) trade.seq = std::int64_t(fields["trade_seq"]);
  trade.price = amount(fields["price"]);
  trade.size = amount(fields["size"]);
  const std::string side = text(fields["aggressor"]);
  trade.aggressor = side == "buy" ? Aggressor::buy : side == "sell" ? Aggressor::sell : Aggressor::unknown;
  trade.event_time_ns = std::int64_t(fields["event_time_ns"]);
  trade.receive_time_ns = std::int64_t(fields["receive_time_ns"]);
  for (const auto& [name, time_ns] :
       {std::pair{"publish_time_ns", &trade.publish_time_ns}, {"hardware_time_ns", &trade.hardware_time_ns}}) {
    if (!fields[name].is_null()) *time_ns = std::int64_t(fields[name]);
  }
  std::string_view action;
  if (fields["action"].get(action) == simdjson::SUCCESS && action == "cancel") trade.action = Action::cancel;
  return message;
}

/// The other side is tests/golden/test_trade_records.py: the same file, written and read by Python.
TEST(GoldenRecords, AreWrittenByteForByte) {
  simdjson::dom::parser parser;
  int count = 0;
  for (const element golden : parser.load(LIVETAPE_GOLDEN "/trade_records.json")["records"].get_array()) {
    const element fields = golden["fields"];
    const bool is_trade = text(golden["type"]) == "Trade";
    const auto schema_id = static_cast<std::int32_t>(std::int64_t(golden["schema_id"]));
    const std::vector<std::string> names{is_trade ? text(fields["instrument"]) : ""};
    RecordEncoder encoder(std::make_shared<Instruments>(text(fields["venue"]), names), text(fields["bridge_session"]),
                          SchemaIds{schema_id, schema_id, schema_id, schema_id});
    std::string expected;
    for (const element field : golden["bytes"].get_array()) expected += text(field.at(1));
    const std::vector<std::string_view> conditions = conditions_of(fields);
    Message message = message_of(golden);
    if (is_trade) message.trade.conditions = conditions;
    EXPECT_EQ(as_hex(encoder.encode(message)), expected) << text(golden["name"]);
    ++count;
  }
  EXPECT_GE(count, 8);
}

/// The other side is tests/golden/test_namespace_marks.py.
TEST(GoldenMarks, AreWhatSessionsOfANamespaceBeginWith) {
  simdjson::dom::parser parser;
  for (const auto [name, golden] : parser.load(LIVETAPE_GOLDEN "/namespace_marks.json").get_object()) {
    const NamespaceMark mark = mark_of_namespace(name);
    EXPECT_EQ(as_hex(mark), text(golden)) << name;
    EXPECT_TRUE(is_marked(random_session_id(mark), mark));
    EXPECT_FALSE(is_marked(random_session_id(mark), mark_of_namespace("another")));
    EXPECT_NE(random_session_id(mark), random_session_id(mark));
  }
}

}  // namespace
}  // namespace livetape::bridge
