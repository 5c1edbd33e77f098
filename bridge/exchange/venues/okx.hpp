#pragma once

#include <simdjson.h>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// OKX spot, the channels `bbo-tbt`, and `trades-all` of the business endpoint: unlike those of `trades`, its frames
/// never stand for several trades at once, so that stream and history have the same ones. Those of `trades` are read as
/// well: recordings have them. Source: OKX' API documentation v5, "WebSocket", "All trades channel", "Trades channel",
/// "Order book channel", "Get trades history", "Get candlesticks" and "Get instruments".
class Okx final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override { return "/api/v5/public/instruments?instType=SPOT"; }
  [[nodiscard]] std::string path(Channel channel) const override {
    return channel == Channel::quotes ? "/ws/v5/public" : "";
  }
  /// A connection takes three requests a second, of 64 KB each.
  [[nodiscard]] Limits limits() const override { return {100, 500, std::chrono::milliseconds(400)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  /// A connection that was silent for 30 seconds is closed.
  [[nodiscard]] std::optional<KeepAlive> keep_alive() const override {
    return KeepAlive{std::chrono::seconds(20), "ping"};
  }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] std::optional<Refusal> refusal(std::string_view body) override;
  [[nodiscard]] bool says_unlisted(std::string_view body) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::contiguous; }
  /// An address may ask twenty times in two seconds.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {std::chrono::milliseconds(120), HistoryRules::Order::newest_first, 100};
  }
  [[nodiscard]] std::string history_target(const HistoryQuery& query) const override;
  [[nodiscard]] DecodeError read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out) override;

  [[nodiscard]] std::string candles_target(const CandleQuery& query) const override;
  [[nodiscard]] DecodeError read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Candle>& out) override;

 private:
  /// What stands around the trades of a frame.
  struct Envelope {
    std::string_view event;
    std::string_view channel;
    std::string_view instrument;
    std::string_view message;
    bool has_data = false;
    DecodeError flaw = DecodeError::none;  // the first of the trades' or quotes'
  };

  void read_envelope(std::string_view key, simdjson::ondemand::value& field, std::int64_t receive_time_ns, Decoded& out,
                     Envelope& envelope) const;
  DecodeError read_quotes(simdjson::ondemand::value& list, std::string_view instrument, std::int64_t receive_time_ns,
                          std::vector<Quote>& out) const;
  DecodeError read_trades(simdjson::ondemand::value& list, std::int64_t receive_time_ns, std::vector<Trade>& out) const;
  DecodeError each_instrument(std::string_view body, const Listed& listed) override;

  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
