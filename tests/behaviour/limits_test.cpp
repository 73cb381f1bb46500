// The limits of a transaction: how many there are, how much each may write and hold, how long it may live, and being killed.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Limits : public StoreTest {};

TEST_F(Limits, NoMoreTransactionsThanSlots) {
  options.max_transactions = 8;
  const Table where = table();
  put(where, "k", "v");
  std::vector<Transaction> open;
  for (int i = 0; i < 8; ++i) open.push_back(begin());
  EXPECT_CODE(db().begin(), too_many_transactions);
  EXPECT_CODE(db().begin({.read_only = true}), too_many_transactions);
  EXPECT_EQ(db().transactions().size(), 8u);
  ASSERT_OK(open[3].commit());
  auto next = db().begin();
  EXPECT_OK(next);
  EXPECT_EQ(text(next->get(where, "k")), "v");
  ASSERT_OK(next->abort());
  for (int i = 0; i < 100; ++i) EXPECT_OK(begin().abort());
  open.clear();
  EXPECT_EQ(gauge("active_transactions"), 0u);
}

TEST_F(Limits, NobodyIsNotKilled) {
  EXPECT_CODE(db().kill(TxnId{}), not_found);
  auto reader = begin({.read_only = true});
  const TxnId id = reader.id();
  ASSERT_OK(reader.commit());
  EXPECT_CODE(db().kill(id), not_found);
  EXPECT_CODE(db().kill(reader.id()), not_found);
}

// With no thread of the store's that would flush the log meanwhile, the one that finds no place for its outcome does.
TEST_F(Limits, MoreAsynchronousCommitsThanCanWait) {
  options.background_threads = false;
  options.memory_budget = 1_GiB;  // the log's ring holds them all
  const Table where = table();
  constexpr std::uint64_t many = 10'500;
  std::uint64_t told = 0;
  for (std::uint64_t i = 0; i < many; ++i) {
    auto tx = begin({});
    ASSERT_OK(tx.put(where, key_of(i % 10), "v"));
    ASSERT_OK(tx.commit_async(
        [](void* count, Result<void> outcome) { *static_cast<std::uint64_t*>(count) += outcome.has_value() ? 1 : 0; }, &told));
  }
  ASSERT_OK(db().checkpoint());
  EXPECT_EQ(told, many);
}

// A slot is free when its transaction ends, whatever snapshots are held and however much it wrote.
TEST_F(Limits, AHeldSnapshotDoesNotUseUpSlots) {
  options.max_transactions = 8;
  const Table where = table();
  put(where, "k", "v");
  auto held = reader();
  for (std::uint64_t i = 0; i < 40; ++i) {
    auto tx = db().begin({.durability = Durability::relaxed});
    ASSERT_OK(tx);
    for (std::uint64_t n = 0; n < 300; ++n) ASSERT_OK(tx->put(where, key_of(n), std::to_string(i)));
    ASSERT_OK(tx->commit());
  }
  EXPECT_EQ(gauge("active_transactions"), 1u);
  EXPECT_EQ(scan(held, where), (Records{{"k", "v"}}));
  ASSERT_OK(held.commit());
}

TEST_F(Limits, WrittenBytesAreCapped) {
  const Table where = table();
  auto tx = begin({.written_bytes_max = 1000});
  ASSERT_OK(tx.put(where, "a", std::string(500, 'x')));
  auto refused = tx.put(where, "b", std::string(600, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(text(tx.get(where, "b")), std::nullopt);
  EXPECT_OK(tx.put(where, "c", std::string(400, 'x')));  // the refused one does not count
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where).size(), 2u);
}

