// The log as a consumer sees it, durability callbacks, and asynchronous commits.
#include "behaviour/log_follower.hpp"
#include "behaviour/support.hpp"

#include <mutex>

namespace plimsoll {
namespace {

class LogReader : public StoreTest {
 protected:
  // To what is durable now.
  Lsn follow(LogFollower& follower, Lsn from) {
    auto end = db().read_log(from, [&](const LogEntry& entry) {
      follower.take(entry);
      return true;
    });
    EXPECT_OK(end);
    return end.value_or(Lsn{});
  }
  void flush() {
    ASSERT_OK(db().transact({}, [&](Transaction& tx) { return tx.put(table("flush"), "k", "v"); }));
  }
};

TEST_F(LogReader, AConsumerRebuildsTheTable) {
  const Table where = table();
  const Lsn start = db().durable_lsn();
  std::map<std::string, std::string> model;
  LogFollower follower;
  Lsn at = start;
  for (std::uint64_t round = 0; round < 300; ++round) {
    auto tx = begin();
    std::map<std::string, std::string> mine = model;
    for (std::uint64_t i = 0; i < 12; ++i) {
      const std::string key = key_of((round * 31 + i * 17) % 97);
      if ((round + i) % 4 == 0) {
        ASSERT_OK(tx.erase(where, key));
        mine.erase(key);
      } else {
        mine[key] = noise((round + i) % 200, round * 100 + i);
        ASSERT_OK(tx.put(where, key, mine[key]));
      }
    }
    if (round % 5 == 2) {
      ASSERT_OK(tx.abort());
    } else {
      ASSERT_OK(tx.commit());
      model = mine;
    }
    if (round % 40 == 0) at = follow(follower, at);
  }
  flush();
  at = follow(follower, at);
  EXPECT_TRUE(follower.ordered());
  EXPECT_EQ(follower.open(), 0u) << "aborted ones are kept";
  EXPECT_EQ(follower.records(where.tree()), model);
  EXPECT_EQ(Records(model.begin(), model.end()), scan(where));
  LogFollower fresh;                    // the same from the beginning in one go
  EXPECT_GE(follow(fresh, start), at);  // housekeeping may have written more
  EXPECT_EQ(fresh.records(where.tree()), model);
}

TEST_F(LogReader, PartialRollbacksAreInvisibleToAConsumer) {
  const Table where = table();
  const Lsn start = db().durable_lsn();
  put(where, "a", "0");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "a", "1"));
  auto point = tx.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(tx.put(where, "a", "2"));
  ASSERT_OK(tx.put(where, "b", "2"));
  ASSERT_OK(tx.rollback_to(*point));
  ASSERT_OK(tx.commit());
  flush();
  LogFollower follower;
  follow(follower, start);
  EXPECT_EQ(follower.records(where.tree()), (std::map<std::string, std::string>{{"a", "1"}}));
}

// Who rolls its change of a key back has no word in it any more: somebody else may write it and commit earlier.
TEST_F(LogReader, WhatWasRolledBackDoesNotHideWhatOthersCommitMeanwhile) {
  const Table where = table();
  const Lsn start = db().durable_lsn();
  put(where, "a", "0");
  put(where, "b", "0");
  auto first = begin();
  ASSERT_OK(first.put(where, "mine", "1"));
  auto point = first.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(first.put(where, "a", "lost"));
  ASSERT_OK(first.put(where, "a", "lost, too"));
  ASSERT_OK(first.erase(where, "b"));
  ASSERT_OK(first.put(where, "new", "lost"));
  ASSERT_OK(first.put(where, "mine", "lost"));
  ASSERT_OK(first.rollback_to(*point));
  for (const char* key : {"a", "b", "new"}) put(where, key, "other");
  ASSERT_OK(first.commit());
  flush();
  LogFollower follower;
  follow(follower, start);
  const auto records = follower.records(where.tree());
  EXPECT_EQ(records, (std::map<std::string, std::string>{{"a", "other"}, {"b", "other"}, {"mine", "1"}, {"new", "other"}}));
  EXPECT_EQ(Records(records.begin(), records.end()), scan(where));
  EXPECT_EQ(follower.open(), 0u);
}

TEST_F(LogReader, LargeValuesAreMarkedOutOfLine) {
  const Table where = table();
  const Lsn start = db().durable_lsn();
  put(where, "large", noise(300_KiB, 1));
  flush();
  bool found = false;
  ASSERT_OK(db().read_log(start, [&](const LogEntry& entry) {
    if (entry.kind == LogEntry::Kind::put && entry.key == "large") {
      found = true;
      EXPECT_TRUE(entry.out_of_line);
      EXPECT_TRUE(entry.value.empty());
    }
    return true;
  }));
  EXPECT_TRUE(found);
}

TEST_F(LogReader, ReadingStopsWhenTheConsumerSaysSoAndGoesOnThere) {
  const Table where = table();
  const Lsn start = db().durable_lsn();
  for (std::uint64_t i = 0; i < 50; ++i) put(where, key_of(i), "v");
  flush();
  std::vector<std::string> seen;
  Lsn at = start;
  for (int rounds = 0; rounds < 200; ++rounds) {
    int taken = 0;
    auto next = db().read_log(at, [&](const LogEntry& entry) {
      if (entry.kind == LogEntry::Kind::put && entry.tree == where.tree()) seen.emplace_back(entry.key);
      return ++taken < 3;
    });
    ASSERT_OK(next);
    if (*next == at) break;
    at = *next;
  }
  ASSERT_EQ(seen.size(), 50u);
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_EQ(seen[i], key_of(i));
}

