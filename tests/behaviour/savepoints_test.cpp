// Savepoints, and statements that undo themselves.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Savepoints : public StoreTest {};

TEST_F(Savepoints, RollbackRestoresValuesAbsencesAndErasures) {
  const Table where = table();
  put(where, "present", "old");
  put(where, "erased", "old");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "own", "before"));
  const Records before = scan(tx, where);
  auto point = tx.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(tx.put(where, "present", "new"));
  ASSERT_OK(tx.put(where, "own", "after"));
  ASSERT_OK(tx.put(where, "own", "after again"));
  ASSERT_OK(tx.erase(where, "erased"));
  ASSERT_OK(tx.insert(where, "new", "x"));
  ASSERT_OK(tx.rollback_to(*point));
  EXPECT_EQ(scan(tx, where), before);
  ASSERT_OK(tx.insert(where, "new", "second try"));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"erased", "old"}, {"new", "second try"}, {"own", "before"}, {"present", "old"}}));
}

TEST_F(Savepoints, WhatWasRolledBackTakesNoMemory) {
  const Table where = table();
  auto tx = begin({.memory_bytes_max = 64_KiB});
  auto point = tx.savepoint();
  ASSERT_OK(point);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    ASSERT_OK(tx.put(where, key_of(i) + std::string(200, 'k'), "v"));
    ASSERT_OK(tx.rollback_to(*point));
  }
  ASSERT_OK(tx.commit());
  EXPECT_TRUE(scan(where).empty());
}

TEST_F(Savepoints, OneSavepointServesManyRollbacks) {
  const Table where = table();
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "base"));
  auto point = tx.savepoint();
  ASSERT_OK(point);
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(tx.put(where, "k", std::to_string(i)));
    ASSERT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(i)), "x"));
    ASSERT_OK(tx.rollback_to(*point));
    ASSERT_EQ(scan(tx, where), (Records{{"k", "base"}}));
  }
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"k", "base"}}));
}

TEST_F(Savepoints, NestedOnesUnwindInAnyDepth) {
  const Table where = table();
  auto tx = begin();
  std::vector<Savepoint> points;
  for (int i = 0; i < 40; ++i) {
    ASSERT_OK(tx.put(where, "k", std::to_string(i)));
    auto point = tx.savepoint();
    ASSERT_OK(point);
    points.push_back(*point);
  }
  ASSERT_OK(tx.put(where, "k", "top"));
  for (const int depth : {39, 30, 29, 10, 0}) {
    ASSERT_OK(tx.rollback_to(points[static_cast<std::size_t>(depth)]));
    EXPECT_EQ(text(tx.get(where, "k")), std::to_string(depth));
  }
  EXPECT_CODE(tx.rollback_to(points[20]), invalid_argument);  // inside one that was rolled back
  EXPECT_CODE(tx.release(points[20]), invalid_argument);
  EXPECT_CODE(tx.rollback_to(Savepoint{9999}), invalid_argument);
  EXPECT_CODE(tx.rollback_to(Savepoint{}), invalid_argument);
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, "k"), "0");
}

TEST_F(Savepoints, ReleaseKeepsTheWritesAndForgetsThePoints) {
  const Table where = table();
  auto tx = begin();
  auto outer = tx.savepoint();
  ASSERT_OK(outer);
  ASSERT_OK(tx.put(where, "a", "1"));
  auto inner = tx.savepoint();
  ASSERT_OK(inner);
  ASSERT_OK(tx.put(where, "b", "1"));
  ASSERT_OK(tx.release(*inner));
  EXPECT_CODE(tx.rollback_to(*inner), invalid_argument);
  EXPECT_EQ(scan(tx, where).size(), 2u);
  ASSERT_OK(tx.rollback_to(*outer));
  EXPECT_TRUE(scan(tx, where).empty());
  ASSERT_OK(tx.put(where, "c", "1"));
  ASSERT_OK(tx.release(*outer));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"c", "1"}}));
}

TEST_F(Savepoints, ReleasingAThousandTimesCostsNothing) {
  const Table where = table();
  auto tx = begin();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    auto point = tx.savepoint();
    ASSERT_OK(point);
    ASSERT_OK(tx.put(where, key_of(i % 10), std::to_string(i)));
    if (i % 3 == 0) { ASSERT_OK(tx.rollback_to(*point)); }
    ASSERT_OK(tx.release(*point));
  }
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, key_of(9)), std::to_string(999 - 10));  // 999 was rolled back
  EXPECT_EQ(now(where, key_of(8)), "998");
}

TEST_F(Savepoints, ThousandsOfWritesAfterASavepointGo) {
  const Table where = table();
  fill(where, 2000, 100);
  const Records committed = scan(where);
  auto tx = begin();
  ASSERT_OK(tx.put(where, key_of(7), "kept"));
  auto point = tx.savepoint();
  ASSERT_OK(point);
  for (std::uint64_t i = 0; i < 8000; ++i) {
    if (i % 3 == 0) {
      ASSERT_OK(tx.erase(where, key_of(i % 4000)));
      continue;
    }
    ASSERT_OK(tx.put(where, key_of(i % 4000), noise(i % 400, i)));
  }
  ASSERT_OK(tx.rollback_to(*point));
  Records expected = committed;
  expected[7].second = "kept";
  EXPECT_EQ(scan(tx, where), expected);
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), expected);
  reopen();
  EXPECT_EQ(scan(table()), expected);
}

