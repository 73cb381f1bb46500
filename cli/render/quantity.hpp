// Sizes and durations as people write them. Binary units are powers of 1024 (KiB MiB GiB TiB), decimal ones powers of 1000
// (kB MB GB TB); durations are ns us ms s m h. A bare number is bytes; a duration always needs its unit. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace plimsoll::cli {

// "64MiB", "1.5GB", "4096". The error says what is wrong. Refuses what is no whole number of bytes or does not fit 64 bits.
std::expected<std::uint64_t, std::string> parse_size(std::string_view text);
// "250ms", "1.5s", "2h"; "0" needs no unit.
std::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);

// "1.5 MiB"; whole bytes below 1 KiB.
std::string render_size(std::uint64_t bytes);
// "1.50 ms": three significant digits of the largest unit that leaves a whole part.
std::string render_duration(std::chrono::nanoseconds time);
// "1234567" as "1,234,567".
std::string render_count(std::uint64_t count);

}  // namespace plimsoll::cli
