// How many different pages a log names, about: linear counting (Whang, Vander-Zanden, Taylor 1990), a bitmap of hashes. A few per
// cent off up to some 300,000 pages; beyond, it says "many".
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace plimsoll::recovery {

class DistinctEstimate {
 public:
  static constexpr std::uint64_t many = ~std::uint64_t{0};

  void add(std::uint64_t value) {
    const std::uint64_t hash = (value * 0x9E3779B97F4A7C15u) >> (64 - bits_log2);
    words_[hash / 64] |= std::uint64_t{1} << hash % 64;
  }
  std::uint64_t count() const {
    std::uint64_t set = 0;
    for (const std::uint64_t word : words_) set += static_cast<unsigned>(std::popcount(word));
    if (set >= bits - bits / 100) return many;
    const double clear_share = 1.0 - static_cast<double>(set) / static_cast<double>(bits);
    return static_cast<std::uint64_t>(std::ceil(-std::log(clear_share) * static_cast<double>(bits)));
  }

 private:
  static constexpr unsigned bits_log2 = 16;
  static constexpr std::uint64_t bits = 1u << bits_log2;
  std::array<std::uint64_t, bits / 64> words_{};
};

}  // namespace plimsoll::recovery
