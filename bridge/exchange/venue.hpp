#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/decode_error.hpp"
#include "core/time.hpp"
#include "core/trade.hpp"
#include "exchange/rest_limits.hpp"
#include "exchange/symbols.hpp"
#include "exchange/trade_fields.hpp"

namespace livetape::bridge {

/// What a frame turned out to be.
enum class FrameKind : std::uint8_t {
  trades,
  quotes,
  ignored,     // of a known kind that holds neither: an acknowledgement, a heartbeat, another channel
  subscribed,  // the venue took what a message subscribed to
  refused,     // or refused it; `reason` says which and why
  reconnect,   // the venue is about to close the connection and wants us on another
  error,
};

struct FrameResult {
  FrameKind kind = FrameKind::ignored;
  DecodeError error = DecodeError::none;
  std::string reason{};

  static FrameResult failed(DecodeError error) { return {FrameKind::error, error, {}}; }
};

/// What a frame held; kept from frame to frame, so that decoding does not allocate.
struct Decoded {
  std::vector<Trade> trades;
  std::vector<Quote> quotes;

  void clear() noexcept {
    trades.clear();
    quotes.clear();
  }
};

/// A text message that a venue wants to hear again and again.
struct KeepAlive {
  std::chrono::milliseconds every;
  std::string message;
};

/// What can be subscribed to of an instrument.
enum class Channel : std::uint8_t { trades, quotes };

/// How much a venue takes of one client.
struct Limits {
  std::size_t symbols_per_message;
  std::size_t subscriptions_per_connection;
  std::chrono::milliseconds pace;  // between two messages of a connection
};

/// What a venue's trade ids say of each other.
enum class IdRule : std::uint8_t {
  contiguous,  // an instrument's trades are numbered without a hole
  unordered,   // nothing, or not enough to tell what is missing
};

/// How a venue's REST API gives trades back.
struct HistoryRules {
  enum class Order : std::uint8_t { oldest_first, newest_first };
  std::chrono::milliseconds pace;    // between two requests
  Order order;                       // which of the trades asked for a page begins with
  std::size_t page;                  // trades of a full page; 0 where there are no pages
  bool is_by_time = false;           // it is asked for what is behind a time, not for ids
  std::chrono::milliseconds age{0};  // how old an answer may be that is given; ids tell it where they are contiguous
};

/// The trades that are looked for in a venue's history.
struct HistoryQuery {
  std::uint32_t instrument = 0;
  std::optional<std::int64_t> first_id;  // where ids are contiguous; nothing: the newest page, or from that time on
  std::optional<std::int64_t> last_id;   // nothing: up to now
  std::int64_t from_time_ns = 0;         // event time of the last trade that is there before them
  std::int64_t now_ns = 0;
};

/// Since when a page that may be cut off has all trades: of its oldest one's time there may be more.
[[nodiscard]] inline std::int64_t behind_oldest_ns(std::span<const Trade> page) noexcept {
  return std::ranges::min_element(page, {}, &Trade::event_time_ns)->event_time_ns + 1;
}

/// The minutes that are asked for of a venue's own candles, by their starts.
struct CandleQuery {
  static constexpr std::int64_t kMostMinutes = 100;  // every venue answers as many at once

  std::uint32_t instrument = 0;
  std::int64_t first_ns = 0;  // both included
  std::int64_t last_ns = 0;
};

/// How a venue calls an instrument.
struct VenueSymbol {
  std::string stream;  // in frames and subscriptions
  std::string rest;    // in requests
};

/// What is particular to one venue. The generic session knows no more of it.
class Venue {
 public:
  /// `instruments` are canonical names (BTC-USDT) and give trades their index.
  explicit Venue(const std::vector<std::string>& instruments);
  virtual ~Venue() = default;
  Venue(const Venue&) = delete;
  Venue& operator=(const Venue&) = delete;

  // Names. They come from the venue's own list; what it does not list has none.
  [[nodiscard]] virtual std::string instruments_target() const = 0;
  /// Reads the answer to a request for `instruments_target`. Nothing can be read before.
  [[nodiscard]] DecodeError read_instruments(std::string_view body);
  void name(std::uint32_t instrument, VenueSymbol symbol);
  /// The symbol in requests as the target of one takes it.
  [[nodiscard]] const VenueSymbol& symbol(std::uint32_t instrument) const { return symbols_[instrument]; }
  [[nodiscard]] std::size_t instrument_count() const noexcept { return symbols_.size(); }
  [[nodiscard]] bool is_listed(std::uint32_t instrument) const noexcept { return !symbols_[instrument].stream.empty(); }

  // Subscriptions.
  /// Where a channel is served; empty: at the address that the configuration names.
  [[nodiscard]] virtual std::string path(Channel /*channel*/) const { return {}; }
  [[nodiscard]] virtual Limits limits() const = 0;
  /// A message that subscribes to a channel of these instruments, or no longer.
  [[nodiscard]] virtual std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                                      bool is_on) const = 0;
  [[nodiscard]] virtual std::optional<KeepAlive> keep_alive() const { return std::nullopt; }

