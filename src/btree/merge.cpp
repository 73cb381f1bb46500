// Merging neighbours under one parent when both fit into the left one's page, and taking the content of a lone child into the root.
// One log record each. Merging is optional: whoever is in the way wins, and the answer is "no".
#include "btree/node_update.hpp"
#include "btree/read_latch.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

namespace {
// Of the page, so that the next inserts do not split it again; all of it beside an empty one.
constexpr std::size_t merged_percent = 85;
constexpr std::size_t sparse_percent = 40;  // of inner nodes; leaves are chosen by the caller
constexpr int attempts_max = 8;
}  // namespace

// One merge: resources first, then latches.
class Trees::Merger {
 public:
  Merger(Trees& trees, TreeId tree) : trees_(trees), tree_(tree) {}

  Result<bool> merge(Bytes key, std::uint8_t level, std::uint64_t deadline_ns) {
    PLIMSOLL_ASSIGN(auto pair, sample_pair(key, level));
    if (!pair || !looks_small(*pair, level)) return false;
    const std::uint32_t gone = pair->gone;
    PLIMSOLL_TRY(take_resources(gone, deadline_ns));
    for (int i = 0; i < attempts_max; ++i) {
      PLIMSOLL_ASSIGN(pair, sample_pair(key, level));
      if (!pair) return false;
      if (latch(upper_, pair->parent) && latch(left_, pair->left) && latch(right_, pair->right)) {
        return storage::page_of(right_.key()) == gone && merge_latched(pair->right_slot);
      }
      unlatch();
    }
    return false;
  }

  Result<bool> collapse(std::uint64_t deadline_ns) {
    PLIMSOLL_ASSIGN(auto pair, sample_lone_child());
    if (!pair) return false;
    const std::uint32_t gone = pair->gone;
    PLIMSOLL_TRY(take_resources(gone, deadline_ns));
    for (int i = 0; i < attempts_max; ++i) {
      PLIMSOLL_ASSIGN(pair, sample_lone_child());
      if (!pair) return false;
      if (latch(upper_, pair->parent) && latch(right_, pair->right)) {
        return storage::page_of(right_.key()) == gone && collapse_latched();
      }
      unlatch();
    }
    return false;
  }

 private:
  struct Pair {
    storage::OptimisticPage parent, left, right;
    std::uint32_t gone = 0;  // the right one's number, as the parent has it
    std::uint16_t right_slot = 0;
  };

  bool latch(storage::ExclusivePage& to, const storage::OptimisticPage& page) { return trees_.pool_.try_upgrade(page, to); }
  void unlatch() {
    for (auto* page : {&right_, &left_, &upper_}) page->unlatch();
  }

  // The node of the key and the neighbour that it could merge with. None: it has none, or the tree is changing.
  Result<std::optional<Pair>> sample_pair(Bytes key, std::uint8_t level) {
    PLIMSOLL_ASSIGN(const Place place, trees_.descend(tree_, {key, Side::at, level}));
    if (place.is_root() || place.level != level) return std::nullopt;
    Pair pair{place.parent, place.node, place.node};
    ChildRef ref;
    {
      const ReadLatch read(trees_.pool_, place.parent);
      if (!read) return std::nullopt;
      const std::uint16_t children = Shape::of(place.parent.bytes, trees_.page_bytes(), inner_slot_bytes).count;
      const bool rightmost = place.slot + 1 >= children;
      if (rightmost && place.slot == 0) return std::nullopt;
      pair.right_slot = rightmost ? place.slot : static_cast<std::uint16_t>(place.slot + 1);
      ref = child_of(place.parent.bytes, trees_.page_bytes(),
                     rightmost ? static_cast<std::uint16_t>(place.slot - 1) : pair.right_slot);
      pair.gone = child_of(place.parent.bytes, trees_.page_bytes(), pair.right_slot).page;
    }
    if (!place.parent.still_valid()) return std::nullopt;
    storage::OptimisticPage& neighbour = pair.right_slot == place.slot ? pair.left : pair.right;
    const auto read = trees_.pool_.read(storage::data_page(ref.page));
    if (!place.parent.still_valid()) return std::nullopt;  // also when the read failed: the neighbour may be gone
    if (!read) return std::unexpected(read.error());
    neighbour = *read;
    return pair;
  }

  // parent: the root; right: its only child.
  Result<std::optional<Pair>> sample_lone_child() {
    Place place;
    PLIMSOLL_ASSIGN(place.node, trees_.sample_root(tree_));
    Pair pair{place.node, {}, {}};
    {
      const ReadLatch read(trees_.pool_, place.node);
      if (!read) return std::nullopt;
      place.level = Node(place.node.bytes).level();
      if (place.level == 0 || Node(place.node.bytes).count() != 1) return std::nullopt;
      pair.gone = child_of(place.node.bytes, trees_.page_bytes(), 0).page;
    }
    PLIMSOLL_ASSIGN(const bool good, trees_.sample_child(place, {}, pair.right, place.slot));
    if (!good) return std::nullopt;
    return pair;
  }

