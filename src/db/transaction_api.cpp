// The public handles of transactions: each call enters the slot, does its work, and leaves. A handle whose transaction has ended
// answers with an error, whatever is called.
#include "plimsoll/transaction.hpp"

#include <bit>

#include "base/duration.hpp"
#include "base/fail.hpp"
#include "db/store.hpp"
#include "txn/cursor.hpp"
#include "txn/value_stream.hpp"

namespace plimsoll {

namespace {

using txn::TransactionImpl;
using txn::TransactionManager;

// One operation of a handle.
class Operation {
 public:
  static Result<Operation> begin(TransactionImpl* impl, std::uint64_t id) {
    if (impl == nullptr && id != 0) return fail(ErrorCode::transaction_aborted, "transaction {} has ended", id);
    if (impl == nullptr) return fail(ErrorCode::transaction_aborted, "this handle holds no transaction");
    if (impl->engine().fork_guard.forked()) [[unlikely]]
      return fail(ErrorCode::invalid_argument, "this transaction belongs to the process that forked");
    PLIMSOLL_TRY(TransactionManager::enter(*impl, id));
    return Operation(impl, id);
  }
  Operation(Operation&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)), id_(other.id_) {}
  Operation& operator=(Operation&&) = delete;
  ~Operation() {
    if (impl_ != nullptr) TransactionManager::leave(*impl_, id_);
  }
  TransactionImpl* operator->() const { return impl_; }
  TransactionImpl& operator*() const { return *impl_; }
  Result<TreeId> tree(const Table& table) const {
    if (table.store() != impl_->engine().salt) return fail(ErrorCode::invalid_argument, "the table handle is of another store");
    if (impl_->engine().drops.load(std::memory_order_seq_cst) != table.opened() &&
        impl_->engine().is_dropped(table.tree(), table.opened())) [[unlikely]]
      return fail(ErrorCode::not_found, "the table has been dropped, or the handle is too old to tell: open it again");
    return table.tree();
  }

 private:
  Operation(TransactionImpl* impl, std::uint64_t id) : impl_(impl), id_(id) {}
  TransactionImpl* impl_;
  std::uint64_t id_;
};

// Still the transaction that made the object? Then its memory is still there.
bool alive(const TransactionImpl* owner, std::uint64_t id) {
  if (owner == nullptr || owner->slot().id.load(std::memory_order_acquire) != id) return false;
  return owner->slot().state.load(std::memory_order_relaxed) != TransactionState::committed;  // a slot may stay for its marks' sake
}

// It has not ended. One that another thread has aborted stays for its handle's sake.
bool goes_on(const TransactionImpl* owner, std::uint64_t id) {
  return alive(owner, id) && owner->slot().state.load(std::memory_order_relaxed) != TransactionState::aborted;
}

// Whether what a value, cursor or stream has in the transaction's memory is there: it has not ended, and no other thread may be
// ending it. In this order: the slot may be taken again meanwhile.
bool holds(const TransactionImpl* owner, std::uint64_t id) { return owner != nullptr && !owner->handed_over() && alive(owner, id); }

// One dies. True: it gives back what it held.
bool let_go(TransactionImpl* owner, std::uint64_t id) {
  const bool held = holds(owner, id);
  if (held) {
    owner->handle_gone();
  } else {
    owner->engine().stale_handles.fetch_sub(1);
  }
  return held;
}

}  // namespace

