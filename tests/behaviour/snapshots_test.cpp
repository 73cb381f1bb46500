// Snapshot isolation as a user can observe it. Most of these are the demonstrated defects of older engines turned round: lost
// updates, non-repeatable and dirty reads, invisible deletes, histories that garbage collection cut too early.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Snapshots : public StoreTest {};

TEST_F(Snapshots, ADeleteIsVisibleToThoseWhoBeginAfterItAndToNobodyBefore) {
  const Table where = table();
  put(where, "k", "10");
  auto before = reader();
  erase(where, "k");
  auto after = reader();
  EXPECT_EQ(text(before.get(where, "k")), "10");
  EXPECT_EQ(text(after.get(where, "k")), std::nullopt);
  EXPECT_EQ(scan(before, where), (Records{{"k", "10"}}));
  EXPECT_TRUE(scan(after, where).empty());
  put(where, "k", "20");
  EXPECT_EQ(text(before.get(where, "k")), "10");
  EXPECT_EQ(text(after.get(where, "k")), std::nullopt);
  ASSERT_OK(before.commit());
  ASSERT_OK(after.commit());
}

TEST_F(Snapshots, AnOpenSnapshotOutlivesAThousandUpdatesOfOneKey) {
  const Table where = table();
  put(where, "k", "first");
  auto held = reader();
  for (int i = 0; i < 1000; ++i) {
    put(where, "k", std::to_string(i));
    ASSERT_EQ(text(held.get(where, "k")), "first") << i;
  }
  EXPECT_EQ(scan(held, where), (Records{{"k", "first"}}));
  EXPECT_EQ(now(where, "k"), "999");
  ASSERT_OK(held.commit());
}

// Begun first, written last: what counts is the commit, and a read never changes.
TEST_F(Snapshots, AnOlderTransactionThatCommitsLaterDoesNotDisturbARead) {
  const Table where = table();
  auto older = begin();
  put(where, "k", "newer");
  auto reads = reader();
  EXPECT_EQ(text(reads.get(where, "k")), "newer");
  EXPECT_CODE(older.put(where, "k", "older"), conflict);
  EXPECT_EQ(text(reads.get(where, "k")), "newer");
  ASSERT_OK(older.put(where, "other", "older"));
  ASSERT_OK(older.commit());
  EXPECT_EQ(text(reads.get(where, "other")), std::nullopt);
  EXPECT_EQ(text(reads.get(where, "k")), "newer");
  ASSERT_OK(reads.commit());
}

TEST_F(Snapshots, AKeyIsSupersededByWhatOthersDidSinceAndByNothingElse) {
  const Table where = table();
  put(where, "k", "0");
  put(where, "l", "0");
  const auto superseded = [&](Transaction& tx, std::string_view key) {
    const auto found = tx.superseded(where, key);
    EXPECT_OK(found);
    return found.value_or(false);
  };
  auto before = reader();
  auto writer = begin();
  EXPECT_FALSE(superseded(before, "k"));
  EXPECT_FALSE(superseded(before, "new"));
  ASSERT_OK(writer.put(where, "k", "1"));
  ASSERT_OK(writer.insert(where, "new", "1"));
  EXPECT_TRUE(superseded(before, "k"));
  EXPECT_TRUE(superseded(before, "new"));
  EXPECT_FALSE(superseded(before, "l"));
  EXPECT_FALSE(superseded(writer, "k")) << "its own change";
  ASSERT_OK(writer.abort());
  EXPECT_FALSE(superseded(before, "k"));
  for (int i = 0; i < 3; ++i) put(where, "k", "the same");
  erase(where, "l");
  EXPECT_TRUE(superseded(before, "k"));
  EXPECT_TRUE(superseded(before, "l")) << "erased";
  auto after = reader();
  EXPECT_FALSE(superseded(after, "k"));
  EXPECT_FALSE(superseded(after, "l"));
  EXPECT_CODE(after.superseded(Table(), "k"), invalid_argument);
  ASSERT_OK(after.commit());
  ASSERT_OK(before.commit());
}

TEST_F(Snapshots, UncommittedAndRolledBackWritesAreNeverSeen) {
  const Table where = table();
  put(where, "k", "committed");
  auto writes = begin();
  ASSERT_OK(writes.put(where, "k", "dirty"));
  ASSERT_OK(writes.put(where, "new", "dirty"));
  auto during = begin();
  EXPECT_EQ(text(during.get(where, "k")), "committed");
  EXPECT_EQ(scan(during, where), (Records{{"k", "committed"}}));
  ASSERT_OK(writes.abort());
  EXPECT_EQ(scan(during, where), (Records{{"k", "committed"}}));
  EXPECT_EQ(scan(where), (Records{{"k", "committed"}}));
  ASSERT_OK(during.commit());
}

