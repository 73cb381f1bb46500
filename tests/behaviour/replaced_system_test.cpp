// Defects that the system before this one was shown to have and that no other test would notice. docs/testing.md lists all of them
// with their tests.
#include <cstdint>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class ReplacedSystem : public StoreTest {
 protected:
  std::map<std::string, std::uint64_t> accounts(const Database& of) {
    std::map<std::string, std::uint64_t> all;
    for (const AccountStats& one : of.statistics().accounts) all[one.name] = one.used_bytes;
    return all;
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) db().run_background();
  }
};

// --- versions ---

// Another node's clock may show the same instant as ours: what was committed at it is read at it, what comes later is later.
TEST_F(ReplacedSystem, ATimestampEqualToAnotherNodesIsStillReadExactly) {
  options.retention = std::chrono::hours(1);
  const Table where = table();
  for (int i = 0; i < 50; ++i) {
    put(where, "k", std::to_string(i));
    const Timestamp here = db().now();
    ASSERT_OK(db().receive(here));
    auto at = begin({.as_of = here});
    EXPECT_EQ(text(at.get(where, "k")), std::to_string(i));
    ASSERT_OK(at.commit());
    put(where, "k", "later");
    EXPECT_GT(db().now(), here);
    auto again = begin({.as_of = here});
    EXPECT_EQ(text(again.get(where, "k")), std::to_string(i));
    ASSERT_OK(again.commit());
  }
}

// Whatever is collected in whatever order: a deleted key stays deleted, and neither its tombstone nor its dead values stay behind.
TEST_F(ReplacedSystem, CollectionTakesDeadValuesAndTombstonesAndBringsNothingBack) {
  options.background_threads = false;
  constexpr std::uint64_t keys = 300;
  for (const bool oldest_first : {true, false}) {
    SCOPED_TRACE(oldest_first);
    const Table where = table(oldest_first ? "forward" : "backward");
    std::vector<std::pair<Transaction, std::optional<std::string>>> held;
    const auto step = [&](const std::optional<std::string>& value) {
      for (std::uint64_t i = 0; i < keys; ++i) {
        if (value)
          put(where, key_of(i), *value);
        else
          erase(where, key_of(i));
      }
      held.emplace_back(reader(), value);
      rounds(3);
    };
    const std::uint64_t purged = counter("records_purged");
    step("10");
    step(std::nullopt);
    step("30");
    step("31");
    step(std::nullopt);
    const auto expect_all = [&] {
      for (auto& [tx, value] : held)
        for (std::uint64_t i = 0; i < keys; i += 7) ASSERT_EQ(text(tx.get(where, key_of(i))), value);
    };
    while (!held.empty()) {
      expect_all();
      auto ends = oldest_first ? held.begin() : held.end() - 1;
      ASSERT_OK(ends->first.commit());
      held.erase(ends);
      rounds(5);
      EXPECT_TRUE(scan(where).empty()) << "a deleted key came back";
      EXPECT_EQ(now(where, key_of(1)), std::nullopt);
    }
    put(where, "other", "v");
    rounds(10);
    EXPECT_GE(counter("records_purged") - purged, keys) << "the tombstones are still there";
    EXPECT_LE(gauge("version_entries_live"), 3u * 8192 / 56) << "dead values are still there";
    EXPECT_EQ(scan(where), (Records{{"other", "v"}}));
  }
}

// A floor says what must be kept as well; it never allows to collect what a live snapshot reads.
TEST_F(ReplacedSystem, AFloorAboveALiveSnapshotTakesNothingFromIt) {
  options.background_threads = false;
  const Table where = table();
  put(where, "k", "seen");
  auto held = reader();
  for (int i = 0; i < 100; ++i) put(where, "k", std::to_string(i));
  ASSERT_OK(db().set_external_floor(db().now()));
  for (int i = 0; i < 400; ++i) {
    put(where, "k", "later");
    if (i % 50 == 0) rounds(3);
  }
  EXPECT_EQ(text(held.get(where, "k")), "seen");
  EXPECT_EQ(scan(held, where), (Records{{"k", "seen"}}));
  ASSERT_OK(held.commit());
  ASSERT_OK(db().set_external_floor(Timestamp{}));
}