  /// Decodes one frame; what it holds goes to `out`, which is cleared first. After an error, `out` has the trades of
  /// the frame that are good all the same. There must be room for simdjson's padding behind the frame.
  virtual FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) = 0;

  /// Why what came with status 200 is no answer, where the venue says so in the body; nothing when it is one. `body`
  /// has padding behind it.
  [[nodiscard]] virtual std::optional<Refusal> refusal(std::string_view /*body*/) { return std::nullopt; }

  /// Whether an answer to a request for an instrument's trades or candles says that the venue does not list it, any
  /// more for instance: nothing is traded of it. `body` has padding behind it.
  [[nodiscard]] virtual bool says_unlisted(std::string_view /*body*/) { return false; }

  /// How long before the trade that made it a quote comes, of a venue that tells no time with its quotes.
  [[nodiscard]] virtual std::int64_t quote_lead_ns() const { return 0; }

  // History.
  [[nodiscard]] virtual IdRule id_rule() const = 0;
  [[nodiscard]] virtual HistoryRules history_rules() const = 0;
  [[nodiscard]] virtual std::string history_target(const HistoryQuery& query) const = 0;
  /// Reads an answer; its trades go to `out`, in whatever order. `body` has padding behind it as frames have.
  [[nodiscard]] virtual DecodeError read_history(std::string_view body, const HistoryQuery& query,
                                                 std::int64_t receive_time_ns, std::vector<Trade>& out) = 0;
  /// Since when an answer has all trades, where ids cannot tell it: a page that is not full has all that there are.
  [[nodiscard]] virtual std::int64_t complete_since_ns(const HistoryQuery& query, std::span<const Trade> page) const;
  /// How exactly the history tells an event time.
  [[nodiscard]] virtual std::int64_t history_resolution_ns() const { return 1; }

  // Its own candles, of a minute each.
  [[nodiscard]] virtual std::string candles_target(const CandleQuery& query) const = 0;
  /// Reads an answer; the candles of the minutes asked for go to `out`, in whatever order. Of an answer that has a flaw
  /// those that are good. `body` has padding behind it.
  [[nodiscard]] virtual DecodeError read_candles(std::string_view body, const CandleQuery& query,
                                                 std::int64_t receive_time_ns, std::vector<Candle>& out) = 0;

 protected:
  /// Hears of one instrument of a venue's list.
  using Listed = std::function<void(std::string_view base, std::string_view quote, VenueSymbol symbol)>;
  virtual DecodeError each_instrument(std::string_view body, const Listed& listed) = 0;

  /// A trade by its fields, its amounts exact; or the first of them that is wrong.
  [[nodiscard]] DecodeError make_trade(const TradeFields& fields, std::int64_t receive_time_ns, Trade& trade) const;
  /// Adds it to `out`, unless something is wrong with it.
  [[nodiscard]] DecodeError add_trade(const TradeFields& fields, std::int64_t receive_time_ns,
                                      std::vector<Trade>& out) const;

  /// Adds a quote by its fields to `out`, its amounts exact; or the first of them that is wrong.
  [[nodiscard]] DecodeError add_quote(const QuoteFields& fields, std::int64_t receive_time_ns,
                                      std::vector<Quote>& out) const;
  [[nodiscard]] static FrameResult result_of(DecodeError error, FrameKind kind) {
    return error == DecodeError::none ? FrameResult{kind} : FrameResult::failed(error);
  }

  /// Instruments as the texts of a JSON list: `name` gives each one's by its symbol on the stream.
  template <typename Name>
  [[nodiscard]] std::string quoted(std::span<const std::uint32_t> instruments, Name name) const {
    std::string list;
    for (const std::uint32_t instrument : instruments) {
      list.append(list.empty() ? "\"" : ",\"").append(name(symbol(instrument).stream)).append("\"");
    }
    return list;
  }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view stream_symbol) const {
    return by_symbol_.find(stream_symbol);
  }

 private:
  Symbols by_name_;
  Symbols by_symbol_;
  std::vector<VenueSymbol> symbols_;
};

/// The client of a venue by its name; null for a name that has none.
[[nodiscard]] std::unique_ptr<Venue> make_venue(std::string_view name, const std::vector<std::string>& instruments);

/// The same. Throws std::runtime_error that says which there are for a name that has none.
[[nodiscard]] std::unique_ptr<Venue> checked_venue(std::string_view name, const std::vector<std::string>& instruments);

/// The same for programs that read frames and ask no venue: `pairs` are INSTRUMENT=SYMBOL, and the instruments go to
/// `instruments`.
[[nodiscard]] std::unique_ptr<Venue> make_venue_of(std::string_view name, std::span<char* const> pairs,
                                                   std::vector<std::string>& instruments);

/// Every name that `make_venue` knows.
[[nodiscard]] std::string known_venues();

}  // namespace livetape::bridge
