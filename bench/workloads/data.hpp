// The rows that every workload reads and writes, and the generators that pick them: keys of 8 bytes big-endian, values that no
// compressor can shrink and that prove themselves (key and version stand inside), uniform and zipfian draws. All of it is plain
// arithmetic on caller-owned memory, the same for every engine. One generator is used by one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "base/random.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::bench {

static_assert(std::endian::native == std::endian::little, "keys are stored big-endian by one byte swap");

// The key of row `number`: byte order equals number order.
class Key {
 public:
  explicit Key(std::uint64_t number) {
    const std::uint64_t big = __builtin_bswap64(number);
    std::memcpy(bytes_.data(), &big, sizeof big);
  }
  Bytes bytes() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, 8> bytes_{};
};

inline std::uint64_t key_number(Bytes key) {
  PLIMSOLL_CHECK(key.size() == sizeof(std::uint64_t));
  std::uint64_t big = 0;
  std::memcpy(&big, key.data(), sizeof big);
  return __builtin_bswap64(big);
}

// A value is key number (8), version (8), then a pseudo-random stream seeded by both.
inline constexpr std::size_t value_bytes_min = 16;

inline void fill_value(std::span<char> out, std::uint64_t key, std::uint64_t version) {
  PLIMSOLL_DCHECK(out.size() >= value_bytes_min);
  std::memcpy(out.data(), &key, sizeof key);
  std::memcpy(out.data() + 8, &version, sizeof version);
  Random stream(key * 0xD6E8FEB86659FD93ull ^ version);
  for (std::size_t at = value_bytes_min; at < out.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = stream.next();
    std::memcpy(out.data() + at, &word, std::min(sizeof word, out.size() - at));
  }
}

inline std::uint64_t value_version(Bytes value) {
  PLIMSOLL_CHECK(value.size() >= value_bytes_min);
  std::uint64_t version = 0;
  std::memcpy(&version, value.data() + 8, sizeof version);
  return version;
}

// True if `value` is some version of row `key`, whole and unmixed.
inline bool is_value_of(Bytes value, std::uint64_t key) {
  std::array<char, 4096> expected;
  if (value.size() < value_bytes_min || value.size() > expected.size()) return false;
  fill_value(std::span(expected.data(), value.size()), key, value_version(value));
  return std::memcmp(expected.data(), value.data(), value.size()) == 0;
}

// Adds up every byte of a value, eight at a time: proof that the value was really read.
inline std::uint64_t sum_of(Bytes value) {
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= value.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, value.data() + at, sizeof word);
    sum += word;
  }
  for (; at < value.size(); ++at) sum += static_cast<unsigned char>(value[at]);
  return sum;
}

enum class Distribution : std::uint8_t { uniform, zipf };

// Draws row numbers in [0, rows). zipf is the scrambled zipfian of the Yahoo cloud serving benchmark: a rank among 10^10 items with
// exponent 0.99 (its zeta sum is a constant, so nothing has to be summed up at start), hashed over the rows.
class RowPicker {
 public:
  RowPicker(Distribution distribution, std::uint64_t rows, std::uint64_t seed)
      : zipf_(distribution == Distribution::zipf), rows_(rows), random_(seed) {
    PLIMSOLL_CHECK(rows > 0);
  }

  std::uint64_t next() {
    if (!zipf_) return random_.below(rows_);
    return Random(rank()).next() % rows_;
  }
  Random& random() { return random_; }

 private:
  static constexpr double items = 1e10;
  static constexpr double theta = 0.99;
  static constexpr double zeta_items = 26.46902820178302;  // sum of 1/i^0.99 for i = 1 .. 10^10
  static constexpr double half_to_theta = 0.5034777750283594;
  static constexpr double zeta_two = 1.0 + half_to_theta;
  static constexpr double two_over_items = 0.7998532245223713;  // (2 / 10^10)^(1 - theta)
  static constexpr double eta = (1.0 - two_over_items) / (1.0 - zeta_two / zeta_items);
  static constexpr double alpha = 1.0 / (1.0 - theta);

  std::uint64_t rank() {
    const double u = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    const double scaled = u * zeta_items;
    if (scaled < 1.0) return 0;
    if (scaled < zeta_two) return 1;
    return static_cast<std::uint64_t>(items * std::pow(eta * u - eta + 1.0, alpha));
  }

  bool zipf_;
  std::uint64_t rows_;
  Random random_;
};

}  // namespace plimsoll::bench
