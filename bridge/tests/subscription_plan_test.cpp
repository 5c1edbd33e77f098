#include "exchange/subscription_plan.hpp"

#include <gtest/gtest.h>

#include "exchange/venues/binance.hpp"
#include "exchange/venues/binance_usdm.hpp"

namespace livetape::bridge {
namespace {

constexpr Channel kTrades[] = {Channel::trades};

TEST(SubscriptionPlan, SharesSubscriptionsOutByTheVenuesLimits) {
  std::vector<std::string> many;
  for (int i = 0; i < 2'000; ++i) many.push_back("A" + std::to_string(i) + "-USDT");
  Binance venue(many);
  for (std::uint32_t i = 0; i < many.size(); ++i) venue.name(i, {many[i], many[i]});
  const auto connections = plan_connections(venue, kTrades, listed_instruments(venue));
  ASSERT_EQ(connections.size(), 2U);
  EXPECT_EQ(connections[0].subscriptions.size(), 1'024U);
  EXPECT_EQ(connections[1].subscriptions.size(), 976U);
  const auto messages = messages_for(venue, connections[0].subscriptions, true);
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_TRUE(messages[5].starts_with(R"({"method":"SUBSCRIBE","params":["a1000-usdt@trade",)")) << messages[5];
  EXPECT_EQ(connections[1].subscriptions[0], (Subscription{Channel::trades, 1'024}));
}

TEST(SubscriptionPlan, LeavesOutWhatTheVenueDoesNotList) {
  Binance venue({"BTC-USDT", "ETH-USDT"});
  EXPECT_TRUE(plan_connections(venue, kTrades, listed_instruments(venue)).empty());
  venue.name(1, {"ETHUSDT", "ETHUSDT"});
  const auto connections = plan_connections(venue, kTrades, listed_instruments(venue));
  ASSERT_EQ(connections.size(), 1U);
  EXPECT_EQ(connections[0].subscriptions, (std::vector<Subscription>{{Channel::trades, 1}}));
}

TEST(SubscriptionPlan, HasAConnectionOfItsOwnForWhatIsServedElsewhere) {
  constexpr Channel kBoth[] = {Channel::trades, Channel::quotes};
  BinanceUsdm futures({"BTC-USDT"});
  futures.name(0, {"BTCUSDT", "BTCUSDT"});
  const auto apart = plan_connections(futures, kBoth, listed_instruments(futures));
  ASSERT_EQ(apart.size(), 2U);
  EXPECT_EQ(apart[0].path, "");
  EXPECT_EQ(apart[1].path, "/public/stream");
  EXPECT_TRUE(apart[0].has_trades());
  EXPECT_FALSE(apart[1].has_trades());
  const std::string configured = "wss://venue.example:9443/stream";
  EXPECT_EQ(apart[0].address(configured), configured);
  EXPECT_EQ(apart[1].address(configured), "wss://venue.example:9443/public/stream");
  EXPECT_EQ(apart[1].address(std::string("wss://venue.example")), "wss://venue.example/public/stream");
  Binance spot({"BTC-USDT"});
  spot.name(0, {"BTCUSDT", "BTCUSDT"});
  const auto together = plan_connections(spot, kBoth, listed_instruments(spot));
  ASSERT_EQ(together.size(), 1U);
  EXPECT_EQ(messages_for(spot, together[0].subscriptions, true).size(), 2U);
}

TEST(SubscriptionPlan, HasAFurtherConnectionForWhatIsListedLater) {
  Binance venue({"BTC-USDT", "ETH-USDT", "SOL-USDT"});
  for (const std::uint32_t i : {0U, 2U}) venue.name(i, {"A" + std::to_string(i), "A" + std::to_string(i)});
  EXPECT_EQ(listed_instruments(venue), (std::vector<std::uint32_t>{0, 2}));
  constexpr std::uint32_t kLater[] = {2};
  const auto connections = plan_connections(venue, kTrades, kLater);
  ASSERT_EQ(connections.size(), 1U);
  EXPECT_EQ(connections[0].subscriptions, (std::vector<Subscription>{{Channel::trades, 2}}));
}

}  // namespace
}  // namespace livetape::bridge
