// The figures that a store reports, layer by layer: each layer is driven by itself and its counters must agree with what was done,
// and with the figures of the layers beside it. Nothing runs in the background, so that the sums are exact. One thread.
// ctest-labels: fast asan
#include <sys/wait.h>

#include <cstring>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Accounting : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    options.background_threads = false;
  }
  std::map<std::string, std::uint64_t> all_counters() {
    std::map<std::string, std::uint64_t> all;
    for (const NamedValue& one : db().statistics().counters) all[one.name] = one.value;
    return all;
  }
  void mark() { before_ = all_counters(); }
  std::uint64_t moved(const std::string& name) {
    EXPECT_TRUE(before_.contains(name)) << name;
    return counter(name) - before_[name];
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) db().run_background();
  }
  void write_damage(std::uint64_t page) {
    std::fstream data(path() + "/data", std::ios::in | std::ios::out | std::ios::binary);
    data.seekp(static_cast<std::streamoff>(page * 8192 + 3000));
    data.write("damage!!", 8);
  }

 private:
  std::map<std::string, std::uint64_t> before_;
};

TEST_F(Accounting, TransactionsOnlyWhatChangedARecordIsAWrite) {
  const Table where = table();
  fill(where, 10, 10);
  put(where, "large", noise(100_KiB, 1));
  mark();
  auto tx = begin();
  ASSERT_OK(tx.get_for_update(where, key_of(1)));
  ASSERT_OK(tx.get_for_update(where, "absent"));
  EXPECT_EQ(moved("records_written"), 0u) << "a lock is no change";
  EXPECT_EQ(moved("point_reads"), 2u);
  ASSERT_OK(tx.put(where, "large", noise(100_KiB, 2)));
  EXPECT_EQ(moved("records_written"), 1u) << "what is noted about the old value's pages is not the user's";
  EXPECT_EQ(moved("large_values_written"), 1u);
  auto erased = tx.erase_range(where, {.from = "k"});
  ASSERT_OK(erased);
  EXPECT_EQ(moved("records_written"), 1 + *erased);
  ASSERT_OK(tx.abort());
  EXPECT_GE(moved("records_reverted"), 1 + *erased);
  EXPECT_EQ(moved("transactions_aborted"), 1u);
  EXPECT_EQ(moved("transactions_begun"), 1u);
}

TEST_F(Accounting, RegistryWaitsDeadlocksAndTimeouts) {
  const Table where = table();
  mark();
  auto first = begin({.lock_deadline = std::chrono::milliseconds(20)}), second = begin();
  ASSERT_OK(second.put(where, "b", "2"));
  EXPECT_CODE(first.put(where, "b", "1"), lock_timeout);
  EXPECT_EQ(moved("lock_waits"), 1u);
  EXPECT_EQ(moved("lock_timeouts"), 1u);
  ASSERT_OK(first.put(where, "a", "1"));
  ASSERT_OK(first.set_lock_deadline(std::chrono::milliseconds(0)));
  auto waiting = std::async(std::launch::async, [&] { return first.put(where, "b", "1"); });
  ASSERT_TRUE(waits(first.id()));
  EXPECT_CODE(second.put(where, "a", "2"), deadlock);
  EXPECT_EQ(moved("deadlocks"), 1u);
  EXPECT_EQ(gauge("active_transactions"), 2u);
  ASSERT_OK(second.abort());
  EXPECT_OK(waiting.get());
  ASSERT_OK(first.commit());
  EXPECT_EQ(moved("lock_timeouts"), 1u);
  EXPECT_EQ(gauge("active_transactions"), 0u);
}

TEST_F(Accounting, TheLogHoldsWhatItsCountersSay) {
  const Table where = table();
  ASSERT_OK(db().checkpoint());
  mark();
  const Lsn from{gauge("end_lsn")};
  fill(where, 1500, 200);
  auto tx = db().begin();
  ASSERT_OK(tx);
  ASSERT_OK(tx->put(where, "last", "v"));
  ASSERT_OK(tx->commit());
  EXPECT_GE(moved("log_flushes"), 1u);
  const std::uint64_t records = moved("log_records"), bytes = moved("log_bytes");
  EXPECT_EQ(gauge("end_lsn"), gauge("durable_lsn"));
  EXPECT_EQ(gauge("durable_lsn"), db().durable_lsn().value);
  EXPECT_EQ(gauge("log_cut_lsn"), db().log_start().value);
  std::uint64_t seen = 0, seen_bytes = 0;
  auto report = dump_log(path(), from, [&](const LogRecordInfo& record) {
    ++seen;
    seen_bytes += record.bytes;
    return true;
  });
  ASSERT_OK(report);
  EXPECT_EQ(seen, records);
  EXPECT_EQ(seen_bytes, bytes);
  EXPECT_EQ(report->end, db().durable_lsn());
  EXPECT_EQ(moved("records_written"), 1501u);
}

