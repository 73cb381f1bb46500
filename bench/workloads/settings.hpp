// What one run of a workload is asked to do, and the defaults by workload name (the one table that help texts, `bench` and
// `compare` are made from). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/workloads/data.hpp"
#include "plimsoll/options.hpp"

namespace plimsoll::bench {

struct Settings {
  std::string workload{};
  unsigned threads = 1;
  double seconds = 10;
  std::uint64_t keys = 0;
  std::size_t value_bytes = 100;
  std::size_t memory_budget = 4_GiB;
  std::size_t page_size = 8_KiB;  // Plimsoll's; peers keep what their documentation advises
  Durability durability = Durability::relaxed;
  Isolation isolation = Isolation::snapshot;  // Plimsoll's; peers run what their adapter states
  Distribution distribution = Distribution::uniform;
  unsigned read_percent = 100;  // of ycsb-like mixes
  unsigned gets_per_transaction = 1;
  bool transactional = false;      // transactions read and write: peers that can leave conflict checks out must not
  bool snapshots = false;          // old snapshots are read: peers that can leave versions out must not
  bool direct_io = false;          // page cache off, where the engine can
  std::uint64_t open_updates = 0;  // recovery: size of the transaction that the crash interrupts
  std::uint64_t seed = 1;
  std::string path{};  // folder of the stores
  bool keep = false;   // leave the store there, and use the one that is there
  bool load_only = false;

  // Which loaded stores may stand in for each other.
  std::string dataset() const;
};

struct WorkloadFacts {
  std::string_view name;
  std::string_view what;
  Settings defaults;
};

std::span<const WorkloadFacts> workload_table();
const WorkloadFacts* find_workload(std::string_view name);  // null: no such workload

std::string_view name(Durability durability);
std::string_view name(Distribution distribution);

}  // namespace plimsoll::bench
