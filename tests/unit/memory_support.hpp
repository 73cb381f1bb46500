// What the tests of the memory layer share: the process's resident size as the kernel counts it, and fast looks at many bytes.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "sanitized.hpp"

namespace plimsoll::memory {

inline constexpr std::size_t KiB = 1024, MiB = 1024 * KiB;

inline std::size_t resident_bytes() {
  unsigned long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  EXPECT_NE(file, nullptr);
  EXPECT_EQ(std::fscanf(file, "%lu %lu", &pages, &resident), 2);
  std::fclose(file);
  return resident * 4096;
}

// Resident bytes may move a little on their own (stacks, the test's heap), more so under a sanitizer.
inline constexpr bool resident_is_exact = !sanitized;
inline constexpr std::size_t noise = 512 * KiB;

inline bool all_are(const char* at, std::size_t bytes, char value) {
  return bytes == 0 || (at[0] == value && std::memcmp(at, at + 1, bytes - 1) == 0);
}
inline bool is_zero(const char* at, std::size_t bytes) { return all_are(at, bytes, 0); }

}  // namespace plimsoll::memory
