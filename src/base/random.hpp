// Pseudo-random numbers from a seed (splitmix64, Steele et al. 2014): for back-off, sampling and tests, never for secrets.
// One object is used by one thread.
#pragma once

#include <cstdint>

namespace plimsoll {

__extension__ typedef unsigned __int128 Uint128;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return static_cast<std::uint64_t>((static_cast<Uint128>(next()) * bound) >> 64); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace plimsoll
