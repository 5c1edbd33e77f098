#include <sched.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/config.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "core/time.hpp"
#include "publish/kafka_publisher.hpp"

using namespace livetape::bridge;

namespace {

constexpr std::size_t kRingMessages = std::size_t{1} << 16;
constexpr std::uint32_t kInstruments = 100;
constexpr std::chrono::milliseconds kFull{1};  // asleep: the broker needs the processor

/// This thread, and those that it starts, on one processor.
void stay_on(int processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(processor, &processors);
  sched_setaffinity(0, sizeof processors, &processors);
}

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// What the processors spent on the bridge's threads, librdkafka's among them: all but this one, which stands for a
/// venue's.
std::int64_t bridge_cpu_ns() { return now_ns(CLOCK_PROCESS_CPUTIME_ID) - now_ns(CLOCK_THREAD_CPUTIME_ID); }

Message trade_of(std::uint64_t sequence) {
  Message message;
  Trade& trade = message.trade;
  message.sequence = sequence;
  trade.instrument = static_cast<std::uint32_t>(sequence % kInstruments);
  (void)trade.id.assign(std::to_string(4'000'000'000 + sequence));
  trade.seq = static_cast<std::int64_t>(4'000'000'000 + sequence);
  trade.has_seq = true;
  trade.aggressor = sequence % 3 == 0 ? Aggressor::buy : Aggressor::sell;
  trade.price =
      (livetape::Int128{61'000'00} + static_cast<std::int64_t>(sequence * 7 % 1'000)) * 10'000'000'000'000'000;
  trade.size = livetape::Int128{static_cast<std::int64_t>(1 + sequence * 13 % 50'000)} * 10'000'000'000'000;
  trade.event_time_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(sequence * 1'000);
  trade.receive_time_ns = trade.event_time_ns + 1'000'000;
  return message;
}

}  // namespace

/// Writes trades by the bridge's own publisher, spool and all, with its threads on one processor; prints JSON. The
/// configuration is a bridge's, of one venue.
int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: bridge-produce-bench CONFIG TRADES\n";
    return 2;
  }
  const Config config = read_config(argv[1]);
  const auto trades = static_cast<std::uint64_t>(std::stoll(argv[2]));
  Metrics metrics;
  metrics.venues.emplace_back().venue = config.venues.front().venue;
  MessageRing ring(kRingMessages);
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < kInstruments; ++i) names.push_back("I" + std::to_string(i) + "-USDT");
  const MessageSource source{std::make_shared<Instruments>(config.venues.front().venue, names), {}, &ring, {}};
  stay_on(0);
  KafkaPublisher publisher(config, {source}, metrics, [] { std::quick_exit(1); });
  publisher.start();
  stay_on(1);
  std::vector<Message> messages;
  for (std::uint64_t number = 1; number <= kRingMessages; ++number) messages.push_back(trade_of(number));
  const std::int64_t begin_ns = steady_now_ns();
  const std::int64_t begin_cpu_ns = bridge_cpu_ns();
  for (std::uint64_t sequence = 1; sequence <= trades; ++sequence) {
    Message& message = messages[sequence % messages.size()];
    message.sequence = sequence;
    while (!ring.push(message)) std::this_thread::sleep_for(kFull);
  }
  while (metrics.kafka.delivered < trades) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto took_ns = static_cast<double>(steady_now_ns() - begin_ns);
  const auto cpu_ns = static_cast<double>(bridge_cpu_ns() - begin_cpu_ns);
  publisher.stop();
  std::cout << "{\"trades\": " << trades << ", \"kafka_produce_per_s\": " << static_cast<double>(trades) / took_ns * 1e9
            << ", \"kafka_produce_cpu_ns\": " << cpu_ns / static_cast<double>(trades) << "}\n"
            << std::flush;
  std::quick_exit(0);
}
