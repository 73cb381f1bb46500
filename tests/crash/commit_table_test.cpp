// The commit table is of fixed size, and what it holds is needed for as long as a snapshot is held: more commits than it has
// places. Each of them changes more records than are stamped one by one.
#include <vector>

#include "crash/crowded_store.hpp"

namespace plimsoll::test {
namespace {

class CommitTableTest : public CrowdedStore {
 protected:
  static constexpr std::uint32_t places = 64;
  static constexpr int changes = 65, spread = 400;  // every change in a leaf of its own

  void SetUp() override {
    environment_.commits_kept = places;
    open_filled(changes * spread, 900);
  }

  void change(Transaction& tx, int number) {
    for (int i = 0; i < changes; ++i) {
      auto put = tx.put(table_, key(i * spread), std::to_string(number));
      ASSERT_TRUE(put) << put.error().message();
    }
  }
  void commit(int number) {
    auto tx = db_->begin({.durability = Durability::relaxed});
    ASSERT_TRUE(tx) << tx.error().message();
    change(*tx, number);
    auto committed = tx->commit();
    ASSERT_TRUE(committed) << committed.error().message();
    if (number % 32 == 0) { ASSERT_TRUE(db_->checkpoint()); }
  }
  std::string read(Transaction& tx, int number) {
    auto found = tx.get(table_, key(number));
    EXPECT_TRUE(found && *found);
    return found && *found ? std::string((*found)->bytes()) : "";
  }
  std::uint64_t value_of(const std::vector<NamedValue>& all, std::string_view name) {
    for (const auto& one : all)
      if (one.name == name) return one.value;
    ADD_FAILURE() << name;
    return 0;
  }
  std::uint64_t active() { return value_of(db_->statistics().gauges, "active_transactions"); }
  std::uint64_t stamped() { return value_of(db_->statistics().counters, "records_stamped"); }
};

TEST_F(CommitTableTest, IsNotFilledForGoodByAHeldSnapshot) {
  auto held = db_->begin({.read_only = true});
  ASSERT_TRUE(held);
  const std::uint64_t before = stamped();
  constexpr int commits = 3 * places;
  for (int i = 0; i < commits; ++i) commit(i);
  EXPECT_EQ(active(), 1u);
  EXPECT_GE(stamped() - before, std::uint64_t{changes}) << "else the table was never full";
  EXPECT_EQ(read(*held, 0), std::string(900, 'o'));
  ASSERT_TRUE(held->commit());
  auto after = db_->begin({.read_only = true});
  ASSERT_TRUE(after);
  EXPECT_EQ(read(*after, spread), std::to_string(commits - 1));
}

// Full, and the records cannot be stamped because their pages cannot be read: the slot stays after its transaction has committed.
// To the handles it has ended.
TEST_F(CommitTableTest, IfNothingCanBeStampedEitherTheSlotStaysAndTheHandlesEnd) {
  auto held = db_->begin({.read_only = true});
  ASSERT_TRUE(held);
  for (int i = 0; i < 2 * static_cast<int>(places); ++i) commit(i);
  int stayed = 0;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t active_before = active();
    auto tx = db_->begin({.durability = Durability::relaxed});
    ASSERT_TRUE(tx);
    change(*tx, 1000 + i);
    auto value = tx->get(table_, key(1));
    auto cursor = tx->cursor(table_);
    ASSERT_TRUE(value && *value && cursor);
    auto others = db_->begin({.read_only = true});
    ASSERT_TRUE(others && others->count(table_));  // takes the pool
    ASSERT_TRUE(others->commit());
    disk_.inject({.operation = Operation::read, .from_then_on = true});
    auto committed = tx->commit();
    disk_.clear_faults();
    ASSERT_TRUE(db_->checkpoint());
    ASSERT_TRUE(committed) << committed.error().message();
    stayed += active() == active_before + 1;
    EXPECT_FALSE(tx->active());
    EXPECT_EQ(tx->id(), TxnId{});
    auto refused = tx->put(table_, "k", "v");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::transaction_aborted);
    auto next = cursor->next();
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code(), ErrorCode::transaction_aborted);
    EXPECT_EQ(cursor->key(), "");
    auto reader = db_->begin({.read_only = true});
    ASSERT_TRUE(reader);
    EXPECT_EQ(read(*reader, spread), std::to_string(1000 + i));
  }
  EXPECT_GE(stayed, 3) << "the slots never stayed: the test shows nothing";
  EXPECT_EQ(read(*held, 0), std::string(900, 'o'));
  ASSERT_TRUE(held->commit());
  for (int i = 0; i < 20 && active() != 0; ++i) db_->run_background();
  EXPECT_EQ(active(), 0u);
}

}  // namespace
}  // namespace plimsoll::test
