#include "exchange/venue.hpp"

#include <algorithm>

#include "exchange/json.hpp"
#include "exchange/url.hpp"

namespace livetape::bridge {

Venue::Venue(const std::vector<std::string>& instruments) : symbols_(instruments.size()) {
  for (std::uint32_t i = 0; i < instruments.size(); ++i) by_name_.add(instruments[i], i);
}

DecodeError Venue::read_instruments(std::string_view body) {
  std::string canonical;
  return each_instrument(body, [&](std::string_view base, std::string_view quote, VenueSymbol symbol) {
    canonical.assign(base).append("-").append(quote);
    std::ranges::transform(canonical, canonical.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
    const auto instrument = by_name_.find(canonical);
    if (instrument && !is_listed(*instrument)) name(*instrument, std::move(symbol));
  });
}

void Venue::name(std::uint32_t instrument, VenueSymbol symbol) {
  by_symbol_.add(symbol.stream, instrument);
  symbol.rest = percent_encoded(symbol.rest);
  symbols_[instrument] = std::move(symbol);
}

DecodeError Venue::make_trade(const TradeFields& fields, std::int64_t receive_time_ns, Trade& trade) const {
  const bool has_id = fields.number || fields.id;
  if (!fields.symbol || !has_id || !fields.price || !fields.size || !fields.aggressor || !fields.has_time) {
    return DecodeError::missing_field;
  }
  const auto instrument = find(*fields.symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  if (!fields.time_ns) return fields.time_flaw();
  trade.instrument = *instrument;
  trade.aggressor = *fields.aggressor;
  trade.event_time_ns = *fields.time_ns;
  trade.receive_time_ns = receive_time_ns;
  if (fields.number) {
    if (const DecodeError error = set_numbered_id(*fields.number, trade); error != DecodeError::none) return error;
    if (const DecodeError error = set_count(fields.count.value_or(1), trade); error != DecodeError::none) return error;
  } else if (!trade.id.assign(*fields.id)) {
    return DecodeError::bad_trade_id;
  }
  return read_amounts(*fields.price, *fields.size, trade);
}

DecodeError Venue::add_trade(const TradeFields& fields, std::int64_t receive_time_ns, std::vector<Trade>& out) const {
  Trade trade;
  const DecodeError error = make_trade(fields, receive_time_ns, trade);
  if (error == DecodeError::none) out.push_back(trade);
  return error;
}

DecodeError Venue::add_quote(const QuoteFields& fields, std::int64_t receive_time_ns, std::vector<Quote>& out) const {
  const bool has_side = fields.has_list || fields.bid_price || fields.ask_price;
  if (!fields.symbol || !has_side) return DecodeError::missing_field;
  const auto instrument = find(*fields.symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  if (fields.has_time && !fields.time_ns) return fields.time_flaw();
  Quote quote;
  quote.instrument = *instrument;
  quote.has_seq = fields.seq.has_value();
  quote.seq = fields.seq.value_or(0);
  quote.has_venue_time = fields.has_time;
  quote.event_time_ns = fields.has_time ? *fields.time_ns : receive_time_ns;
  quote.receive_time_ns = receive_time_ns;
  DecodeError error = read_level(fields.bid_price, fields.bid_size, quote.bid);
  if (error == DecodeError::none) error = read_level(fields.ask_price, fields.ask_size, quote.ask);
  if (error == DecodeError::none) out.push_back(quote);
  return error;
}

std::int64_t Venue::complete_since_ns(const HistoryQuery& /*query*/, std::span<const Trade> page) const {
  if (page.size() < history_rules().page) return std::numeric_limits<std::int64_t>::min();
  return behind_oldest_ns(page);
}

}  // namespace livetape::bridge
