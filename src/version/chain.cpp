#include "version/chain.hpp"

#include "base/check.hpp"
#include "version/pinned_entry.hpp"

namespace plimsoll::version {

namespace {

constexpr std::uint64_t undecided = ~std::uint64_t{0};  // the end of a version whose successor has not committed
constexpr int touch_steps_max = 4;

}  // namespace

// Reads an entry whose version ends at `until`; garbage is marked dead and uncounted at once, and the caller must unlink it.
Chains::Step Chains::look(std::uint64_t address, std::uint64_t until) {
  Step step;
  storage::ExclusivePage page = pool_.latch_resident(page_of(address));
  if (!page) return step;
  // Only now: a segment that was freed and used again before the page was latched was so under an `oldest` that is visible by now.
  step.ended = until <= registry_.snapshots().oldest();
  if (step.ended) return step;
  const Entry entry = read_entry(page.bytes(), pool_.page_bytes(), offset_of(address));
  PLIMSOLL_CHECK(entry.bytes != 0 && (entry.entry_flags & entry_filled) != 0 && (entry.entry_flags & entry_dead) == 0);
  step.resident = true;
  step.stamp = entry.stamp;
  step.previous = entry.previous;
  step.intermediate = entry.stamp == registry::mark_of(entry.writer);
  step.garbage = until != undecided && (entry.absent() || step.intermediate || registry_.snapshots().garbage(entry.stamp, until));
  if (step.garbage) {
    add_flags(page.bytes(), offset_of(address), entry_dead);
    page.will_change(log_.end());  // it must not be counted twice after eviction
    store_.dead(address, entry.bytes);
  }
  return step;
}

std::uint64_t Chains::prune_below(std::uint64_t stamp, std::uint64_t previous) {
  std::uint64_t until = stamp;
  for (int steps = 0; previous != 0; ++steps) {
    if (until <= registry_.snapshots().oldest()) return 0;
    if (!store_.ours(previous)) return previous;  // of a transaction recovered as prepared: a snapshot before its commit needs it
    if (steps == touch_steps_max) return previous;
    const Step version = look(previous, until);
    if (version.ended) return 0;
    if (!version.garbage) return previous;
    if (!version.intermediate) until = version.stamp;
    previous = version.previous;
  }
  return 0;
}

// `holder` 0: the record itself. The hint must survive eviction within this incarnation, so the page counts as changed.
void Chains::set_pointer(btree::LatchedLeaf& leaf, std::uint64_t holder, std::uint64_t to) {
  if (holder == 0) {
    leaf.page().will_change(log_.end());
    leaf.page().raise_flush_limit(log_.end());  // what was unlinked belongs to a commit that must be durable first
    leaf.set_header(leaf.record().stamp(), to);
    return;
  }
  leaf.page().hint_changed();
  storage::ExclusivePage page = pool_.latch_resident(page_of(holder));
  PLIMSOLL_CHECK(page);  // pinned
  page.will_change(log_.end());
  page.raise_flush_limit(log_.end());
  set_previous(page.bytes(), offset_of(holder), to);
}

void Chains::move_entry(std::uint64_t from, const Reserved& to, std::uint64_t until) {
  alignas(8) char copy[storage::page_header_bytes + storage::page_bytes_max / 4 + 256];
  std::uint16_t bytes = 0;
  {
    storage::ExclusivePage page = pool_.latch_resident(page_of(from));
    PLIMSOLL_CHECK(page);  // pinned by the caller
    bytes = read_entry(page.bytes(), pool_.page_bytes(), offset_of(from)).bytes;
    PLIMSOLL_CHECK(bytes == to.bytes && storage::page_header_bytes + bytes <= sizeof copy);
    page_read(copy + storage::page_header_bytes, page.bytes() + offset_of(from), bytes);
    add_flags(page.bytes(), offset_of(from), entry_dead | entry_forgotten);  // what it tells of a tombstone, the new place does
    page.will_change(log_.end());
  }
  const Entry entry = read_entry(copy, static_cast<std::uint32_t>(storage::page_header_bytes + bytes), storage::page_header_bytes);
  storage::ExclusivePage page = store_.latch(to);
  page.will_change(log_.end());
  store_.fill(page, to, entry);
  page.unlatch();
  store_.finish(to.address, until, (entry.entry_flags & entry_after_deleted) != 0);
  store_.dead(from, bytes);
}

Chains::Swept Chains::sweep(btree::LatchedLeaf& leaf, std::uint64_t move, const Reserved& room) {
  Swept swept;
  PinnedEntry pinned(pool_), moving(pool_);
  const auto newest = resolve(registry_, leaf.record().stamp());
  std::uint64_t until = newest.kind == Resolved::Kind::timestamp ? newest.timestamp : undecided;
  std::uint64_t holder = 0, address = leaf.record().previous();
  while (address != 0 && until > registry_.snapshots().oldest() && store_.ours(address)) {
    if (address == move && !moving.hold(address)) return {false, page_of(address), swept.moved, swept.looked_at};
    if (!pinned.hold(holder)) return {false, page_of(holder), swept.moved, swept.looked_at};
    const Step version = look(address, until);
    if (version.ended) break;
    ++swept.looked_at;
    if (!version.resident) return {false, page_of(address), swept.moved, swept.looked_at};
    const bool undo = until == undecided;  // entries of an unfinished transaction stay where they are
    if (version.garbage) {
      set_pointer(leaf, holder, version.previous);
    } else {
      if (!undo && address == move) {
        move_entry(address, room, until);
        set_pointer(leaf, holder, room.address);
        swept.moved = true;
        holder = room.address;
      } else {
        holder = address;
      }
    }
    if (!version.intermediate) until = version.stamp;
    address = version.previous;
  }
  return swept;
}

}  // namespace plimsoll::version