TEST_F(Savepoints, AnOldSnapshotIsNotDisturbedByPartialRollbacks) {
  const Table where = table();
  put(where, "k", "old");
  auto held = reader();
  auto tx = begin();
  for (int i = 0; i < 50; ++i) {
    auto point = tx.savepoint();
    ASSERT_OK(point);
    ASSERT_OK(tx.put(where, "k", std::to_string(i)));
    ASSERT_EQ(text(held.get(where, "k")), "old");
    if (i % 2 == 0) { ASSERT_OK(tx.rollback_to(*point)); }
    ASSERT_EQ(text(held.get(where, "k")), "old");
    ASSERT_OK(tx.release(*point));
  }
  ASSERT_OK(tx.commit());
  EXPECT_EQ(text(held.get(where, "k")), "old");
  EXPECT_EQ(now(where, "k"), "49");
  ASSERT_OK(held.commit());
}

TEST_F(Savepoints, WaitersProceedAfterAPartialRollback) {
  const Table where = table();
  put(where, "k", "old");
  auto holder = begin(), waiter = begin();
  auto point = holder.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiting = std::async(std::launch::async, [&] { return waiter.put(where, "k", "waiter"); });
  ASSERT_TRUE(waits(waiter.id()));
  ASSERT_OK(holder.rollback_to(*point));
  ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
  EXPECT_OK(waiting.get());
  ASSERT_OK(waiter.commit());
  ASSERT_OK(holder.commit());
  EXPECT_EQ(now(where, "k"), "waiter");
}

TEST_F(Savepoints, AConflictIsSurvivedByRollingBackToASavepoint) {
  const Table where = table();
  put(where, "k", "0");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "mine", "1"));
  auto point = tx.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(tx.put(where, "more", "1"));
  put(where, "k", "1");
  EXPECT_CODE(tx.put(where, "k", "2"), conflict);
  ASSERT_OK(tx.rollback_to(*point));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"k", "1"}, {"mine", "1"}}));
}

TEST_F(Savepoints, LargeValuesRollBackToo) {
  const Table where = table();
  put(where, "k", noise(300_KiB, 1));
  auto tx = begin();
  auto point = tx.savepoint();
  ASSERT_OK(point);
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_OK(tx.put(where, "k", noise(300_KiB, i + 2)));
    ASSERT_OK(tx.put(where, "l", noise(200_KiB, i)));
    ASSERT_OK(tx.rollback_to(*point));
    ASSERT_EQ(text(tx.get(where, "k")), noise(300_KiB, 1));
  }
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, "k"), noise(300_KiB, 1));
  EXPECT_EQ(now(where, "l"), std::nullopt);
}

TEST_F(Savepoints, EraseRangeErasesExactlyTheRange) {
  const Table where = table();
  fill(where, 3000, 50);
  auto tx = begin();
  const std::string low = key_of(100), high = key_of(2900);
  auto erased = tx.erase_range(where, {low, high});
  ASSERT_OK(erased);
  EXPECT_EQ(*erased, 2800u);
  EXPECT_EQ(scan(tx, where).size(), 200u);
  auto again = tx.erase_range(where, {low, high});
  ASSERT_OK(again);
  EXPECT_EQ(*again, 0u);
  auto reversed = tx.erase_range(where, {high, low});
  ASSERT_OK(reversed);
  EXPECT_EQ(*reversed, 0u);
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where).size(), 200u);
}

// The statement erases a thousand records, meets a conflict, and must leave nothing of itself.
TEST_F(Savepoints, EraseRangeIsAtomic) {
  const Table where = table();
  fill(where, 1500, 50);
  auto tx = begin();
  ASSERT_OK(tx.put(where, key_of(3), "own"));
  ASSERT_OK(tx.erase(where, key_of(4)));
  const Records before = scan(tx, where);
  put(where, key_of(1200), "changed meanwhile");
  EXPECT_CODE(tx.erase_range(where, {}), conflict);
  EXPECT_EQ(scan(tx, where), before);
  auto other = begin({.lock_deadline = 50ms});  // what the statement had marked is free again
  EXPECT_OK(other.put(where, key_of(10), "other"));
  ASSERT_OK(other.commit());
  ASSERT_OK(tx.commit());
  const Records after = scan(where);
  ASSERT_EQ(after.size(), 1499u);
  EXPECT_EQ(after[3].second, "own");
}

TEST_F(Savepoints, EraseRangeIsAtomicWhenALockDeadlinePasses) {
  const Table where = table();
  fill(where, 300, 50);
  auto holder = begin();
  ASSERT_OK(holder.put(where, key_of(200), "held"));
  auto tx = begin({.lock_deadline = 50ms});
  EXPECT_CODE(tx.erase_range(where, {}), lock_timeout);
  EXPECT_EQ(scan(tx, where).size(), 300u);
  ASSERT_OK(tx.commit());
  ASSERT_OK(holder.commit());
  EXPECT_EQ(scan(where).size(), 300u);
}

}  // namespace
}  // namespace plimsoll