// --- log ---

// A commit is on disk when it returns, whether or not anything runs in the background.
TEST_F(ReplacedSystem, ADurableCommitNeedsNoBackgroundAndIsInTheLogWhenItReturns) {
  options.background_threads = false;
  const Table where = table();
  for (int i = 0; i < 10; ++i) {
    auto tx = db().begin();
    ASSERT_OK(tx);
    ASSERT_OK(tx->put(where, "k", std::to_string(i)));
    ASSERT_OK(tx->commit());
    EXPECT_EQ(db().durable_lsn().value, gauge("end_lsn"));
    bool found = false;
    ASSERT_OK(dump_log(path(), Lsn{}, [&](const LogRecordInfo& record) {  // reads the files, knows nothing of the open store
      found |= record.kind == "commit" && record.lsn < db().durable_lsn();
      return true;
    }));
    EXPECT_TRUE(found);
  }
}

TEST_F(ReplacedSystem, ThousandsOfCommitsShareOneFlush) {
  options.background_threads = false;
  const Table where = table();
  static std::atomic<int> succeeded{0}, failed{0};
  const auto done = [](void*, Result<void> outcome) { ++(outcome ? succeeded : failed); };
  constexpr int commits = 5000;
  const std::uint64_t flushes = counter("log_flushes");
  for (int i = 0; i < commits; ++i) {
    auto tx = db().begin();
    ASSERT_OK(tx);
    ASSERT_OK(tx->put(where, key_of(static_cast<std::uint64_t>(i)), "v"));
    ASSERT_OK(tx->commit_async(done, nullptr));
  }
  auto last = db().begin();
  ASSERT_OK(last);
  ASSERT_OK(last->put(where, "last", "v"));
  ASSERT_OK(last->commit());
  EXPECT_EQ(succeeded, commits);
  EXPECT_EQ(failed, 0);
  EXPECT_LE(counter("log_flushes") - flushes, 10u);
  EXPECT_EQ(scan(where).size(), commits + 1u);
}

TEST_F(ReplacedSystem, PositionsGoOnAfterReopenAndTheLogIsCut) {
  Lsn last = db().durable_lsn();
  for (int round = 0; round < 5; ++round) {
    put(table(), "k", std::to_string(round));
    reopen();
    EXPECT_GE(db().durable_lsn(), last) << "positions began again";
    last = db().durable_lsn();
  }
  const Lsn start = db().log_start();
  for (std::uint64_t i = 0; i < 60; ++i) fill(table(), 1000, 1000, i % 3 * 1000);  // twice as much as the log may hold
  ASSERT_OK(db().checkpoint());
  EXPECT_GT(db().log_start(), start) << "nothing was cut";
  EXPECT_LE(gauge("log_bytes_on_disk"), options.log_bytes_max);
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path() + "/log")) bytes += entry.file_size();
  EXPECT_LE(bytes, options.log_bytes_max + options.log_segment_bytes);
}

// --- transactions ---

TEST_F(ReplacedSystem, SavepointsBelongToTheTransactionWhereverItsHandleGoes) {
  const Table where = table();
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "before"));
  auto point = tx.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(tx.put(where, "k", "after"));
  std::vector<Transaction> elsewhere;
  elsewhere.push_back(std::move(tx));
  for (int i = 0; i < 20; ++i) elsewhere.emplace_back();  // moves it along
  Transaction& moved = elsewhere.front();
  ASSERT_OK(moved.rollback_to(*point));
  EXPECT_EQ(text(moved.get(where, "k")), "before");
  std::thread([&] {
    EXPECT_OK(moved.put(where, "k", "again"));
    EXPECT_OK(moved.rollback_to(*point));
    EXPECT_OK(moved.commit());
  }).join();
  EXPECT_EQ(now(where, "k"), "before");
}

