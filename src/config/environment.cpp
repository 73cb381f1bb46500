#include "config/environment.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "plimsoll/config.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll::config {
namespace {

constexpr std::string_view prefix = "PLIMSOLL_";
constexpr std::size_t name_bytes_max = 64;  // a name that is longer is none, and is not compared

constexpr OtherVariable others[] = {
    {"PLIMSOLL_CONFIG", "the file of options, for `plimsoll`"},
    {"PLIMSOLL_HISTORY", "the file of the shell's history"},
    {"PLIMSOLL_LIBRARY", "the path of `libplimsoll.so`, for the module of Python"},
    {"PLIMSOLL_PORT*", "set by Kubernetes beside a service named plimsoll"},
    {"PLIMSOLL_SERVICE_*", "the same"},
    {"PLIMSOLL_KILLS", "tests: how many kills for each back end"},
    {"PLIMSOLL_TEST_SCALE", "tests: how much they do, 1 as released"},
    {"PLIMSOLL_TEST_SEED", "tests: the one seed to be run"},
};

bool is_other(std::string_view name) {
  return std::ranges::any_of(others, [&](const OtherVariable& other) {
    return other.name.ends_with('*') ? name.starts_with(other.name.substr(0, other.name.size() - 1)) : name == other.name;
  });
}

// Why there is no such variable; empty: there is.
std::string reason_against(std::string_view name) {
  if (is_other(name)) return {};
  if (name.size() > name_bytes_max) return fmt::format("no option has a name of {} bytes", name.size() - prefix.size());
  std::string nearest(others[0].name);
  const auto look_at = [&](std::string_view known) {
    if (edit_distance(name, known) < edit_distance(name, nearest)) nearest = known;
  };
  for (const OtherVariable& other : others)
    if (!other.name.ends_with('*')) look_at(other.name);
  for (const OptionFacts& option : option_table()) {
    const std::string variable = environment_variable(option);
    if (name == variable)
      return option.kind != OptionKind::program ? "" : fmt::format("option {}: only a program can set it", option.name);
    if (option.kind != OptionKind::program) look_at(variable);
  }
  return fmt::format("the variable of no option; did you mean {}?", nearest);
}

}  // namespace

std::span<const OtherVariable> other_variables() { return others; }

std::optional<UnknownVariable> unknown_variable(const char* const* environment) {
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::size_t equals = entry.find('=');
    if (!entry.starts_with(prefix) || equals == entry.npos || equals + 1 == entry.size()) continue;
    const std::string_view name = entry.substr(0, equals);
    if (std::string reason = reason_against(name); !reason.empty())
      return UnknownVariable{std::string(name.substr(0, name_bytes_max)), std::move(reason)};
  }
  return std::nullopt;
}

}  // namespace plimsoll::config
