// A transaction that has written many times what the log can hold, and ends unfinished: by a power failure, or by an abort. All of
// it is undone, within the log's limit and the budget.
#include <gtest/gtest.h>

#include <string>

#include "io/simulation/simulated_file_system.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::SimulatedFileSystem;

constexpr int rows = 3000;
constexpr std::size_t value_bytes = 400;  // each round writes some 3 MiB of log; the log's limit is 256 KiB

std::string key(int i) { return "key" + std::to_string(100'000 + i); }

// Drives what the background threads would do: the log of a store without them must be cut by hand.
Result<void> write_round(Database& db, Transaction& tx, const Table& table, char letter) {
  const std::string value(value_bytes, letter);
  for (int i = 0; i < rows; ++i) {
    auto put = tx.put(table, key(i), value);
    for (int again = 0; !put && put.error().code() == ErrorCode::log_full && again < 3; ++again) {
      db.run_background();
      put = tx.put(table, key(i), value);
    }
    if (!put) return put;
    if (i % 100 == 0) db.run_background();
  }
  return {};
}

void expect_only(Database& db, char letter) {
  const auto table = db.open_table("rows");
  ASSERT_TRUE(table) << table.error().message();
  auto tx = db.begin();
  ASSERT_TRUE(tx);
  for (int i = 0; i < rows; ++i) {
    const auto value = tx->get(*table, key(i));
    ASSERT_TRUE(value && *value) << key(i);
    ASSERT_EQ(std::string((*value)->bytes()), std::string(value_bytes, letter)) << key(i);
  }
  const auto report = db.verify();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->problems.empty());
}

std::uint64_t counter(const Database& db, std::string_view name) {
  for (const NamedValue& one : db.statistics().counters)
    if (one.name == name) return one.value;
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

class LargeLoserTest : public testing::Test {
 protected:
  Result<Database> open() { return Database::open(store_path, tiny_store(environment_)); }
  void load(Database& db) {
    auto table = db.open_table("rows", {.create_if_missing = true});
    ASSERT_TRUE(table) << table.error().message();
    auto tx = db.begin();
    ASSERT_TRUE(tx);
    const auto written = write_round(db, *tx, *table, 'a');
    ASSERT_TRUE(written) << written.error().message();
    ASSERT_TRUE(tx->commit());
  }

  SimulatedFileSystem disk_;
  SteppingTime time_;
  Environment environment_{&disk_, &time_, 1};
};

TEST_F(LargeLoserTest, IsUndoneWhenTheStoreIsOpenedAgain) {
  Random random(7);
  std::unique_ptr<SimulatedFileSystem> survivor;
  {
    auto db = open();
    ASSERT_TRUE(db) << db.error().message();
    load(*db);
    auto tx = db->begin();
    const auto table = db->open_table("rows");
    ASSERT_TRUE(tx && table);
    const auto written = write_round(*db, *tx, *table, 'b');
    ASSERT_TRUE(written) << written.error().message();
    survivor = disk_.crash_copy(random);
  }
  Environment environment{survivor.get(), &time_, 2};
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  EXPECT_EQ(counter(*db, "losers_reverted"), 1U);
  EXPECT_GT(counter(*db, "checkpoints"), 5U) << "the revert alone is larger than the log";
  expect_only(*db, 'a');
}

TEST_F(LargeLoserTest, IsUndoneByAnAbortInParts) {
  auto db = open();
  ASSERT_TRUE(db) << db.error().message();
  load(*db);
  {
    auto tx = db->begin();
    const auto table = db->open_table("rows");
    ASSERT_TRUE(tx && table);
    const auto written = write_round(*db, *tx, *table, 'b');
    ASSERT_TRUE(written) << written.error().message();
    const auto aborted = tx->abort();
    ASSERT_FALSE(aborted) << "nobody can cut the log meanwhile in a store without background threads";
    EXPECT_EQ(aborted.error().code(), ErrorCode::log_full);
  }
  EXPECT_EQ(db->transactions().size(), 1U);
  expect_only(*db, 'a');  // readers step over what is not undone yet
  while (db->run_background()) {}
  EXPECT_TRUE(db->transactions().empty());
  expect_only(*db, 'a');
}

}  // namespace
}  // namespace plimsoll::test
