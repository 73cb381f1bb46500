// Tables: create, open, list, drop, reopen; many of them; what a dropped one gives back.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Tables : public StoreTest {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> all;
    auto listed = db().tables();
    EXPECT_OK(listed);
    for (const TableInfo& one : *listed) all.push_back(one.name);
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST_F(Tables, OpeningCreatesOnlyWhenAsked) {
  EXPECT_CODE(db().open_table("t"), not_found);
  const Table created = table("t");
  auto opened = db().open_table("t");
  ASSERT_OK(opened);
  EXPECT_EQ(opened->tree(), created.tree());
  EXPECT_EQ(table("t").tree(), created.tree());
  auto name = db().table_name(created);
  ASSERT_OK(name);
  EXPECT_EQ(*name, "t");
  EXPECT_EQ(names(), (std::vector<std::string>{"t"}));
}

TEST_F(Tables, NamesHoldAnyBytesWithinLimits) {
  EXPECT_OK(db().open_table("", {.create_if_missing = true}));  // the default table
  EXPECT_OK(db().open_table(std::string(255, 'n'), {.create_if_missing = true}));
  EXPECT_OK(db().open_table("with / and \n and \xff", {.create_if_missing = true}));
  EXPECT_CODE(db().open_table(std::string(256, 'n'), {.create_if_missing = true}), invalid_argument);
  EXPECT_CODE(db().open_table(std::string("\0hidden", 7), {.create_if_missing = true}), invalid_argument);
  EXPECT_EQ(names().size(), 3u);
  reopen();
  EXPECT_EQ(names().size(), 3u);
}

TEST_F(Tables, TheSameKeyInTwoTablesIsTwoRecords) {
  const Table first = table("first"), second = table("second");
  put(first, "k", "1");
  put(second, "k", "2");
  EXPECT_EQ(now(first, "k"), "1");
  EXPECT_EQ(now(second, "k"), "2");
  erase(first, "k");
  EXPECT_EQ(now(second, "k"), "2");
}

TEST_F(Tables, TwoHundredTablesAndReopen) {
  for (int i = 0; i < 200; ++i) {
    const Table one = table("table " + std::to_string(i));
    put(one, "k", std::to_string(i));
  }
  EXPECT_EQ(names().size(), 200u);
  reopen();
  EXPECT_EQ(names().size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(now(table("table " + std::to_string(i)), "k"), std::to_string(i));
  for (int i = 0; i < 200; i += 2) ASSERT_OK(db().drop_table("table " + std::to_string(i)));
  EXPECT_EQ(names().size(), 100u);
  reopen();
  EXPECT_EQ(names().size(), 100u);
  for (int i = 1; i < 200; i += 2) EXPECT_EQ(now(table("table " + std::to_string(i)), "k"), std::to_string(i));
}

TEST_F(Tables, ADroppedTableIsGoneAndItsNameCanBeUsedAgain) {
  put(table("t"), "k", "old");
  ASSERT_OK(db().drop_table("t"));
  EXPECT_CODE(db().drop_table("t"), not_found);
  EXPECT_CODE(db().open_table("t"), not_found);
  EXPECT_EQ(now(table("t"), "k"), std::nullopt);
  put(table("t"), "k", "new");
  reopen();
  EXPECT_EQ(now(table("t"), "k"), "new");
}

TEST_F(Tables, DroppingABigTableGivesItsPagesBack) {
  std::uint64_t pages = 0;
  for (int round = 0; round < 6; ++round) {
    const Table where = table("big");
    fill(where, 10'000, 300);
    for (std::uint64_t i = 0; i < 5; ++i) put(where, "large" + std::to_string(i), noise(500_KiB, i));
    if (round == 1) pages = gauge("data_file_pages");
    ASSERT_OK(db().drop_table("big"));
    settle();
  }
  EXPECT_LE(gauge("data_file_pages"), pages + 64);
  auto report = db().verify();
  ASSERT_OK(report);
  EXPECT_GE(report->free_pages + 100, gauge("data_file_pages"));
  EXPECT_EQ(report->records, 0u);
}

// Its pages are freed branch by branch, each with a record in the log: more than the log holds. Nobody else cuts it here.
TEST_F(Tables, DroppingATableThatIsLargeForTheLogCutsTheLog) {
  constexpr std::uint64_t rows = 32'000;
  options.background_threads = false;
  options.page_size = 4096;
  options.log_segment_bytes = 64_KiB;
  const Table where = table("large");
  for (std::uint64_t i = 0; i < rows; i += 4000) {
    auto tx = begin();
    for (std::uint64_t n = i; n < i + 4000; ++n) ASSERT_OK(tx.put(where, key_of(n), noise(400, n)));
    ASSERT_OK(tx.commit());
    ASSERT_OK(db().checkpoint());
  }
  options.log_bytes_max = 256_KiB;
  reopen();
  const std::uint64_t before = counter("log_bytes"), checkpoints = counter("checkpoints");
  ASSERT_OK(db().drop_table("large"));
  std::printf("the drop wrote %llu bytes of log and made %llu checkpoints\n",
              static_cast<unsigned long long>(counter("log_bytes") - before),
              static_cast<unsigned long long>(counter("checkpoints") - checkpoints));
  EXPECT_GT(counter("log_bytes") - before, options.log_bytes_max) << "else it proves nothing";
  EXPECT_GE(counter("checkpoints") - checkpoints, 2u);
}

TEST_F(Tables, ATableThatARunningTransactionHasWrittenCannotBeDropped) {
  const Table where = table("t");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "v"));
  EXPECT_CODE(db().drop_table("t"), busy);
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, "k"), "v");
  EXPECT_OK(db().drop_table("t"));
}

