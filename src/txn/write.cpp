// Writes: find the leaf -> take version room and log credit -> latch the leaf -> judge what is there -> version entry, log record,
// record. Nothing blocks or fails between latching and the change (D7: credits before latches).
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "btree/read_latch.hpp"
#include "txn/cursor.hpp"
#include "txn/large_value.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

namespace {
bool deleted(const btree::RecordView& record) { return (record.flags & btree::flag_deleted) != 0; }
}  // namespace

Result<void> TransactionImpl::check_writable(Bytes key) const {
  if (read_only_) return fail(ErrorCode::read_only, "transaction {} is read-only", id_.value);
  if (engine_.log.failed())
    return fail(ErrorCode::read_only, "the log has failed; the store can only be read until it is opened again");
  const std::size_t most = btree::key_bytes_max(engine_.pool.page_bytes());
  if (key.empty() || key.size() > most)
    return fail(ErrorCode::invalid_argument, "key of {} bytes: 1 to {} are allowed", key.size(), most);
  return {};
}

// What a writer finds under the leaf's latch, and what follows from it (first updater wins).
TransactionImpl::Verdict TransactionImpl::judge(const btree::RecordView& record, Change change) const {
  Verdict verdict;
  if (record) {
    verdict.own = record.stamp() == view_.own_mark && view_.own_mark != 0;
    if (!verdict.own) {
      const auto resolved = version::resolve(*view_.registry, record.stamp());
      if (resolved.kind != version::Resolved::Kind::timestamp)
        return {.kind = Verdict::Kind::wait, .holder = registry::id_of_mark(record.stamp())};
      verdict.stamp = resolved.timestamp;
      if (verdict.stamp > view_.snapshot) {
        verdict.kind = isolation_ == Isolation::read_committed ? Verdict::Kind::stale_snapshot : Verdict::Kind::conflict;
        if (registry::is_mark(record.stamp())) verdict.holder = registry::id_of_mark(record.stamp());
        return verdict;
      }
    }
  }
  const bool present = record && !deleted(record);
  if (change == Change::insert && present) {
    verdict.kind = Verdict::Kind::refused;
    verdict.refusal = ErrorCode::already_exists;
  } else if (change == Change::update && !present) {
    verdict.kind = Verdict::Kind::refused;
    verdict.refusal = ErrorCode::not_found;
  } else if ((change == Change::erase || change == Change::lock) && !present) {
    verdict.nothing_to_do = true;
  }
  return verdict;
}

// A second change by the same transaction makes no entry, unless a savepoint could ask for the state between, a tombstone must be
// known to the collector, or a large value's extents must not be lost.
bool TransactionImpl::needs_entry(const btree::RecordView& own_record, Change change) const {
  return savepoint_count_ != 0 || (own_record.flags & btree::flag_large) != 0 || (change == Change::erase && !deleted(own_record));
}

// What would be kept, judged before the latch is taken, so that room and credit can be. None: the leaf is in the way.
std::optional<TransactionImpl::Expected> TransactionImpl::expect(const btree::LeafPosition& position, Change change) const {
  const btree::ReadLatch latch(engine_.pool, position.page);
  if (!latch) return std::nullopt;
  const btree::RecordView& seen = position.record;
  if (!seen) return Expected{.with_entry = true};
  const std::uint64_t stamp = seen.stamp();
  const bool own = view_.own_mark != 0 && stamp == view_.own_mark;
  const bool supersedes_new = seen.previous() != 0 && stamp > engine_.registry.snapshots().horizon();
  return Expected{seen.value_bytes, own, !own || needs_entry(seen, change), supersedes_new};
}

// Until when this transaction waits for a lock, for log space, for room; 0 as an option means for ever.
std::uint64_t TransactionImpl::wait_deadline() const {
  return lock_wait_ns_ == 0 ? ~std::uint64_t{0} : engine_.time.monotonic_ns() + lock_wait_ns_;
}

// When there is no room, what nobody needs any more may not have been collected yet.
Result<version::Reserved> TransactionImpl::reserve_entry(std::uint16_t bytes) {
  version::PrivateLane* lane = entries_ >= write_set_max ? &lane_ : nullptr;
  auto taken = engine_.versions.reserve(bytes, lane);
  if (taken || taken.error().code() != ErrorCode::no_space) return taken;
  if (!engine_.collector.run(version::Collector::Urgency::urgent)) return taken;
  return engine_.versions.reserve(bytes, lane);
}