TEST_F(Snapshots, TheOldestSnapshotIsTheOldestInTimeWhateverEndsFirst) {
  const Table where = table();
  put(where, "k", "0");
  auto first = reader();
  put(where, "k", "1");
  auto second = reader();
  put(where, "k", "2");
  auto third = reader();
  put(where, "k", "3");
  ASSERT_OK(second.commit());
  for (int i = 0; i < 500; ++i) put(where, "k", "later");
  EXPECT_EQ(text(first.get(where, "k")), "0");
  EXPECT_EQ(text(third.get(where, "k")), "2");
  ASSERT_OK(first.commit());
  for (int i = 0; i < 500; ++i) put(where, "k", "later still");
  EXPECT_EQ(text(third.get(where, "k")), "2");
  ASSERT_OK(third.commit());
}

TEST_F(Snapshots, SnapshotsAtEveryHundredthOfTenThousandUpdatesReadExactly) {
  options.max_transactions = 256;
  const Table where = table();
  put(where, "k", "start");
  std::vector<std::pair<Transaction, std::string>> held;
  std::string newest = "start";
  for (int i = 0; i < 10'000; ++i) {
    if (i % 100 == 0) held.emplace_back(reader(), newest);
    newest = std::to_string(i);
    if (i % 250 == 249) {
      erase(where, "k");
      put(where, "k", newest);
    } else {
      put(where, "k", newest);
    }
    if (i % 1000 == 999) {
      for (auto& [tx, value] : held) ASSERT_EQ(text(tx.get(where, "k")), value) << i;
    }
  }
  for (std::size_t i = 0; i < held.size(); i += 2) ASSERT_OK(held[i].first.commit());  // every second one ends
  for (int i = 0; i < 200; ++i) put(where, "k", "after");
  for (std::size_t i = 1; i < held.size(); i += 2) {
    EXPECT_EQ(text(held[i].first.get(where, "k")), held[i].second) << i;
    EXPECT_EQ(scan(held[i].first, where), (Records{{"k", held[i].second}}));
    ASSERT_OK(held[i].first.commit());
  }
}

TEST_F(Snapshots, NoLostUpdate) {
  const Table where = table();
  put(where, "k", "0");
  auto first = begin(), second = begin();
  EXPECT_EQ(text(first.get(where, "k")), "0");
  EXPECT_EQ(text(second.get(where, "k")), "0");
  ASSERT_OK(first.put(where, "k", "1"));
  ASSERT_OK(first.commit());
  auto late = second.put(where, "k", "2");
  EXPECT_CODE(late, conflict);
  if (!late) {
    EXPECT_TRUE(is_retryable(late.error().code()));
    EXPECT_NE(late.error().message().find("t"), std::string::npos);
    EXPECT_NE(late.error().message().find("k"), std::string::npos);
  }
  EXPECT_TRUE(second.active());  // the statement failed; the transaction can still read, and roll back
  EXPECT_EQ(text(second.get(where, "k")), "0");
  ASSERT_OK(second.abort());
  EXPECT_EQ(now(where, "k"), "1");
}

TEST_F(Snapshots, LostUpdatesThroughEraseInsertAndGetForUpdateAreRefusedToo) {
  const Table where = table();
  put(where, "k", "0");
  auto stale = begin();
  ASSERT_EQ(text(stale.get(where, "k")), "0");
  put(where, "k", "1");
  put(where, "new", "1");
  EXPECT_CODE(stale.erase(where, "k"), conflict);
  EXPECT_CODE(stale.update(where, "k", "2"), conflict);
  EXPECT_CODE(stale.get_for_update(where, "k"), conflict);
  EXPECT_CODE(stale.insert(where, "new", "2"), conflict);  // absent in the snapshot, there by now
  EXPECT_CODE(stale.erase_range(where, {}), conflict);
  ASSERT_OK(stale.abort());
  auto absent = begin();
  erase(where, "k");
  EXPECT_CODE(absent.update(where, "k", "2"), conflict);
  ASSERT_OK(absent.abort());
  EXPECT_EQ(scan(where), (Records{{"new", "1"}}));
}

TEST_F(Snapshots, ConcurrentIncrementsAreAllCounted) {
  const Table where = table();
  put(where, "k", "0");
  constexpr int threads = 4, rounds = 250;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&] {
      for (int i = 0; i < rounds;) {
        const auto done = db().transact({.durability = Durability::relaxed}, [&](Transaction& tx) -> Result<void> {
          auto found = tx.get(where, "k");
          if (!found) return std::unexpected(found.error());
          const int value = std::stoi(std::string((*found)->bytes()));
          return tx.put(where, "k", std::to_string(value + 1));
        });
        if (done)
          ++i;
        else
          ASSERT_TRUE(is_retryable(done.error().code())) << done.error().message();
      }
    });
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(now(where, "k"), std::to_string(threads * rounds));
}

