// Transactions, the values and cursors they hand out.
//
//   auto tx = db.begin({.durability = Durability::relaxed});
//   if (auto v = tx->get(accounts, "alice"); v && *v) use((*v)->bytes());
//   auto put = tx->put(accounts, "alice", "17");
//   auto done = tx->commit();
//
// A Transaction is used by one thread at a time (checked: a second thread gets invalid_argument); different transactions are
// independent. Every call answers with an Error when the transaction has ended. Keys are 1..max_key_bytes (page size / 8, at most
// 1 KiB) long, values 0 .. 1 GiB. Cost of a point operation: one descent of the tree, O(log n), and no heap allocation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "plimsoll/error.hpp"
#include "plimsoll/options.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll {

class Database;
class Transaction;
namespace txn {
class TransactionImpl;
class CursorImpl;
class ValueReaderImpl;
class ValueWriterImpl;
}  // namespace txn
namespace db {
class Store;
}

// A table of one store. A copyable name for it; holds nothing open. Once the table was dropped, calls with it answer not_found,
// also if another table of the same name was made since; so they do when 3,072 other tables were dropped since it was opened.
class Table {
 public:
  Table() = default;
  Table(TreeId tree, std::uint64_t store, std::uint32_t opened) : tree_(tree), opened_(opened), store_(store) {}
  TreeId tree() const { return tree_; }
  std::uint64_t store() const { return store_; }    // salt of the store it belongs to
  std::uint32_t opened() const { return opened_; }  // drops of tables before it was made: a later one of this tree makes it stale

 private:
  TreeId tree_{};
  std::uint32_t opened_ = 0;
  std::uint64_t store_ = 0;
};

// A value that was read. Its bytes lie in the transaction's memory context, and go back to it when the Value dies; they are valid
// until then or until the transaction ends. Move-only.
class Value {
 public:
  Value() = default;
  Value(Value&& other) noexcept;
  Value& operator=(Value&& other) noexcept;
  ~Value();

  Bytes bytes() const { return {data_, size_}; }
  operator Bytes() const { return bytes(); }  // NOLINT(google-explicit-constructor): a Value reads as its bytes

 private:
  friend class txn::TransactionImpl;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  txn::TransactionImpl* owner_ = nullptr;
  std::uint64_t owner_id_ = 0;
};

// Walks a range in key order. Sees its own transaction's writes, stays valid across splits, merges and eviction, and holds no
// page latched or pinned between calls. key() and value() are valid until the next step.
class Cursor {
 public:
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  // To the next (first) record. false: the range is exhausted.
  Result<bool> next();
  // Positions before the first record at or after `key` (forward), or at or before it (backward).
  Result<void> seek(Bytes key);
  Bytes key() const;
  // Empty for a large one (large() says so): open_reader and get read those, in pieces or whole.
  Bytes value() const;
  bool large() const;  // kept out of line, because it does not fit into a page

 private:
  friend class Transaction;
  Cursor(txn::CursorImpl* impl, txn::TransactionImpl* owner, std::uint64_t owner_id)
      : impl_(impl), owner_(owner), owner_id_(owner_id) {}
  txn::CursorImpl* impl_ = nullptr;
  txn::TransactionImpl* owner_ = nullptr;
  std::uint64_t owner_id_ = 0;
};

// Reads a value in pieces, within any budget. A large one is kept for as long as the transaction's snapshot, which in
// read_committed is until its next statement: then read answers snapshot_too_old. One that the transaction has written itself:
// until it rolls back, or a statement of it that has failed is undone (invalid_argument).
class ValueReader {
 public:
  ValueReader(ValueReader&&) noexcept;
  ValueReader& operator=(ValueReader&&) noexcept;
  ~ValueReader();

  std::uint64_t size() const;                      // bytes in all
  Result<std::size_t> read(std::span<char> into);  // 0: the end

 private:
  friend class Transaction;
  ValueReader(txn::ValueReaderImpl* impl, txn::TransactionImpl* owner, std::uint64_t owner_id)
      : impl_(impl), owner_(owner), owner_id_(owner_id) {}
  txn::ValueReaderImpl* impl_ = nullptr;
  txn::TransactionImpl* owner_ = nullptr;
  std::uint64_t owner_id_ = 0;
};

// Writes a value in pieces, within any budget. Nothing is visible before finish().
class ValueWriter {
 public:
  ValueWriter(ValueWriter&&) noexcept;
  ValueWriter& operator=(ValueWriter&&) noexcept;
  ~ValueWriter();  // without finish(): the value is dropped

