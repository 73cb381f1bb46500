// A duration that a caller gave, as nanoseconds that can be added to a point of time: "for ever" must not wrap around to "at once".
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/check.hpp"

namespace plimsoll {

inline std::uint64_t saturated_ns(std::chrono::milliseconds time) {
  constexpr std::uint64_t longest_ms = std::uint64_t{100} * 365 * 24 * 3'600'000;  // a century
  PLIMSOLL_DCHECK(time.count() >= 0);
  return std::min(static_cast<std::uint64_t>(time.count()), longest_ms) * 1'000'000;
}

}  // namespace plimsoll
