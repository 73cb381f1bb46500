// The table of workloads with their defaults.
#include "bench/workloads/settings.hpp"

#include <fmt/core.h>

#include <vector>

namespace plimsoll::bench {

std::string Settings::dataset() const {
  const bool accounts = workload == "transfer";
  return fmt::format("{}-{}x{}-pages-{}", accounts ? "accounts" : "rows", keys, value_bytes, page_size);
}

std::span<const WorkloadFacts> workload_table() {
  static constexpr std::uint64_t million = 1'000'000;
  static const std::vector<WorkloadFacts> table = {
      {"read_uniform", "read-only transactions of --gets point reads, uniform keys, all in memory", {.keys = 10 * million}},
      {"multi_get",
       "read-only transactions of one multi_get of --gets uniform keys, all in memory",
       {.keys = 10 * million, .gets_per_transaction = 64}},
      {"ycsb_a",
       "half reads, half updates, zipf 0.99",
       {.threads = 2, .keys = 10 * million, .distribution = Distribution::zipf, .read_percent = 50}},
      {"ycsb_b",
       "95 % reads, 5 % updates, zipf 0.99",
       {.threads = 2, .keys = 10 * million, .distribution = Distribution::zipf, .read_percent = 95}},
      {"ycsb_c", "reads, zipf 0.99", {.threads = 2, .keys = 10 * million, .distribution = Distribution::zipf}},
      {"ycsb_f",
       "half reads, half read-modify-writes, zipf 0.99",
       {.threads = 2, .keys = 10 * million, .distribution = Distribution::zipf, .read_percent = 50, .transactional = true}},
      {"durable_commit",
       "one put a transaction, durable, against a raw overwrite + fdatasync probe",
       {.keys = 100'000, .durability = Durability::durable, .read_percent = 0}},
      {"async_commit",
       "one put a transaction, committed asynchronously; counted when durable",
       {.keys = 100'000, .durability = Durability::durable, .read_percent = 0}},
      {"transfer",
       "reads 2 and updates 2 accounts; the sum of all balances is checked",
       {.threads = 2, .keys = 100'000, .transactional = true}},
      {"larger_than_memory",
       "half reads, half updates on data about 9 times the budget, direct I/O",
       {.threads = 2,
        .keys = 20 * million,
        .memory_budget = 256_MiB,
        .distribution = Distribution::zipf,
        .read_percent = 50,
        .direct_io = true}},
      {"long_snapshot",
       "updates of zipf-hot keys while one snapshot is held, which at the end must read exactly",
       {.threads = 2,
        .seconds = 60,
        .keys = 100'000,
        .value_bytes = 200,
        .memory_budget = 128_MiB,
        .distribution = Distribution::zipf,
        .snapshots = true}},
      {"backup",
       "updates beside a backup and without one, by turns, at least 7 pairs; the backups are checked",
       {.threads = 2,
        .seconds = 1,
        .keys = million,
        .value_bytes = 200,
        .memory_budget = 64_MiB,
        .durability = Durability::durable,
        .read_percent = 0}},
      {"old_version_read",
       "one key updated 10,000 times, read through its oldest, middle and newest snapshot",
       {.seconds = 3, .keys = 1, .memory_budget = 256_MiB, .snapshots = true}},
      {"recovery",
       "durable commits and one open transaction, killed; time until the store is ready again, everything verified",
       {.threads = 32,
        .keys = million,
        .memory_budget = 256_MiB,
        .durability = Durability::durable,
        .transactional = true,
        .open_updates = million}},
  };
  return table;
}

const WorkloadFacts* find_workload(std::string_view wanted) {
  for (const WorkloadFacts& facts : workload_table())
    if (facts.name == wanted) return &facts;
  return nullptr;
}

std::string_view name(Durability durability) { return durability == Durability::durable ? "durable" : "relaxed"; }
std::string_view name(Distribution distribution) { return distribution == Distribution::zipf ? "zipf" : "uniform"; }

}  // namespace plimsoll::bench
