// Transactions far bigger than the memory budget: they commit, they abort, the budget holds all the while.
// ctest-labels: medium asan
// ctest-timeout: 900
#include "behaviour/support.hpp"
#include "sanitized.hpp"

namespace plimsoll {
namespace {

class BigTransactions : public StoreTest {
 protected:
  static constexpr std::size_t value_bytes = 1500;
  static constexpr std::uint64_t records =
      sanitized ? 50'000 : 200'000;  // 75 and 300 MB of values, five and twenty times the budget

  void SetUp() override {
    StoreTest::SetUp();
    options.memory_budget = 16_MiB;
    options.log_bytes_max = 64_MiB;
  }
  void expect_within_budget() {
    const Statistics all = db().statistics();
    ASSERT_LE(all.memory_used, all.memory_budget);
    std::uint64_t sum = 0;
    for (const AccountStats& one : all.accounts) sum += one.leaf ? one.used_bytes : 0;
    ASSERT_EQ(sum, all.memory_used) << "the accounts do not add up";
    ASSERT_LE(value_of(all.gauges, "log_bytes_on_disk"), options.log_bytes_max);
  }
  // Cheap to make, and distinct.
  static std::string value(std::uint64_t i, char round) {
    std::string out(value_bytes, round);
    const std::string mark = std::to_string(i * 2654435761u);
    out.replace(0, mark.size(), mark);
    return out;
  }
  void write_all(Transaction& tx, Table where, char round) {
    for (std::uint64_t i = 0; i < records; ++i) {
      ASSERT_OK(tx.put(where, key_of(i), value(i, round)));
      if (i % 5000 == 0) expect_within_budget();
    }
  }
  void expect_all(Table where, char round) {
    auto tx = reader();
    auto cursor = tx.cursor(where);
    ASSERT_OK(cursor);
    std::uint64_t seen = 0, wrong = 0;
    for (; cursor->next().value_or(false); ++seen)
      wrong += cursor->value().size() != value_bytes || cursor->value().back() != round;
    EXPECT_EQ(seen, records);
    EXPECT_EQ(wrong, 0u);
    for (std::uint64_t i = 0; i < records; i += 997) ASSERT_EQ(text(tx.get(where, key_of(i))), value(i, round));
    ASSERT_OK(tx.commit());
  }
};

TEST_F(BigTransactions, OneThatInsertsManyTimesTheBudgetCommitsAndOneThatOverwritesItAborts) {
  const Table where = table();
  {
    auto tx = begin();
    write_all(tx, where, 'a');
    ASSERT_FALSE(HasFatalFailure());
    ASSERT_OK(tx.commit());
  }
  expect_within_budget();
  expect_all(where, 'a');
  auto held = reader();
  {
    auto tx = begin();
    for (std::uint64_t i = 0; i < records / 2; ++i) {
      ASSERT_OK(tx.put(where, key_of(i), value(i, 'b')));
      if (i % 5000 == 0) expect_within_budget();
    }
    EXPECT_EQ(text(held.get(where, key_of(0)))->back(), 'a');
    ASSERT_OK(tx.abort());
  }
  ASSERT_OK(held.commit());
  expect_within_budget();
  expect_all(where, 'a');
  reopen();
  expect_all(table(), 'a');
}

TEST_F(BigTransactions, OneThatErasesEverythingLeavesAnEmptyTable) {
  const Table where = table();
  fill(where, 60'000, 1000);
  auto held = reader();
  auto tx = begin();
  auto erased = tx.erase_range(where, {});
  ASSERT_OK(erased);
  EXPECT_EQ(*erased, 60'000u);
  expect_within_budget();
  ASSERT_OK(tx.commit());
  EXPECT_TRUE(scan(where).empty());
  auto count = held.count(where);
  ASSERT_OK(count);
  EXPECT_EQ(*count, 60'000u);
  for (std::uint64_t i = 0; i < 60'000; i += 991) ASSERT_EQ(text(held.get(where, key_of(i))), noise(1000, i));
  ASSERT_OK(held.commit());
  expect_within_budget();
}

TEST_F(BigTransactions, SmallOnesGoOnBesideABigOne) {
  const Table where = table(), other = table("other");
  auto big = begin();
  for (std::uint64_t i = 0; i < 60'000; ++i) {
    ASSERT_OK(big.put(where, key_of(i), value(i, 'a')));
    if (i % 100 != 0) continue;
    put(other, key_of(i), "small");
    ASSERT_EQ(now(other, key_of(i)), "small");
  }
  expect_within_budget();
  ASSERT_OK(db().checkpoint());
  ASSERT_OK(big.abort());
  EXPECT_TRUE(scan(where).empty());
  EXPECT_EQ(scan(other).size(), 600u);
}

}  // namespace
}  // namespace plimsoll
