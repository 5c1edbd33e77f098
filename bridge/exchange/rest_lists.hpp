#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "core/decode_error.hpp"
#include "exchange/json.hpp"
#include "exchange/trade_fields.hpp"

/// What the lists that venues' REST APIs answer have alike.
namespace livetape::bridge {

/// Reads the items of the list that an answer has under a name: calls `visit(value)` for each.
template <typename Visit>
[[nodiscard]] DecodeError each_item_under(std::string_view name, simdjson::ondemand::parser& parser,
                                          std::string_view answer, Visit visit) {
  bool has_list = false;
  const bool is_json = each_field_of_frame(parser, answer, [&](std::string_view key, simdjson::ondemand::value& field) {
    if (key == name) has_list = each_item(field, visit);
  });
  if (!is_json) return DecodeError::malformed_json;
  return has_list ? DecodeError::none : DecodeError::missing_field;
}

/// The names under which a venue's list tells an instrument, where it has one symbol for everything.
struct ListingNames {
  std::string_view symbol;
  std::string_view base;
  std::string_view quote;
  std::string_view status{};    // where it says what has become of the instrument
  std::string_view delisted{};  // what it says there of one that can no longer be subscribed to
};

/// Tells `listed(base, quote, symbol)` what an item of the list says.
template <typename Listed>
void read_listing(const ListingNames& names, simdjson::ondemand::value& item, const Listed& listed) {
  std::string_view symbol, base, quote, status;
  const bool is_read = each_field_of(item, [&](std::string_view name, simdjson::ondemand::value& part) {
    if (name == names.symbol) symbol = as<std::string_view>(part).value_or("");
    if (name == names.base) base = as<std::string_view>(part).value_or("");
    if (name == names.quote) quote = as<std::string_view>(part).value_or("");
    if (name == names.status) status = as<std::string_view>(part).value_or("");
  });
  const bool is_delisted = !names.status.empty() && status == names.delisted;
  if (is_read && !is_delisted) listed(base, quote, {std::string(symbol), std::string(symbol)});
}

/// Reads an answer that is one list of trades of an instrument, which they do not name: `read_field(name, value,
/// fields)` reads a field, and `add(fields)` takes a trade. The first flaw of all.
template <typename ReadField, typename Add>
[[nodiscard]] DecodeError read_trade_list(simdjson::ondemand::parser& parser, std::string_view answer,
                                          std::string_view symbol, ReadField read_field, Add add) {
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item_of_answer(parser, answer, [&](simdjson::ondemand::value& item) {
    TradeFields fields;
    fields.symbol = symbol;
    (void)each_field_of(
        item, [&](std::string_view name, simdjson::ondemand::value& field) { read_field(name, field, fields); });
    keep_first(flaw, add(fields));
  });
  return is_list ? flaw : DecodeError::malformed_json;
}

}  // namespace livetape::bridge
