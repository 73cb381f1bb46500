// Thousands of stores that lost power: nothing acknowledged is lost, nothing half done shows, whatever the moment and whatever the
// disk made of the writes in flight (crash_run.hpp). PLIMSOLL_TEST_SEED runs one seed only, PLIMSOLL_TEST_SCALE multiplies.
// ctest-timeout: 1800
#include <gtest/gtest.h>

#include "crash/crash_run.hpp"

namespace plimsoll::test {
namespace {

void run_seeds(const char* title, const CrashSettings& settings, std::uint64_t first, std::uint64_t count, CrashTally& tally) {
  if (only_seed() != 0) {
    EXPECT_EQ(CrashRun(settings, only_seed(), tally).run(), "") << title;
    return;
  }
  int failures = 0;
  constexpr int failures_shown = 5;
  for (std::uint64_t seed = first; seed < first + count && failures < failures_shown; ++seed) {
    const std::string wrong = CrashRun(settings, seed, tally).run();
    if (wrong.empty()) continue;
    ++failures;
    ADD_FAILURE() << title << ", PLIMSOLL_TEST_SEED=" << seed << ": " << wrong;
  }
}

CrashSettings tiny() {
  CrashSettings settings;
  settings.survivors = 40;
  return settings;
}
CrashSettings busy() {
  CrashSettings settings;
  settings.history.keys = 400;
  settings.history.writes_of_ten = 8;
  settings.history.value_bytes_max = 600;
  settings.steps = 4000;
  settings.changes_max = 2500;
  settings.survivors = 40;
  return settings;
}
CrashSettings large_values() {
  CrashSettings settings;
  settings.history.large_one_in = 3;
  settings.history.keys = 20;
  settings.history.writes_of_ten = 8;
  settings.survivors = 40;
  return settings;
}
CrashSettings bigger_than_memory() {
  CrashSettings settings;
  settings.history.keys = 40'000;
  settings.history.tables_come_and_go = false;
  settings.history.tables = 1;
  settings.history.value_bytes_max = 950;
  settings.history.writes_of_ten = 9;
  settings.history.large_one_in = 500;
  settings.steps = 70'000;
  settings.changes_min = 30'000;
  settings.changes_max = 50'000;
  settings.lives = 3;
  settings.log_ring_bytes = 4_MiB;
  settings.survivors = 10;
  return settings;
}

// Prints what was met; what should have been and was not is a failure.
void expect_met(const CrashTally& tally, const char* title, const std::vector<std::string>& must_happen,
                std::uint64_t states_least) {
  tally.rare.print(title);
  std::printf("%s: %zu distinct crash states, %zu of them with writes lost, torn or reordered\n", title, tally.states.size(),
              tally.damaged_states.size());
  std::fflush(stdout);
  if (only_seed() != 0 || scaled(100) < 100) return;  // a few seeds need not meet everything
  EXPECT_EQ(tally.rare.missing(must_happen), "");
  EXPECT_GE(tally.states.size(), states_least);
  EXPECT_GE(tally.damaged_states.size() * 2, tally.states.size());
}

TEST(CrashStatesTest, TinyStores) {
  CrashTally tally;
  run_seeds("tiny", tiny(), 1, scaled(500), tally);
  expect_met(tally, "tiny stores",
             {"checkpoints", "torn_pages_repaired", "records_reverted", "recoveries", "losers_reverted", "prepared recovered",
              "records_redone", "crashes during recovery", "crashes after recovery", "writes lost", "writes torn",
              "writes reordered", "resizes lost", "names lost", "tables dropped", "large_values_written", "transactions prepared",
              "asynchronous commits", "versions_pruned"},
             scaled(13'000));
}

TEST(CrashStatesTest, StoresOfLargeValues) {
  CrashTally tally;
  run_seeds("large values", large_values(), 10'001, scaled(120), tally);
  expect_met(tally, "large values",
             {"large_values_written", "losers_reverted", "tables dropped", "torn_pages_repaired", "records_redone"}, scaled(3'000));
}

TEST(CrashStatesTest, TreesThatGrowAndShrink) {
  CrashTally tally;
  run_seeds("trees", busy(), 20'001, scaled(90), tally);
  expect_met(tally, "trees",
             {"tree_splits", "tree_merges", "torn_pages_repaired", "losers_reverted", "version_pages_freed", "records_purged"},
             scaled(4'000));
}

TEST(CrashStatesTest, StoresBiggerThanMemory) {
  if (scaled(2) < 2) GTEST_SKIP() << "a single seed of these takes minutes under a sanitizer";
  CrashTally tally;
  run_seeds("bigger than memory", bigger_than_memory(), 30'001, scaled(2), tally);
  expect_met(tally, "bigger than memory", {"evictions", "version_pages_spilled", "tree_splits", "losers_reverted"}, 1);
}

}  // namespace
}  // namespace plimsoll::test
