// Reverting (D8): the same for abort, partial rollback and losers after a crash. A record is restored only if its mark and address
// still are those of the entry, so doing it twice does nothing twice.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "txn/transaction.hpp"
#include "version/pinned_entry.hpp"

namespace plimsoll::txn {

namespace {

struct EntryCopy {
  version::Entry entry;
  alignas(8) std::array<char, storage::page_header_bytes + storage::page_bytes_max / 4 + 256> bytes;
};

Result<void> copy_entry(storage::Pool& pool, std::uint64_t address, EntryCopy& copy, version::PinnedEntry& pinned) {
  PLIMSOLL_ASSIGN(storage::ExclusivePage page, pool.latch(version::page_of(address)));
  const version::Entry entry = version::read_entry(page.bytes(), pool.page_bytes(), version::offset_of(address));
  if (entry.bytes == 0 || (entry.entry_flags & version::entry_filled) == 0 ||
      storage::page_header_bytes + entry.bytes > copy.bytes.size())
    return fail(ErrorCode::corruption, "version file {}, page {}: no entry at offset {}", version::incarnation_of(address),
                storage::page_of(version::page_of(address)), version::offset_of(address));
  pinned.hold(page);
  page_read(copy.bytes.data() + storage::page_header_bytes, page.bytes() + version::offset_of(address), entry.bytes);
  copy.entry = version::read_entry(copy.bytes.data(), static_cast<std::uint32_t>(storage::page_header_bytes + entry.bytes),
                                   storage::page_header_bytes);
  return {};
}

}  // namespace

// Newest first, down to (not including) the entry `target`. Each call gets ahead by an entry, or fails.
Result<bool> TransactionImpl::revert_to(std::uint64_t target, Pace pace) {
  static constexpr double leave_off_at = 0.75;  // of the log: a checkpoint begins at half of it
  const std::uint64_t deadline_ns = pace == Pace::wait && last_entry() != target ? wait_deadline() : 0;
  while (last_entry() != target) {
    PLIMSOLL_CHECK(last_entry() != 0);
    PLIMSOLL_ASSIGN(const std::uint64_t previous, revert_entry(last_entry(), deadline_ns));
    last_entry_.store(previous, std::memory_order_release);
    if (pace == Pace::leave_off && previous != target && engine_.log.wants_cut(leave_off_at)) return false;
  }
  return true;
}

// The entries from number `kept` on have been reverted; those in the private lane are finished with the lane.
void TransactionImpl::finish_reverted(std::uint64_t kept) {
  for (std::uint64_t i = kept; i < std::min<std::uint64_t>(entries_, write_set_max) && write_set_ != nullptr; ++i)
    engine_.versions.finish(write_set_[i].entry, 0, false);
  entries_ = kept;
}

Result<void> TransactionImpl::roll_back(std::uint64_t target, std::uint64_t entries_kept) {
  ++write_count_;
  if (last_entry() != target) ++rollbacks_;
  const auto reverted = revert_to(target, Pace::wait);
  engine_.registry.wake_waiters(slot_);  // who waits for a key that is restored looks again, however far this came
  if (!reverted) return std::unexpected(reverted.error());
  for (std::uint64_t i = entries_kept; i < std::min<std::uint64_t>(entries_, write_set_max); ++i)
    context_.free(std::exchange(write_set_[i].key, nullptr), write_set_[i].key_bytes);
  finish_reverted(entries_kept);
  return {};
}

// Half a statement must not be committed: if it cannot be undone, the transaction is to be.
Result<void> TransactionImpl::undo_statement(std::uint64_t target, std::uint64_t entries_kept) {
  auto undone = roll_back(target, entries_kept);
  if (undone) return {};
  slot().control.fetch_or(registry::killed_bit);  // seen when this operation is left
  return fail(undone.error().code(), "a statement could be neither finished nor undone, its transaction {} is aborted: {}",
              id_.value, undone.error().details());
}

// The extents of the large value that reverting `entry` will take away (none if the record keeps it), and their map pages, pinned.
// Nobody else changes a record that carries this transaction's mark, so what is seen here is what will be found under the latch.
Result<LargeValue> TransactionImpl::doomed_extents(const version::Entry& entry, std::uint64_t address,
                                                   std::array<storage::Reservation, extents_max>& pinned) {
  LargeValue doomed;
  {
    PLIMSOLL_ASSIGN(const btree::LatchedLeaf leaf, engine_.trees.latch(TreeId{entry.tree}, entry.key));
    const btree::RecordView record = leaf.record();
    if (record && record.stamp() == registry::mark_of(id_) && record.previous() == address &&
        (record.flags & btree::flag_large) != 0 && !LargeValue::decode({record.value, record.value_bytes}, doomed))
      return fail(ErrorCode::corruption, "the descriptor of a large value is damaged");
  }
  perturb(Window::resampled);
  if (doomed.shared) doomed = {};
  for (std::uint32_t i = 0; i < doomed.count; ++i) {
    PLIMSOLL_ASSIGN(pinned[i], engine_.space.prepare_free(doomed.extent[i].first));
  }
  return doomed;
}

// Under the leaf's latch: the collector may have changed the pointer since the entry was copied. The page is pinned. The entry is
// dead from here.
std::uint64_t TransactionImpl::retire_entry(std::uint64_t address) {
  storage::ExclusivePage page = engine_.pool.latch_resident(version::page_of(address));
  PLIMSOLL_CHECK(page);
  const version::Entry entry = version::read_entry(page.bytes(), engine_.pool.page_bytes(), version::offset_of(address));
  if (engine_.versions.ours(address)) {
    page.will_change(engine_.log.end());
    version::add_flags(page.bytes(), version::offset_of(address), version::entry_dead);
    engine_.versions.dead(address, entry.bytes);
  }
  return entry.previous;
}

// Answers the entry before it.
Result<std::uint64_t> TransactionImpl::revert_entry(std::uint64_t address, std::uint64_t deadline_ns) {
  EntryCopy copy;
  version::PinnedEntry pinned_entry(engine_.pool);
  PLIMSOLL_TRY(copy_entry(engine_.pool, address, copy, pinned_entry));
  const version::Entry& entry = copy.entry;
  PLIMSOLL_CHECK(entry.writer == id_);
  const TreeId tree{entry.tree};
  std::array<storage::Reservation, extents_max> pinned;
  PLIMSOLL_ASSIGN(const LargeValue doomed, doomed_extents(entry, address, pinned));
  log::Update update;
  update.transaction = id_;
  update.tree = entry.tree;
  update.previous_entry = entry.previous_entry;
  update.after_stamp = entry.stamp;
  update.after_previous = entry.previous;
  update.after_flags = entry.flags;
  update.key = entry.key;
  update.after = entry.value;
  std::array<char, log::update_fixed_bytes> head;
  std::array<char, LargeValue::descriptor_max> descriptor;
  if (doomed.count != 0) {
    update.before_flags = btree::flag_large;
    update.before = doomed.encode(descriptor);
  }
  PLIMSOLL_ASSIGN(log::Credit credit,
                  engine_.log.reserve(log::record_bytes(head.size() + entry.key.size() + update.before.size() + entry.value.size()),
                                      log::Log::Priority::reserve, deadline_ns));
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf, entry.absent()
                                               ? engine_.trees.latch(tree, entry.key)
                                               : engine_.trees.latch_with_room(tree, entry.key, entry.value.size(),
                                                                               log::Log::Priority::reserve, deadline_ns));
  if (leaf.found() && leaf.record().stamp() == registry::mark_of(id_) && leaf.record().previous() == address) {
    update.leaf = storage::page_of(leaf.page().key());
    update.leaf_before_lsn = leaf.page().lsn().value;
    update.after_previous = retire_entry(address);
    leaf.page().will_change(engine_.log.end());
    MapPages maps(engine_.space, {std::span(doomed.extent).first(doomed.count), pinned});
    maps.begin(engine_.log.end());
    log::Writer writer(head);
    log::write_update_head(writer, update);
    const std::string_view pieces[] = {writer.view(), update.key, update.before, update.after};
    const auto span = engine_.log.append(credit, log::Kind::revert, pieces);
    if (entry.absent()) {
      leaf.erase();
    } else {
      leaf.put(entry.key, {entry.stamp, update.after_previous, entry.flags, entry.value});
    }
    leaf.page().set_lsn(span.end);
    last_entry_.store(entry.previous_entry, std::memory_order_release);  // before anybody can see the record without its mark
    maps.clear_bits(span.end);
    if (tree == engine_.garbage_tree) engine_.garbage_reverts.fetch_add(1, std::memory_order_relaxed);
    engine_.metrics.add(Counter::records_reverted);
  }
  return entry.previous_entry;
}

