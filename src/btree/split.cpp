// Splitting a node: its upper part moves to a new right page, the parent learns the separator; the root, which never moves, hands
// both halves to new pages and becomes their parent. One log record. Everything that may wait or fail is taken before the first
// latch; under the latches the world is looked at again. A parent without room for the separator is split first, as a structure
// change of its own.
#include "btree/split.hpp"

#include "btree/node_update.hpp"

namespace plimsoll::btree {

// One attempt.
class Trees::Splitter {
 public:
  enum class Outcome : std::uint8_t { done, again, parent_full };

  Splitter(Trees& trees, TreeId tree, Bytes key, std::uint8_t level, const Split& wanted)
      : trees_(trees), tree_(tree), key_(key), level_(level), wanted_(wanted) {}

  Result<Outcome> run(char* separator_buffer) {
    PLIMSOLL_ASSIGN(Place place, trees_.descend(tree_, {key_, Side::at, level_}));
    if (place.level < level_) return Outcome::done;
    const bool root = place.is_root();
    PLIMSOLL_TRY(take_resources(root ? 2 : 1));
    for (Backoff backoff; !latch(place);) {
      backoff.pause();
      PLIMSOLL_ASSIGN(place, trees_.descend(tree_, {key_, Side::at, level_}));
      if (place.level < level_ || place.is_root() != root) return Outcome::again;
    }
    if (has_room()) return Outcome::done;
    const SplitPoint point = choose_split(node_.bytes(), key_, separator_buffer);
    separator_ = point.separator;
    if (!root && !inner_fits(parent_.bytes(), separator_)) return Outcome::parent_full;
    root ? split_root(point.at) : split_node(point.at);
    trees_.metrics_.add(Counter::tree_splits);
    return Outcome::done;
  }

  Bytes separator() const { return separator_; }

 private:
  // In the order of all credits: log, frames, file pages.
  Result<void> take_resources(std::uint32_t pages) {
    const std::size_t bytes = log::record_bytes(StructureChange::bytes_max(trees_.page_bytes()));
    PLIMSOLL_ASSIGN(credit_, trees_.log_.reserve(bytes, wanted_.priority, wanted_.deadline_ns));
    for (std::uint32_t i = 0; i < pages; ++i) { PLIMSOLL_ASSIGN(frames_[i], trees_.pool_.take_frame()); }
    PLIMSOLL_ASSIGN(pages_, trees_.space_.reserve(pages));
    return {};
  }

  bool latch(const Place& place) {
    if (!place.is_root() && !trees_.pool_.try_upgrade(place.parent, parent_)) return false;
    if (trees_.pool_.try_upgrade(place.node, node_)) return true;
    parent_.unlatch();
    return false;
  }

  bool has_room() const {
    const char* node = node_.bytes();
    if (level_ > 0) return inner_fits(node, wanted_.separator);
    const LeafPlace place = search_leaf(node, trees_.page_bytes(), key_);
    return leaf_fits(node, shared_with_prefix(node, key_), key_.size(), wanted_.value_bytes, place.record);
  }

  void split_node(std::uint16_t at) {
    PLIMSOLL_CHECK(Node(parent_.bytes()).level() == level_ + 1 && Node(node_.bytes()).level() == level_);
    PLIMSOLL_DCHECK(Node(node_.bytes()).covers(key_) && Node(node_.bytes()).covers(separator_));
    right_ = create(0);
    map_ = trees_.space_.latch_map(pages_);
    StructureChange change(trees_.log_, credit_, payload_);
    for (auto* page : {&parent_, &node_, &right_, &map_}) change.begin(*page);
    const Node node(node_.bytes());
    const ChildRef right{pages_.first(), right_.frame()};
    write_node(right_.bytes(), part(node_.bytes(), at, node.count(), separator_, node.upper_fence()));
    keep_first(node_.bytes(), at, separator_);
    inner_insert(parent_.bytes(), separator_, right);
    PLIMSOLL_DCHECK(Node(node_.bytes()).covers(key_) != Node(right_.bytes()).covers(key_));

    char data[sizeof(std::uint32_t) + key_bytes_limit];
    change.add(node_, log::Action::keep_first, log::Writer(data).number<std::uint16_t>(at).bytes(separator_).view());
    change.add_image(right_);
    change.add(parent_, log::Action::inner_insert, log::Writer(data).number<std::uint32_t>(right.page).bytes(separator_).view());
    change.set_space(map_, pages_.first(), 1);
    change.finish();
  }

  void split_root(std::uint16_t at) {
    PLIMSOLL_CHECK(storage::page_of(node_.key()) == tree_.value && pages_.count() == 2);
    left_ = create(0);
    right_ = create(1);
    map_ = trees_.space_.latch_map(pages_);
    StructureChange change(trees_.log_, credit_, payload_);
    for (auto* page : {&node_, &left_, &right_, &map_}) change.begin(*page);
    const Node root(node_.bytes());
    const std::uint8_t level = root.level();
    PLIMSOLL_CHECK(!root.lower_fence() && !root.upper_fence() && level < level_max);
    write_node(left_.bytes(), part(node_.bytes(), 0, at, std::nullopt, separator_));
    write_node(right_.bytes(), part(node_.bytes(), at, root.count(), separator_, std::nullopt));
    format_inner(node_.bytes(), trees_.page_bytes(), static_cast<std::uint8_t>(level + 1), tree_.value,
                 {pages_.first(), left_.frame()});
    inner_insert(node_.bytes(), separator_, {pages_.first() + 1, right_.frame()});

    for (auto* page : {&node_, &left_, &right_}) change.add_image(*page);
    change.set_space(map_, pages_.first(), 2);
    change.finish();
  }

  storage::ExclusivePage create(std::uint32_t i) {
    PLIMSOLL_CHECK(frames_[i] && i < pages_.count());
    return trees_.pool_.create(std::move(frames_[i]), storage::data_page(pages_.first() + i));
  }

  Trees& trees_;
  const TreeId tree_;
  const Bytes key_;
  const std::uint8_t level_;
  const Split& wanted_;
  Bytes separator_;
  log::Credit credit_;
  std::array<storage::FreeFrame, 2> frames_;
  storage::Reservation pages_;
  storage::ExclusivePage parent_, node_, left_, right_, map_;
  char payload_[StructureChange::bytes_max(storage::page_bytes_max)];
};

// In a function of its own, so that the large buffers are off the stack when the parent is split.
[[gnu::noinline]] Result<std::optional<Bytes>> Trees::try_split(TreeId tree, Bytes key, std::uint8_t level, const Split& wanted,
                                                                char* separator) {
  for (;;) {
    Splitter splitter(*this, tree, key, level, wanted);
    PLIMSOLL_ASSIGN(const auto outcome, splitter.run(separator));
    if (outcome == Splitter::Outcome::done) return std::nullopt;
    if (outcome == Splitter::Outcome::parent_full) return splitter.separator();
  }
}

Result<void> Trees::split(TreeId tree, Bytes key, std::uint8_t level, const Split& wanted) {
  for (;;) {
    char buffer[key_bytes_limit];
    PLIMSOLL_ASSIGN(const auto separator, try_split(tree, key, level, wanted, buffer));
    if (!separator) return {};
    PLIMSOLL_TRY(split(tree, key, static_cast<std::uint8_t>(level + 1), {0, *separator, wanted.priority, wanted.deadline_ns}));
  }
}

}  // namespace plimsoll::btree
