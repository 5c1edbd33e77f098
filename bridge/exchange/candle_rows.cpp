#include "exchange/candle_rows.hpp"

#include <array>

#include "core/time.hpp"
#include "exchange/json.hpp"
#include "livetape/decimal.hpp"

namespace livetape::bridge {
namespace {

/// Reads the amounts exactly. Prices of a minute without trades may be whatever the venue likes.
DecodeError read_candle_amounts(const CandleFields& fields, Candle& candle) {
  const ParsedDecimal volume = parse_decimal(*fields.volume);
  if (volume.error != DecimalError::none) return size_flaw(volume.error);
  if (volume.unscaled < 0) return DecodeError::size_not_positive;
  candle.volume = volume.unscaled;
  const std::array prices{std::pair(&fields.open, &candle.open), std::pair(&fields.high, &candle.high),
                          std::pair(&fields.low, &candle.low), std::pair(&fields.close, &candle.close)};
  for (const auto& [text, price] : prices) {
    const ParsedDecimal parsed = parse_decimal(**text);
    if (parsed.error != DecimalError::none) return price_flaw(parsed.error);
    if (parsed.unscaled <= 0 && volume.unscaled > 0) return DecodeError::price_not_positive;
    *price = parsed.unscaled;
  }
  return DecodeError::none;
}

}  // namespace

std::optional<std::int64_t> as_ns(std::optional<std::string_view> count, std::int64_t unit_ns) {
  const auto number = count ? integer_of(*count) : std::nullopt;
  return number ? units_as_ns(*number, unit_ns) : std::nullopt;
}

DecodeError add_candle(const CandleFields& fields, const CandleQuery& query, std::int64_t receive_time_ns,
                       std::vector<Candle>& out) {
  if (!fields.open || !fields.high || !fields.low || !fields.close || !fields.volume) return DecodeError::missing_field;
  if (!fields.start_ns) return DecodeError::time_out_of_range;
  if (*fields.start_ns < query.first_ns || *fields.start_ns > query.last_ns) return DecodeError::none;
  if (*fields.start_ns % kMinuteNs != 0) return DecodeError::time_out_of_range;
  Candle candle;
  candle.instrument = query.instrument;
  candle.start_ns = *fields.start_ns;
  candle.has_trades = fields.trades.has_value();
  candle.trades = fields.trades.value_or(0);
  candle.receive_time_ns = receive_time_ns;
  const DecodeError error = read_candle_amounts(fields, candle);
  if (error == DecodeError::none) out.push_back(candle);
  return error;
}

}  // namespace livetape::bridge