  std::size_t largest(const Node& left, const Node& right) const {
    const bool one_is_empty = left.count() == 0 || right.count() == 0;
    return std::size_t{trees_.page_bytes()} * (one_is_empty ? 100 : merged_percent) / 100;
  }

  // A look without latches that spares hopeless tries the resources.
  bool looks_small(const Pair& pair, std::uint8_t level) const {
    const ReadLatch left(trees_.pool_, pair.left), right(trees_.pool_, pair.right);
    if (!left || !right) return false;
    const std::size_t page = trees_.page_bytes(), one = Node(pair.left.bytes).used_bytes(),
                      other = Node(pair.right.bytes).used_bytes();
    if (level > 0 && std::min(one, other) * 100 > page * sparse_percent) return false;
    return one + other - node_at::heads <= largest(Node(pair.left.bytes), Node(pair.right.bytes));
  }

  Result<void> take_resources(std::uint32_t gone, std::uint64_t deadline_ns) {
    const std::size_t bytes = log::record_bytes(StructureChange::bytes_max(trees_.page_bytes()));
    PLIMSOLL_ASSIGN(credit_, trees_.log_.reserve(bytes, log::Log::Priority::normal, deadline_ns));
    PLIMSOLL_ASSIGN(freed_, trees_.space_.prepare_free(gone));
    return {};
  }

  bool merge_latched(std::uint16_t right_slot) {
    char separator_buffer[key_bytes_limit];
    const Node left(left_.bytes()), right(right_.bytes());
    const Bytes separator = Node(upper_.bytes()).key(right_slot, separator_buffer);
    PLIMSOLL_CHECK(left.level() == right.level() && left.tree() == right.tree());
    PLIMSOLL_CHECK(Node(upper_.bytes()).level() == left.level() + 1 && left_.key() != right_.key());
    PLIMSOLL_CHECK(Node(upper_.bytes()).child(right_slot) == storage::page_of(right_.key()));
    PLIMSOLL_CHECK(left.upper_fence() == separator && right.lower_fence() == separator);
    Content both = part(left_.bytes(), 0, left.count(), left.lower_fence(), right.upper_fence());
    both.pieces[1] = {right_.bytes(), 0, right.count()};
    both.joint = separator;
    if (bytes_needed(both) > largest(left, right)) return false;

    map_ = trees_.space_.latch_map(freed_);
    StructureChange change(trees_.log_, credit_, payload_);
    for (auto* page : {&upper_, &left_, &map_}) change.begin(*page);
    write_node(left_.bytes(), both);
    inner_erase(upper_.bytes(), right_slot);
    PLIMSOLL_DCHECK(Node(upper_.bytes()).count() > 0);
    change.add_image(left_);
    change.add(upper_, log::Action::inner_erase, separator);
    finish(change);
    return true;
  }

  bool collapse_latched() {
    const Node root(upper_.bytes()), child(right_.bytes());
    PLIMSOLL_CHECK(storage::page_of(upper_.key()) == tree_.value && root.child(0) == storage::page_of(right_.key()));
    PLIMSOLL_CHECK(root.count() == 1 && root.level() == child.level() + 1 && !child.lower_fence() && !child.upper_fence());
    map_ = trees_.space_.latch_map(freed_);
    StructureChange change(trees_.log_, credit_, payload_);
    for (auto* page : {&upper_, &map_}) change.begin(*page);
    write_node(upper_.bytes(), whole(right_.bytes()));
    change.add_image(upper_);
    finish(change);
    return true;
  }

  // The right page goes while its map is latched: nobody can be given it before it has left the pool.
  void finish(StructureChange& change) {
    const std::uint32_t gone = storage::page_of(right_.key());
    change.clear_space(map_, gone, 1);
    const Lsn end = change.finish().end;
    trees_.pool_.discard(std::move(right_));
    trees_.space_.note_freed(gone, end);
    map_.unlatch();
    trees_.metrics_.add(Counter::tree_merges);
  }

  Trees& trees_;
  const TreeId tree_;
  log::Credit credit_;
  storage::Reservation freed_;
  storage::ExclusivePage upper_, left_, right_, map_;  // upper: the parent
  char payload_[StructureChange::bytes_max(storage::page_bytes_max)];
};

Result<bool> Trees::merge(TreeId tree, Bytes key, std::uint64_t deadline_ns) {
  bool merged = false;
  for (std::uint8_t level = 0; level <= level_max; ++level) {
    Place place;
    PLIMSOLL_ASSIGN(place, descend(tree, {key, Side::at, level}));
    if (place.is_root()) break;
    PLIMSOLL_ASSIGN(const bool here, Merger(*this, tree).merge(key, level, deadline_ns));
    merged |= here;
  }
  for (;;) {
    PLIMSOLL_ASSIGN(const bool lower, Merger(*this, tree).collapse(deadline_ns));
    if (!lower) return merged;
    merged = true;
  }
}

}  // namespace plimsoll::btree
