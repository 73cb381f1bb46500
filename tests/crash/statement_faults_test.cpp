// Statements that fail in the middle because pages cannot be read: half of one is never committed, and a cursor passes nothing
// over.
#include "crash/crowded_store.hpp"

namespace plimsoll::test {
namespace {

class StatementFaultsTest : public CrowdedStore {
 protected:
  static constexpr int records = 20'000;  // more than the pool holds, as are the versions that erasing them makes

  void SetUp() override { open_filled(records, 700); }
  // Reads every leaf twice, as no scan does: what else was in the pool is not.
  void crowd() {
    auto tx = db_->begin({.read_only = true});
    ASSERT_TRUE(tx);
    for (int i = 0; i < 2 * records; i += 3) ASSERT_TRUE(tx->get(table_, key(i % records)));
  }
  std::uint64_t count() {
    auto tx = db_->begin({.read_only = true});
    EXPECT_TRUE(tx);
    auto count = tx->count(table_);
    EXPECT_TRUE(count) << count.error().message();
    return count.value_or(0);
  }
};

TEST_F(StatementFaultsTest, AStepOfACursorThatFailedIsRepeated) {
  int failed = 0;
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    const int first = direction == Direction::forward ? 0 : records - 1, step = direction == Direction::forward ? 1 : -1;
    auto tx = db_->begin({.read_only = true});
    ASSERT_TRUE(tx);
    const char seen = direction == Direction::forward ? 'o' : 'p';  // what the end of the loop has written
    write(0, 300, std::string(700, 'n'));                           // what the cursor sees lies in the version store
    write(records - 300, records, std::string(700, 'n'));
    auto cursor = tx->cursor(table_, {}, direction);
    ASSERT_TRUE(cursor);
    for (int n = 0; n < 300; ++n) {
      if (n % 25 == 7) {
        crowd();
        disk_.inject({.operation = Operation::read, .from_then_on = true});
      }
      auto more = cursor->next();
      if (!more) {
        EXPECT_EQ(more.error().code(), ErrorCode::io_error) << more.error().message();
        EXPECT_FALSE(cursor->next());
        ++failed;
        disk_.clear_faults();
        more = cursor->next();
      }
      disk_.clear_faults();
      ASSERT_TRUE(more && *more);
      ASSERT_EQ(cursor->key(), key(first + n * step));
      ASSERT_EQ(cursor->value(), std::string(700, seen));
    }
    const auto gone = std::move(*cursor);
    ASSERT_TRUE(tx->commit());
    write(0, 300, std::string(700, 'p'));
    write(records - 300, records, std::string(700, 'p'));
  }
  EXPECT_GT(failed, 0) << "the test shows nothing";
}

TEST_F(StatementFaultsTest, HalfAStatementIsNeverCommitted) {
  int half_done = 0;
  for (const std::uint64_t nth : {500, 1500, 2500}) {
    auto tx = db_->begin();
    ASSERT_TRUE(tx);
    ASSERT_TRUE(tx->put(table_, "mine", "v"));
    disk_.inject({.operation = Operation::read, .nth = nth, .from_then_on = true});
    auto erased = tx->erase_range(table_, {});
    disk_.clear_faults();
    ASSERT_FALSE(erased) << "it had to read more than it could";
    EXPECT_EQ(erased.error().code(), ErrorCode::io_error) << erased.error().message();
    if (erased.error().message().find("neither finished nor undone") == std::string::npos) {
      ASSERT_TRUE(tx->abort());
    } else {
      ++half_done;
      auto put = tx->put(table_, "mine", "w");
      ASSERT_FALSE(put);
      EXPECT_EQ(put.error().code(), ErrorCode::transaction_timeout) << put.error().message();
      EXPECT_FALSE(tx->commit());
    }
    for (int rounds = 0; rounds < 100 && db_->run_background(); ++rounds) {}
    EXPECT_EQ(count(), std::uint64_t{records});
  }
  EXPECT_GT(half_done, 0) << "the test shows nothing";
  auto report = db_->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
}

}  // namespace
}  // namespace plimsoll::test
