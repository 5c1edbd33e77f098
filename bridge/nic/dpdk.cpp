#include "nic/dpdk.hpp"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "core/time.hpp"
#include "nic/card_clock.hpp"

namespace livetape::bridge {
namespace {

constexpr unsigned kPackets = 16'383;
constexpr std::uint16_t kDescriptors = 2'048;
constexpr std::uint64_t kBadChecksum = RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;

/// DPDK ties the thread that begins it to one core, for good and for all threads that it starts: this undoes it.
class KeepCores {
 public:
  KeepCores() { ::pthread_getaffinity_np(::pthread_self(), sizeof cores_, &cores_); }
  ~KeepCores() { ::pthread_setaffinity_np(::pthread_self(), sizeof cores_, &cores_); }
  KeepCores(const KeepCores&) = delete;
  KeepCores& operator=(const KeepCores&) = delete;

 private:
  ::cpu_set_t cores_{};
};

/// Begins DPDK and takes memory for packets.
rte_mempool* begin(const std::string& arguments) {
  const KeepCores keep_cores;
  std::vector<std::string> words{"livetape-bridge"};
  std::istringstream text(arguments);
  for (std::string word; text >> word;) words.push_back(word);
  std::vector<char*> pointers;
  pointers.reserve(words.size());
  for (std::string& word : words) pointers.push_back(word.data());
  if (::rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
    throw std::runtime_error("DPDK does not begin with the arguments " + arguments + ": " + ::rte_strerror(rte_errno));
  }
  auto* const pool = ::rte_pktmbuf_pool_create("packets", kPackets, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) {
    throw std::runtime_error(std::string("DPDK has no memory for packets: ") + ::rte_strerror(rte_errno));
  }
  return pool;
}

void check(int result, const std::string& what, std::uint16_t port) {
  if (result < 0) {
    throw std::runtime_error("DPDK's port " + std::to_string(port) + " " + what + ": " + ::rte_strerror(-result));
  }
}

/// The clock of a port's card, read as often as its packets' times need it.
class PortClock {
 public:
  explicit PortClock(std::uint16_t port) noexcept : port_(port) {}

  void read_if_due() noexcept {
    const std::int64_t now_ns = steady_now_ns();
    if (now_ns < due_ns_) return;
    due_ns_ = now_ns + wait_ns_;
    wait_ns_ = std::min(2 * wait_ns_, kLongestWaitNs);
    read();
  }
  [[nodiscard]] std::int64_t utc_ns(std::uint64_t ticks) const noexcept { return clock_.utc_ns(ticks); }

 private:
  static constexpr std::int64_t kFirstWaitNs = 100'000'000;
  static constexpr std::int64_t kLongestWaitNs = 1'000'000'000;

  void read() noexcept {
    CardClock::Reading reading;
    reading.before_ns = utc_now_ns();
    const int result = ::rte_eth_read_clock(port_, &reading.ticks);
    reading.after_ns = utc_now_ns();
    if (result == 0) clock_.see(reading);
  }

  std::uint16_t port_;
  CardClock clock_;
  std::int64_t due_ns_ = 0;
  std::int64_t wait_ns_ = kFirstWaitNs;
};

struct Port {
  std::uint16_t id = 0;
  std::optional<PortClock> clock;  // where its card stamps packets by a clock that can be read
};

/// Where DPDK has a packet's ticks of its card's clock, and the flag of a packet that has them.
struct TicksField {
  int offset = 0;
  std::uint64_t flag = 0;  // 0: DPDK has no room for them
};

TicksField register_ticks() noexcept {
  TicksField field;
  return ::rte_mbuf_dyn_rx_timestamp_register(&field.offset, &field.flag) == 0 ? field : TicksField{};
}

class DpdkSource final : public PacketSource {
 public:
  DpdkSource(const std::string& arguments, std::vector<UdpAddress> addresses, PacketMetrics& metrics);
  ~DpdkSource() override;
  DpdkSource(const DpdkSource&) = delete;
  DpdkSource& operator=(const DpdkSource&) = delete;

  void receive(Payloads& out) override;
  [[nodiscard]] std::uint64_t dropped() const noexcept override;

 private:
  static constexpr std::uint16_t kBurst = 64;

  void start_port(std::uint16_t port);
  [[nodiscard]] bool has_clock(std::uint16_t port, const rte_eth_dev_info& info) const;
  void release();
  void take(const rte_mbuf& packet, const Port& port, Payloads& out);
  [[nodiscard]] std::span<const std::uint8_t> bytes_of(const rte_mbuf& packet);
  [[nodiscard]] std::int64_t hardware_time_ns(const rte_mbuf& packet, const Port& port) const;

