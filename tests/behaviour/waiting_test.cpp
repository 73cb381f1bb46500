// Writers that meet each other: waiting, first updater wins, deadlocks, lock deadlines, READ COMMITTED.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Waiting : public StoreTest {
 protected:
  std::future<Result<void>> put_aside(Transaction& tx, Table where, std::string key, std::string value) {
    return std::async(std::launch::async,
                      [&tx, where, key = std::move(key), value = std::move(value)] { return tx.put(where, key, value); });
  }
  static bool ready(std::future<Result<void>>& future, std::chrono::milliseconds within = patience) {
    return future.wait_for(within) == std::future_status::ready;
  }
};

TEST_F(Waiting, AWriterWaitsForTheHolderAndLosesWhenItCommits) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin(), waiter = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiting = put_aside(waiter, where, "k", "waiter");
  ASSERT_TRUE(waits(waiter.id()));
  EXPECT_FALSE(ready(waiting, 50ms));
  const auto edges = db().wait_graph();
  ASSERT_EQ(edges.size(), 1u);
  EXPECT_EQ(edges[0].holder, holder.id());
  ASSERT_OK(holder.commit());
  ASSERT_TRUE(ready(waiting));
  EXPECT_CODE(waiting.get(), conflict);
  ASSERT_OK(waiter.abort());
  EXPECT_EQ(now(where, "k"), "holder");
  EXPECT_TRUE(db().wait_graph().empty());
}

TEST_F(Waiting, AWriterProceedsWhenTheHolderAborts) {
  const Table where = table();
  for (const bool existed : {false, true}) {
    auto holder = begin(), waiter = begin();
    ASSERT_OK(holder.put(where, "k", "holder"));
    auto waiting = put_aside(waiter, where, "k", existed ? "second" : "first");
    ASSERT_TRUE(waits(waiter.id()));
    ASSERT_OK(holder.abort());
    ASSERT_TRUE(ready(waiting));
    EXPECT_OK(waiting.get());
    ASSERT_OK(waiter.commit());
    EXPECT_EQ(now(where, "k"), existed ? "second" : "first");
  }
}

TEST_F(Waiting, GetForUpdateMakesLaterWritersWait) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin(), waiter = begin();
  EXPECT_EQ(text(holder.get_for_update(where, "k")), "0");
  EXPECT_EQ(text(holder.get_for_update(where, "absent")), std::nullopt);
  auto waiting = put_aside(waiter, where, "k", "1");
  ASSERT_TRUE(waits(waiter.id()));
  auto reads = reader();  // readers never wait
  EXPECT_EQ(text(reads.get(where, "k")), "0");
  EXPECT_EQ(text(reads.get(where, "absent")), std::nullopt);
  ASSERT_OK(reads.commit());
  ASSERT_OK(holder.abort());
  ASSERT_TRUE(ready(waiting));
  EXPECT_OK(waiting.get());
  auto second = begin({.lock_deadline = 50ms});
  EXPECT_CODE(second.get_for_update(where, "k"), lock_timeout);
  ASSERT_OK(second.abort());
  ASSERT_OK(waiter.commit());
}

TEST_F(Waiting, GetForUpdateWithoutAWriteChangesNothing) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin();
  EXPECT_EQ(text(holder.get_for_update(where, "k")), "0");
  EXPECT_EQ(text(holder.get_for_update(where, "absent")), std::nullopt);
  ASSERT_OK(holder.commit());
  EXPECT_EQ(scan(where), (Records{{"k", "0"}}));
}