  Result<void> write(Bytes piece);  // after an error the value cannot be finished
  Result<void> finish();            // puts the value under its key

 private:
  friend class Transaction;
  ValueWriter(txn::ValueWriterImpl* impl, txn::TransactionImpl* owner, std::uint64_t owner_id)
      : impl_(impl), owner_(owner), owner_id_(owner_id) {}
  txn::ValueWriterImpl* impl_ = nullptr;
  txn::TransactionImpl* owner_ = nullptr;
  std::uint64_t owner_id_ = 0;
};

// Rolls the transaction's writes back to a point. Invalid after rollback_to an earlier one, or release.
struct Savepoint {
  std::uint32_t number = 0;
};

class Transaction {
 public:
  Transaction() = default;
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();  // aborts what has not ended

  // Reads. not_found is an absent optional, never an error.
  Result<std::optional<Value>> get(Table table, Bytes key);
  Result<std::optional<Value>> get_for_update(Table table, Bytes key);  // also makes later writers of the key wait
  Result<bool> exists(Table table, Bytes key);
  // Whether another transaction has changed the key since this one's snapshot, by a commit or by a write that may still be undone.
  Result<bool> superseded(Table table, Bytes key);
  // out[i] answers keys[i]; both spans have the same length. The misses of all keys overlap.
  Result<void> multi_get(Table table, std::span<const Bytes> keys, std::span<std::optional<Value>> out);
  Result<Cursor> cursor(Table table, Range range = {}, Direction direction = Direction::forward);
  Result<std::uint64_t> count(Table table, Range range = {});

  // Writes. Each is atomic by itself: on an error nothing of it remains, and the transaction goes on unless the error says
  // that it has ended (conflict, deadlock: roll back to a savepoint or abort).
  Result<void> put(Table table, Bytes key, Bytes value);
  Result<void> insert(Table table, Bytes key, Bytes value);     // already_exists if present
  Result<void> update(Table table, Bytes key, Bytes value);     // not_found if absent
  Result<bool> erase(Table table, Bytes key);                   // false: it was absent
  Result<std::uint64_t> erase_range(Table table, Range range);  // how many

  // Values of any size in pieces.
  Result<std::optional<ValueReader>> open_reader(Table table, Bytes key);
  Result<ValueWriter> open_writer(Table table, Bytes key);

  Result<Savepoint> savepoint();              // at most 64 at a time: invalid_argument
  Result<void> rollback_to(Savepoint point);  // the savepoint stays usable
  Result<void> release(Savepoint point);

  Result<void> commit();  // waits as durability says
  // Returns once the outcome is decided; `done` is called when it is durable (or failed), before this returns or later, by
  // whichever thread has synced the log: it must not throw, nor call the store.
  Result<void> commit_async(void (*done)(void* context, Result<void> outcome), void* context);
  Result<void> abort();
  // First phase of a distributed commit: afterwards only Database::commit_prepared / abort_prepared end it, also after a crash.
  // `global_id` is 1..64 bytes, unique among the prepared. too_many_transactions: those of 60 earlier openings are undecided.
  Result<void> prepare(Bytes global_id);

  // Memory in the transaction's context, for what belongs to it: counts towards memory_bytes_max, goes when the transaction ends,
  // not before. Alignment: a power of two up to 64. memory_budget_exceeded, invalid_argument.
  Result<std::span<char>> allocate(std::size_t bytes, std::size_t alignment = 8);

  TxnId id() const;            // 0 once it has ended
  Timestamp snapshot() const;  // what it reads
  // Of one begun with_position: it reads exactly what the commits did whose records end at or below this position of the log. 0: of
  // any other, or it has ended.
  Lsn position() const;
  // Where Database::read_log must begin to go on from what this one reads: at or below position(), because a transaction that
  // commits later may have written before. Below Database::log_start() if one of those began before the log that is left, or if a
  // prepared one is undecided since before the store was opened. 0 as for position().
  Lsn follow_from() const;
  bool active() const;
  Result<void> set_deadline(std::chrono::milliseconds from_now);
  Result<void> set_lock_deadline(std::chrono::milliseconds wait);

 private:
  friend class db::Store;
  Transaction(txn::TransactionImpl* impl, std::uint64_t id) : impl_(impl), id_(id) {}
  Result<txn::TransactionImpl*> enter() const;
  txn::TransactionImpl* impl_ = nullptr;
  std::uint64_t id_ = 0;
};

}  // namespace plimsoll
