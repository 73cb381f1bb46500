// A histogram of durations for percentiles: buckets of 1/64 of a power of two, so every answer is within 1.6 % of the truth. Fixed
// size, no allocation. One thread records into one histogram; merge() adds them up afterwards.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/check.hpp"

namespace plimsoll::bench {

class Histogram {
 public:
  void record(std::uint64_t nanoseconds) {
    ++count_[bucket_of(nanoseconds)];
    ++total_;
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < buckets; ++i) count_[i] += other.count_[i];
    total_ += other.total_;
  }

  std::uint64_t total() const { return total_; }

  // The duration that the fraction `share` of all records does not exceed, in microseconds; 0 when nothing was recorded.
  double percentile_us(double share) const {
    PLIMSOLL_DCHECK(share > 0 && share <= 1);
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += count_[i];
      if (seen > 0 && seen >= wanted) return static_cast<double>(middle_of(i)) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr unsigned fraction_bits = 6;
  static constexpr std::size_t per_power = std::size_t{1} << fraction_bits;
  static constexpr unsigned powers = 40;  // up to 2^45 ns, about ten hours
  static constexpr std::size_t buckets = per_power * (powers + 1);

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < per_power) return value;
    const auto power = static_cast<unsigned>(std::bit_width(value)) - fraction_bits;  // >= 1
    const std::size_t bucket = power * per_power + ((value >> (power - 1)) & (per_power - 1));
    return bucket < buckets ? bucket : buckets - 1;
  }
  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < per_power) return bucket;
    const std::size_t power = bucket / per_power;
    const std::uint64_t low = (per_power + bucket % per_power) << (power - 1);
    return low + ((std::uint64_t{1} << (power - 1)) >> 1);
  }

  std::array<std::uint64_t, buckets> count_{};
  std::uint64_t total_ = 0;
};

}  // namespace plimsoll::bench
