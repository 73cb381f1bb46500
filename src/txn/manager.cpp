#include "txn/manager.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <set>

#include "base/check.hpp"
#include "base/duration.hpp"
#include "base/fail.hpp"
#include "storage/file_table.hpp"

namespace plimsoll::txn {

namespace {
// The key of a garbage record.
std::uint32_t number_of(Bytes key) {
  PLIMSOLL_CHECK(key.size() == 4);
  std::uint32_t number;
  std::memcpy(&number, key.data(), sizeof number);
  return __builtin_bswap32(number);
}

// Each opening that left prepared transactions has a version file; the next one has its own, and so does the one before it.
constexpr std::size_t lives_prepared_max = storage::FileTable::files_max - 4;
}  // namespace

using registry::Status;
using registry::status_of;
using registry::with_status;

Result<std::unique_ptr<TransactionManager>> TransactionManager::make(Engine& engine) {
  std::unique_ptr<TransactionManager> manager(new TransactionManager(engine));
  const std::uint32_t slots = engine.registry.slot_count();
  PLIMSOLL_ASSIGN(manager->memory_, engine.provider.map(memory::Account::registry, slots * sizeof(TransactionImpl)));
  for (std::uint32_t i = 0; i < slots; ++i) new (manager->transactions() + i) TransactionImpl(engine, i);
  PLIMSOLL_ASSIGN(manager->async_, AsyncCommits::make(engine.provider, engine.time));
  engine.async_commits = manager->async_.get();
  engine.transactions = manager.get();
  return manager;
}

TransactionManager::~TransactionManager() {
  if (!memory_) return;
  for (std::uint32_t i = 0; i < engine_.registry.slot_count(); ++i) transactions()[i].~TransactionImpl();
}

Result<TransactionImpl*> TransactionManager::begin(const TransactionOptions& options) {
  if (options.isolation == Isolation::serializable || options.isolation == Isolation::repeatable_read)
    return fail(ErrorCode::invalid_argument, "isolation level {}: read_committed and snapshot exist so far",
                options.isolation == Isolation::serializable ? "serializable" : "repeatable_read");
  for (const auto& time : {options.deadline, options.lock_deadline})
    if (time && time->count() < 0)
      return fail(ErrorCode::invalid_argument, "a deadline of {} ms: 0 (none) or more is allowed", time->count());
  if (options.with_position && (!options.read_only || options.as_of))
    return fail(ErrorCode::invalid_argument, "with_position is for transactions that are read_only, without as_of");
  std::uint64_t deadline = engine_.transaction_deadline_ns;
  if (options.deadline) deadline = saturated_ns(*options.deadline);
  const std::uint64_t now = engine_.time.coarse_ns();
  PLIMSOLL_TRY(engine_.provider.budget().pressure().admit());
  PLIMSOLL_ASSIGN(const registry::SlotIndex slot, engine_.registry.acquire(deadline == 0 ? 0 : now + deadline, options.label));
  TransactionImpl& transaction = transactions()[slot];
  transaction.slot().begun_ns.store(now, std::memory_order_relaxed);
  if (auto begun = transaction.begin(options); !begun) {
    engine_.registry.release(slot);
    return std::unexpected(begun.error());
  }
  engine_.metrics.add(Counter::transactions_begun);
  leave(transaction, transaction.id().value);
  return &transaction;
}

// The control word is loaded before the id: if the id still is ours then, so is that control word, and a compare-and-swap on it
// cannot hit a later transaction of the slot.
Result<void> TransactionManager::enter(TransactionImpl& transaction, std::uint64_t id) {
  registry::Slot& slot = transaction.slot();
  std::uint64_t control = slot.control.load(std::memory_order_acquire);
  for (;;) {
    const Status status = status_of(control);
    const bool lingers = status == Status::committing && slot.state.load(std::memory_order_acquire) == TransactionState::committed;
    if (lingers || slot.id.load(std::memory_order_acquire) != id)
      return fail(ErrorCode::transaction_aborted, "transaction {} has ended", id);
    if (status == Status::reverting || status == Status::parked) return std::unexpected(transaction.why_ended(id));
    if (status != Status::idle) return fail(ErrorCode::invalid_argument, "transaction {} is used by another thread right now", id);
    if (slot.control.compare_exchange_weak(control, with_status(control, Status::in_operation), std::memory_order_acq_rel)) break;
  }
  if (slot.state.load(std::memory_order_relaxed) == TransactionState::active) return {};
  leave(transaction, id);
  return fail(ErrorCode::transaction_aborted, "transaction {} is prepared: its coordinator ends it", id);
}

void TransactionManager::leave(TransactionImpl& transaction, std::uint64_t id) {
  registry::Slot& slot = transaction.slot();
  std::uint64_t control = slot.control.load(std::memory_order_acquire);
  for (;;) {
    if (slot.id.load(std::memory_order_acquire) != id || status_of(control) != Status::in_operation)
      return;  // the operation ended it
    const TransactionState state = slot.state.load(std::memory_order_acquire);
    Status next = Status::idle;
    if (state == TransactionState::aborted) next = Status::parked;  // an abort that could not be carried out yet
    if (state == TransactionState::active && (control & registry::killed_bit) != 0) next = Status::reverting;
    if (!slot.control.compare_exchange_weak(control, with_status(control, next), std::memory_order_acq_rel)) continue;
    if (next != Status::reverting) return;
    Metrics& metrics = transaction.engine().metrics;  // once it is parked, its handle may give the slot to another transaction
    transaction.revert_and_park();
    metrics.add(Counter::transactions_reaped);
    return;
  }
}

// Takes an idle transaction from its owner, if it still is the one that was killed, and aborts it.
bool TransactionManager::reap(TxnId id) {
  const auto control = engine_.registry.kill(id);
  if (!control || status_of(*control) != Status::idle) return false;
  registry::Slot& slot = engine_.registry.slot(registry::slot_of(id));
  std::uint64_t expected = *control;
  if (slot.state.load() != TransactionState::active) return false;
  if (!slot.control.compare_exchange_strong(expected, with_status(expected, Status::reverting), std::memory_order_acq_rel))
    return false;
  transactions()[registry::slot_of(id)].revert_and_park();
  engine_.metrics.add(Counter::transactions_reaped);
  return true;
}

Result<void> TransactionManager::kill(TxnId id) {
  if (!engine_.registry.kill(id)) return fail(ErrorCode::not_found, "no running transaction {} that could be killed", id.value);
  reap(id);  // or, inside an operation, it aborts itself
  return {};
}

bool TransactionManager::abort_all() {
  bool quiet = true;
  for (std::uint32_t i = 0; i < engine_.registry.slots_high(); ++i) {
    registry::Slot& slot = engine_.registry.slot(i);
    const std::uint64_t id = slot.id.load(std::memory_order_acquire);
    if (id == 0) continue;
    if (slot.state.load() == TransactionState::prepared) {
      quiet &= status_of(slot.control.load()) != Status::in_operation;  // or its coordinator is deciding it just now
      continue;
    }
    reap(TxnId{id});
    const Status status = status_of(slot.control.load());
    quiet &= slot.id.load() == 0 || status == Status::parked || slot.state.load() == TransactionState::committed;
  }
  return quiet;
}

Result<void> TransactionManager::prepare(TransactionImpl& transaction, Bytes global_id) {
  {
    MutexLock lock(prepare_mutex_);
    std::set<std::uint16_t> lives;  // in which transactions have written that were found prepared, and whose end may not be durable
    for (std::uint32_t i = 0; i < engine_.registry.slots_high(); ++i) {
      const TransactionState state = engine_.registry.slot(i).state.load();
      if (engine_.registry.slot(i).id.load() == 0) continue;
      const bool prepared = state == TransactionState::preparing || state == TransactionState::prepared;
      if (prepared && global_id_of(i) == global_id)
        return fail(ErrorCode::already_exists, "the global id \"{}\" is of another prepared transaction", global_id);
      if (const std::uint64_t entry = this->transaction(i).last_entry(); entry != 0 && !engine_.versions.ours(entry))
        lives.insert(version::incarnation_of(entry));
    }
    if (lives.size() >= lives_prepared_max)
      return fail(ErrorCode::too_many_transactions,
                  "transactions prepared in {} earlier openings of the store are undecided: decide some of them first",
                  lives.size());
    PLIMSOLL_TRY(transaction.take_global_id(global_id));
  }
  return transaction.prepare();
}

// The prepared transaction of this global id, for its end; nobody else gets it meanwhile.
Result<TransactionImpl*> TransactionManager::take_prepared(Bytes global_id) {
  const MutexLock lock(prepare_mutex_);
  for (std::uint32_t i = 0; i < engine_.registry.slots_high(); ++i) {
    registry::Slot& slot = engine_.registry.slot(i);
    std::uint64_t control = slot.control.load(std::memory_order_acquire);
    if (slot.id.load() == 0 || slot.state.load() != TransactionState::prepared || global_id_of(i) != global_id) continue;
    if (status_of(control) == Status::idle &&
        slot.control.compare_exchange_strong(control, with_status(control, Status::in_operation)))
      return &transactions()[i];
    return fail(ErrorCode::busy, "the prepared transaction \"{}\" is being ended by another thread", global_id);
  }
  return fail(ErrorCode::not_found, "no prepared transaction with the global id \"{}\"", global_id);
}

std::vector<TransactionInfo> TransactionManager::list() const {
  std::vector<TransactionInfo> all = engine_.registry.list();
  const MutexLock lock(prepare_mutex_);
  for (TransactionInfo& info : all)
    if (info.state == TransactionState::prepared) info.global_id = global_id_of(registry::slot_of(info.id));
  return all;
}

// One victim at a time: the memory of the last one may be on its way. Idle ones are ended at once, one inside an operation at its
// next safe point; what their owners still hold of it dies with the handles. Who asks and holds most itself is refused instead: it
// keeps what it has, and may go on with less.
std::size_t TransactionManager::reclaim(std::size_t) {
  constexpr std::uint64_t patience_ns = 200'000'000;
  constexpr std::size_t worth_it = 64u << 10;
  TxnId largest;
  std::size_t most = worth_it;
  {
    const MutexLock lock(victim_mutex_);
    const std::uint64_t now = engine_.time.monotonic_ns();  // not before: another may have been chosen meanwhile
    if (victim_ && now - victim_since_ns_ < patience_ns &&
        engine_.registry.slot(registry::slot_of(victim_)).id.load() == victim_.value)
      return victim_bytes_;
    std::size_t on_its_way = 0;  // of those ended already, in the hands of their owners
    for (std::uint32_t i = 0; i < engine_.registry.slots_high(); ++i) {
      const registry::Slot& slot = engine_.registry.slot(i);
      const TxnId id{slot.id.load(std::memory_order_acquire)};
      const std::size_t bytes = id ? transactions()[i].memory_bytes() : 0;
      if (bytes < worth_it) continue;
      if (slot.state.load() != TransactionState::active || (slot.control.load() & registry::killed_bit) != 0) {
        on_its_way += bytes;
      } else if (bytes > most || (bytes == most && (!largest || id.value < largest.value))) {
        most = bytes;
        largest = id;
      }
    }
    const bool asks_itself = largest && memory::interrupt.word == &engine_.registry.slot(registry::slot_of(largest)).control;
    if (!largest || asks_itself) return on_its_way;
    victim_ = largest;
    victim_since_ns_ = now;
    victim_bytes_ = most;
  }
  engine_.metrics.add(Counter::transactions_sacrificed);
  transactions()[registry::slot_of(largest)].sacrifice(largest);
  reap(largest);
  return most;
}

bool TransactionManager::run_background(const std::function<void(TxnId, const char*)>& reaped) {
  bool worked = false;
  const std::uint64_t now = engine_.time.monotonic_ns(), oldest = engine_.registry.snapshots().oldest();
  for (std::uint32_t i = 0; i < engine_.registry.slots_high(); ++i) {
    registry::Slot& slot = engine_.registry.slot(i);
    const TxnId id{slot.id.load(std::memory_order_acquire)};
    if (!id) continue;
    TransactionImpl& transaction = transactions()[i];
    const std::uint64_t deadline = slot.deadline_ns.load(std::memory_order_relaxed);
    if (deadline != 0 && now >= deadline && slot.state.load() == TransactionState::active) {
      const bool known = (slot.control.load() & registry::killed_bit) != 0;  // it is told once
      if (reap(id)) {
        reaped(id, "its deadline passed");
        worked = true;
      } else if (!known && slot.id.load() == id.value && (slot.control.load() & registry::killed_bit) != 0) {
        reaped(id, "its deadline passed in the middle of an operation");
      }
    }
    worked |= transaction.retry_revert();
    if (slot.state.load() == TransactionState::committed) worked |= transaction.release_if_lingering(oldest);
  }
  return free_garbage() || worked;
}

// Frees extents of superseded large values that no admissible snapshot can see: bits and garbage record go in one structure change.
// Looks at a limited number of records a round and goes on behind them in the next, so that pinned ones do not hide the others.
bool TransactionManager::free_garbage() {
  const memory::ReserveScope background;
  Mutex& housekeeping = engine_.collector.mutex();
  if (!housekeeping.try_lock()) return false;
  const bool freed = free_some_garbage();
  housekeeping.unlock();
  return freed;
}

bool TransactionManager::free_some_garbage() {
  constexpr int records_a_round = 256;
  bool freed = false;
  memory::Context context(engine_.contexts, "garbage");
  char* buffer = context.allocate(engine_.pool.page_bytes());
  if (buffer == nullptr) return false;
  std::array<char, 4> at;
  std::array<char, 1024> key_buffer;
  for (int looked = 0; looked < records_a_round && !engine_.log.failed();) {
    const std::uint32_t from = __builtin_bswap32(garbage_at_);
    std::memcpy(at.data(), &from, sizeof from);
    const Bytes start{at.data(), at.size()};
    auto leaf = engine_.trees.copy_leaf(engine_.garbage_tree, start, false, buffer, storage::Access::normal);
    if (!leaf) return freed;
    for (std::uint16_t i = leaf->lower_bound(start); i < leaf->count(); ++i, ++looked) {
      const Bytes key = leaf->key(i, key_buffer.data());
      garbage_at_ = number_of(key) + 1;
      if (is_garbage(leaf->record(i))) freed |= free_extent({number_of(key), page_load<std::uint32_t>(leaf->record(i).value)}, key);
    }
    const auto fence = leaf->upper_fence();
    if (!fence) {
      garbage_at_ = 0;  // the next round begins at the front again
      return freed;
    }
    std::uint32_t next = 0;  // fences are truncated keys
    std::memcpy(&next, fence->data(), std::min(fence->size(), sizeof next));
    garbage_at_ = std::max(garbage_at_, __builtin_bswap32(next));
  }
  return freed;
}

// Final only for a record in its leaf, latched. Of a copy it is a guess: its mark may be found nowhere because the transaction has
// stamped the record meanwhile and is gone, not because it committed before every snapshot.
bool TransactionManager::is_garbage(const btree::RecordView& record) const {
  PLIMSOLL_CHECK(record.value_bytes == 12 || (record.flags & btree::flag_deleted) != 0);
  if ((record.flags & btree::flag_deleted) != 0) return false;
  const auto from = page_load<std::uint64_t>(record.value + 4);
  const auto until = version::resolve(engine_.registry, record.stamp());
  if (until.kind != version::Resolved::Kind::timestamp) return false;
  return until.timestamp <= engine_.registry.snapshots().oldest() || engine_.registry.snapshots().garbage(from, until.timestamp);
}

bool TransactionManager::free_extent(const Extent& extent, Bytes key) {
  std::array<char, 512> payload;
  auto map = engine_.space.prepare_free(extent.first);
  if (!map) return false;
  auto credit = engine_.log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, 0);
  if (!credit) return false;
  auto leaf = engine_.trees.latch(engine_.garbage_tree, key);
  if (!leaf || !leaf->found() || !is_garbage(leaf->record())) return false;
  storage::ExclusivePage map_page = engine_.space.latch_map(*map);
  btree::StructureChange change(engine_.log, *credit, payload);
  change.begin(leaf->page());
  change.begin(map_page);
  leaf->erase();
  change.add(leaf->page(), log::Action::leaf_erase, key);
  change.clear_space(map_page, extent.first, extent.pages);
  const Lsn end = change.finish().end;
  leaf->unlatch();
  engine_.space.note_freed(extent.first, end);
  map_page.unlatch();
  return true;
}

}  // namespace plimsoll::txn