// Without a look at the clock as long as there is room.
Result<log::Credit> TransactionImpl::take_credit(std::uint64_t bytes) {
  auto credit = engine_.log.reserve(bytes, log::Log::Priority::normal, 0);
  if (credit || credit.error().code() != ErrorCode::log_full) return credit;
  return engine_.log.reserve(bytes, log::Log::Priority::normal, wait_deadline());
}

Result<void> TransactionImpl::wait_for(TxnId holder, TreeId tree, Bytes key, std::uint64_t& deadline_ns) {
  if (deadline_ns == 0) deadline_ns = wait_deadline();
  const std::uint64_t mark = registry::mark_of(holder);
  const auto in_the_way = [&] {
    auto leaf = engine_.trees.latch(tree, key);
    if (!leaf || !leaf->found() || leaf->record().stamp() != mark) return false;
    return version::resolve(engine_.registry, mark).kind != version::Resolved::Kind::timestamp;
  };
  auto outcome = engine_.registry.wait_for(slot_, holder, deadline_ns, std::cref(in_the_way));  // by reference: no heap
  if (outcome) return outcome;
  if (outcome.error().code() == ErrorCode::transaction_timeout) return std::unexpected(why_ended(id_.value));
  return fail_at(outcome.error().code(), tree, key, outcome.error().details());
}

Result<bool> TransactionImpl::write_record(TreeId tree, Bytes key, Bytes value, std::uint8_t flags, Change change,
                                           const Runs& extents) {
  std::uint64_t deadline_ns = 0;
  version::Reserved room;
  const auto drop_room = [&] {
    engine_.versions.cancel(room);
    room = {};
  };
  for (Backoff backoff;; backoff.pause()) {
    auto position = engine_.trees.find(tree, key);
    if (!position) {
      drop_room();
      return std::unexpected(position.error());
    }
    const auto expected = expect(*position, change);
    if (!expected) continue;
    const std::size_t before = expected->value_bytes;
    const auto entry_bytes = static_cast<std::uint16_t>(version::entry_bytes(key.size(), before));
    if (entry_bytes + storage::page_header_bytes > engine_.pool.page_bytes()) continue;  // a torn read
    // A hot key: the version about to be superseded can only be judged by snapshots as of now.
    if (expected->with_entry && expected->supersedes_new) engine_.registry.refresh_if_cheap();
    if (room.bytes != (expected->with_entry ? entry_bytes : 0)) drop_room();
    if (expected->with_entry && room.address == 0) {
      auto taken = reserve_entry(entry_bytes);
      if (!taken) return std::unexpected(taken.error());
      room = *taken;
    }
    const std::size_t payload = log::update_fixed_bytes + key.size() + before + std::max(value.size(), before);
    auto credit = take_credit(log::record_bytes(payload));
    if (!credit) {
      drop_room();
      return std::unexpected(credit.error());
    }
    storage::ExclusivePage page;
    if (!engine_.pool.try_upgrade(position->page, page)) continue;
    btree::LatchedLeaf leaf(std::move(page), key);
    const std::size_t after_bytes = change == Change::lock ? before : value.size();
    if (!leaf.fits(key.size(), after_bytes)) {
      leaf.unlatch();
      credit->release();
      auto roomy = engine_.trees.latch_with_room(tree, key, after_bytes, log::Log::Priority::normal, wait_deadline());
      if (!roomy) {
        drop_room();
        return std::unexpected(roomy.error());
      }
      continue;  // the room is there now; start over with credit in hand
    }
    const Verdict verdict = judge(leaf.record(), change);
    if (verdict.kind == Verdict::Kind::go && !verdict.nothing_to_do) {
      PLIMSOLL_CHECK(verdict.own == expected->own);  // nothing has changed since it was looked at
      apply(leaf, tree, key, {value, flags, change == Change::lock, extents}, verdict, room, *credit);
      return true;
    }
    leaf.unlatch();
    credit->release();
    drop_room();
    switch (verdict.kind) {
      case Verdict::Kind::go: return false;
      case Verdict::Kind::refused: return fail_at(verdict.refusal, tree, key);
      case Verdict::Kind::conflict: engine_.metrics.add(Counter::write_conflicts); return conflict(tree, key, verdict);
      case Verdict::Kind::stale_snapshot: statement_snapshot(); break;
      case Verdict::Kind::wait: PLIMSOLL_TRY(wait_for(verdict.holder, tree, key, deadline_ns)); break;
    }
  }
}