TEST_F(ReplacedSystem, EveryReportAnswersWhileTransactionsWorkWaitAndEnd) {
  const Table where = table();
  put(where, "k", "0");
  auto holder = begin(), waiter = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiting = std::async(std::launch::async, [&] { return waiter.put(where, "k", "waiter"); });
  ASSERT_TRUE(waits(waiter.id()));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !stop; ++i) put(where, key_of(i % 100), "v");
  });
  for (int i = 0; i < 300; ++i) {
    const Statistics all = db().statistics();
    EXPECT_GE(value_of(all.gauges, "active_transactions"), 2u);
    EXPECT_GE(db().transactions().size(), 2u);
    EXPECT_EQ(db().wait_graph().size(), 1u);
    if (i == 150) db().reset_statistics();
  }
  stop = true;
  writer.join();
  ASSERT_OK(holder.abort());
  EXPECT_OK(waiting.get());
  ASSERT_OK(waiter.abort());
}

// --- memory ---

TEST_F(ReplacedSystem, ValuesOfEverySizeAreApartFromEachOtherAndStayWhatTheyAre) {
  const Table where = table();
  put(where, "source", noise(40'000, 1));
  fill(where, 3000, 64);
  auto tx = begin();
  std::vector<Value> held;
  const auto hold = [&](Bytes key) {
    auto found = tx.get(where, key);
    ASSERT_OK(found);
    ASSERT_TRUE(*found);
    held.push_back(std::move(**found));
  };
  for (std::uint64_t i = 0; i < 3000; ++i) hold(key_of(i));
  for (std::size_t size = 1; size <= 2000; ++size) {
    ASSERT_OK(tx.put(where, "sized", noise(size, size)));
    hold("sized");
  }
  std::vector<std::pair<const char*, const char*>> places;
  for (const Value& one : held) places.emplace_back(one.bytes().data(), one.bytes().data() + one.bytes().size());
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i) ASSERT_LE(places[i - 1].second, places[i].first) << "two live values overlap";
  for (std::size_t i = 0; i < 5000; i += 2) held[i] = Value{};  // every second one goes, the others must not notice
  for (std::size_t i = 0; i < 300; ++i) hold("source");         // 12 MB, within the budget
  for (std::size_t i = 1; i < 5000; i += 2) ASSERT_EQ(held[i].bytes(), i < 3000 ? noise(64, i) : noise(i - 2999, i - 2999)) << i;
  ASSERT_OK(tx.abort());
}

// The sizes between a page's quarter and a mebibyte: each can be written and read, alone in the smallest store.
TEST_F(ReplacedSystem, NoSizeOfAValueIsRefused) {
  options.memory_budget = 16_MiB;
  const Table where = table();
  auto tx = begin();
  for (std::size_t size = 2000; size <= 1_MiB; size += size < 40'000 ? 97 : 40'961) {
    SCOPED_TRACE(size);
    ASSERT_OK(tx.put(where, "k", noise(size, size)));
    ASSERT_EQ(text(tx.get(where, "k")), noise(size, size)) << size;
  }
  ASSERT_OK(tx.abort());
}

TEST_F(ReplacedSystem, TwoStoresInOneThreadShareNoMemory) {
  auto other = Database::open(folder() + "/other", options);
  ASSERT_OK(other);
  auto there = other->open_table("t", {.create_if_missing = true});
  ASSERT_OK(there);
  const Table here = table();
  fill(here, 500, 300);
  ASSERT_OK(other->transact({}, [&](Transaction& tx) { return tx.put(*there, "k", noise(300, 77)); }));
  auto tx = begin();
  auto other_tx = other->begin();
  ASSERT_OK(other_tx);
  const auto before = accounts(*other);
  std::vector<Value> held;
  auto theirs = other_tx->get(*there, "k");
  ASSERT_OK(theirs);
  for (std::uint64_t i = 0; i < 500; ++i) {
    auto found = tx.get(here, key_of(i));
    ASSERT_OK(found);
    held.push_back(std::move(**found));
    if (i % 2 == 0) held.pop_back();
    auto again = other_tx->get(*there, "k");
    ASSERT_OK(again);
  }
  EXPECT_EQ(accounts(*other).at("contexts"), before.at("contexts")) << "one store's values are charged to the other";
  ASSERT_OK(tx.abort());
  held.clear();
  close();
  EXPECT_EQ((*theirs)->bytes(), noise(300, 77));
  ASSERT_OK(other_tx->commit());
  ASSERT_OK(other->close());
}

TEST_F(ReplacedSystem, AValueThatIsMovedAboutIsGivenBackOnce) {
  const Table where = table();
  put(where, "a", noise(500, 1));
  put(where, "b", noise(500, 2));
  auto tx = begin();
  auto first = tx.get(where, "a"), second = tx.get(where, "b");
  ASSERT_OK(first);
  ASSERT_OK(second);
  Value one = std::move(**first), two = std::move(**second);
  first->reset();
  std::swap(one, two);
  one = std::move(two);  // what it held lives on in the other, or is gone; never both
  two = Value{};
  EXPECT_EQ(one.bytes(), noise(500, 1));
  auto third = tx.get(where, "b");
  ASSERT_OK(third);
  EXPECT_EQ((*third)->bytes(), noise(500, 2));
  EXPECT_EQ(one.bytes(), noise(500, 1));
  EXPECT_NE((*third)->bytes().data(), one.bytes().data());
  ASSERT_OK(tx.abort());
}

// Values that are dropped in another order than they came must not pile up in a long transaction, nor behind an open cursor.
TEST_F(ReplacedSystem, AWindowOfValuesThatMovesOnNeedsNoMoreMemoryThanTheWindow) {
  const Table where = table();
  fill(where, 1000, 1000);
  auto tx = begin({.memory_bytes_max = 2_MiB});
  auto cursor = tx.cursor(where);
  ASSERT_OK(cursor);
  ASSERT_TRUE(cursor->next().value_or(false));
  std::vector<Value> window(20);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    auto found = tx.get(where, key_of(i % 1000));
    ASSERT_OK(found);
    window[i % window.size()] = std::move(**found);
    auto stream = tx.open_reader(where, key_of(i % 1000));
    ASSERT_OK(stream);
    if (i % 1000 == 0) {
      for (std::uint64_t back = 0; back < window.size() && back <= i; ++back)
        ASSERT_EQ(window[(i - back) % window.size()].bytes(), noise(1000, (i - back) % 1000));
    }
  }
  EXPECT_EQ(cursor->key(), key_of(0));
  window.clear();
  ASSERT_OK(tx.commit());
}

