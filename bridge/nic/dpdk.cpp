#include "nic/dpdk.hpp"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <stdexcept>

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

class DpdkSource final : public PacketSource {
 public:
  DpdkSource(const std::string& arguments, std::vector<UdpAddress> addresses, PacketMetrics& metrics);
  ~DpdkSource() override;
  DpdkSource(const DpdkSource&) = delete;
  DpdkSource& operator=(const DpdkSource&) = delete;

  void receive(Payloads& out) override;

 private:
  static constexpr std::uint16_t kBurst = 64;

  void start_port(std::uint16_t port);
  void release();
  void take(const rte_mbuf& packet, Payloads& out);

  std::vector<UdpAddress> addresses_;
  PacketMetrics& metrics_;
  rte_mempool* pool_;
  std::vector<std::uint16_t> ports_;
  std::size_t turn_ = 0;  // the port that is polled next
  std::array<rte_mbuf*, kBurst> held_{};
  std::uint16_t held_count_ = 0;
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
  for (const std::uint16_t port : ports_) (void)::rte_eth_dev_stop(port);
  (void)::rte_eal_cleanup();
}

void DpdkSource::start_port(std::uint16_t port) {
  ::rte_eth_dev_info info{};
  check(::rte_eth_dev_info_get(port, &info), "does not say what it is", port);
  ::rte_eth_conf conf{};
  conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_CHECKSUM;
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
  ports_.push_back(port);
}

void DpdkSource::release() {
  if (held_count_ > 0) ::rte_pktmbuf_free_bulk(held_.data(), held_count_);
  held_count_ = 0;
}

void DpdkSource::receive(Payloads& out) {
  release();
  for (std::size_t tried = 0; tried < ports_.size() && held_count_ == 0; ++tried) {
    turn_ = (turn_ + 1) % ports_.size();
    held_count_ = ::rte_eth_rx_burst(ports_[turn_], 0, held_.data(), kBurst);
  }
  for (std::uint16_t i = 0; i < held_count_; ++i) take(*held_[i], out);
}

void DpdkSource::take(const rte_mbuf& packet, Payloads& out) {
  const auto* const bytes = static_cast<const std::uint8_t*>(packet.buf_addr) + packet.data_off;
  UdpFrame frame = parse_udp_frame({bytes, packet.data_len});
  if ((packet.ol_flags & kBadChecksum) != 0) frame.error = FrameError::bad_checksum;
  if (frame.error != FrameError::none) {
    ++metrics_.frame_errors[static_cast<std::size_t>(frame.error)];
  } else if (std::ranges::find(addresses_, frame.destination) == addresses_.end()) {
    ++metrics_.other_datagrams;
  } else {
    out.push_back({frame.payload});
  }
}

}  // namespace

std::unique_ptr<PacketSource> make_dpdk_source(const std::string& arguments, const std::vector<UdpAddress>& addresses,
                                               PacketMetrics& metrics) {
  return std::make_unique<DpdkSource>(arguments, addresses, metrics);
}

}  // namespace livetape::bridge