  std::vector<UdpAddress> addresses_;
  PacketMetrics& metrics_;
  rte_mempool* pool_;
  TicksField ticks_ = register_ticks();
  std::vector<Port> ports_;
  std::size_t turn_ = 0;  // the port that was polled last
  std::array<rte_mbuf*, kBurst> held_{};
  std::uint16_t held_count_ = 0;
  std::vector<std::vector<std::uint8_t>> joined_;  // of the held packets, those in several buffers
};

DpdkSource::DpdkSource(const std::string& arguments, std::vector<UdpAddress> addresses, PacketMetrics& metrics)
    : addresses_(std::move(addresses)), metrics_(metrics), pool_(begin(arguments)) {
  for (std::uint16_t port = 0; port < RTE_MAX_ETHPORTS; ++port) {
    if (::rte_eth_dev_is_valid_port(port) != 0) start_port(port);
  }
  if (ports_.empty())
    throw std::runtime_error("DPDK knows no port: name a device, --vdev or --allow, in its arguments");
}

DpdkSource::~DpdkSource() {
  release();
  for (const Port& port : ports_) (void)::rte_eth_dev_stop(port.id);
  (void)::rte_eal_cleanup();
}

void DpdkSource::start_port(std::uint16_t port) {
  ::rte_eth_dev_info info{};
  check(::rte_eth_dev_info_get(port, &info), "does not say what it is", port);
  ::rte_eth_conf conf{};
  conf.rxmode.offloads = info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER);
  std::optional<PortClock> clock;
  if (has_clock(port, info)) {
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
    clock.emplace(port);
  }
  std::uint16_t receive = kDescriptors;
  std::uint16_t send = 0;
  // Devices that want a queue to send by get one that nothing is sent by.
  const std::uint16_t send_queues = info.max_tx_queues > 0 ? 1 : 0;
  check(::rte_eth_dev_configure(port, 1, send_queues, &conf), "cannot be configured", port);
  check(::rte_eth_dev_adjust_nb_rx_tx_desc(port, &receive, &send), "cannot be sized", port);
  check(::rte_eth_rx_queue_setup(port, 0, receive, SOCKET_ID_ANY, nullptr, pool_), "has no queue", port);
  if (send_queues > 0) check(::rte_eth_tx_queue_setup(port, 0, send, SOCKET_ID_ANY, nullptr), "has no queue", port);
  check(::rte_eth_dev_start(port), "does not start", port);
  (void)::rte_eth_allmulticast_enable(port);  // devices that filter nothing do not know of it
  (void)::rte_eth_promiscuous_enable(port);
  ports_.push_back({port, clock});
}

/// A card's ticks are of no unit that DPDK tells: where its clock cannot be read as well, nobody knows what they mean.
bool DpdkSource::has_clock(std::uint16_t port, const rte_eth_dev_info& info) const {
  std::uint64_t now = 0;
  return ticks_.flag != 0 && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0 &&
         ::rte_eth_read_clock(port, &now) == 0;
}

void DpdkSource::release() {
  if (held_count_ > 0) ::rte_pktmbuf_free_bulk(held_.data(), held_count_);
  held_count_ = 0;
  joined_.clear();
}

std::uint64_t DpdkSource::dropped() const noexcept {
  std::uint64_t count = 0;
  for (const Port& port : ports_) {
    ::rte_eth_stats stats{};
    if (::rte_eth_stats_get(port.id, &stats) == 0) count += stats.imissed + stats.rx_nombuf;
  }
  return count;
}

/// A frame that is longer than a buffer comes in several of them.
std::span<const std::uint8_t> DpdkSource::bytes_of(const rte_mbuf& packet) {
  if (packet.nb_segs == 1) {
    return {static_cast<const std::uint8_t*>(packet.buf_addr) + packet.data_off, packet.data_len};
  }
  std::vector<std::uint8_t>& joined = joined_.emplace_back(packet.pkt_len);
  // What the first buffer has whole is not copied.
  const void* const bytes = ::rte_pktmbuf_read(&packet, 0, packet.pkt_len, joined.data());
  return {static_cast<const std::uint8_t*>(bytes), bytes == nullptr ? 0 : packet.pkt_len};
}

void DpdkSource::receive(Payloads& out) {
  release();
  for (std::size_t tried = 0; tried < ports_.size() && held_count_ == 0; ++tried) {
    turn_ = (turn_ + 1) % ports_.size();
    Port& port = ports_[turn_];
    if (port.clock) port.clock->read_if_due();
    held_count_ = ::rte_eth_rx_burst(port.id, 0, held_.data(), kBurst);
  }
  for (std::uint16_t i = 0; i < held_count_; ++i) take(*held_[i], ports_[turn_], out);
}

void DpdkSource::take(const rte_mbuf& packet, const Port& port, Payloads& out) {
  UdpFrame frame = parse_udp_frame(bytes_of(packet));
  if ((packet.ol_flags & kBadChecksum) != 0) frame.error = FrameError::bad_checksum;
  if (frame.error != FrameError::none) {
    ++metrics_.frame_errors[static_cast<std::size_t>(frame.error)];
    return;
  }
  const auto line = std::ranges::find(addresses_, frame.destination);
  if (line == addresses_.end()) {
    ++metrics_.other_datagrams;
    return;
  }
  const auto number = static_cast<std::size_t>(std::distance(addresses_.begin(), line));
  out.push_back({frame.payload, hardware_time_ns(packet, port), number});
}

/// Drivers set the flag by themselves as well: a capture's packets have the times that are written there.
std::int64_t DpdkSource::hardware_time_ns(const rte_mbuf& packet, const Port& port) const {
  if (!port.clock || (packet.ol_flags & ticks_.flag) == 0) return 0;
  rte_mbuf_timestamp_t ticks = 0;
  std::memcpy(&ticks, reinterpret_cast<const std::uint8_t*>(&packet) + ticks_.offset, sizeof ticks);
  return port.clock->utc_ns(ticks);
}

}  // namespace

std::unique_ptr<PacketSource> make_dpdk_source(const std::string& arguments, const std::vector<UdpAddress>& addresses,
                                               PacketMetrics& metrics) {
  return std::make_unique<DpdkSource>(arguments, addresses, metrics);
}

}  // namespace livetape::bridge
