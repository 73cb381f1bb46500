// The hostile stress run: everything that makes a store of versions grow, at once, inside one budget. Clients (hostile_client.hpp)
// work through stages: calm and hostile in turn, then hostile at the full budget, at half of it, and at the full one again. A
// watcher reads the kernel's figure of resident memory all the while. At the end every value is compared, the store verifies
// itself, is reopened and compared again; resident memory counts until then.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/stress/hostile_client.hpp"

namespace plimsoll::bench {

struct HostileSettings {
  unsigned clients = 64;
  double seconds = 20;
  std::size_t memory_budget = 64_MiB;
  std::uint64_t keys_per_client = 2000;
  double giant_budgets = 100;
  double held_share = 0.25;  // of the budget, by the values that clients keep
  std::uint64_t seed = 1;
  std::string path;

  Result<void> check() const;  // invalid_argument: too few threads, keys or bytes for every role to do its part
};

// A hostile stretch and the mean of the calm ones before and after it.
struct HostilePair {
  double calm_commits_per_s = 0, hostile_commits_per_s = 0;
  double share() const { return hostile_commits_per_s / std::max(calm_commits_per_s, 1.0); }
};

struct HostileReport {
  HostileTotals totals;
  std::vector<HostilePair> pairs;
  std::uint64_t rss_peak_bytes = 0;      // the largest of the run, by the kernel
  std::int64_t rss_over_line_bytes = 0;  // most above the line of its time
  bool halved = false;
  double halving_processor_s = 0;  // of all threads, from the order until resident memory was below the new line
  std::uint64_t version_bytes_moved = 0, sacrificed = 0, charges_waited = 0, refused_with_room = 0;
  std::vector<RungStats> rungs;
  std::vector<std::string> failures;  // empty: the run passed
};

// Errors: the store could not be opened, or a client met what no client may meet.
Result<HostileReport> run_hostile(const HostileSettings& settings);

}  // namespace plimsoll::bench