TEST_F(Limits, WrittenBytesOfLargeValuesAndStreamsAreCappedToo) {
  const Table where = table();
  auto tx = begin({.written_bytes_max = 1_MiB});
  EXPECT_FALSE(tx.put(where, "large", noise(2_MiB, 1)));
  {
    auto writer = tx.open_writer(where, "stream");
    ASSERT_OK(writer);
    bool refused = false;
    for (int i = 0; i < 64 && !refused; ++i) refused = !writer->write(noise(64_KiB, 1));
    refused = refused || !writer->finish();
    EXPECT_TRUE(refused);
  }
  EXPECT_TRUE(scan(tx, where).empty());
  ASSERT_OK(tx.commit());
}

TEST_F(Limits, MemoryOfOneTransactionIsCapped) {
  const Table where = table();
  fill(where, 2000, 1000);
  auto tx = begin({.memory_bytes_max = 512_KiB});
  std::vector<Value> held;
  std::optional<Error> refusal;
  for (std::uint64_t i = 0; i < 2000 && !refusal; ++i) {
    auto found = tx.get(where, key_of(i));
    if (found)
      held.push_back(std::move(**found));
    else
      refusal = found.error();
  }
  ASSERT_TRUE(refusal) << "2 MB of values within a cap of 512 KiB";
  EXPECT_EQ(refusal->code(), ErrorCode::memory_budget_exceeded);
  EXPECT_GT(held.size(), 100u);
  for (std::uint64_t i = 0; i < held.size(); ++i) ASSERT_EQ(held[i].bytes(), noise(1000, i));
  held.clear();  // the memory goes back, the transaction goes on
  EXPECT_EQ(text(tx.get(where, key_of(1999))), noise(1000, 1999));
  for (std::uint64_t i = 0; i < 2000; ++i) ASSERT_OK(tx.get(where, key_of(i)));
  ASSERT_OK(tx.commit());
}

TEST_F(Limits, ValuesHeldByOneTransactionCannotExceedTheBudget) {
  options.memory_budget = 16_MiB;
  const Table where = table();
  fill(where, 12'000, 2000);
  auto tx = begin();
  std::vector<Value> held;
  std::optional<Error> refusal;
  for (std::uint64_t i = 0; i < 12'000 && !refusal; ++i) {
    auto found = tx.get(where, key_of(i));
    if (found)
      held.push_back(std::move(**found));
    else
      refusal = found.error();
    if (i % 200 == 0) { ASSERT_LE(db().statistics().memory_used, options.memory_budget); }
  }
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code(), ErrorCode::memory_budget_exceeded);
  EXPECT_EQ(refusal->message().find(" 0 bytes"), std::string::npos)
      << refusal->message();  // the cap that it names must be the real one
  for (std::uint64_t i = 0; i < held.size(); ++i) ASSERT_EQ(held[i].bytes(), noise(2000, i)) << "a live value lost its memory";
  held.clear();
  put(where, "others", "work");
  EXPECT_EQ(text(tx.get(where, key_of(0))), noise(2000, 0));
  ASSERT_OK(tx.abort());
}

TEST_F(Limits, AnIdleTransactionIsReapedAtItsDeadline) {
  const Table where = table();
  put(where, "k", "old");
  auto tx = begin({.label = "forgotten"});
  ASSERT_OK(tx.put(where, "k", "new"));
  auto value = tx.get(where, "k");
  ASSERT_OK(value);
  ASSERT_OK(tx.set_deadline(5ms));
  ASSERT_TRUE(eventually([&] { return counter("transactions_reaped") == 1; }));
  EXPECT_EQ((*value)->bytes(), "new");  // handed out: readable until the handle dies
  EXPECT_CODE(tx.get(where, "k"), transaction_timeout);
  EXPECT_CODE(tx.put(where, "k", "x"), transaction_timeout);
  EXPECT_CODE(tx.commit(), transaction_timeout);
  EXPECT_FALSE(tx.active());
  auto other = begin({.lock_deadline = 1s});  // its marks are gone
  EXPECT_OK(other.put(where, "k", "other"));
  ASSERT_OK(other.commit());
  EXPECT_EQ((*value)->bytes(), "new");
  bool told = false;
  for (const std::string& event : db().statistics().events) told |= event.find("deadline") != std::string::npos;
  EXPECT_TRUE(told) << "no event says that it was reaped";
}