TEST_F(Waiting, ManyWaitersOfOneKeyAllGetTheirTurn) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  std::vector<Transaction> waiters;
  std::vector<std::future<Result<void>>> waiting;
  for (int i = 0; i < 8; ++i) waiters.push_back(begin());
  for (Transaction& one : waiters) waiting.push_back(put_aside(one, where, "k", "waiter"));
  for (Transaction& one : waiters) ASSERT_TRUE(waits(one.id()));
  ASSERT_OK(holder.abort());
  // One gets the key; it aborts, the next gets it, and so on.
  std::vector<bool> done(waiters.size());
  for (std::size_t round = 0; round < waiters.size(); ++round) {
    bool got = false;
    ASSERT_TRUE(eventually([&] {
      for (std::size_t i = 0; i < waiters.size() && !got; ++i) {
        if (done[i] || waiting[i].wait_for(0s) != std::future_status::ready) continue;
        EXPECT_OK(waiting[i].get());
        EXPECT_OK(waiters[i].abort());
        done[i] = got = true;
      }
      return got;
    })) << "round "
        << round;
  }
  EXPECT_EQ(now(where, "k"), "0");
}

TEST_F(Waiting, ADeadlockOfTwoHasExactlyOneVictimAtOnce) {
  const Table where = table();
  auto first = begin(), second = begin();
  ASSERT_OK(first.put(where, "a", "first"));
  ASSERT_OK(second.put(where, "b", "second"));
  auto waiting = put_aside(first, where, "b", "first");
  ASSERT_TRUE(waits(first.id()));
  auto closes = second.put(where, "a", "second");
  const bool second_lost = !closes;
  if (second_lost) {
    EXPECT_CODE(closes, deadlock);
    EXPECT_NE(closes.error().message().find(std::to_string(first.id().value)), std::string::npos) << closes.error().message();
    ASSERT_OK(second.abort());
  }
  ASSERT_TRUE(ready(waiting));
  auto outcome = waiting.get();
  EXPECT_NE(outcome.has_value(), !second_lost) << "exactly one victim";
  if (!outcome) { EXPECT_CODE(outcome, deadlock); }
  EXPECT_OK((second_lost ? first : second).commit());
  if (!second_lost) ASSERT_OK(first.abort());
  EXPECT_EQ(counter("deadlocks"), 1u);
  EXPECT_EQ(scan(where).size(), 2u);
}

TEST_F(Waiting, ADeadlockOfThreeHasExactlyOneVictim) {
  const Table where = table();
  std::vector<Transaction> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(begin());
    ASSERT_OK(all.back().put(where, key_of(static_cast<std::uint64_t>(i)), "own"));
  }
  std::vector<std::future<Result<void>>> waiting;
  for (std::uint64_t i = 0; i < 3; ++i) {
    waiting.push_back(put_aside(all[i], where, key_of((i + 1) % 3), "other"));
    if (i < 2) { ASSERT_TRUE(waits(all[i].id())); }
  }
  std::optional<std::size_t> victim;
  ASSERT_TRUE(eventually([&] {
    for (std::size_t i = 0; i < 3; ++i)
      if (waiting[i].wait_for(0s) == std::future_status::ready) victim = i;
    return victim.has_value();
  }));
  EXPECT_CODE(waiting[*victim].get(), deadlock);
  ASSERT_OK(all[*victim].abort());
  // The others end one after the other: the one that waited for the victim first.
  const std::size_t next = (*victim + 2) % 3, last = (*victim + 1) % 3;
  ASSERT_TRUE(ready(waiting[next]));
  EXPECT_OK(waiting[next].get());
  ASSERT_OK(all[next].commit());
  ASSERT_TRUE(ready(waiting[last]));
  EXPECT_CODE(waiting[last].get(), conflict);
  ASSERT_OK(all[last].abort());
  EXPECT_EQ(counter("deadlocks"), 1u);
}

TEST_F(Waiting, ALongChainIsNoDeadlock) {
  const Table where = table();
  std::vector<Transaction> all;
  for (std::uint64_t i = 0; i < 16; ++i) {
    all.push_back(begin());
    ASSERT_OK(all.back().put(where, key_of(i), "own"));
  }
  std::vector<std::future<Result<void>>> waiting;
  for (std::uint64_t i = 0; i + 1 < all.size(); ++i) {
    waiting.push_back(put_aside(all[i], where, key_of(i + 1), "other"));
    ASSERT_TRUE(waits(all[i].id()));
  }
  ASSERT_OK(all.back().abort());
  for (std::size_t i = waiting.size(); i-- > 0;) {
    ASSERT_TRUE(ready(waiting[i]));
    EXPECT_OK(waiting[i].get());
    ASSERT_OK(all[i].abort());
  }
  EXPECT_EQ(counter("deadlocks"), 0u);
}