TEST_F(Accounting, VersionsAreCreatedReadAndFoundGarbage) {
  const Table where = table();
  fill(where, 100, 50);
  rounds(10);
  auto held = reader();
  rounds(1);
  mark();
  const std::uint64_t live = gauge("version_entries_live");
  for (std::uint64_t i = 0; i < 100; ++i) put(where, key_of(i), "second");
  EXPECT_EQ(moved("versions_created"), 100u);
  EXPECT_EQ(gauge("version_entries_live"), live + 100);
  EXPECT_GE(gauge("version_bytes"), 100u * 50);
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_EQ(text(held.get(where, key_of(i))), noise(50, i));
  EXPECT_EQ(moved("version_hops"), 100u) << "one step from the newest to the one below";
  EXPECT_EQ(now(where, key_of(3)), "second");
  EXPECT_EQ(moved("version_hops"), 100u) << "the newest is read without a step";
  EXPECT_EQ(gauge("oldest_snapshot"), held.snapshot().value);
  ASSERT_OK(held.commit());
  for (int i = 0; i < 1000; ++i) put(where, "other", "v");
  rounds(10);
  EXPECT_LE(gauge("version_entries_live"), 3u * 8192 / 56);
  EXPECT_EQ(gauge("oldest_snapshot"), 0u);
  const auto all = db().statistics();
  EXPECT_EQ(value_of(all.counters, "version_pages_allocated") - value_of(all.counters, "version_pages_freed"),
            value_of(all.gauges, "version_pages"));
}

TEST_F(Accounting, TreesTakeAndGiveBackTheirPages) {
  const Table where = table();
  auto before = db().verify();
  ASSERT_OK(before);
  mark();
  fill(where, 5000, 300);
  auto full = db().verify();
  ASSERT_OK(full);
  EXPECT_EQ(full->records, 5000u);
  EXPECT_EQ(full->pages - before->pages, moved("pages_allocated") - moved("pages_freed"));
  EXPECT_GT(moved("tree_splits"), 150u);
  EXPECT_LE(moved("tree_splits"), moved("pages_allocated"));
  EXPECT_EQ(moved("tree_merges"), 0u);
  auto tx = begin();
  ASSERT_OK(tx.erase_range(where, {}));
  ASSERT_OK(tx.commit());
  put(where, "other", "v");
  rounds(30);
  EXPECT_EQ(moved("records_purged"), 5000u);
  EXPECT_GT(moved("tree_merges"), 100u);
  auto empty = db().verify();
  ASSERT_OK(empty);
  EXPECT_EQ(empty->pages - before->pages, moved("pages_allocated") - moved("pages_freed"));
}

