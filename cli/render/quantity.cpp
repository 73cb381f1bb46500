#include "render/quantity.hpp"

#include <fmt/core.h>

#include <array>
#include <string_view>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit duration_units[] = {
    {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
};

}  // namespace

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