// A copy of the record's value; a large one says that it shares its extents with the version below.
static Bytes same_value(const btree::RecordView& record, std::span<char> into) {
  const Bytes value{record.value, record.value_bytes};
  if ((record.flags & btree::flag_large) == 0) {
    page_read(into.data(), value.data(), value.size());
    return {into.data(), value.size()};
  }
  LargeValue large;
  PLIMSOLL_CHECK(LargeValue::decode(value, large));
  large.shared = true;
  std::array<char, LargeValue::descriptor_max> descriptor;
  const Bytes encoded = large.encode(descriptor);
  std::copy(encoded.begin(), encoded.end(), into.begin());
  return {into.data(), encoded.size()};
}

// The change itself, under the leaf's latch. Order: pages marked, position claimed and record copied, pages changed, LSNs set.
void TransactionImpl::apply(btree::LatchedLeaf& leaf, TreeId tree, Bytes key, const After& after, const Verdict& verdict,
                            const version::Reserved& room, log::Credit& credit) {
  const btree::RecordView record = leaf.record();
  const bool with_entry = room.address != 0;
  const std::uint8_t flags = after.lock_only ? record.flags : after.flags;
  const bool tombstone = (flags & btree::flag_deleted) != 0;
  log::Update update;
  update.transaction = id_;
  update.tree = tree.value;
  update.leaf = storage::page_of(leaf.page().key());
  update.leaf_before_lsn = leaf.page().lsn().value;
  update.after_stamp = registry::mark_of(id_);
  update.key = key;
  std::array<char, std::max(storage::page_bytes_max / 4, LargeValue::descriptor_max)> same;  // a locked record keeps its value
  update.after = after.lock_only ? same_value(record, same) : after.value;
  update.after_flags = flags;
  storage::ExclusivePage version_page;
  version::Entry entry;
  if (with_entry) {
    entry.writer = id_;
    entry.previous_entry = last_entry_.load(std::memory_order_relaxed);
    entry.tree = tree.value;
    entry.leaf = update.leaf;
    entry.bytes = room.bytes;
    entry.key = key;
    entry.flags = record ? record.flags : version::flag_absent;
    entry.value = record ? Bytes{record.value, record.value_bytes} : Bytes{};
    entry.entry_flags = static_cast<std::uint8_t>(version::entry_filled | (tombstone ? version::entry_after_deleted : 0));
    entry.stamp = verdict.own ? registry::mark_of(id_) : verdict.stamp;
    entry.previous = !record ? 0 : verdict.own ? record.previous() : engine_.chains.prune_below(verdict.stamp, record.previous());
    version_page = engine_.versions.latch(room);
    update.version = room.address;
    update.version_before_lsn = version_page.lsn().value;
    update.previous_entry = entry.previous_entry;
    update.before_stamp = entry.stamp;
    update.before_previous = entry.previous;
    update.before_flags = entry.flags;
    update.before = entry.value;
    update.after_previous = room.address;
    version_page.will_change(engine_.log.end());
  } else {
    update.after_previous = record.previous();
  }
  leaf.page().will_change(engine_.log.end());
  if (record && (record.flags & btree::flag_large) != 0 && !after.lock_only) {
    LargeValue::decode({record.value, record.value_bytes}, superseded_);
    superseded_stamp_ = verdict.own || superseded_.shared ? 0 : verdict.stamp;
  }
  MapPages maps(engine_.space, after.extents);
  maps.begin(engine_.log.end());
  std::array<char, log::update_fixed_bytes> head;
  log::Writer writer(head);
  log::write_update_head(writer, update);
  const std::string_view pieces[] = {writer.view(), update.key, update.before, update.after};
  const auto span = engine_.log.append(credit, log::Kind::update, pieces);
  if (with_entry) {
    engine_.versions.fill(version_page, room, entry);
    version_page.set_lsn(span.end);
    version_page.unlatch();
    last_entry_.store(room.address, std::memory_order_release);
  }
  leaf.put(key, {update.after_stamp, update.after_previous, flags, update.after});
  leaf.page().set_lsn(span.end);
  maps.set_bits(span.end);
  if (with_entry) remember(tree, leaf, key, room, tombstone);
  ++write_count_;
  if (!after.lock_only && tree != engine_.garbage_tree) engine_.metrics.add(Counter::records_written);
}

void TransactionImpl::remember(TreeId tree, btree::LatchedLeaf& leaf, Bytes key, const version::Reserved& room, bool tombstone) {
  if (entries_ < write_set_max) {
    Written& written = write_set_[entries_];
    written = {
        room.address, tree.value, storage::page_of(leaf.page().key()), leaf.page().frame(), static_cast<std::uint16_t>(key.size()),
        tombstone,    key_memory_};
    std::memcpy(written.key, key.data(), key.size());
    key_memory_ = nullptr;
  }
  ++entries_;
}

