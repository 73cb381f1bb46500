#include "plimsoll/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "base/check.hpp"

namespace plimsoll {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit size_units[] = {
    {"B", 1},      {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},   {"TiB", 1ull << 40},
    {"kB", 1'000}, {"KB", 1'000},       {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
};
constexpr std::span<const Unit> binary_units(size_units, 5);
constexpr Unit duration_units[] = {
    {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
};
constexpr Unit units_of_ms[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr std::uint64_t duration_ns_max = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
constexpr int decimals_max = 9;  // more say nothing: a size or duration ends at its byte or nanosecond

// digits of `number` without its point, and how many stood behind it
struct Decimal {
  std::uint64_t digits = 0;
  int decimals = 0;
};

std::optional<Decimal> parse_decimal(std::string_view number) {
  const std::size_t point = number.find('.');
  std::string digits(number.substr(0, point));
  if (digits.empty()) return {};
  int decimals = 0;
  if (point != std::string_view::npos) {
    const std::string_view fraction = number.substr(point + 1);
    if (fraction.empty() || fraction.size() > decimals_max) return {};
    digits += fraction;
    decimals = static_cast<int>(fraction.size());
  }
  Decimal value{.digits = 0, .decimals = decimals};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value.digits);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return value;
}

// digits * factor / 10^decimals, if that is a whole number of 64 bits
std::optional<std::uint64_t> scale(Decimal value, std::uint64_t factor) {
  PLIMSOLL_DCHECK(value.decimals >= 0 && value.decimals <= decimals_max);
  std::uint64_t divisor = 1;
  for (int i = 0; i < value.decimals; ++i) divisor *= 10;
  const std::uint64_t common = std::gcd(value.digits, divisor);
  divisor /= common;  // what is left must divide the factor
  std::uint64_t result = 0;
  if (factor % divisor != 0 || __builtin_mul_overflow(value.digits / common, factor / divisor, &result)) return {};
  return result;
}

std::expected<std::uint64_t, std::string> parse(std::string_view text, std::span<const Unit> units, std::string_view bare_unit,
                                                std::string_view what) {
  const std::size_t split = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = parse_decimal(text.substr(0, split));
  if (!number) return std::unexpected(fmt::format("'{}' is no {}", text, what));
  std::string_view unit = text.substr(split);
  if (unit.empty()) unit = number->digits == 0 ? units.front().name : bare_unit;
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    if (const auto value = scale(*number, known.factor)) return *value;
    return std::unexpected(fmt::format("'{}' is no whole number of {} below 2^64", text, units.front().name));
  }
  return std::unexpected(fmt::format("'{}' is no {}: unknown unit '{}'", text, what, unit));
}

// In the largest of these units that leaves no fraction.
std::string exact_text(std::uint64_t number, std::span<const Unit> units) {
  if (number == 0) return "0";
  const Unit* largest = &units.front();
  for (const Unit& unit : units) {
    if (number % unit.factor == 0) largest = &unit;
  }
  return fmt::format("{}{}", number / largest->factor, largest->name);
}

}  // namespace

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  return parse(text, size_units, "B", "size (write 64MiB, 1GB or 4096)");
}

std::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text) {
  const auto ns = parse(text, duration_units, "", "duration (write 250ms, 10s or 2h)");
  if (!ns) return std::unexpected(ns.error());
  if (*ns > duration_ns_max) return std::unexpected(fmt::format("'{}' is too long a duration", text));
  return std::chrono::nanoseconds(*ns);
}

std::string size_text(std::uint64_t bytes) { return exact_text(bytes, binary_units); }

std::string duration_text(std::chrono::milliseconds time) {
  if (time.count() < 0) return fmt::format("{}ms", time.count());
  return exact_text(static_cast<std::uint64_t>(time.count()), units_of_ms);
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace plimsoll