TEST_F(Limits, TheSlotOfAReapedTransactionIsFreeWhenItsHandleDies) {
  options.max_transactions = 2;
  const Table where = table();
  for (int i = 0; i < 10; ++i) {
    auto first = begin(), second = begin();
    ASSERT_OK(first.put(where, "a", "1"));
    ASSERT_OK(second.put(where, "b", "1"));
    ASSERT_OK(first.set_deadline(5ms));
    ASSERT_OK(second.set_deadline(5ms));
    ASSERT_TRUE(eventually([&] { return counter("transactions_reaped") == 2u * (static_cast<unsigned>(i) + 1); }));
    if (i % 2 == 0) { EXPECT_FALSE(first.abort()) << "it has ended already"; }
  }
  EXPECT_EQ(db().transactions().size(), 0u);
  EXPECT_TRUE(scan(where).empty());
}

TEST_F(Limits, TheDeadlineCanBeMoved) {
  const Table where = table();
  auto tx = begin({.deadline = 500ms});
  ASSERT_OK(tx.set_deadline(1h));
  std::this_thread::sleep_for(700ms);
  EXPECT_OK(tx.put(where, "k", "v"));
  ASSERT_OK(tx.set_deadline(30ms));
  ASSERT_TRUE(eventually([&] { return !tx.active(); }));
  EXPECT_CODE(tx.get(where, "k"), transaction_timeout);
  auto endless = begin({.deadline = 0ms});
  EXPECT_CODE(endless.set_deadline(-5ms), invalid_argument);
  ASSERT_OK(endless.commit());
}

// "Never" is often written as the largest duration there is.
TEST_F(Limits, TheLongestDeadlinesAreNotShortOnes) {
  constexpr auto longest = std::chrono::milliseconds::max();
  options.background_threads = false;
  options.transaction_deadline = options.lock_deadline = longest;
  const Table where = table();
  auto by_default = begin(), own = begin({.deadline = longest, .lock_deadline = longest}), changed = begin({.deadline = 1h});
  ASSERT_OK(changed.set_deadline(longest));
  ASSERT_OK(changed.set_lock_deadline(longest));
  ASSERT_OK(by_default.put(where, "k", "holder"));
  auto waiting = std::async(std::launch::async, [&] { return own.put(where, "k", "own"); });
  ASSERT_TRUE(waits(own.id()));
  for (int i = 0; i < 10; ++i) db().run_background();
  EXPECT_TRUE(by_default.active());
  EXPECT_TRUE(changed.active());
  ASSERT_OK(by_default.abort());
  EXPECT_OK(waiting.get());
  auto blocked = std::async(std::launch::async, [&] { return changed.put(where, "k", "changed"); });
  ASSERT_TRUE(waits(changed.id()));
  ASSERT_OK(own.abort());
  EXPECT_OK(blocked.get());
  ASSERT_OK(changed.commit());
  EXPECT_EQ(counter("transactions_reaped"), 0u);
  EXPECT_EQ(now(where, "k"), "changed");
}

TEST_F(Limits, AnIdleTransactionIsKilled) {
  const Table where = table();
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "v"));
  ASSERT_OK(db().kill(tx.id()));
  EXPECT_CODE(tx.put(where, "k", "v"), transaction_timeout);
  EXPECT_CODE(tx.commit(), transaction_timeout);
  EXPECT_EQ(now(where, "k"), std::nullopt);
  EXPECT_CODE(db().kill(TxnId{12345678}), not_found);
  auto ended = begin();
  const TxnId id = ended.id();
  ASSERT_OK(ended.commit());
  EXPECT_CODE(db().kill(id), not_found);
}

