// Emptying a tree, one small structure change at a time: the last branch of the tree that hangs by a single thread (nodes with one
// child each) is cut off and its pages are freed. Leaves are not even read. After a crash the same call goes on where it stopped.
#include <algorithm>

#include "base/fail.hpp"
#include "btree/node_update.hpp"
#include "btree/read_latch.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

namespace {

// The pages below `holder` that go: its last child, that one's only child, and so on down to the leaf.
struct Branch {
  storage::OptimisticPage holder;
  std::array<std::uint32_t, level_max> pages{};
  std::size_t count = 0;
};

constexpr std::uint64_t no_deadline_ns = std::uint64_t{1} << 62;          // a dropped table waits for log space as long as it takes
constexpr std::size_t branch_pages_max = StructureChange::pages_max - 1;  // each might have a map page of its own

}  // namespace

// False: nothing is left below the root.
Result<bool> Trees::free_last_branch(TreeId tree) {
  Branch branch;
  Place place;
  PLIMSOLL_ASSIGN(place.node, sample_root(tree));
  branch.holder = place.node;
  for (;;) {
    std::uint16_t children = 0;
    std::uint32_t number = 0, last_child = 0;
    {
      const ReadLatch latch(pool_, place.node);
      if (!latch) return true;
      number = storage::page_of(storage::key_of(place.node.bytes));
      if (place.is_root()) place.level = Node(place.node.bytes).level();
      if (place.level > 0) children = Shape::of(place.node.bytes, page_bytes(), inner_slot_bytes).count;
      if (children > 0) last_child = child_of(place.node.bytes, page_bytes(), static_cast<std::uint16_t>(children - 1)).page;
    }
    if (!place.node.still_valid()) return true;  // evicted meanwhile: again
    if (place.level == 0) break;
    if (children == 0 || place.level > level_max)
      return fail(ErrorCode::corruption, "tree {}: page {} has no children", tree.value, number);
    if (children > 1) {
      branch.holder = place.node;
      branch.count = 0;
    }
    branch.pages[branch.count++] = last_child;
    if (--place.level == 0) break;  // leaves are not read
    const auto child = pool_.read(storage::data_page(last_child));
    if (!place.node.still_valid()) return true;  // also when the read failed
    if (!child) return std::unexpected(child.error());
    place.parent = place.node;
    place.node = *child;
  }
  if (branch.count > branch_pages_max)
    return fail(ErrorCode::corruption, "tree {} has {} levels in a row with one child", tree.value, branch.count);
  std::sort(branch.pages.begin(), branch.pages.begin() + static_cast<std::ptrdiff_t>(branch.count));  // ascending maps

  char payload[StructureChange::bytes_max(storage::page_bytes_max)];
  PLIMSOLL_ASSIGN(auto credit, log_.reserve(log::record_bytes(StructureChange::bytes_max(page_bytes())), log::Log::Priority::normal,
                                            no_deadline_ns));
  std::array<storage::Reservation, branch_pages_max> reservations;
  for (std::size_t i = 0; i < branch.count; ++i) { PLIMSOLL_ASSIGN(reservations[i], space_.prepare_free(branch.pages[i])); }
  std::array<storage::ExclusivePage, branch_pages_max> gone, maps;
  storage::ExclusivePage holder;
  if (!pool_.try_upgrade(branch.holder, holder)) return true;
  if (branch.count == 0 && Node(holder.bytes()).count() == 0 && Node(holder.bytes()).leaf()) return false;
  for (std::size_t i = 0; i < branch.count; ++i) gone[i] = pool_.latch_resident(storage::data_page(branch.pages[i]));

  StructureChange change(log_, credit, payload);
  change.begin(holder);
  cut_branch(change, holder);
  std::size_t map = 0;
  for (std::size_t i = 0; i < branch.count; ++i) {
    if (i == 0 || space_.map_of(branch.pages[i]) != space_.map_of(branch.pages[i - 1])) {
      map = i;
      maps[i] = space_.latch_map(reservations[i]);
      change.begin(maps[i]);
    }
    change.clear_space(maps[map], branch.pages[i], 1);
  }
  const Lsn end = change.finish().end;
  for (auto& page : gone) {
    if (page) pool_.discard(std::move(page));
  }
  for (std::size_t i = 0; i < branch.count; ++i) space_.note_freed(branch.pages[i], end);
  for (auto& page : maps) page.unlatch();
  return branch.count > 0;
}

// The holder loses its last child; with a single one it is the root and becomes an empty leaf.
void Trees::cut_branch(StructureChange& change, storage::ExclusivePage& holder) {
  PLIMSOLL_CHECK(storage::kind_of(holder.bytes()) == storage::PageKind::node);
  const std::uint16_t children = Node(holder.bytes()).count();
  if (!Node(holder.bytes()).leaf() && children > 1) {
    const auto last = static_cast<std::uint16_t>(children - 1);
    char separator[key_bytes_limit];
    change.add(holder, log::Action::inner_erase, Node(holder.bytes()).key(last, separator));
    inner_erase(holder.bytes(), last);
  } else {
    PLIMSOLL_CHECK(storage::page_of(holder.key()) == Node(holder.bytes()).tree());  // else a child of others would become a leaf
    format_root(holder.bytes(), page_bytes());
    change.add_image(holder);
  }
}

Result<void> Trees::free_pages(TreeId tree, const std::function<Result<void>()>& between) {
  for (;;) {
    PLIMSOLL_TRY(between());
    PLIMSOLL_ASSIGN(const bool more, free_last_branch(tree));
    if (!more) return {};
  }
}

}  // namespace plimsoll::btree
