#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <stdexcept>
#include <string>

#include "core/config.hpp"

namespace livetape::bridge {

/// A client of these brokers, or of none.
inline rd_kafka_t* client(rd_kafka_type_t type, const std::string& brokers) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  std::array<char, 512> reason{};
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), reason.data(), reason.size());
  return rd_kafka_new(type, conf, reason.data(), reason.size());
}

/// Brokers in this process, by librdkafka's own imitation of them, with the bridge's topics.
class MockBrokers {
 public:
  static constexpr std::int32_t kPartitions = 4;
  static constexpr SchemaIds kSchemas{.trade = 1, .clock = 2, .gap = 3, .quote = 4, .candle = 5};

  MockBrokers() {
    for (const char* topic : {"trades", "gaps", "quotes", "candles"}) {
      if (rd_kafka_mock_topic_create(cluster_, topic, kPartitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error(topic);
      }
    }
  }
  ~MockBrokers() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(host_);
  }
  MockBrokers(const MockBrokers&) = delete;
  MockBrokers& operator=(const MockBrokers&) = delete;

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  /// Has a bridge write to them.
  void configure(Config& config) const {
    config.trades_topic = "trades";
    config.gaps_topic = "gaps";
    config.quotes_topic = "quotes";
    config.candles_topic = "candles";
    config.schema_ids = kSchemas;
    config.kafka = {{"bootstrap.servers", address_}, {"linger.ms", "0"}};
  }
  void leave() { rd_kafka_mock_broker_set_down(cluster_, -1); }
  void come_back() { rd_kafka_mock_broker_set_up(cluster_, -1); }
  /// Tells this of a topic to whoever asks for it.
  void tell_of(const char* topic, rd_kafka_resp_err_t code) { rd_kafka_mock_topic_set_error(cluster_, topic, code); }
  /// Answers the next request to produce with this.
  void refuse_a_batch(rd_kafka_resp_err_t code) {
    constexpr std::int16_t kProduce = 0;
    rd_kafka_mock_push_request_errors(cluster_, kProduce, 1, code);
  }

 private:
  rd_kafka_t* host_ = client(RD_KAFKA_PRODUCER, "");
  rd_kafka_mock_cluster_t* cluster_ = rd_kafka_mock_cluster_new(host_, 1);
  std::string address_ = rd_kafka_mock_cluster_bootstraps(cluster_);
};

}  // namespace livetape::bridge
