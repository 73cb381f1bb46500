// Two-phase commit: prepare, and the two ends, in process and over close and reopen.
#include <filesystem>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Prepare : public StoreTest {
 protected:
  Transaction prepared(Table where, Bytes key, Bytes value, Bytes global_id) {
    auto tx = begin();
    EXPECT_OK(tx.put(where, key, value));
    EXPECT_OK(tx.prepare(global_id));
    return tx;
  }
};

TEST_F(Prepare, APreparedTransactionIsCommittedByItsGlobalId) {
  const Table where = table();
  put(where, "k", "old");
  auto tx = prepared(where, "k", "new", "gid");
  auto listed = db().prepared();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].global_id, "gid");
  EXPECT_EQ(listed[0].state, TransactionState::prepared);
  const Timestamp before = db().now();
  auto committed = db().commit_prepared("gid");
  ASSERT_OK(committed);
  EXPECT_GT(*committed, before);
  EXPECT_EQ(now(where, "k"), "new");
  EXPECT_TRUE(db().prepared().empty());
  EXPECT_CODE(db().commit_prepared("gid"), not_found);
  EXPECT_CODE(db().abort_prepared("gid"), not_found);
}

TEST_F(Prepare, APreparedTransactionIsAbortedByItsGlobalId) {
  const Table where = table();
  put(where, "k", "old");
  auto tx = prepared(where, "k", "new", std::string("g\0id", 4));
  ASSERT_OK(db().abort_prepared(std::string("g\0id", 4)));
  EXPECT_EQ(now(where, "k"), "old");
  EXPECT_EQ(db().transactions().size(), 0u);
}

TEST_F(Prepare, OnlyItsCoordinatorEndsAPreparedTransaction) {
  const Table where = table();
  {
    auto tx = prepared(where, "k", "new", "gid");
    EXPECT_CODE(tx.commit(), transaction_aborted);
    EXPECT_CODE(tx.abort(), transaction_aborted);
    EXPECT_CODE(tx.put(where, "l", "x"), transaction_aborted);
    EXPECT_CODE(db().kill(tx.id()), not_found);
  }  // nor does the handle's death
  EXPECT_EQ(db().prepared().size(), 1u);
  ASSERT_OK(db().commit_prepared("gid"));
  EXPECT_EQ(now(where, "k"), "new");
}

// The process keeps nothing of a store that it has closed, though a transaction of it is still undecided.
TEST_F(Prepare, AClosedStoreWithAnUndecidedTransactionIsGone) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = open_files();
  open();
  { auto tx = prepared(table(), "k", "v", "gid"); }
  for (int i = 0; i < 3; ++i) {
    close();
    EXPECT_EQ(open_files(), before);
    open();
    ASSERT_EQ(db().prepared().size(), 1u);
  }
  ASSERT_OK(db().commit_prepared("gid"));
  EXPECT_EQ(now(table(), "k"), "v");
}

