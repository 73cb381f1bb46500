// The table of options: each field of Options and TransactionOptions once, with its facts and the way to it. Everything that knows
// options by name is made from it: files, environment, flags, checks, docs/configuration.md. Constant data and pure functions; used
// by this layer, and by db to check what it was given.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "plimsoll/config.hpp"

namespace plimsoll::config {

// Those that are limits of a later layer, which compares them at compile time.
inline constexpr std::uint64_t page_size_least = 4_KiB, page_size_most = 32_KiB;
inline constexpr std::uint64_t memory_budget_least = 16_MiB;
inline constexpr std::uint64_t memory_budget_most = std::uint64_t{1} << 40;  // the pool makes tables for all of it at open
inline constexpr std::uint64_t log_segments_least = 4;                       // log_bytes_max holds so many of log_segment_bytes

struct Settings {
  Options options{};
  TransactionOptions transaction{};
};

// A value of any kind is a number of 64 bits: see Configuration::number.
struct Entry {
  OptionFacts facts;
  std::uint64_t (*get)(const Settings& settings) = nullptr;  // null: OptionKind::program
  void (*set)(Settings& settings, std::uint64_t value) = nullptr;
};

std::span<const Entry> entries();

// The error says what is wrong with the text, not with the value that it names.
std::expected<std::uint64_t, std::string> parse_value(const OptionFacts& option, std::string_view text);
std::string value_text(const OptionFacts& option, std::uint64_t value);

// Why the option cannot have this value, with option, value and range; or empty.
std::string breach(const OptionFacts& option, std::uint64_t value);

// The option that the options refute together, and why; the name is empty if there is none. Each by itself is in its range.
struct Contradiction {
  std::string_view name{};
  std::string reason{};
};
Contradiction contradiction(const Options& options);

// invalid_argument: one of them is out of its range, or they contradict each other.
Result<void> check(const Options& options);

}  // namespace plimsoll::config
