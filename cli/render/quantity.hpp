// Sizes, durations and counts for people, rounded; plimsoll/text.hpp has the exact forms, and reads them. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace plimsoll::cli {

// "1.5 MiB"; whole bytes below 1 KiB.
std::string render_size(std::uint64_t bytes);
// "1.50 ms": three significant digits of the largest unit that leaves a whole part.
std::string render_duration(std::chrono::nanoseconds time);
// "1234567" as "1,234,567".
std::string render_count(std::uint64_t count);

}  // namespace plimsoll::cli