// Its values, cursors and streams are its owner's still, who may let them go while another thread ends it.
TEST_F(Prepare, ItsHandlesMayDieWhileAnotherThreadEndsIt) {
  const Table where = table();
  fill(where, 50, 2000);
  put(where, "large", noise(100'000, 1));
  const int rounds = static_cast<int>(scaled(300, 60));
  for (int round = 0; round < rounds; ++round) {
    auto tx = begin();
    ASSERT_OK(tx.put(where, "k", std::to_string(round)));
    std::vector<Value> values;
    for (std::uint64_t i = 0; i < 20; ++i) {
      auto value = tx.get(where, key_of(i));
      ASSERT_TRUE(value && *value);
      values.push_back(std::move(**value));
    }
    auto cursor = tx.cursor(where);
    auto stream = tx.open_reader(where, "large");
    ASSERT_TRUE(cursor && cursor->next() && stream && *stream);
    ASSERT_OK(tx.prepare("g"));
    std::thread coordinator([&] {
      if (round % 2 == 0) {
        EXPECT_OK(db().commit_prepared("g"));
      } else {
        EXPECT_OK(db().abort_prepared("g"));
      }
    });
    if (round % 3 == 0) std::this_thread::yield();
    values.clear();
    {
      const auto gone = std::move(*cursor);
      const auto read = std::move(**stream);
    }
    coordinator.join();
  }
  EXPECT_EQ(gauge("active_transactions"), 0u);
}

TEST_F(Prepare, ItsDeadlineDoesNotEndIt) {
  const Table where = table();
  auto tx = begin({.deadline = 500ms});
  ASSERT_OK(tx.put(where, "k", "v"));
  ASSERT_OK(tx.prepare("gid"));
  std::this_thread::sleep_for(700ms);
  ASSERT_OK(db().commit_prepared("gid"));
  EXPECT_EQ(now(where, "k"), "v");
}

TEST_F(Prepare, WritersWaitForItsOutcome) {
  const Table where = table();
  put(where, "k", "old");
  for (const bool commits : {true, false}) {
    auto tx = prepared(where, "k", "prepared", "gid");
    auto impatient = begin({.lock_deadline = 50ms});
    EXPECT_CODE(impatient.put(where, "k", "x"), lock_timeout);
    ASSERT_OK(impatient.abort());
    auto waiter = begin();
    auto waiting = std::async(std::launch::async, [&] { return waiter.put(where, "k", "old"); });
    ASSERT_TRUE(waits(waiter.id()));
    if (commits) ASSERT_OK(db().commit_prepared("gid"));
    if (!commits) ASSERT_OK(db().abort_prepared("gid"));
    ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
    if (commits)
      EXPECT_CODE(waiting.get(), conflict);
    else
      EXPECT_OK(waiting.get());
    EXPECT_OK(commits ? waiter.abort() : waiter.commit());
    put(where, "k", "old");
  }
}

// A snapshot from before the commit must never see it; one from after always.
TEST_F(Prepare, ASnapshotReadsTheSameBeforeAndAfterTheOutcome) {
  const Table where = table();
  put(where, "k", "old");
  auto before = begin();
  auto tx = prepared(where, "k", "new", "gid");
  EXPECT_EQ(text(before.get(where, "k")), "old");
  ASSERT_OK(db().commit_prepared("gid"));
  EXPECT_EQ(text(before.get(where, "k")), "old");
  EXPECT_EQ(now(where, "k"), "new");
  ASSERT_OK(before.commit());
}

TEST_F(Prepare, PreparedTransactionsSurviveCloseAndReopen) {
  const Table where = table();
  fill(where, 500, 50);
  {
    auto first = begin(), second = begin(), loser = begin();
    for (std::uint64_t i = 0; i < 200; ++i) {
      ASSERT_OK(first.put(where, key_of(i), "first"));
      ASSERT_OK(second.put(where, key_of(i + 200), "second"));
      ASSERT_OK(loser.put(where, key_of(i + 1000), "loser"));
    }
    ASSERT_OK(second.put(where, "large", noise(300_KiB, 1)));
    ASSERT_OK(first.prepare("first"));
    ASSERT_OK(second.prepare("second"));
    close();
  }
  open();
  EXPECT_EQ(db().prepared().size(), 2u);
  EXPECT_EQ(db().recovery_report().prepared, 2u);
  const Table again = table();
  auto waiter = begin({.lock_deadline = 20ms});
  EXPECT_CODE(waiter.put(again, key_of(0), "x"), lock_timeout);  // its locks are back too
  EXPECT_CODE(waiter.put(again, key_of(399), "x"), lock_timeout);
  EXPECT_OK(waiter.put(again, key_of(1000), "x"));
  ASSERT_OK(waiter.abort());
  EXPECT_EQ(now(again, key_of(0)), noise(50, 0));
  ASSERT_OK(db().commit_prepared("second"));
  EXPECT_EQ(now(again, key_of(200)), "second");
  EXPECT_EQ(now(again, "large"), noise(300_KiB, 1));
  reopen();  // once more, with one left
  ASSERT_EQ(db().prepared().size(), 1u);
  EXPECT_EQ(db().prepared()[0].global_id, "first");
  ASSERT_OK(db().abort_prepared("first"));
  EXPECT_EQ(now(table(), key_of(0)), noise(50, 0));
  EXPECT_EQ(now(table(), key_of(399)), "second");
  reopen();
  EXPECT_TRUE(db().prepared().empty());
  EXPECT_TRUE(db().recovery_report().was_clean);
  EXPECT_EQ(now(table(), key_of(199)), noise(50, 199));
  EXPECT_EQ(now(table(), key_of(1000)), std::nullopt);
}

TEST_F(Prepare, MayBeLeftUndecidedOverAnyNumberOfOpenings) {
  {
    const auto tx = prepared(table(), "k", "new", "gid");
    put(table(), "other", "old");
  }
  const auto version_files = [&] {
    int count = 0;
    for (const auto& one : std::filesystem::directory_iterator(path()))
      count += one.path().filename().string().starts_with("versions.");
    return count;
  };
  const int openings = static_cast<int>(scaled(80, 5));
  for (int i = 0; i < openings; ++i) {
    reopen();
    ASSERT_EQ(db().prepared().size(), 1u) << i;
    EXPECT_EQ(version_files(), 2);
    put(table(), "other", std::to_string(i));
  }
  EXPECT_EQ(now(table(), "k"), std::nullopt);
  ASSERT_OK(db().abort_prepared("gid"));
  EXPECT_EQ(now(table(), "k"), std::nullopt);
  reopen();
  EXPECT_EQ(version_files(), 1);
  EXPECT_EQ(now(table(), "other"), std::to_string(openings - 1));
}

// Each opening that leaves one keeps a version file.
TEST_F(Prepare, ThoseOfSixtyOpeningsAreTheMost) {
  constexpr int most = 60;
  for (int i = 0; i < most; ++i) {
    { const auto tx = prepared(table(), key_of(static_cast<std::uint64_t>(i)), "v", std::to_string(i)); }
    reopen();
  }
  {
    auto tx = begin();
    ASSERT_OK(tx.put(table(), "k", "v"));
    EXPECT_CODE(tx.prepare("one more"), too_many_transactions);
    ASSERT_OK(tx.commit());  // nothing has happened to it
  }
  ASSERT_OK(db().commit_prepared("7"));
  reopen();
  { const auto tx = prepared(table(), "l", "v", "one more"); }
  reopen();
  EXPECT_EQ(db().prepared().size(), static_cast<std::size_t>(most));
  for (const TransactionInfo& one : db().prepared()) EXPECT_OK(db().commit_prepared(one.global_id));
  EXPECT_EQ(scan(table()).size(), std::size_t{most} + 2);
}

TEST_F(Prepare, GlobalIdsAreChecked) {
  const Table where = table();
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "v"));
  EXPECT_CODE(tx.prepare(""), invalid_argument);
  EXPECT_CODE(tx.prepare(std::string(65, 'x')), invalid_argument);
  ASSERT_OK(tx.put(where, "l", "v"));  // a refused prepare changes nothing
  ASSERT_OK(tx.prepare(std::string(64, 'x')));
  auto twin = begin();
  ASSERT_OK(twin.put(where, "m", "v"));
  EXPECT_CODE(twin.prepare(std::string(64, 'x')), already_exists);  // unique among the prepared
  EXPECT_OK(twin.abort());
  for (const TransactionInfo& left : db().prepared()) ASSERT_OK(db().commit_prepared(left.global_id));
}

TEST_F(Prepare, ATransactionWithoutWritesCanBePrepared) {
  auto tx = begin();
  ASSERT_OK(tx.prepare("empty"));
  ASSERT_OK(db().commit_prepared("empty"));
  auto second = begin();
  ASSERT_OK(second.prepare("empty"));
  ASSERT_OK(db().abort_prepared("empty"));
}

TEST_F(Prepare, PreparedIdsAreNotReusedByLaterTransactions) {
  const Table where = table();
  TxnId id;
  {
    auto tx = prepared(where, "k", "v", "gid");
    id = tx.id();
    close();
  }
  open();
  ASSERT_EQ(db().prepared().size(), 1u);
  EXPECT_EQ(db().prepared()[0].id, id);
  for (int i = 0; i < 200; ++i) {
    auto tx = begin();
    ASSERT_NE(tx.id(), id);
    ASSERT_OK(tx.put(table(), key_of(static_cast<std::uint64_t>(i)), "v"));
    ASSERT_OK(tx.commit());
  }
  ASSERT_OK(db().commit_prepared("gid"));
  EXPECT_EQ(now(table(), "k"), "v");
}

}  // namespace
}  // namespace plimsoll
