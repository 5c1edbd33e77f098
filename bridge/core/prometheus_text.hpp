#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "core/counter.hpp"
#include "core/histogram.hpp"

namespace livetape::bridge {

/// Metrics in Prometheus' text format.
class PrometheusText {
 public:
  void declare(std::string_view name, std::string_view type, std::string_view help) {
    out_ << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n';
  }
  template <typename T>
  void sample(std::string_view name, const std::string& labels, const T& value) {
    out_ << name << labels << ' ' << value.load(std::memory_order_relaxed) << '\n';
  }
  /// A counter with no labels.
  void counter(const std::string& name, std::string_view help, const Counter& value) {
    declare(name, "counter", help);
    sample(name, "", value);
  }
  /// The samples of a histogram, in seconds; `labels` without braces.
  void histogram(const std::string& name, const std::string& labels, const Histogram& value) {
    std::uint64_t count = 0;
    for (std::size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
      count += value.count(bucket);
      const bool is_last = bucket + 1 == Histogram::kBuckets;
      out_ << name << "_bucket{" << labels << ",le=\"";
      if (is_last) {
        out_ << "+Inf";
      } else {
        out_ << seconds(Histogram::end_ns(bucket));
      }
      out_ << "\"} " << count << '\n';
    }
    out_ << name << "_sum{" << labels << "} " << seconds(value.sum_ns()) << '\n';
    out_ << name << "_count{" << labels << "} " << count << '\n';
  }
  /// A gauge of nanoseconds, in seconds.
  void seconds_sample(std::string_view name, const std::string& labels, std::int64_t ns) {
    out_ << name << labels << ' ' << seconds(ns) << '\n';
  }
  [[nodiscard]] std::string take() const { return out_.str(); }

 private:
  template <typename Number>
  [[nodiscard]] static double seconds(Number ns) noexcept {
    return static_cast<double>(ns) / 1e9;
  }

  std::ostringstream out_;
};

}  // namespace livetape::bridge