TEST_F(Waiting, ALockDeadlineEndsTheWaitAndNotTheTransaction) {
  const Table where = table();
  auto holder = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiter = begin({.lock_deadline = 100ms});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_CODE(waiter.put(where, "k", "waiter"), lock_timeout);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 90ms);
  EXPECT_EQ(counter("lock_timeouts"), 1u);
  ASSERT_OK(waiter.set_lock_deadline(20ms));
  EXPECT_CODE(waiter.put(where, "k", "waiter"), lock_timeout);
  EXPECT_CODE(waiter.set_lock_deadline(-1ms), invalid_argument);
  ASSERT_OK(holder.abort());
  EXPECT_OK(waiter.put(where, "k", "waiter"));
  ASSERT_OK(waiter.commit());
  EXPECT_EQ(now(where, "k"), "waiter");
}

TEST_F(Waiting, AWaiterThatTimedOutHoldsNothing) {
  const Table where = table();
  auto holder = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiter = begin({.lock_deadline = 20ms});
  EXPECT_CODE(waiter.put(where, "k", "waiter"), lock_timeout);
  ASSERT_OK(holder.abort());
  auto third = begin({.lock_deadline = 20ms});
  EXPECT_OK(third.put(where, "k", "third"));  // while the one that gave up still runs
  ASSERT_OK(third.commit());
  ASSERT_OK(waiter.commit());
  EXPECT_EQ(now(where, "k"), "third");
}

// What the message of a failed write says of the record and of whoever was in the way.
class Blame : public Waiting {
 protected:
  static std::string details(const Result<void>& outcome) { return outcome ? "no error" : std::string(outcome.error().details()); }
  static std::string called(const Transaction& other, std::string_view label) {
    return std::to_string(other.id().value) + (label.empty() ? "" : " '" + std::string(label) + "'");
  }
  static void expect_holds(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is missing in: " << text;
  }
};

TEST_F(Blame, AConflictNamesWhoCommittedFirstAndWhen) {
  const Table where = table("accounts");
  put(where, "k\n", "0");
  auto loser = begin();
  auto winner = begin({.label = "nightly report"});
  const std::string name = called(winner, "nightly report");
  ASSERT_OK(winner.put(where, "k\n", "winner"));
  ASSERT_OK(winner.commit());
  const std::string text = details(loser.put(where, "k\n", "loser"));
  auto after = reader();
  EXPECT_EQ(text, "table accounts, key k\\x0a: transaction " + name + " committed a change at " +
                      std::to_string(after.snapshot().value) + ", after this one began");
  ASSERT_OK(after.commit());
  ASSERT_OK(loser.abort());
}

// The slot belongs to another transaction by now: its label must not be told.
TEST_F(Blame, AConflictWithOneThatIsForgottenTellsTheTimeAlone) {
  const Table where = table();
  put(where, "k", "0");
  auto loser = begin();
  auto winner = begin({.label = "winner"});
  const std::string name = called(winner, {});
  ASSERT_OK(winner.put(where, "k", "winner"));
  ASSERT_OK(winner.commit());
  auto next = begin({.label = "innocent"});
  const std::string text = details(loser.put(where, "k", "loser"));
  expect_holds(text, "another transaction committed a change at ");
  EXPECT_EQ(text.find("innocent"), std::string::npos) << text;
  EXPECT_EQ(text.find(name), std::string::npos) << text;
  ASSERT_OK(next.abort());
  ASSERT_OK(loser.abort());
}

