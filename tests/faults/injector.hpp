// Lets the k-th request for memory of this thread fail, once or with all later ones, and counts at which sites that happened. Also
// the list of all sites that the build has made, and the comparison of the two.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "memory/failure_point.hpp"

namespace plimsoll::test {

// A file below the source tree, and a line.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
inline std::string shown(const Place& place) { return fmt::format("{}:{}", place.file, place.line); }

struct Failures {
  std::uint64_t once = 0, persistent = 0;
  std::uint64_t all() const { return once + persistent; }
};
using FailuresAt = std::map<Place, Failures>;

class Injector final : public memory::FailurePoints {
 public:
  enum class Mode : std::uint8_t { once, persistent };

  Injector() { memory::failure_points = this; }
  ~Injector() { memory::failure_points = nullptr; }
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  void arm(std::uint64_t first, Mode mode) {
    first_ = first;
    mode_ = mode;
    asked_ = fired_ = 0;
    armed_ = true;
  }
  void disarm() { armed_ = false; }
  std::uint64_t fired() const { return fired_; }
  const FailuresAt& failures() const { return failures_; }

  bool refuses(const memory::Site& site) override {
    if (!armed_) return false;
    const std::uint64_t number = asked_++;
    if (number < first_ || (mode_ == Mode::once && number != first_)) return false;
    ++fired_;
    const std::string_view path = site.file_name();
    const std::size_t source = path.rfind("/src/");
    Failures& at = failures_[{std::string(path.substr(source == std::string_view::npos ? 0 : source + 1)), site.line()}];
    ++(mode_ == Mode::once ? at.once : at.persistent);
    return true;
  }

 private:
  bool armed_ = false;
  std::uint64_t first_ = 0, asked_ = 0, fired_ = 0;
  Mode mode_ = Mode::once;
  FailuresAt failures_;
};

// A line of the list, "file:line".
inline std::set<Place> sites_of_build(const std::string& path) {
  std::set<Place> sites;
  std::ifstream list(path);
  for (std::string line; std::getline(list, line);) {
    const std::size_t colon = line.rfind(':');
    if (colon != std::string::npos)
      sites.insert({line.substr(0, colon), static_cast<std::uint32_t>(std::stoul(line.substr(colon + 1)))});
  }
  return sites;
}

struct Coverage {
  std::map<Place, Failures> injected;  // by the list's places
  std::vector<Place> unlisted;         // failed, but the list does not know it
  std::vector<Place> missed;           // neither failed once and persistently, nor excepted
  std::vector<Place> needless;         // excepted, but it failed
};

// What a compiler calls the line of a call may be the first one of the macro that it stands in: a few lines before the list's.
inline Coverage compare(const std::set<Place>& sites, const FailuresAt& failures, const std::set<Place>& excepted) {
  constexpr std::uint32_t lines_max = 3;
  Coverage found;
  for (const Place& site : sites) found.injected[site];
  for (const auto& [place, count] : failures) {
    if (!place.file.starts_with("src/")) continue;  // what a scenario asks for itself
    const auto site = sites.lower_bound(place);
    if (site == sites.end() || site->file != place.file || site->line - place.line > lines_max) {
      found.unlisted.push_back(place);
      continue;
    }
    found.injected[*site].once += count.once;
    found.injected[*site].persistent += count.persistent;
  }
  for (const auto& [site, count] : found.injected) {
    if (excepted.contains(site)) {
      if (count.once != 0 && count.persistent != 0) found.needless.push_back(site);
    } else if (count.once == 0 || count.persistent == 0) {
      found.missed.push_back(site);
    }
  }
  return found;
}

}  // namespace plimsoll::test