// A pair is always written together: no snapshot may see one half.
TEST_F(Snapshots, CommitsAreAtomicToConcurrentReaders) {
  const Table where = table();
  fill(where, 2000, 30);
  put(where, "a", "0");
  put(where, "z", "0");
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      auto tx = begin();
      EXPECT_OK(tx.put(where, "z", std::to_string(i)));
      EXPECT_OK(tx.put(where, "a", std::to_string(i)));
      EXPECT_OK(i % 5 == 0 ? tx.abort() : tx.commit());
    }
  });
  for (int i = 0; i < 3000; ++i) {
    auto tx = i % 2 == 0 ? begin() : reader();
    const auto a = text(tx.get(where, "a")), z = text(tx.get(where, "z"));
    ASSERT_EQ(a, z) << i;
    ASSERT_TRUE(a == "0" || std::stoi(a.value_or("5")) % 5 != 0) << "an aborted value was seen";
    ASSERT_OK(tx.commit());
  }
  stop = true;
  writer.join();
}

TEST_F(Snapshots, OwnWritesAreVisibleAndOwnDeletesHide) {
  const Table where = table();
  put(where, "a", "old");
  put(where, "b", "old");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "a", "own"));
  ASSERT_OK(tx.erase(where, "b"));
  ASSERT_OK(tx.put(where, "c", "own"));
  EXPECT_EQ(text(tx.get(where, "a")), "own");
  EXPECT_EQ(text(tx.get(where, "b")), std::nullopt);
  EXPECT_EQ(scan(tx, where), (Records{{"a", "own"}, {"c", "own"}}));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"a", "own"}, {"c", "own"}}));
}

TEST_F(Snapshots, AnAbortUndoesEverythingInEveryTable) {
  const Table first = table("first"), second = table("second");
  fill(first, 500, 100);
  fill(second, 500, 100);
  const Records before_first = scan(first), before_second = scan(second);
  auto tx = begin();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_OK(tx.put(first, key_of(i), noise(150, i)));
    ASSERT_OK(tx.erase(second, key_of(i)));
  }
  ASSERT_OK(tx.abort());
  EXPECT_EQ(scan(first), before_first);
  EXPECT_EQ(scan(second), before_second);
}

TEST_F(Snapshots, AnAbortedTransactionIsInvisibleToSnapshotsAfterIt) {
  const Table where = table();
  put(where, "k", "committed");
  auto held = reader();
  for (int i = 0; i < 100; ++i) {
    auto tx = begin();
    ASSERT_OK(tx.put(where, "k", "aborted"));
    ASSERT_OK(tx.abort());
    ASSERT_EQ(now(where, "k"), "committed");
  }
  EXPECT_EQ(text(held.get(where, "k")), "committed");
  ASSERT_OK(held.commit());
}

TEST_F(Snapshots, AHandleThatIsDroppedAborts) {
  const Table where = table();
  {
    auto tx = begin();
    ASSERT_OK(tx.put(where, "k", "v"));
  }
  EXPECT_EQ(now(where, "k"), std::nullopt);
  EXPECT_EQ(gauge("active_transactions"), 0u);
}

TEST_F(Snapshots, DurableAndRelaxedCommitsAreSeenInOrder) {
  const Table where = table();
  for (int i = 0; i < 100; ++i) {
    auto tx = begin({.durability = i % 2 == 0 ? Durability::durable : Durability::relaxed});
    ASSERT_OK(tx.put(where, "k", std::to_string(i)));
    ASSERT_OK(tx.commit());
    auto reads = reader();
    ASSERT_EQ(text(reads.get(where, "k")), std::to_string(i))
        << "a read-only transaction sees what was acknowledged before it began";
    ASSERT_OK(reads.commit());
  }
}

TEST_F(Snapshots, WriteSkewIsAllowedAndNothingElse) {
  const Table where = table();
  put(where, "a", "1");
  put(where, "b", "1");
  auto first = begin(), second = begin();
  EXPECT_EQ(text(first.get(where, "b")), "1");
  EXPECT_EQ(text(second.get(where, "a")), "1");
  ASSERT_OK(first.put(where, "a", "0"));
  ASSERT_OK(second.put(where, "b", "0"));
  EXPECT_OK(first.commit());
  EXPECT_OK(second.commit());
  EXPECT_CODE(db().begin({.isolation = Isolation::serializable}), invalid_argument);
  EXPECT_CODE(db().begin({.isolation = Isolation::repeatable_read}), invalid_argument);
}

}  // namespace
}  // namespace plimsoll