// Memory that remembering the write will need, taken before any latch.
Result<void> TransactionImpl::prepare_to_remember(Bytes key) {
  if (write_set_ == nullptr) {
    char* memory = context_.allocate(write_set_max * sizeof(Written), alignof(Written));
    if (memory == nullptr) return no_memory();
    write_set_ = std::uninitialized_default_construct_n(reinterpret_cast<Written*>(memory), write_set_max) - write_set_max;
    view_.own_mark = registry::mark_of(id_);
    slot().first_lsn.store(engine_.log.end().value, std::memory_order_seq_cst);
    discards_ = engine_.pool.data_discards();
  }
  if (entries_ < write_set_max) {
    if (key_memory_ != nullptr) context_.free(key_memory_, key_memory_bytes_);
    key_memory_ = context_.allocate(key.size(), 1);
    key_memory_bytes_ = key.size();
    if (key_memory_ == nullptr) return no_memory();
  }
  return {};
}

Result<bool> TransactionImpl::write(TreeId tree, Bytes key, Bytes value, Change change) {
  PLIMSOLL_ASSIGN(const Statement statement, begin_statement(key, value.size()));
  const bool large = btree::record_bytes(key.size(), value.size()) > btree::record_bytes_max(engine_.pool.page_bytes());
  return end_statement(statement, large
                                      ? write_large(tree, key, value, change)
                                      : write_record(tree, key, value, change == Change::erase ? btree::flag_deleted : 0, change));
}

Result<TransactionImpl::Statement> TransactionImpl::begin_statement(Bytes key, std::uint64_t value_bytes) {
  PLIMSOLL_TRY(check_writable(key));
  if (value_bytes > value_bytes_max)  // also keeps the sums below from wrapping around
    return fail(ErrorCode::invalid_argument, "a value may have {} bytes at most", value_bytes_max);
  const Statement statement{last_entry(), entries_, key.size() + value_bytes};
  if (written_bytes_max_ != 0 && written_bytes_ + statement.bytes > written_bytes_max_)
    return fail(ErrorCode::memory_budget_exceeded, "transaction {} may write {} bytes and has written {}", id_.value,
                written_bytes_max_, written_bytes_);
  statement_snapshot();
  PLIMSOLL_TRY(prepare_to_remember(key));
  superseded_.count = 0;
  return statement;
}

// `written`: what the change came to. If it made extents garbage and they cannot be noted, the statement is undone as a whole.
Result<bool> TransactionImpl::end_statement(const Statement& statement, Result<bool> written) {
  if (written && *written && superseded_.count != 0) {
    if (auto noted = note_garbage(); !noted) {
      PLIMSOLL_TRY(undo_statement(statement.entry_before, statement.entries_before));
      written = std::unexpected(noted.error());
    }
  }
  if (key_memory_ != nullptr) context_.free(std::exchange(key_memory_, nullptr), key_memory_bytes_);
  if (written && *written) {
    written_bytes_ += statement.bytes;
    slot().written_bytes.store(written_bytes_, std::memory_order_relaxed);
  }
  return written;
}

// Erases key by key; undone as a whole if one of them fails (statement atomicity).
Result<std::uint64_t> TransactionImpl::erase_range(TreeId tree, const Range& range) {
  PLIMSOLL_ASSIGN(const Savepoint before, mark_savepoint());
  const std::uint64_t entry_before = last_entry(), entries_before = entries_;
  std::uint64_t erased = 0;
  const auto all = [&]() -> Result<void> {
    PLIMSOLL_ASSIGN(CursorImpl * cursor, open_cursor(tree, range, Direction::forward));
    const std::unique_ptr<CursorImpl, void (*)(CursorImpl*)> closer(cursor, CursorImpl::close);
    for (;;) {
      PLIMSOLL_ASSIGN(const bool more, cursor->next());
      if (!more) return {};
      PLIMSOLL_ASSIGN(const bool gone, write(tree, cursor->key(), {}, Change::erase));
      erased += gone ? 1 : 0;
    }
  };
  auto outcome = all();
  if (!outcome) PLIMSOLL_TRY(undo_statement(entry_before, entries_before));
  PLIMSOLL_TRY(release(before));
  if (!outcome) return std::unexpected(outcome.error());
  return erased;
}

}  // namespace plimsoll::txn
