// The way from a root down to a node, optimistically: sample the child, then see that the parent has not changed since it was
// sampled; so the child was the parent's child at that moment, and whatever happens to it later changes its word. Stores nothing
// shared but frame hints.
#include "base/fail.hpp"
#include "btree/node.hpp"
#include "btree/read_latch.hpp"
#include "btree/search.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

Result<storage::OptimisticPage> Trees::sample_root(TreeId tree) {
  auto& hint = root_hint(tree);
  storage::OptimisticPage root;
  if (pool_.try_frame(storage::data_page(tree.value), hint.load(std::memory_order_relaxed), root)) return root;
  PLIMSOLL_ASSIGN(root, pool_.read(storage::data_page(tree.value)));
  if (hint.load(std::memory_order_relaxed) != root.frame) hint.store(root.frame, std::memory_order_relaxed);
  return root;
}

// The child that the target lies in. Its slot is where it was found in place.node.
Result<bool> Trees::sample_child(const Place& place, const Target& target, storage::OptimisticPage& child, std::uint16_t& slot) {
  const storage::OptimisticPage& parent = place.node;
  ChildRef ref;
  {
    const ReadLatch latch(pool_, parent);
    if (!latch) return false;
    if (target.key) {
      slot = search_inner(parent.bytes, page_bytes(), *target.key, target.side);
    } else {
      const std::uint16_t count = Shape::of(parent.bytes, page_bytes(), inner_slot_bytes).count;
      slot = target.side == Side::at || count == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(count - 1);
    }
    ref = child_of(parent.bytes, page_bytes(), slot);
  }
  if (ref.hint < pool_.frames()) prefetch_node(pool_.frame_bytes(ref.hint), place.level == 1);
  const storage::PageKey key = storage::data_page(ref.page);
  perturb(Window::sampled);
  if (pool_.try_frame(key, ref.hint, child)) return parent.still_valid();

  if (!parent.still_valid()) return false;  // the page number may be torn
  const bool missing = target.access == storage::Access::scan && place.level == 1 && !pool_.resident(key);
  if (missing && !read_ahead(parent, slot, target.side)) return false;
  auto read = pool_.read(key, target.access);
  if (!parent.still_valid()) return false;
  if (!read) return std::unexpected(read.error());
  child = *read;
  if (child.frame != ref.hint) fix_hint(parent, slot, child.frame);
  return true;
}

Result<bool> Trees::try_descend(TreeId tree, const Target& target, Place& place) {
  place = {};
  PLIMSOLL_ASSIGN(place.node, sample_root(tree));
  for (;;) {
    storage::PageKind kind;
    std::uint8_t level;
    {
      const ReadLatch latch(pool_, place.node);
      if (!latch) return false;
      kind = storage::kind_of(place.node.bytes);
      level = Node(place.node.bytes).level();
    }
    const bool wrong = kind != storage::PageKind::node || level > level_max || (!place.is_root() && level + 1 != place.level);
    place.level = level;
    if (wrong || level <= target.level) [[unlikely]] {
      if (!place.node.still_valid()) return false;
      if (!wrong) return true;
      return fail(ErrorCode::corruption, "tree {}: page {} is not the node of the expected level", tree.value,
                  storage::page_of(storage::key_of(place.node.bytes)));
    }
    storage::OptimisticPage child;
    PLIMSOLL_ASSIGN(const bool good, sample_child(place, target, child, place.slot));
    if (!good) return false;
    place.parent = place.node;
    place.node = child;
  }
}

Result<Trees::Place> Trees::descend(TreeId tree, const Target& target) {
  for (Backoff backoff;;) {
    Place place;
    PLIMSOLL_ASSIGN(const bool good, try_descend(tree, target, place));
    if (good) return place;
    metrics_.add(Counter::tree_restarts);
    backoff.pause();
  }
}

// A page is missing under a scan: it and its successors in that direction are loaded in one batch. False: the parent has changed.
bool Trees::read_ahead(const storage::OptimisticPage& parent, std::uint16_t slot, Side direction) {
  constexpr std::size_t pages_max = 16;
  std::array<storage::PageKey, pages_max> keys;
  std::size_t count = 0;
  {
    const ReadLatch latch(pool_, parent);
    if (!latch) return false;
    const std::uint16_t children = Shape::of(parent.bytes, page_bytes(), inner_slot_bytes).count;
    while (count < pages_max && slot < children) {
      keys[count++] = storage::data_page(child_of(parent.bytes, page_bytes(), slot).page);
      if (direction == Side::below && slot == 0) break;
      slot = static_cast<std::uint16_t>(direction == Side::below ? slot - 1 : slot + 1);
    }
  }
  if (!parent.still_valid()) return false;
  pool_.prefetch({keys.data(), count}, storage::Access::scan);
  return true;
}

void Trees::fix_hint(const storage::OptimisticPage& parent, std::uint16_t slot, storage::FrameIndex frame) {
  storage::ExclusivePage latched;
  if (!pool_.try_upgrade(parent, latched)) return;
  PLIMSOLL_DCHECK(slot < Node(parent.bytes).count());
  Node::store_child_hint(latched.bytes(), slot, frame);
}

}  // namespace plimsoll::btree