TEST_F(Accounting, ThePoolReadsWhatItMissesAndWritesWhatIsDirty) {
  options.memory_budget = 16_MiB;
  const Table where = table();
  for (std::uint64_t i = 0; i < 40'000; i += 1000) {  // twice the budget
    fill(where, 1000, 800, i);
    rounds(1);
  }
  ASSERT_OK(db().checkpoint());
  EXPECT_GT(counter("evictions"), 1000u);
  EXPECT_GE(counter("pages_written"), gauge("data_file_pages") / 2);
  reopen();
  mark();
  std::uint64_t size = 0;
  auto tx = reader();
  for (std::uint64_t i = 0; i < 40'000; i += 11) size += text(tx.get(where, key_of(i)))->size();
  EXPECT_EQ(scan(tx, where).size(), 40'000u);
  ASSERT_OK(tx.commit());
  EXPECT_EQ(size, 800u * (40'000 / 11 + 1));
  EXPECT_EQ(moved("pages_read"), moved("pool_misses") + moved("pages_read_ahead"));
  EXPECT_GT(moved("pool_misses"), 1000u);
  EXPECT_EQ(moved("checksum_failures"), 0u);
  const Statistics all = db().statistics();
  std::uint64_t frames_bytes = 0;
  for (const AccountStats& one : all.accounts)
    if (one.name == "frames") frames_bytes = one.used_bytes;
  EXPECT_GE(frames_bytes, value_of(all.gauges, "frames") * db().page_size());
  EXPECT_LE(value_of(all.gauges, "dirty_pages"), value_of(all.gauges, "frames"));
}

TEST_F(Accounting, LargeValuesAreCountedInValuesAndInBytes) {
  const Table where = table();
  mark();
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    put(where, key_of(i), noise(i * 100_KiB, i));
    bytes += i * 100_KiB;
  }
  auto tx = begin();
  {
    auto writer = tx.open_writer(where, "stream");
    ASSERT_OK(writer);
    for (std::uint64_t i = 0; i < 7; ++i) ASSERT_OK(writer->write(noise(64_KiB, i)));
    ASSERT_OK(writer->finish());
  }
  ASSERT_OK(tx.commit());
  EXPECT_EQ(moved("large_values_written"), 6u);
  EXPECT_EQ(moved("large_value_bytes"), bytes + 7 * 64_KiB);
  EXPECT_EQ(moved("records_written"), 6u);
}

TEST_F(Accounting, CheckpointsAndRecoveriesAgreeWithTheReport) {
  const Table where = table();
  mark();
  ASSERT_OK(db().checkpoint());
  ASSERT_OK(db().checkpoint());
  EXPECT_EQ(moved("checkpoints"), 2u);
  EXPECT_EQ(counter("recoveries"), 0u);
  put(where, "k", "v");
  close();
  const pid_t child = fork();
  if (child == 0) {
    open();
    for (std::uint64_t i = 0; i < 100; ++i) put(table(), key_of(i), "v");
    auto unfinished = begin();
    if (!unfinished.put(table("other"), "unfinished", "v")) _exit(1);
    put(table(), "durable", "v");
    if (!db().transact({}, [&](Transaction& tx) { return tx.put(where, "end", "v"); })) _exit(2);
    ::kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  const RecoveryReport report = db().recovery_report();
  EXPECT_FALSE(report.was_clean);
  EXPECT_EQ(counter("recoveries"), 1u);
  EXPECT_GT(report.records_redone, 100u);
  EXPECT_EQ(counter("records_redone"), report.records_redone);
  EXPECT_EQ(report.losers, 1u);
  EXPECT_EQ(counter("losers_reverted"), report.losers);
  EXPECT_EQ(counter("torn_pages_repaired"), report.torn_pages);
  EXPECT_EQ(scan(table()).size(), 103u);
  EXPECT_TRUE(scan(table("other")).empty());
}

TEST_F(Accounting, ResetStartsEveryCounterAndEveryPeakAnew) {
  const Table where = table();
  fill(where, 3000, 300);
  {
    auto tx = begin();
    std::vector<Value> held;
    for (std::uint64_t i = 0; i < 3000; ++i) held.push_back(std::move(**tx.get(where, key_of(i))));
    ASSERT_OK(tx.abort());
  }
  rounds(5);
  const Statistics before = db().statistics();
  db().reset_statistics();
  const Statistics after = db().statistics();
  for (const NamedValue& one : after.counters) EXPECT_EQ(one.value, 0u) << one.name;
  for (std::size_t i = 0; i < after.gauges.size(); ++i)
    EXPECT_EQ(after.gauges[i].value, before.gauges[i].value) << after.gauges[i].name;
  for (const AccountStats& one : after.accounts) EXPECT_EQ(one.peak_bytes, one.used_bytes) << one.name;
  EXPECT_EQ(after.memory_used, before.memory_used);
  EXPECT_EQ(after.events, before.events);
  auto tx = begin();
  ASSERT_OK(tx.get(where, key_of(1)));
  ASSERT_OK(tx.commit());
  EXPECT_EQ(counter("point_reads"), 1u);
  EXPECT_EQ(counter("transactions_committed"), 1u);
}

// --- events ---

class Events : public Accounting {
 protected:
  struct Heard {
    std::mutex mutex;
    std::vector<Event> all;
    std::size_t of(EventKind kind, std::string_view saying = {}) {
      const std::scoped_lock lock(mutex);
      return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const Event& event) {
        return event.kind == kind && std::string_view(event.text).find(saying) != std::string_view::npos;
      }));
    }
  };
  void SetUp() override {
    Accounting::SetUp();
    options.events = {[](void* context, const Event& event) {
                        auto& heard = *static_cast<Heard*>(context);
                        EXPECT_NE(std::memchr(event.text, 0, sizeof event.text), nullptr);
                        EXPECT_GT(event.wall_ms, 1'500'000'000'000u);
                        const std::scoped_lock lock(heard.mutex);
                        heard.all.push_back(event);
                      },
                      &heard_};
  }
  Heard heard_;
};

TEST_F(Events, OpeningReapingAndKillingAreTold) {
  const Table where = table();
  EXPECT_GE(heard_.of(EventKind::open_phase), 1u);
  auto killed = begin(), idle = begin({.deadline = std::chrono::milliseconds(1)});
  const TxnId id = killed.id(), idle_id = idle.id();
  ASSERT_OK(killed.put(where, "k", "v"));
  ASSERT_OK(db().kill(id));
  EXPECT_EQ(heard_.of(EventKind::killed, std::to_string(id.value)), 1u);
  EXPECT_CODE(db().kill(id), not_found);
  EXPECT_EQ(heard_.of(EventKind::killed), 1u) << "nothing was killed the second time";
  ASSERT_TRUE(eventually([&] { return counter("transactions_reaped") == 2; }));
  EXPECT_EQ(heard_.of(EventKind::reaped, std::to_string(idle_id.value)), 1u);
  EXPECT_EQ(heard_.of(EventKind::reaped), 1u);
  for (const Transaction* ended : {&killed, &idle}) {
    EXPECT_EQ(ended->id(), TxnId{});
    EXPECT_EQ(ended->snapshot(), Timestamp{});
  }
  const std::vector<std::string> ring = db().statistics().events;
  const std::scoped_lock lock(heard_.mutex);
  ASSERT_EQ(ring.size(), heard_.all.size());
  for (std::size_t i = 0; i < ring.size(); ++i)
    EXPECT_NE(ring[i].find(heard_.all[i].text), std::string::npos) << ring[i] << " is not " << heard_.all[i].text;
}

TEST_F(Events, DamageIsToldWhenItIsMet) {
  fill(table(), 3000, 300);
  close();
  write_damage(40);
  open();
  auto report = db().verify();
  ASSERT_OK(report);
  EXPECT_FALSE(report->problems.empty());
  EXPECT_GE(heard_.of(EventKind::corruption), 1u);
  EXPECT_GE(counter("checksum_failures"), 1u);
  close();  // the usual verification does not apply
}

TEST_F(Events, DamageThatAReaderMeetsIsToldTooWithoutAVerification) {
  fill(table(), 3000, 300);
  close();
  for (std::uint64_t page = 20; page < 60; ++page) write_damage(page);
  open();
  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < 3000; i += 10) {
    auto tx = reader();
    auto found = tx.get(table(), key_of(i));
    if (!found) {
      EXPECT_CODE(found, corruption);
      EXPECT_NE(found.error().message().find("page "), std::string::npos) << found.error().message();
      ++failed;
    }
    ASSERT_OK(tx.commit());
  }
  EXPECT_GT(failed, 0u);
  rounds(2);
  EXPECT_EQ(heard_.of(EventKind::corruption), 1u) << "once for what was met since the last round";
  rounds(2);
  EXPECT_EQ(heard_.of(EventKind::corruption), 1u);
  close();
}

TEST_F(Events, TheRingKeepsTheNewest) {
  table();
  for (int i = 0; i < 500; ++i) {
    auto tx = begin();
    ASSERT_OK(db().kill(tx.id()));
  }
  const std::vector<std::string> ring = db().statistics().events;
  EXPECT_LE(ring.size(), 256u);
  const std::scoped_lock lock(heard_.mutex);
  ASSERT_GE(heard_.all.size(), 500u);
  EXPECT_NE(ring.back().find(heard_.all.back().text), std::string::npos);
}

}  // namespace
}  // namespace plimsoll
