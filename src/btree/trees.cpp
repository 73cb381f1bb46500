// Finding, latching and copying leaves (btree/trees.hpp).
#include "btree/trees.hpp"

#include "base/fail.hpp"
#include "btree/node.hpp"
#include "btree/node_update.hpp"
#include "btree/read_latch.hpp"
#include "btree/search.hpp"
#include "btree/split.hpp"

namespace plimsoll::btree {

Trees::Trees(storage::Pool& pool, storage::Space& space, log::Log& log, Metrics& metrics, memory::PageProvider& provider)
    : pool_(pool), space_(space), log_(log), metrics_(metrics), provider_(provider) {
  for (auto& hint : root_hints_) hint.store(storage::no_frame, std::memory_order_relaxed);
}

Trees::~Trees() = default;

void Trees::format_root(char* page, std::uint32_t page_bytes) {
  format_node(page, page_bytes, 0, storage::page_of(storage::key_of(page)));
}

Result<LeafPosition> Trees::find(TreeId tree, Bytes key, storage::Access access) {
  for (Backoff backoff;;) {
    Place place;
    PLIMSOLL_ASSIGN(const bool good, try_descend(tree, {key, Side::at, 0, access}, place));
    if (good) [[likely]] {
      if (const ReadLatch latch(pool_, place.node); latch) {
        const LeafPlace found = search_leaf(place.node.bytes, page_bytes(), key);
        return LeafPosition{place.node, found.record};
      }
    }
    metrics_.add(Counter::tree_restarts);
    backoff.pause();
  }
}

Result<LatchedLeaf> Trees::latch(TreeId tree, Bytes key) {
  for (Backoff backoff;;) {
    PLIMSOLL_ASSIGN(const Place place, descend(tree, {key}));
    storage::ExclusivePage page;
    if (pool_.try_upgrade(place.node, page)) return LatchedLeaf(std::move(page), key);
    metrics_.add(Counter::tree_restarts);
    backoff.pause();
  }
}

Result<LatchedLeaf> Trees::latch_with_room(TreeId tree, Bytes key, std::size_t value_bytes, log::Log::Priority priority,
                                           std::uint64_t deadline_ns) {
  if (key.size() > key_bytes_max(page_bytes()) || record_bytes(key.size(), value_bytes) > record_bytes_max(page_bytes())) {
    return fail(ErrorCode::invalid_argument, "a record of {} + {} bytes does not fit a page of {}", key.size(), value_bytes,
                page_bytes());
  }
  for (;;) {
    PLIMSOLL_ASSIGN(LatchedLeaf leaf, latch(tree, key));
    if (leaf.fits(key.size(), value_bytes)) return leaf;
    leaf.unlatch();
    PLIMSOLL_TRY(split(tree, key, 0, {value_bytes, {}, priority, deadline_ns}));
  }
}

LatchedLeaf Trees::try_latch_at(storage::PageKey leaf, storage::FrameIndex hint, Bytes key) {
  storage::OptimisticPage sampled;
  storage::ExclusivePage page;
  if (!pool_.try_frame(leaf, hint, sampled) || !pool_.try_upgrade(sampled, page)) return {};
  const Node node(page.bytes());
  if (storage::kind_of(page.bytes()) != storage::PageKind::node || !node.leaf() || !node.covers(key)) return {};
  return {std::move(page), key};
}

LatchedLeaf Trees::try_latch_resident(TreeId tree, Bytes key) {
  storage::OptimisticPage node;
  if (!pool_.try_frame(storage::data_page(tree.value), root_hint(tree).load(std::memory_order_relaxed), node)) return {};
  for (unsigned expected = level_max;;) {
    ChildRef ref;
    {
      const ReadLatch latch(pool_, node);
      if (!latch) return {};
      const unsigned level = Node(node.bytes).level();
      if (level == 0) break;
      if (level > expected) return {};
      expected = level - 1;
      ref = child_of(node.bytes, page_bytes(), search_inner(node.bytes, page_bytes(), key));
    }
    storage::OptimisticPage child;
    perturb(Window::sampled);
    if (!pool_.try_frame(storage::data_page(ref.page), ref.hint, child) || !node.still_valid()) return {};
    node = child;
  }
  storage::ExclusivePage page;
  if (!pool_.try_upgrade(node, page) || storage::kind_of(page.bytes()) != storage::PageKind::node) return {};
  return {std::move(page), key};
}

Result<LeafCopy> Trees::copy_leaf(TreeId tree, std::optional<Bytes> key, bool before, char* buffer, storage::Access access) {
  const Target target{key, before ? Side::below : Side::at, 0, access};
  for (Backoff backoff;;) {
    PLIMSOLL_ASSIGN(const Place place, descend(tree, target));
    bool copied = false;
    if (const ReadLatch latch(pool_, place.node); latch) {
      std::memset(buffer + storage::at::word, 0, storage::at::key);
      page_read(buffer + storage::at::key, place.node.bytes + storage::at::key, page_bytes() - storage::at::key);
      copied = true;
    }
    if (copied && place.node.still_valid()) {
      PLIMSOLL_CHECK(storage::kind_of(buffer) == storage::PageKind::node && Node(buffer).leaf());
      return LeafCopy(buffer);
    }
    metrics_.add(Counter::tree_restarts);
    backoff.pause();
  }
}

}  // namespace plimsoll::btree