Result<Savepoint> TransactionImpl::savepoint() {
  if (savepoint_count_ == savepoints_max)
    return fail(ErrorCode::invalid_argument, "a transaction may have {} savepoints at a time", savepoints_max);
  return mark_savepoint();
}

Result<Savepoint> TransactionImpl::mark_savepoint() {
  constexpr std::size_t places = savepoints_max + 1;
  PLIMSOLL_CHECK(savepoint_count_ < places);
  if (savepoints_ == nullptr) {
    char* memory = context_.allocate(places * sizeof(SavepointMark), alignof(SavepointMark));
    if (memory == nullptr) return fail(ErrorCode::memory_budget_exceeded, "no memory for savepoints");
    savepoints_ = std::uninitialized_default_construct_n(reinterpret_cast<SavepointMark*>(memory), places) - places;
  }
  savepoints_[savepoint_count_++] = {last_entry(), entries_, ++savepoint_number_};
  return Savepoint{savepoint_number_};
}

Result<void> TransactionImpl::rollback_to(Savepoint point) {
  for (std::uint32_t i = savepoint_count_; i-- > 0;) {
    if (savepoints_[i].number != point.number) continue;
    savepoint_count_ = i + 1;  // the later ones are no targets any more, even if this fails half way
    return roll_back(savepoints_[i].last_entry, savepoints_[i].entries);
  }
  return fail(ErrorCode::invalid_argument, "savepoint {} does not exist any more", point.number);
}

Result<void> TransactionImpl::release(Savepoint point) {
  for (std::uint32_t i = savepoint_count_; i-- > 0;) {
    if (savepoints_[i].number != point.number) continue;
    savepoint_count_ = i;
    return {};
  }
  return fail(ErrorCode::invalid_argument, "savepoint {} does not exist any more", point.number);
}

}  // namespace plimsoll::txn
