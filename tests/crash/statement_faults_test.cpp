// A statement of many changes that fails in the middle, while undoing it fails too: half of it is never committed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "io/simulation/simulated_file_system.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::Operation;
using io::simulation::SimulatedFileSystem;

std::string key(int number) { return fmt::format("k{:07}", number); }

TEST(StatementFaultsTest, HalfAStatementIsNeverCommitted) {
  constexpr int records = 20'000;  // more than the pool holds, as are the versions that erasing them makes
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  Options options = tiny_store(environment);
  options.log_segment_bytes = 1_MiB;
  options.log_bytes_max = 64_MiB;
  auto db = Database::open(store_path, options);
  ASSERT_TRUE(db) << db.error().message();
  auto table = db->open_table("t", {.create_if_missing = true});
  ASSERT_TRUE(table);
  for (int at = 0; at < records; at += 500) {
    auto tx = db->begin();
    ASSERT_TRUE(tx);
    for (int i = at; i < at + 500; ++i) ASSERT_TRUE(tx->put(*table, key(i), std::string(700, 'o')));
    ASSERT_TRUE(tx->commit());
    ASSERT_TRUE(db->checkpoint());
  }
  const auto left = [&] {
    auto tx = db->begin({.read_only = true});
    EXPECT_TRUE(tx);
    auto count = tx->count(*table);
    EXPECT_TRUE(count) << count.error().message();
    return count.value_or(0);
  };
  int half_done = 0;
  for (const std::uint64_t nth : {500, 1500, 2500}) {
    auto tx = db->begin();
    ASSERT_TRUE(tx);
    ASSERT_TRUE(tx->put(*table, "mine", "v"));
    disk.inject({.operation = Operation::read, .nth = nth, .from_then_on = true});
    auto erased = tx->erase_range(*table, {});
    disk.clear_faults();
    ASSERT_FALSE(erased) << "it had to read more than it could";
    EXPECT_EQ(erased.error().code(), ErrorCode::io_error) << erased.error().message();
    if (erased.error().message().find("neither finished nor undone") == std::string::npos) {
      ASSERT_TRUE(tx->abort());
    } else {
      ++half_done;
      auto put = tx->put(*table, "mine", "w");
      ASSERT_FALSE(put);
      EXPECT_EQ(put.error().code(), ErrorCode::transaction_timeout) << put.error().message();
      EXPECT_FALSE(tx->commit());
    }
    for (int rounds = 0; rounds < 100 && db->run_background(); ++rounds) {}
    EXPECT_EQ(left(), std::uint64_t{records});
  }
  EXPECT_GT(half_done, 0) << "the test shows nothing";
  auto report = db->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
}

}  // namespace
}  // namespace plimsoll::test
