#include "version/collector.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"
#include "memory/budget.hpp"
#include "version/stamping.hpp"

namespace plimsoll::version {

namespace {

constexpr std::size_t spilled_at_once = storage::doublewrite_batch;  // pages, at least: one batch of the writer
constexpr std::uint64_t purge_deadline_ns = 0;                       // housekeeping never waits for log space
// What a round may do, in entries looked at. A page that has to be read counts for many.
constexpr std::int64_t work_in_passing = 16'384, work_urgent = 8 * work_in_passing, work_of_read = 512;

// A private copy of an entry's identity, so that no page is held while its leaf is looked for.
struct EntryCopy {
  Entry entry;
  std::array<char, 1024> key;
};

}  // namespace

std::size_t Collector::reclaim(std::size_t bytes) {
  run(Urgency::urgent);
  {
    const memory::ReserveScope housekeeping;
    pool_.spill_versions(std::max(bytes / pool_.page_bytes(), spilled_at_once));
  }
  return pool_.reclaim(bytes);
}

bool Collector::run(Urgency urgency) {
  if (!mutex_.try_lock()) return false;
  const bool more = round(urgency);
  mutex_.unlock();
  return more;
}

bool Collector::round(Urgency urgency) {
  const memory::ReserveScope housekeeping;  // it frees more than it takes, and must not be asked to help itself
  registry_.refresh_snapshots();
  registry_.commit_table().evict(Timestamp{registry_.snapshots().oldest()});
  work_left_ = urgency == Urgency::urgent ? work_urgent : work_in_passing;
  const bool begins = sweep_at_.segment == no_segment && worth_a_sweep(urgency);
  if (begins) begin_sweep();
  // A segment that was closed before it was full is a sparse one, whose versions move soon.
  store_.retire_lanes(registry_.snapshots().oldest(), !begins                      ? Store::Retire::old
                                                      : urgency == Urgency::urgent ? Store::Retire::all
                                                                                   : Store::Retire::idle);
  bool freed = free_garbage();
  if (sweep_at_.segment != no_segment) freed |= go_on_sweeping();
  live_after_sweep_ = std::min(live_after_sweep_, store_.live_entries());
  return freed || sweep_at_.segment != no_segment;
}

// A sweep looks at every live entry. Most of them only wait for the transactions that run just now, and go with their segment soon
// after; so it is made at once only when their number has grown by more than those may need, else now and then, when it has grown
// by an eighth or snapshots have ended.
bool Collector::worth_a_sweep(Urgency urgency) {
  constexpr std::uint64_t negligible = 64, in_passing = 2048;
  constexpr unsigned rounds_between = 8;
  const std::uint64_t live = store_.live_entries();
  const std::size_t points = registry_.snapshots().size();
  points_since_sweep_ = std::max(points_since_sweep_, points);
  if (live <= negligible) return false;
  if (live > live_after_sweep_ + live_after_sweep_ / 2 + in_passing) return true;
  if (++rounds_since_sweep_ < rounds_between && urgency == Urgency::none) return false;
  return live > live_after_sweep_ + live_after_sweep_ / 8 + negligible || points < points_since_sweep_;
}

void Collector::begin_sweep() {
  sweep_at_ = {.segment = 0};
  sweep_end_ = store_.segments();
  std::ranges::fill(swept_keys(), 0u);
}

// Of what is garbage as a whole, until the round's share of work is used up; the next round goes on behind it. Tombstones that are
// younger than the oldest snapshot can be purged if it does not see what lies below them. Trying that reads their segments and
// leaves, so all segments are tried once when the versions' file has grown by an eighth since the last time.
bool Collector::free_garbage() {
  constexpr std::uint64_t negligible = std::uint64_t{8} * segment_pages;
  const SegmentIndex segments = store_.segments();
  pages_after_young_ = std::min(pages_after_young_, store_.pages_in_use());
  if (young_left_ == 0 && store_.pages_in_use() > pages_after_young_ + pages_after_young_ / 8 + negligible) young_left_ = segments;
  bool freed = false;
  for (SegmentIndex n = 0; n < segments && work_left_ > 0; ++n) {
    if (++free_at_ >= segments) free_at_ = 0;
    freed |= free_if_garbage(free_at_, young_left_ > 0 ? Tombstones::all : Tombstones::old);
    if (young_left_ > 0 && --young_left_ == 0) pages_after_young_ = store_.pages_in_use();
  }
  return freed;
}

bool Collector::free_if_garbage(SegmentIndex index, Tombstones which) {
  Segment& segment = store_.segment(index);
  if (segment.state.load(std::memory_order_acquire) != static_cast<std::uint8_t>(SegmentState::closed)) return false;
  if (segment.unfinished.load(std::memory_order_acquire) != 0) return false;
  const bool all_old = segment.newest_end.load(std::memory_order_acquire) <= registry_.snapshots().oldest();
  if (!all_old && segment.live_bytes.load(std::memory_order_acquire) != 0) return false;
  if (!all_old && which == Tombstones::old && segment.tombstones.load(std::memory_order_acquire) != 0)
    return false;  // too young to be purged, most likely
  if (segment.tombstones.load(std::memory_order_acquire) != 0 && !purge_tombstones(index)) return false;
  store_.free_segment(index);
  if (index == sweep_at_.segment) sweep_at_ = {.segment = index + 1};
  return true;
}

// True if something was freed. The sweep ends when it has seen all segments that there were when it began.
bool Collector::go_on_sweeping() {
  bool freed = false;
  while (sweep_at_.segment < sweep_end_ && work_left_ > 0) {
    const SegmentIndex index = sweep_at_.segment;
    const Segment& segment = store_.segment(index);
    const bool closed = segment.state.load(std::memory_order_acquire) == static_cast<std::uint8_t>(SegmentState::closed);
    if (closed && segment.unfinished.load(std::memory_order_acquire) == 0) {
      if (segment.live_bytes.load(std::memory_order_acquire) != 0 && !sweep_segment()) continue;
      if (free_if_garbage(index, Tombstones::all)) {
        freed = true;
        continue;
      }
    }
    sweep_at_ = {.segment = index + 1};
  }
  if (sweep_at_.segment < sweep_end_) return freed;
  sweep_at_ = {};
  live_after_sweep_ = store_.live_entries();
  points_since_sweep_ = registry_.snapshots().size();
  rounds_since_sweep_ = 0;
  return freed;
}

void Collector::need(storage::PageKey page) {
  if (!pool_.resident(page)) spend(work_of_read);
}

// Calls each(address, entry copy) for every filled entry from `at` on, which moves along; false ends the walk, and so does a page
// that cannot be read.
template <class Each>
bool Collector::for_each_entry(Position& at, Each each) {
  const std::uint32_t pages = store_.segment(at.segment).pages_used;
  for (; at.page < pages; at = {.segment = at.segment, .page = at.page + 1}) {
    const storage::PageKey key = storage::page_key(store_.incarnation(), at.segment * segment_pages + at.page);
    for (;;) {
      EntryCopy copy;
      const std::uint32_t offset = at.offset;
      {
        need(key);
        auto page = pool_.latch(key);
        if (!page) return false;
        copy.entry = read_entry(page->bytes(), pool_.page_bytes(), offset);
        if (copy.entry.bytes == 0) break;
        PLIMSOLL_CHECK(copy.entry.key.size() <= copy.key.size());
        page_read(copy.key.data(), copy.entry.key.data(), copy.entry.key.size());
        copy.entry.key = {copy.key.data(), copy.entry.key.size()};
        copy.entry.value = {};
      }
      spend(1);
      at.offset += copy.entry.bytes;
      const bool wanted = (copy.entry.entry_flags & (entry_filled | entry_forgotten)) == entry_filled;
      if (wanted && !each(make_address(key, offset), copy.entry)) return false;
    }
  }
  return true;
}

// Also stamps what the entries' transactions left marked: big transactions do not stamp at commit.
bool Collector::purge_tombstones(SegmentIndex index) {
  std::uint32_t stamped_leaf = 0;
  Position at{.segment = index};
  return for_each_entry(at, [&](std::uint64_t, const Entry& entry) {
    if (entry.leaf != stamped_leaf) stamp(TreeId{entry.tree}, entry.key);
    stamped_leaf = entry.leaf;
    if ((entry.entry_flags & entry_after_deleted) == 0) return true;
    return purge(TreeId{entry.tree}, entry.key).has_value();
  });
}

void Collector::stamp(TreeId tree, Bytes key) {
  btree::LatchedLeaf leaf = trees_.try_latch_resident(tree, key);
  if (!leaf) return;
  storage::ExclusivePage& page = leaf.page();
  const std::size_t stamped = stamp_leaf(page.bytes(), registry_);
  if (stamped == 0) return;
  page.will_change(log_.end());
  page.raise_flush_limit(log_.end());
  metrics_.add(Counter::records_stamped, stamped);
}

Result<bool> Collector::purge(TreeId tree, Bytes key) {
  char payload[2048];
  auto credit = log_.reserve(log::record_bytes(sizeof payload), log::Log::Priority::normal, purge_deadline_ns);
  if (!credit) return std::unexpected(credit.error());
  auto leaf = trees_.latch(tree, key);
  if (!leaf) return std::unexpected(leaf.error());
  if (!leaf->found() || (leaf->record().flags & btree::flag_deleted) == 0) return false;
  const auto stamp = resolve(registry_, leaf->record().stamp());
  if (stamp.kind != Resolved::Kind::timestamp)
    return fail(ErrorCode::busy, "a running transaction has changed the deleted record");  // it may bring it back
  // Older snapshots need the tombstone for what lies below it; writers among them, to notice that the key was changed.
  const registry::SnapshotSet& snapshots = registry_.snapshots();
  if (stamp.timestamp > snapshots.oldest() && (stamp.timestamp > snapshots.oldest_writer() || leaf->record().previous() != 0)) {
    if (leaf->record().previous() == 0) return fail(ErrorCode::busy, "a running writer began before the record was deleted");
    const std::uint64_t below = chains_.prune_below(stamp.timestamp, leaf->record().previous());
    leaf->page().will_change(log_.end());
    leaf->page().raise_flush_limit(log_.end());
    leaf->set_header(leaf->record().stamp(), below);
    if (below != 0 || stamp.timestamp > snapshots.oldest_writer())
      return fail(ErrorCode::busy, "an older snapshot sees what was deleted");
  }
  btree::StructureChange change(log_, *credit, payload);
  change.begin(leaf->page());
  leaf->erase();
  change.add(leaf->page(), log::Action::leaf_erase, key);
  change.finish();
  const bool sparse = leaf->sparse();
  leaf->unlatch();
  metrics_.add(Counter::records_purged);
  if (sparse)
    if (auto merged = merge(tree, key); !merged) return std::unexpected(merged.error());
  return true;
}

Result<bool> Collector::merge(TreeId tree, Bytes key) {
  auto merged = trees_.merge(tree, key, purge_deadline_ns);
  if (!merged && merged.error().code() != ErrorCode::corruption) return false;
  return merged;
}

Result<void> Collector::forget(TreeId tree) {
  MutexLock lock(mutex_);
  for (SegmentIndex index = 0; index < store_.segments(); ++index) {
    if (store_.segment(index).state.load(std::memory_order_acquire) == static_cast<std::uint8_t>(SegmentState::free)) continue;
    Position at{.segment = index};
    const bool done = for_each_entry(at, [&](std::uint64_t address, const Entry& entry) {
      if (entry.tree != tree.value) return true;
      auto page = pool_.latch(page_of(address));
      if (!page) return false;
      page->will_change(log_.end());
      add_flags(page->bytes(), offset_of(address), entry_forgotten);  // uncounted with its segment, which is all old soon
      return true;
    });
    if (!done) return fail(ErrorCode::io_error, "the versions of tree {} cannot be read", tree.value);
  }
  return {};
}

// Without a look at its key: some snapshot lies between the version's begin and the first end of any version in its segment.
bool Collector::surely_needed(const Entry& entry, std::uint64_t oldest_end) const {
  return !entry.absent() && !registry::is_mark(entry.stamp) && !registry_.snapshots().garbage(entry.stamp, oldest_end);
}

// Goes on with the segment at hand; true when it is done with it. Most versions that a long snapshot sees cost no look at their
// leaves, which would have to be read. The chain of a key is swept once a sweep, however many of its entries are met: a key with
// many versions would cost their square.
bool Collector::sweep_segment() {
  const Segment& segment = store_.segment(sweep_at_.segment);
  const bool move = std::uint64_t{segment.live_bytes.load()} * 2 < std::uint64_t{segment_pages} * pool_.page_bytes();
  const std::uint64_t oldest_end = segment.oldest_end.load(std::memory_order_acquire);
  for_each_entry(sweep_at_, [&](std::uint64_t address, const Entry& entry) PLIMSOLL_NO_ANALYSIS {  // called with the mutex held
    if ((entry.entry_flags & entry_dead) != 0 || (!move && surely_needed(entry, oldest_end))) return true;
    const std::uint32_t hash = crc32c(entry.tree, entry.key.data(), entry.key.size()) | 1u;
    std::uint32_t& seen = swept_keys()[hash / 2 % swept_keys().size()];
    if (move || seen != hash) sweep_entry(address, entry, move);
    seen = hash;
    return work_left_ > 0;
  });
  return work_left_ > 0;
}

// Best effort: what does not come off now is met again by the next sweep.
void Collector::sweep_entry(std::uint64_t address, const Entry& entry, bool move) {
  constexpr int tries_max = 16;
  Reserved room;
  if (move) {
    auto reserved = store_.reserve(entry.bytes, nullptr);
    if (!reserved) return;
    room = *reserved;
  }
  bool moved = false;
  for (int tries = 0; tries < tries_max; ++tries) {
    need(page_of(address));
    if (!pool_.read(page_of(address))) break;
    auto leaf = trees_.latch(TreeId{entry.tree}, entry.key);
    if (!leaf || !leaf->found()) break;
    const Chains::Swept swept = chains_.sweep(*leaf, moved ? 0 : (move ? address : 0), room);
    moved |= swept.moved;
    spend(swept.looked_at);
    metrics_.add(Counter::versions_swept, swept.looked_at);
    leaf->unlatch();
    if (swept.complete) break;
    need(swept.missing);
    if (!pool_.read(swept.missing)) break;
  }
  if (moved) metrics_.add(Counter::version_bytes_moved, entry.bytes);
  if (move && !moved) store_.cancel(room);
}

}  // namespace plimsoll::version
