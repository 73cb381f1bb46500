// Sizes and durations as people write them, and words that they misspelt. Binary units are powers of 1024 (KiB MiB GiB TiB),
// decimal ones powers of 1000 (kB MB GB TB); durations are ns us ms s m h. A bare number is bytes; a duration always needs its
// unit.
//
//   auto budget = plimsoll::parse_size("64MiB");
//   if (!budget) std::puts(budget.error().c_str());
//
// Pure functions, for any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace plimsoll {

// "64MiB", "1.5GB", "4096". The error says what is wrong. Refuses what is no whole number of bytes or does not fit 64 bits.
std::expected<std::uint64_t, std::string> parse_size(std::string_view text);
// "250ms", "1.5s", "2h"; "0" needs no unit.
std::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);

// Exact, in the largest binary unit without a fraction: "64MiB", "4097B", "0". parse_size reads it back.
std::string size_text(std::uint64_t bytes);
// Exact, in the largest unit without a fraction: "1h", "1500ms", "0"; "-1ms". parse_duration reads it back, up to 292 years.
std::string duration_text(std::chrono::milliseconds time);

// The number of single letters to add, drop or replace to come from one word to the other.
std::size_t edit_distance(std::string_view from, std::string_view to);

}  // namespace plimsoll