TEST_F(Blame, AWaitThatFailsNamesWhoHoldsTheRecord) {
  const Table where = table();
  auto holder = begin({.label = "holder"}), waiter = begin({.lock_deadline = 20ms, .label = "waiter"});
  ASSERT_OK(holder.put(where, "a", "holder"));
  ASSERT_OK(waiter.put(where, "b", "waiter"));
  expect_holds(details(waiter.put(where, "a", "waiter")), "waited for " + called(holder, "holder"));
  ASSERT_OK(waiter.set_lock_deadline(0ms));
  auto waiting = put_aside(waiter, where, "a", "waiter");
  ASSERT_TRUE(waits(waiter.id()));
  const auto circle = holder.put(where, "b", "holder");
  EXPECT_CODE(circle, deadlock);
  expect_holds(details(circle), "would wait for " + called(waiter, "waiter"));
  ASSERT_OK(holder.abort());
  EXPECT_OK(waiting.get());
  ASSERT_OK(waiter.commit());
}

TEST_F(Blame, ALongKeyLeavesRoomForTheReason) {
  const Table where = table(std::string(200, 't'));
  const std::string key(500, '\xff'), label(31, 'l');
  auto holder = begin({.label = label}), waiter = begin({.lock_deadline = 20ms});
  ASSERT_OK(holder.put(where, key, "holder"));
  const std::string text = details(waiter.put(where, key, "waiter"));
  expect_holds(text, "\\xff...: transaction ");
  expect_holds(text, "waited for " + called(holder, label));
  expect_holds(text, "lock deadline");
  ASSERT_OK(holder.abort());
  ASSERT_OK(waiter.abort());
}

TEST_F(Waiting, ReadCommittedTakesASnapshotPerStatement) {
  const Table where = table();
  put(where, "k", "1");
  auto tx = begin({.isolation = Isolation::read_committed, .durability = Durability::relaxed});
  EXPECT_EQ(text(tx.get(where, "k")), "1");
  put(where, "k", "2");
  put(where, "l", "2");
  EXPECT_EQ(text(tx.get(where, "k")), "2");
  EXPECT_EQ(scan(tx, where), (Records{{"k", "2"}, {"l", "2"}}));
  auto cursor = tx.cursor(where);  // a scan is one statement
  ASSERT_OK(cursor);
  ASSERT_TRUE(cursor->next().value_or(false));
  put(where, "m", "3");
  put(where, "l", "3");
  ASSERT_TRUE(cursor->next().value_or(false));
  EXPECT_EQ(cursor->key(), "l");
  auto dirty = begin();
  ASSERT_OK(dirty.put(where, "k", "dirty"));
  EXPECT_EQ(text(tx.get(where, "k")), "2");
  ASSERT_OK(dirty.abort());
  ASSERT_OK(tx.put(where, "k", "own"));  // committed after it began: no conflict at this level
  EXPECT_EQ(text(tx.get(where, "k")), "own");
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, "k"), "own");
}

TEST_F(Waiting, AReadCommittedWriterProceedsAfterTheHoldersCommit) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin(), waiter = begin({.isolation = Isolation::read_committed});
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiting = put_aside(waiter, where, "k", "waiter");
  ASSERT_TRUE(waits(waiter.id()));
  ASSERT_OK(holder.commit());
  ASSERT_TRUE(ready(waiting));
  EXPECT_OK(waiting.get());
  ASSERT_OK(waiter.commit());
  EXPECT_EQ(now(where, "k"), "waiter");
}

TEST_F(Waiting, TransactRetriesUntilItSucceeds) {
  const Table where = table();
  put(where, "k", "0");
  int tries = 0;
  EXPECT_OK(db().transact({}, [&](Transaction& tx) -> Result<void> {
    if (++tries < 3) put(where, "k", "other " + std::to_string(tries));  // after tx began: a conflict
    return tx.put(where, "k", "mine");
  }));
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(now(where, "k"), "mine");
  tries = 0;
  EXPECT_CODE(db().transact({},
                            [&](Transaction&) -> Result<void> {
                              ++tries;
                              return std::unexpected(Error(ErrorCode::not_found, "the caller's own"));
                            }),
              not_found);
  EXPECT_EQ(tries, 1);
}

}  // namespace
}  // namespace plimsoll
