#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "series.hpp"
#include "trade_history.hpp"

/// The trades that a fold accepted, handed out by base window for aggregates that are folded elsewhere: decoded once.
namespace livetape::kernel {

/// What an aggregate may want to know of a trade.
struct AcceptedTrade {
  Int128 price;
  UInt128 size;
  std::int64_t event_time_ns;
  OrderKey order;
  std::int64_t offset;
  TradeId id;
  Aggressor aggressor;
  CountsFor counts_for;
};

/// Trades of one base window of one instrument, in the order of the log.
struct TradeBatch {
  std::string venue;
  std::string instrument;
  std::int64_t start_ns;
  bool is_whole = false;  // a correction changed the window: these are all of its trades, and nothing else holds
  std::vector<AcceptedTrade> trades;
};

/// A bar that a flush publishes, by where it is and how it stands.
struct PublishedBar {
  std::string venue;
  std::string instrument;
  std::size_t level;
  std::int64_t start_ns;
  std::int32_t revision;
  std::int64_t seq;
  std::int64_t trade_count;
  std::int64_t first_offset;
};

/// A bar that left memory for good.
struct EvictedBar {
  std::string venue;
  std::string instrument;
  std::size_t level;
  std::int64_t start_ns;
};

/// Gathers accepted trades until they are taken.
class AcceptedTrades {
 public:
  explicit AcceptedTrades(std::int64_t base_length_ns) : base_length_ns_(base_length_ns) {}

  void add(const Series& series, const Trade& trade);
  /// Puts what a correction left of a base window in the place of all that was handed out of it.
  void replace(const Series& series, std::int64_t start_ns, const TradeHistory& history);
  /// All that was added since the last call, windows in the order in which they came.
  std::vector<std::shared_ptr<const TradeBatch>> take();

 private:
  struct Window {
    const Series* series = nullptr;
    std::int64_t start_ns = 0;
    friend bool operator==(const Window&, const Window&) = default;
  };
  struct WindowHash {
    std::size_t operator()(const Window& window) const noexcept;
  };

  TradeBatch& batch(const Window& window);

  std::int64_t base_length_ns_;
  std::vector<std::shared_ptr<TradeBatch>> batches_;
  std::unordered_map<Window, TradeBatch*, WindowHash> by_window_;
  Window last_;  // the next trade is often of the same window
  TradeBatch* last_batch_ = nullptr;
};

[[nodiscard]] PublishedBar published_bar(const Series& series, std::size_t level, const Bar& bar);
[[nodiscard]] EvictedBar evicted_bar(const Series& series, std::size_t level, std::int64_t start_ns);

}  // namespace livetape::kernel
