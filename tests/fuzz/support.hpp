// What the fuzz tests share: how bytes are damaged, and how long they run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/random.hpp"
#include "scale.hpp"

namespace plimsoll {

// Changes some bytes, half of the time near the front (`front` bytes), where the numbers are: a bit, a byte, a run of noise, an
// interesting number, or a piece copied from elsewhere.
inline void damage(std::span<char> bytes, std::size_t front, Random& random) {
  static constexpr std::uint16_t interesting[] = {0,   1,   2,    15,   16,     17,     127,    128,
                                                  255, 256, 4095, 4096, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF};
  const std::uint64_t changes = 1 + random.below(random.below(4) == 0 ? 40 : 3);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t within = random.below(2) == 0 ? std::min(front, bytes.size()) : bytes.size();
    const std::size_t at = random.below(within), left = bytes.size() - at;
    switch (random.below(5)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8))); break;
      case 1: bytes[at] = static_cast<char>(random.next()); break;
      case 2:
        for (std::size_t n = std::min<std::size_t>(left, 1 + random.below(32)), k = 0; k < n; ++k)
          bytes[at + k] = static_cast<char>(random.next());
        break;
      case 3: {
        const std::uint16_t number = interesting[random.below(std::size(interesting))];
        bytes[at] = static_cast<char>(number);
        if (left > 1) bytes[at + 1] = static_cast<char>(number >> 8);
        break;
      }
      default: {
        const std::size_t n = std::min<std::size_t>(left, 1 + random.below(16)), from = random.below(bytes.size() - n + 1);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), n, bytes.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
  }
}

}  // namespace plimsoll