// The cap of a transaction holds for everything that it makes, and what was refused is charged to nobody.
TEST_F(ReplacedSystem, TheCapOfATransactionCoversCursorsAndManyKeysAtOnce) {
  options.background_threads = false;
  const Table where = table();
  fill(where, 2000, 1000);
  const auto before = accounts(db());
  for (int round = 0; round < 3; ++round) {
    auto tx = begin({.memory_bytes_max = 256_KiB});
    std::vector<Cursor> cursors;
    std::optional<ErrorCode> refusal;
    for (int i = 0; i < 1000 && !refusal; ++i) {
      auto opened = tx.cursor(where);
      if (!opened) {
        refusal = opened.error().code();
        break;
      }
      cursors.push_back(std::move(*opened));
      if (auto more = cursors.back().next(); !more) refusal = more.error().code();
    }
    EXPECT_EQ(refusal, ErrorCode::memory_budget_exceeded) << "a thousand cursors within a quarter of a mebibyte";
    cursors.clear();
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < 1000; ++i) names.push_back(key_of(i));
    const std::vector<Bytes> keys(names.begin(), names.end());
    std::vector<std::optional<Value>> values(keys.size());
    EXPECT_CODE(tx.multi_get(where, keys, values), memory_budget_exceeded);
    values.clear();
    EXPECT_EQ(text(tx.get(where, key_of(5))), noise(1000, 5));
    ASSERT_OK(tx.abort());
    rounds(2);
    EXPECT_LE(accounts(db()).at("contexts"), std::max<std::uint64_t>(before.at("contexts"), 1_MiB));
    EXPECT_LE(db().statistics().memory_used, options.memory_budget);
  }
}

}  // namespace
}  // namespace plimsoll
