#include "render/quantity.hpp"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <numeric>
#include <optional>
#include <span>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit size_units[] = {
    {"B", 1},      {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},   {"TiB", 1ull << 40},
    {"kB", 1'000}, {"KB", 1'000},       {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
};
constexpr Unit duration_units[] = {
    {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
};
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

std::string render_size(std::uint64_t bytes) {
  static constexpr std::array names{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < names.size()) value /= 1024, ++unit;
  PLIMSOLL_DCHECK(unit < names.size());
  return fmt::format("{:.1f} {}", value, names[unit]);
}

std::string render_duration(std::chrono::nanoseconds time) {
  PLIMSOLL_DCHECK(time.count() >= 0);
  const Unit* unit = &duration_units[0];
  for (const Unit& larger : duration_units) {
    if (static_cast<std::uint64_t>(time.count()) >= larger.factor) unit = &larger;
  }
  const double value = static_cast<double>(time.count()) / static_cast<double>(unit->factor);
  return fmt::format("{:.{}f} {}", value, unit->factor == 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2, unit->name);
}

std::string render_count(std::uint64_t count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace plimsoll::cli