TEST_F(Limits, AWaitingTransactionIsKilledAtOnce) {
  const Table where = table();
  auto holder = begin(), waiter = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  ASSERT_OK(waiter.put(where, "other", "waiter"));
  const TxnId id = waiter.id();
  auto waiting = std::async(std::launch::async, [&] { return waiter.put(where, "k", "waiter"); });
  ASSERT_TRUE(waits(id));
  ASSERT_OK(db().kill(id));
  ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
  EXPECT_CODE(waiting.get(), transaction_timeout);
  EXPECT_CODE(waiter.get(where, "k"), transaction_timeout);
  ASSERT_OK(holder.commit());
  EXPECT_EQ(scan(where), (Records{{"k", "holder"}}));
}

TEST_F(Limits, ADeadlineInsideAWaitEndsTheWait) {
  const Table where = table();
  auto holder = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto waiter = begin({.deadline = 100ms});
  EXPECT_CODE(waiter.put(where, "k", "waiter"), transaction_timeout);
  ASSERT_OK(holder.commit());
}

TEST_F(Limits, ALongScanIsKilledInsideItsOperation) {
  const Table where = table();
  fill(where, 30'000, 20);
  auto tx = begin();
  const TxnId id = tx.id();
  std::atomic<bool> started{false};
  auto scanning = std::async(std::launch::async, [&]() -> Result<void> {
    for (;;) {
      started = true;
      auto count = tx.count(where);
      if (!count) return std::unexpected(count.error());
    }
  });
  while (!started) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  ASSERT_OK(db().kill(id));
  ASSERT_EQ(scanning.wait_for(patience), std::future_status::ready);
  EXPECT_CODE(scanning.get(), transaction_timeout);
}

// One call that goes through many records: not only the next one is refused.
TEST_F(Limits, ACountAndARangeEraseAreKilledHalfway) {
  const Table where = table();
  const std::uint64_t records = scaled(100'000, 20'000);
  fill(where, records, 20);
  const std::function<Result<std::uint64_t>(Transaction&)> calls[] = {[&](Transaction& tx) { return tx.count(where); },
                                                                      [&](Transaction& tx) { return tx.erase_range(where, {}); }};
  for (const auto& call : calls) {
    bool ended = false;
    for (int tries = 0; tries < 50 && !ended; ++tries) {                     // one may be over before it is killed
      ASSERT_TRUE(eventually([&] { return db().transactions().empty(); }));  // nobody waits for the one before
      auto tx = begin();
      const std::uint64_t scanned = counter("records_scanned");
      auto calling = std::async(std::launch::async, [&] { return call(tx); });
      ASSERT_TRUE(eventually([&] { return counter("records_scanned") != scanned; }));
      ASSERT_OK(db().kill(tx.id()));
      ASSERT_EQ(calling.wait_for(patience), std::future_status::ready);
      const auto outcome = calling.get();
      ended = !outcome;
      if (ended) { EXPECT_CODE(outcome, transaction_timeout); }
    }
    EXPECT_TRUE(ended);
  }
  EXPECT_EQ(scan(where).size(), records);
}

TEST_F(Limits, TransactionsAreListed) {
  const Table where = table();
  auto tx = begin({.label = "the label"});
  ASSERT_OK(tx.put(where, "k", std::string(100, 'x')));
  const auto all = db().transactions();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id, tx.id());
  EXPECT_EQ(all[0].label, "the label");
  EXPECT_EQ(all[0].state, TransactionState::active);
  EXPECT_EQ(all[0].snapshot, tx.snapshot());
  EXPECT_GE(all[0].written_bytes, 101u);
  EXPECT_FALSE(all[0].waits_for);
  ASSERT_OK(tx.abort());
  auto longer = begin({.label = "a label of more than thirty-one bytes"});
  EXPECT_EQ(db().transactions()[0].label, "a label of more than thirty-one");
  ASSERT_OK(longer.abort());
  EXPECT_TRUE(db().transactions().empty());
}

}  // namespace
}  // namespace plimsoll
