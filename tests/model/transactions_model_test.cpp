// Random histories of interleaved transactions against std::map: every answer of the store is compared, and at the end everything
// it holds, with verify(). One thread; a seed replays a run (PLIMSOLL_TEST_SEED runs one seed only).
// ctest-timeout: 600
#include <gtest/gtest.h>

#include <algorithm>

#include "io/simulation/simulated_file_system.hpp"
#include "model/history.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::SimulatedFileSystem;

struct Variant {
  const char* name;
  HistorySettings settings;
  std::uint64_t steps, seeds;
  std::size_t log_ring_bytes = 0;
};

// Opens, runs a history, closes, opens again: twice the same store, the second time with what the first has left.
void run_seed(const Variant& variant, std::uint64_t seed, RareEvents& rare) {
  SCOPED_TRACE(fmt::format("variant {}, PLIMSOLL_TEST_SEED={}", variant.name, seed));
  Random random(seed);
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, seed};
  State state;
  for (int life = 0; life < 2; ++life) {
    auto db = Database::open(store_path, tiny_store(environment, variant.log_ring_bytes));
    ASSERT_TRUE(db) << db.error().message();
    auto found = read_state(*db);
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_TRUE(*found == state) << "after opening: " << difference(state, *found);
    History history(*db, variant.settings, random, state, [] { return true; }, fmt::format("g{}.", life));
    for (std::uint64_t i = 0; i < variant.steps && history.going(); ++i) history.step();
    ASSERT_EQ(history.wrong(), "") << "after " << history.events().size() << " events";
    history.quiesce();
    ASSERT_EQ(history.wrong(), "");
    for (const Event& event : history.events()) state.apply(event);
    found = read_state(*db);
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_TRUE(*found == state) << "at the end: " << difference(state, *found);
    ASSERT_EQ(problems(*db), "");
    for (int rounds = 0; rounds < 100 && db->run_background();) ++rounds;
    ASSERT_EQ(problems(*db), "") << "after the collector";
    rare.add(db->statistics());
    rare.add("events", history.events().size());
    rare.add(history.rare());
    ASSERT_LE(db->statistics().memory_used, 16_MiB);
    const auto closed = db->close();
    ASSERT_TRUE(closed) << closed.error().message();
  }
}

void run(const Variant& variant, const std::vector<std::string>& must_happen) {
  RareEvents rare;
  if (only_seed() != 0) return run_seed(variant, only_seed(), rare);
  // A reduced scale may be too short for the rarest event: then it is given some more histories, and not more than that.
  const std::uint64_t seeds = scaled(variant.seeds), at_most = std::max(seeds, std::min<std::uint64_t>(variant.seeds, 10));
  std::uint64_t seed = 1;
  for (; !testing::Test::HasFatalFailure() && (seed <= seeds || (seed <= at_most && !rare.missing(must_happen).empty())); ++seed)
    run_seed(variant, seed, rare);
  rare.print(variant.name);
  EXPECT_EQ(rare.missing(must_happen), "") << "never happened in " << seed - 1 << " histories";
}

TEST(TransactionsModelTest, FewKeysManyConflicts) {
  Variant variant{"few keys", {}, 4000, 30};
  variant.settings.keys = 8;
  variant.settings.transactions_max = 8;
  run(variant, {"write_conflicts", "lock_timeouts", "versions_pruned", "records_reverted", "records_purged", "partial rollbacks",
                "transactions prepared", "asynchronous commits", "checkpoints", "version_hops", "large_values_written"});
}

TEST(TransactionsModelTest, SomeHundredKeysWithSplitsAndMerges) {
  Variant variant{"hundreds of keys", {}, 6000, 20};
  variant.settings.keys = 500;
  variant.settings.writes_of_ten = 7;
  run(variant, {"tree_splits", "tree_merges", "write_conflicts", "versions_pruned", "version_pages_freed", "records_purged",
                "tables dropped", "checkpoints", "pages_freed"});
}

TEST(TransactionsModelTest, MoreThanFitsIntoMemory) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "one thread, and minutes";
#endif
  Variant variant{"more than memory", {}, 45'000, 2, 4_MiB};
  variant.settings.keys = 30'000;
  variant.settings.tables_come_and_go = false;
  variant.settings.tables = 1;
  variant.settings.value_bytes_max = 950;
  variant.settings.writes_of_ten = 9;
  variant.settings.large_bytes_max = 100'000;
  run(variant, {"evictions", "version_pages_spilled", "tree_splits", "checkpoints", "pages_freed"});
}

}  // namespace
}  // namespace plimsoll::test