TEST_F(Tables, ADroppedTablesHandleIsAnErrorEvenWhenItsPageIsUsedAgain) {
  const Table where = table("t");
  put(where, "k", "v");
  ASSERT_OK(db().drop_table("t"));
  for (int i = 0; i < 3; ++i) table("other " + std::to_string(i));
  const Table other = table("other 0");
  put(other, "mine", "v");
  auto tx = begin();
  auto found = tx.get(where, "k");
  EXPECT_TRUE(!found || !*found);
  auto written = tx.put(where, "stray", "v");  // must not land in somebody else's table
  EXPECT_CODE(written, not_found);
  if (written)
    EXPECT_OK(tx.commit());
  else
    EXPECT_OK(tx.abort());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(now(table("other " + std::to_string(i)), "stray"), std::nullopt);
  EXPECT_CODE(db().table_name(where), not_found);
}

TEST_F(Tables, MakingAndDroppingTablesWithoutEndTakesNoSpace) {
  constexpr int rounds = 600;
  const Table kept = table("kept");
  put(kept, "k", "v");
  const Table first = table("coming and going");
  ASSERT_OK(db().drop_table("coming and going"));
  const std::uint64_t pages = gauge("data_file_pages");
  bool used_again = false;
  for (int round = 0; round < rounds; ++round) {
    const Table one = table("coming and going");
    used_again |= one.tree() == first.tree();
    if (round % 500 == 0) {
      put(one, "mine", "v");
      auto tx = begin();
      EXPECT_CODE(tx.get(first, "mine"), not_found);
      EXPECT_CODE(tx.put(first, "stray", "v"), not_found);
      EXPECT_OK(tx.abort());
      EXPECT_EQ(now(one, "stray"), std::nullopt);
      EXPECT_EQ(now(kept, "k"), "v");
    }
    ASSERT_OK(db().drop_table("coming and going"));
  }
  EXPECT_TRUE(used_again);
  EXPECT_LE(gauge("data_file_pages"), pages + 64);
}

TEST_F(Tables, WhenTooManyTablesWereDroppedToTellOldHandlesAreRefused) {
  constexpr int dropped_max = 3'072;  // distinct roots that a store remembers
  auto opened = Database::open_in_memory({.memory_budget = 128_MiB});
  ASSERT_OK(opened);
  const auto make = [&](int i) { return opened->open_table("table " + std::to_string(i), {.create_if_missing = true}); };
  const auto kept = opened->open_table("kept", {.create_if_missing = true});
  ASSERT_OK(kept);
  const auto reach = [&](Table where) { return opened->transact({}, [&](Transaction& tx) { return tx.put(where, "k", "v"); }); };
  for (int i = 0; i <= dropped_max; ++i) ASSERT_OK(make(i));
  for (int i = 0; i < dropped_max; ++i) ASSERT_OK(opened->drop_table("table " + std::to_string(i)));
  EXPECT_OK(reach(*kept));
  ASSERT_OK(opened->drop_table("table " + std::to_string(dropped_max)));
  EXPECT_CODE(reach(*kept), not_found);
  const auto again = opened->open_table("kept");
  ASSERT_OK(again);
  EXPECT_OK(reach(*again));
}

TEST_F(Tables, ThreadsCreateTheSameTableOnce) {
  open();
  std::vector<std::thread> threads;
  std::vector<Table> opened(8);
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const Table one = table("shared " + std::to_string(i));
        if (i == 0) opened[t] = one;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const Table& one : opened) EXPECT_EQ(one.tree(), opened[0].tree());
  EXPECT_EQ(names().size(), 20u);
}

}  // namespace
}  // namespace plimsoll