#define PLIMSOLL_ENTER(operation)                                                \
  auto operation##_entered = Operation::begin(impl_, id_);                       \
  if (!operation##_entered) return std::unexpected(operation##_entered.error()); \
  Operation& operation = *operation##_entered
#define PLIMSOLL_TREE(tree, operation, table)                          \
  auto tree##_checked = operation.tree(table);                         \
  if (!tree##_checked) return std::unexpected(tree##_checked.error()); \
  const TreeId tree = *tree##_checked

// --- Value ---

Value::Value(Value&& other) noexcept { *this = std::move(other); }
Value& Value::operator=(Value&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(owner_, other.owner_);
  std::swap(owner_id_, other.owner_id_);
  return *this;
}
Value::~Value() {
  if (data_ != nullptr && let_go(owner_, owner_id_)) owner_->free_value(data_, std::max<std::size_t>(size_, 1));
}

// --- Cursor ---

Cursor::Cursor(Cursor&& other) noexcept { *this = std::move(other); }
Cursor& Cursor::operator=(Cursor&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(owner_, other.owner_);
  std::swap(owner_id_, other.owner_id_);
  return *this;
}
Cursor::~Cursor() {
  if (impl_ != nullptr && let_go(owner_, owner_id_)) txn::CursorImpl::close(impl_);
}
Result<bool> Cursor::next() {
  auto operation = Operation::begin(owner_, owner_id_);
  if (!operation) return std::unexpected(operation.error());
  return impl_->next();
}
Result<void> Cursor::seek(Bytes key) {
  auto operation = Operation::begin(owner_, owner_id_);
  if (!operation) return std::unexpected(operation.error());
  return impl_->seek(key);
}
Bytes Cursor::key() const { return holds(owner_, owner_id_) ? impl_->key() : Bytes{}; }
Bytes Cursor::value() const { return holds(owner_, owner_id_) ? impl_->value() : Bytes{}; }
bool Cursor::large() const { return holds(owner_, owner_id_) && impl_->large(); }

// --- streams ---

ValueReader::ValueReader(ValueReader&& other) noexcept { *this = std::move(other); }
ValueReader& ValueReader::operator=(ValueReader&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(owner_, other.owner_);
  std::swap(owner_id_, other.owner_id_);
  return *this;
}
ValueReader::~ValueReader() {
  if (impl_ != nullptr && let_go(owner_, owner_id_)) txn::ValueReaderImpl::close(impl_);
}
std::uint64_t ValueReader::size() const { return holds(owner_, owner_id_) ? impl_->size() : 0; }
Result<std::size_t> ValueReader::read(std::span<char> into) {
  auto operation = Operation::begin(owner_, owner_id_);
  if (!operation) return std::unexpected(operation.error());
  return impl_->read(into);
}

ValueWriter::ValueWriter(ValueWriter&& other) noexcept { *this = std::move(other); }
ValueWriter& ValueWriter::operator=(ValueWriter&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(owner_, other.owner_);
  std::swap(owner_id_, other.owner_id_);
  return *this;
}
ValueWriter::~ValueWriter() {
  if (impl_ != nullptr && let_go(owner_, owner_id_)) txn::ValueWriterImpl::close(impl_);
}
Result<void> ValueWriter::write(Bytes piece) {
  auto operation = Operation::begin(owner_, owner_id_);
  if (!operation) return std::unexpected(operation.error());
  return impl_->write(piece);
}
Result<void> ValueWriter::finish() {
  auto operation = Operation::begin(owner_, owner_id_);
  if (!operation) return std::unexpected(operation.error());
  return impl_->finish();
}

// --- Transaction ---

Transaction::Transaction(Transaction&& other) noexcept { *this = std::move(other); }
Transaction& Transaction::operator=(Transaction&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(id_, other.id_);
  return *this;
}

// Aborts what has not ended; a reaped one lets go of its slot.
Transaction::~Transaction() {
  if (impl_ == nullptr || impl_->engine().fork_guard.forked()) return;
  if (!holds(impl_, id_)) {  // its coordinator ends it, or has
    impl_->engine().stale_handles.fetch_sub(1);
    return;
  }
  if (auto operation = Operation::begin(impl_, id_))
    if (auto aborted = (*operation)->abort(); aborted) return;
  impl_->finish_handle(id_);  // ended on its behalf, or still to be reverted by the background
}

Result<std::optional<Value>> Transaction::get(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->get(tree, key);
}
Result<std::optional<Value>> Transaction::get_for_update(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  PLIMSOLL_TRY(operation->write(tree, key, {}, txn::Change::lock));
  return operation->get(tree, key);
}
Result<bool> Transaction::exists(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->exists(tree, key);
}

Result<bool> Transaction::superseded(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->superseded(tree, key);
}
Result<void> Transaction::multi_get(Table table, std::span<const Bytes> keys, std::span<std::optional<Value>> out) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  if (keys.size() != out.size())
    return fail(ErrorCode::invalid_argument, "multi_get of {} keys into {} places", keys.size(), out.size());
  return operation->multi_get(tree, keys, out);
}
Result<Cursor> Transaction::cursor(Table table, Range range, Direction direction) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  auto opened = operation->open_cursor(tree, range, direction);
  if (!opened) return std::unexpected(opened.error());
  operation->handle_made();
  return Cursor(*opened, impl_, id_);
}
Result<std::uint64_t> Transaction::count(Table table, Range range) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->count(tree, range);
}
Result<void> Transaction::put(Table table, Bytes key, Bytes value) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  PLIMSOLL_TRY(operation->write(tree, key, value, txn::Change::put));
  return {};
}
Result<void> Transaction::insert(Table table, Bytes key, Bytes value) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  PLIMSOLL_TRY(operation->write(tree, key, value, txn::Change::insert));
  return {};
}
Result<void> Transaction::update(Table table, Bytes key, Bytes value) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  PLIMSOLL_TRY(operation->write(tree, key, value, txn::Change::update));
  return {};
}
Result<bool> Transaction::erase(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->write(tree, key, {}, txn::Change::erase);
}
Result<std::uint64_t> Transaction::erase_range(Table table, Range range) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  return operation->erase_range(tree, range);
}
Result<std::optional<ValueReader>> Transaction::open_reader(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  auto opened = operation->open_reader(tree, key);
  if (!opened) return std::unexpected(opened.error());
  if (!*opened) return std::nullopt;
  operation->handle_made();
  return ValueReader(**opened, impl_, id_);
}
Result<ValueWriter> Transaction::open_writer(Table table, Bytes key) {
  PLIMSOLL_ENTER(operation);
  PLIMSOLL_TREE(tree, operation, table);
  auto opened = operation->open_writer(tree, key);
  if (!opened) return std::unexpected(opened.error());
  operation->handle_made();
  return ValueWriter(*opened, impl_, id_);
}
Result<Savepoint> Transaction::savepoint() {
  PLIMSOLL_ENTER(operation);
  return operation->savepoint();
}
Result<void> Transaction::rollback_to(Savepoint point) {
  PLIMSOLL_ENTER(operation);
  return operation->rollback_to(point);
}
Result<void> Transaction::release(Savepoint point) {
  PLIMSOLL_ENTER(operation);
  return operation->release(point);
}
Result<void> Transaction::commit() {
  PLIMSOLL_ENTER(operation);
  auto outcome = operation->commit(nullptr, nullptr);
  if (!alive(impl_, id_)) impl_ = nullptr;  // an ended transaction's handle looks at nothing
  return outcome;
}
Result<void> Transaction::commit_async(void (*done)(void* context, Result<void> outcome), void* context) {
  PLIMSOLL_ENTER(operation);
  if (done == nullptr) return fail(ErrorCode::invalid_argument, "commit_async needs a callback");
  auto outcome = operation->commit(done, context);
  if (!alive(impl_, id_)) impl_ = nullptr;
  return outcome;
}
Result<void> Transaction::abort() {
  PLIMSOLL_ENTER(operation);
  auto outcome = operation->abort();
  if (!alive(impl_, id_)) impl_ = nullptr;
  return outcome;
}
Result<void> Transaction::prepare(Bytes global_id) {
  PLIMSOLL_ENTER(operation);
  // From here on somebody else ends it, maybe at once: this handle is stale already.
  operation->engine().stale_handles.fetch_add(1);
  auto outcome = operation->engine().transactions->prepare(*operation, global_id);
  if (alive(impl_, id_) && impl_->slot().state.load() != TransactionState::prepared) operation->engine().stale_handles.fetch_sub(1);
  return outcome;
}

