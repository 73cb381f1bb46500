// The hostile stress run: everything that makes a store of versions grow, at once, inside one budget. Clients (hostile_client.hpp)
// work through stages: calm, hostile at the full budget, hostile at half of it, hostile again. A watcher reads the kernel's figure
// of resident memory all the while. At the end every value is compared, the store verifies itself, is reopened and compared again.
#pragma once

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
  std::uint64_t seed = 1;
  std::string path;
};

struct HostileReport {
  HostileTotals totals;
  double calm_commits_per_s = 0, hostile_commits_per_s = 0;
  std::uint64_t rss_peak_bytes = 0;      // above all lines: the largest
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
