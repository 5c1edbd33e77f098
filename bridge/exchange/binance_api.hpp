#pragma once

#include <simdjson.h>

#include <cctype>
#include <string>
#include <string_view>

#include "exchange/json.hpp"

/// What the APIs of Binance spot and of its futures have alike.
namespace livetape::bridge {

/// A stream's name: the symbol in lower case, and what kind of stream it is.
[[nodiscard]] inline std::string binance_stream(std::string_view symbol, std::string_view kind) {
  std::string name;
  for (const char c : symbol) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.append(kind);
}

/// A request to subscribe to streams, or no longer.
[[nodiscard]] inline std::string binance_request(const std::string& streams, bool is_on) {
  return std::string(R"({"method":")") + (is_on ? "SUBSCRIBE" : "UNSUBSCRIBE") + R"(","params":[)" + streams +
         R"(],"id":1})";
}

/// What an error says.
[[nodiscard]] inline std::string_view binance_error(simdjson::ondemand::value& error) {
  std::string_view message;
  (void)each_field_of(error, [&](std::string_view key, simdjson::ondemand::value& field) {
    if (key == "msg") message = as<std::string_view>(field).value_or("");
  });
  return message;
}

}  // namespace livetape::bridge
