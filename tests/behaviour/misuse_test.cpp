// Misuse is an error, never undefined behaviour: ended transactions, moved-from handles, foreign tables, two threads in one
// transaction.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Misuse : public StoreTest {
 protected:
  void expect_every_call_refused(Transaction& tx, Table where) {
    EXPECT_CODE(tx.get(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.get_for_update(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.exists(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.multi_get(where, {}, {}), transaction_aborted);
    EXPECT_CODE(tx.cursor(where), transaction_aborted);
    EXPECT_CODE(tx.count(where), transaction_aborted);
    EXPECT_CODE(tx.put(where, "k", "v"), transaction_aborted);
    EXPECT_CODE(tx.insert(where, "k", "v"), transaction_aborted);
    EXPECT_CODE(tx.update(where, "k", "v"), transaction_aborted);
    EXPECT_CODE(tx.erase(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.erase_range(where, {}), transaction_aborted);
    EXPECT_CODE(tx.open_reader(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.open_writer(where, "k"), transaction_aborted);
    EXPECT_CODE(tx.savepoint(), transaction_aborted);
    EXPECT_CODE(tx.rollback_to(Savepoint{1}), transaction_aborted);
    EXPECT_CODE(tx.release(Savepoint{1}), transaction_aborted);
    EXPECT_CODE(tx.commit(), transaction_aborted);
    EXPECT_CODE(tx.abort(), transaction_aborted);
    EXPECT_CODE(tx.prepare("gid"), transaction_aborted);
    EXPECT_CODE(tx.set_deadline(1s), transaction_aborted);
    EXPECT_CODE(tx.set_lock_deadline(1s), transaction_aborted);
    EXPECT_EQ(tx.id(), TxnId{});
    EXPECT_EQ(tx.snapshot(), Timestamp{});
    EXPECT_FALSE(tx.active());
  }
};

TEST_F(Misuse, AnEndedTransactionAnswersWithAnError) {
  const Table where = table();
  auto committed = begin(), aborted = begin();
  ASSERT_OK(committed.put(where, "k", "v"));
  ASSERT_OK(committed.commit());
  ASSERT_OK(aborted.abort());
  auto next = begin();  // the slots are used again
  auto other = begin();
  expect_every_call_refused(committed, where);
  expect_every_call_refused(aborted, where);
  ASSERT_OK(next.commit());
  ASSERT_OK(other.commit());
}

TEST_F(Misuse, EmptyAndMovedFromTransactions) {
  const Table where = table();
  Transaction empty;
  expect_every_call_refused(empty, where);
  auto tx = begin();
  Transaction moved = std::move(tx);
  expect_every_call_refused(tx, where);
  EXPECT_OK(moved.put(where, "k", "v"));
  auto overwritten = begin();
  ASSERT_OK(overwritten.put(where, "l", "v"));
  overwritten = std::move(moved);  // the one that was there before is aborted, now or with the other handle
  ASSERT_OK(overwritten.commit());
  moved = Transaction{};
  EXPECT_EQ(scan(where), (Records{{"k", "v"}}));
}

TEST_F(Misuse, ValuesAndCursorsThatOutliveTheirTransaction) {
  const Table where = table();
  put(where, "k", "v");
  put(where, "large", noise(200_KiB, 1));
  for (const bool reuse : {false, true}) {
    auto tx = begin();
    auto value = tx.get(where, "k");
    auto large = tx.get(where, "large");
    auto cursor = tx.cursor(where);
    auto stream = tx.open_reader(where, "large");
    ASSERT_OK(value);
    ASSERT_OK(large);
    ASSERT_OK(cursor);
    ASSERT_OK(stream);
    ASSERT_TRUE(cursor->next().value_or(false));
    ASSERT_OK(tx.commit());
    Transaction next;
    if (reuse) next = begin();
    EXPECT_CODE(cursor->next(), transaction_aborted);
    EXPECT_EQ(cursor->key(), "");
    EXPECT_EQ(cursor->value(), "");
    char bytes[8];
    EXPECT_CODE((*stream)->read(bytes), transaction_aborted);
    EXPECT_EQ((*stream)->size(), 0u);
    if (reuse) EXPECT_OK(next.commit());
  }
}

TEST_F(Misuse, AForeignTableIsRefused) {
  auto other = Database::open(folder() + "/other", options);
  ASSERT_OK(other);
  auto foreign = other->open_table("t", {.create_if_missing = true});
  ASSERT_OK(foreign);
  const Table where = table();
  auto tx = begin();
  EXPECT_CODE(tx.put(*foreign, "k", "v"), invalid_argument);
  EXPECT_CODE(tx.get(*foreign, "k"), invalid_argument);
  EXPECT_CODE(tx.get(Table{}, "k"), invalid_argument);
  EXPECT_CODE(tx.cursor(*foreign), invalid_argument);
  EXPECT_CODE(db().table_name(*foreign), not_found);
  EXPECT_OK(tx.put(where, "k", "v"));
  ASSERT_OK(tx.commit());
  ASSERT_OK(other->close());
}

TEST_F(Misuse, TwoThreadsInOneTransactionAreDetected) {
  const Table where = table();
  auto holder = begin();
  ASSERT_OK(holder.put(where, "k", "holder"));
  auto tx = begin();
  const TxnId id = tx.id();
  auto waiting = std::async(std::launch::async, [&] { return tx.put(where, "k", "v"); });
  ASSERT_TRUE(waits(id));
  EXPECT_CODE(tx.get(where, "k"), invalid_argument);
  EXPECT_CODE(tx.commit(), invalid_argument);
  EXPECT_CODE(tx.abort(), invalid_argument);
  ASSERT_OK(holder.abort());
  EXPECT_OK(waiting.get());
  ASSERT_OK(tx.commit());
  EXPECT_EQ(now(where, "k"), "v");
}

TEST_F(Misuse, AClosedDatabaseAnswersWithAnError) {
  put(table(), "k", "v");
  auto opened = Database::open(folder() + "/other", options);
  ASSERT_OK(opened);
  ASSERT_OK(opened->close());
  EXPECT_CODE(opened->close(), invalid_argument);
  EXPECT_CODE(opened->begin(), invalid_argument);
  EXPECT_CODE(opened->transact({}, [](Transaction&) -> Result<void> { return {}; }), invalid_argument);
  EXPECT_CODE(opened->open_table("t"), invalid_argument);
  EXPECT_CODE(opened->drop_table("t"), invalid_argument);
  EXPECT_CODE(opened->tables(), invalid_argument);
  EXPECT_CODE(opened->checkpoint(), invalid_argument);
  EXPECT_CODE(opened->verify(), invalid_argument);
  EXPECT_CODE(opened->kill(TxnId{1}), invalid_argument);
  EXPECT_CODE(opened->commit_prepared("x"), invalid_argument);
  EXPECT_CODE(opened->read_log(Lsn{1}, [](const LogEntry&) { return true; }), invalid_argument);
  EXPECT_TRUE(opened->transactions().empty());
  EXPECT_TRUE(opened->prepared().empty());
  EXPECT_FALSE(opened->run_background());
  EXPECT_EQ(opened->durable_lsn(), Lsn{});
  EXPECT_EQ(opened->statistics().memory_used, 0u);
  opened->reset_statistics();
  opened->on_durable({});
}

TEST_F(Misuse, CloseEndsOpenTransactionsAndTheirHandlesMayDieLater) {
  const Table where = table();
  put(where, "k", "old");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "unfinished"));
  auto value = tx.get(where, "k");
  ASSERT_OK(value);
  auto reaped = begin();
  ASSERT_OK(db().kill(reaped.id()));
  close();
  EXPECT_FALSE(tx.put(where, "k", "v"));  // an error, not a crash: the store that it belonged to is gone
  EXPECT_FALSE(tx.commit());
  EXPECT_FALSE(tx.active());
  open();
  EXPECT_EQ(now(table(), "k"), "old");
}

// Closing gives up after ten seconds. The other thread may still write: nobody may open the store beside it.
TEST_F(Misuse, AStoreThatAnotherThreadIsInsideOfStaysLockedWhenItsDatabaseDies) {
  options.background_threads = false;  // they would wait for the verification
  const std::string other = folder() + "/other";
  auto opened = Database::open(other, options);
  ASSERT_OK(opened);
  std::promise<void> inside, may_leave;
  auto verifying = std::async(std::launch::async, [&, first = true]() mutable {
    return opened->verify([&](const VerifyReport&) {
      if (std::exchange(first, false)) {
        inside.set_value();
        may_leave.get_future().wait();
      }
      return true;
    });
  });
  inside.get_future().wait();
  { const Database dies = std::move(*opened); }
  EXPECT_CODE(Database::open(other, options), busy);
  may_leave.set_value();
  verifying.wait();
  EXPECT_CODE(Database::open(other, options), busy);
}

// A killed transaction is undone by who kills it, while its owner lets its handle go first and what he has read from it later.
TEST_F(Misuse, ValuesMayOutliveTheHandleOfATransactionThatIsBeingUndone) {
  const Table where = table();
  fill(where, 20, 1000);
  const int rounds = static_cast<int>(scaled(400, 80));
  for (int round = 0; round < rounds; ++round) {
    std::optional<Transaction> tx = begin();
    for (std::uint64_t i = 0; i < 20; ++i) ASSERT_OK(tx->put(where, key_of(i), "never"));
    std::vector<Value> values;
    for (std::uint64_t i = 0; i < 20; ++i) {
      auto value = tx->get(where, key_of(i));
      ASSERT_TRUE(value && *value);
      values.push_back(std::move(**value));
    }
    auto cursor = tx->cursor(where);
    ASSERT_TRUE(cursor);
    std::thread killer([&, id = tx->id()] { static_cast<void>(db().kill(id)); });
    if (round % 3 == 0) std::this_thread::yield();
    tx.reset();
    values.clear();
    { const auto gone = std::move(*cursor); }
    killer.join();
  }
  EXPECT_TRUE(eventually([&] { return gauge("active_transactions") == 0; }));
  EXPECT_EQ(now(where, key_of(0)), noise(1000, 0));
}

// As the end of a main() does it: everything that was in scope dies after the store was closed.
TEST_F(Misuse, HandlesOfEndedTransactionsMayDieAfterTheStoreToo) {
  const Table where = table();
  put(where, "k", "v");
  put(where, "large", noise(200_KiB, 1));
  for (const bool commits : {true, false}) {
    auto opened = Database::open(folder() + "/other", options);
    ASSERT_OK(opened);
    auto there = opened->open_table("t", {.create_if_missing = true});
    ASSERT_OK(there);
    ASSERT_OK(opened->transact({}, [&](Transaction& tx) { return tx.put(*there, "k", "v"); }));
    auto tx = opened->begin(), prepared = opened->begin();
    ASSERT_TRUE(tx && prepared);
    auto value = tx->get(*there, "k");
    auto cursor = tx->cursor(*there);
    auto stream = tx->open_reader(*there, "k");
    auto writer = tx->open_writer(*there, "l");
    ASSERT_TRUE(value && cursor && stream && writer);
    ASSERT_OK(prepared->put(*there, "p", "v"));
    ASSERT_OK(prepared->prepare("gid"));
    EXPECT_OK(commits ? tx->commit() : tx->abort());
    EXPECT_OK(opened->abort_prepared("gid"));
    auto other = opened->begin();  // in a slot that was used before
    ASSERT_OK(other);
    ASSERT_OK(other->commit());
    ASSERT_OK(opened->close());
    EXPECT_CODE(tx->put(*there, "k", "v"), transaction_aborted);
    EXPECT_CODE(cursor->next(), transaction_aborted);
    EXPECT_CODE(prepared->commit(), transaction_aborted);
    EXPECT_CODE(writer->finish(), transaction_aborted);
    EXPECT_EQ((*stream)->size(), 0u);
    EXPECT_EQ(tx->id(), TxnId{});
  }
}

TEST_F(Misuse, TransactionOptionsAreChecked) {
  EXPECT_CODE(db().begin({.deadline = -1ms}), invalid_argument);
  EXPECT_CODE(db().begin({.lock_deadline = -1ms}), invalid_argument);
  EXPECT_EQ(db().transactions().size(), 0u);
}

}  // namespace
}  // namespace plimsoll
