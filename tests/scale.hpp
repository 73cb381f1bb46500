// How much tests do: PLIMSOLL_TEST_SCALE is 1 as released, less under a sanitizer, more in the long targets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace plimsoll {

inline double test_scale() {
  const char* text = std::getenv("PLIMSOLL_TEST_SCALE");
  return text == nullptr ? 1.0 : std::atof(text);
}

// For counts that make a test longer, not for those that make it bite.
inline std::uint64_t scaled(std::uint64_t count, std::uint64_t least = 1) {
  return std::max(std::min(least, count), static_cast<std::uint64_t>(static_cast<double>(count) * test_scale()));
}

}  // namespace plimsoll