Result<std::span<char>> Transaction::allocate(std::size_t bytes, std::size_t alignment) {
  PLIMSOLL_ENTER(operation);
  constexpr std::size_t alignment_max = 64;
  if (!std::has_single_bit(alignment) || alignment > alignment_max)
    return fail(ErrorCode::invalid_argument, "an alignment of {}: powers of two up to {} are allowed", alignment, alignment_max);
  return operation->allocate(bytes, alignment);
}

TxnId Transaction::id() const { return goes_on(impl_, id_) ? TxnId{id_} : TxnId{}; }
Timestamp Transaction::snapshot() const { return goes_on(impl_, id_) ? impl_->snapshot() : Timestamp{}; }
Lsn Transaction::position() const { return goes_on(impl_, id_) ? impl_->position() : Lsn{}; }
Lsn Transaction::follow_from() const { return goes_on(impl_, id_) ? impl_->follow_from() : Lsn{}; }
bool Transaction::active() const { return alive(impl_, id_) && impl_->slot().state.load() == TransactionState::active; }
Result<void> Transaction::set_deadline(std::chrono::milliseconds from_now) {
  PLIMSOLL_ENTER(operation);
  if (from_now.count() < 0) return fail(ErrorCode::invalid_argument, "a deadline of {} ms", from_now.count());
  operation->slot().deadline_ns.store(from_now.count() == 0 ? 0 : operation->engine().time.monotonic_ns() + saturated_ns(from_now));
  return {};
}
Result<void> Transaction::set_lock_deadline(std::chrono::milliseconds wait) {
  PLIMSOLL_ENTER(operation);
  if (wait.count() < 0) return fail(ErrorCode::invalid_argument, "a lock deadline of {} ms", wait.count());
  operation->set_lock_deadline(saturated_ns(wait));
  return {};
}

}  // namespace plimsoll