TEST_F(LogReader, AConsumerThatFellBehindTheCutIsTold) {
  options.log_segment_bytes = 1_MiB;
  options.log_bytes_max = 4_MiB;
  const Table where = table();
  const Lsn start = db().durable_lsn();
  fill(where, 20'000, 1000);
  ASSERT_OK(db().checkpoint());
  EXPECT_GT(db().log_start(), start);
  EXPECT_CODE(db().read_log(start, [](const LogEntry&) { return true; }), not_found);
  const auto from_the_start = [&] { return db().read_log(db().log_start(), [](const LogEntry&) { return true; }).has_value(); };
  EXPECT_TRUE(eventually(from_the_start));  // the next cut may come between the two calls
  EXPECT_LE(gauge("log_bytes_on_disk"), options.log_bytes_max);
}

TEST_F(LogReader, TheDurableCallbackFollowsTheLog) {
  const Table where = table();
  std::atomic<std::uint64_t> newest{0};
  std::atomic<bool> ordered{true};
  db().on_durable([&](Lsn lsn) {
    if (newest.exchange(lsn.value) > lsn.value) ordered = false;
  });
  for (std::uint64_t i = 0; i < 50; ++i) {
    auto tx = begin({});
    ASSERT_OK(tx.put(where, key_of(i), "v"));
    ASSERT_OK(tx.commit());
  }
  EXPECT_TRUE(eventually([&] { return newest >= db().durable_lsn().value; }));
  EXPECT_TRUE(ordered);
  db().on_durable({});
  const std::uint64_t last = newest;
  auto tx = begin({});
  ASSERT_OK(tx.put(where, "k", "v"));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(newest, last);
}

class AsyncCommits : public LogReader {
 protected:
  struct Seen {
    std::mutex mutex;
    std::vector<int> order;
    int failed = 0;
  };
  struct One {
    Seen* seen = nullptr;
    int number = 0;
  };
  static void done(void* context, Result<void> outcome) {
    const One& one = *static_cast<One*>(context);
    const std::scoped_lock lock(one.seen->mutex);
    one.seen->order.push_back(one.number);
    one.seen->failed += !outcome;
  }
  static std::size_t called(Seen& seen) {
    const std::scoped_lock lock(seen.mutex);
    return seen.order.size();
  }
};

TEST_F(AsyncCommits, EveryCallbackIsCalledOnceInOrder) {
  const Table where = table();
  constexpr int count = 30'000;  // more than the ring of completions holds
  Seen seen;
  std::vector<One> all(count);
  for (int i = 0; i < count; ++i) {
    all[static_cast<std::size_t>(i)] = {&seen, i};
    auto tx = begin({});
    ASSERT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(i) % 1000), std::to_string(i)));
    ASSERT_OK(tx.commit_async(done, &all[static_cast<std::size_t>(i)]));
    ASSERT_FALSE(tx.active());
  }
  EXPECT_EQ(now(where, key_of(999)), std::to_string(count - 1));  // the outcome is decided already
  ASSERT_TRUE(eventually([&] { return called(seen) == count; }));
  EXPECT_EQ(seen.failed, 0);
  EXPECT_TRUE(std::is_sorted(seen.order.begin(), seen.order.end()));
}

TEST_F(AsyncCommits, TransactionsWithoutWritesAreCalledBackToo) {
  Seen seen;
  std::vector<One> all(10);
  for (int i = 0; i < 10; ++i) {
    all[static_cast<std::size_t>(i)] = {&seen, i};
    auto tx = begin(i % 2 == 0 ? TransactionOptions{} : TransactionOptions{.read_only = true});
    ASSERT_OK(tx.commit_async(done, &all[static_cast<std::size_t>(i)]));
  }
  EXPECT_TRUE(eventually([&] { return called(seen) == 10; }));
  auto tx = begin({});
  EXPECT_CODE(tx.commit_async(nullptr, nullptr), invalid_argument);
  EXPECT_TRUE(tx.active());
  ASSERT_OK(tx.abort());
}

TEST_F(AsyncCommits, ClosingCallsBackEverything) {
  const Table where = table();
  Seen seen;
  std::vector<One> all(500);
  for (int i = 0; i < 500; ++i) {
    all[static_cast<std::size_t>(i)] = {&seen, i};
    auto tx = begin({});
    ASSERT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(i)), "v"));
    ASSERT_OK(tx.commit_async(done, &all[static_cast<std::size_t>(i)]));
  }
  close();
  EXPECT_EQ(called(seen), 500u);
  EXPECT_EQ(seen.failed, 0);
  open();
  EXPECT_EQ(scan(table()).size(), 500u);
}

TEST_F(AsyncCommits, FromManyThreads) {
  const Table where = table();
  Seen seen;
  std::vector<One> all(4000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = t * 1000; i < (t + 1) * 1000; ++i) {
        all[static_cast<std::size_t>(i)] = {&seen, i};
        auto tx = begin({});
        ASSERT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(i)), "v"));
        ASSERT_OK(tx.commit_async(done, &all[static_cast<std::size_t>(i)]));
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(eventually([&] { return called(seen) == 4000; }));
  EXPECT_EQ(seen.failed, 0);
  std::sort(seen.order.begin(), seen.order.end());
  for (int i = 0; i < 4000; ++i) ASSERT_EQ(seen.order[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace plimsoll
