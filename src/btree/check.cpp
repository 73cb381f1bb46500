// The structural check of a tree: from leaf to leaf by their fences, each time down from the root over private copies, one buffer a
// level, charged to the budget. A child is compared with what its parent says of it while the parent is known to be unchanged, so
// that nothing is wrong only because somebody writes meanwhile.
#include <algorithm>
#include <array>

#include "base/fail.hpp"
#include "btree/node_check.hpp"
#include "btree/read_latch.hpp"
#include "btree/search.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

namespace {

// The end of a range of keys; none: there is none.
class Bound {
 public:
  void set(std::optional<Bytes> key) {
    some_ = key.has_value();
    bytes_ = some_ ? key->copy(key_.data(), key_.size()) : 0;
  }
  std::optional<Bytes> get() const { return some_ ? std::optional(Bytes(key_.data(), bytes_)) : std::nullopt; }

 private:
  std::array<char, key_bytes_limit> key_;
  std::size_t bytes_ = 0;
  bool some_ = false;
};

}  // namespace

class Trees::Walk {
 public:
  using Problem = std::function<void(std::uint32_t, std::string_view)>;
  using Page = std::function<bool(std::uint32_t)>;
  using Visit = std::function<void(Bytes, const RecordView&)>;

  Walk(Trees& trees, TreeId tree, bool half_freed, const Problem& problem, const Page& page, const Visit& record)
      : trees_(trees), tree_(tree), half_freed_(half_freed), problem_(problem), page_(page), record_(record) {}

  Result<TreeCounts> run() {
    for (Backoff backoff;;) {
      PLIMSOLL_ASSIGN(const bool visited, visit_leaf());
      if (!visited) {
        backoff.pause();
        continue;
      }
      if (!upper_.get()) return counts_;
      at_.set(upper_.get());
      met_count_ = 0;
    }
  }

 private:
  void problem(std::uint32_t page, std::string_view what) const {
    if (problem_) problem_(page, what);
  }

  // From the root to the leaf that begins at at_; upper_ becomes its end, or that of the subtree that cannot be looked into. Inner
  // nodes are looked at on the way to their first leaf. False: the tree changed meanwhile.
  Result<bool> visit_leaf() {
    lower_.set(std::nullopt);
    upper_.set(std::nullopt);
    std::uint32_t page = tree_.value;
    storage::OptimisticPage parent;
    std::optional<std::uint8_t> level;  // of the parent
    for (std::size_t depth = 0;; ++depth) {
      if (!buffers_[depth]) {
        PLIMSOLL_ASSIGN(buffers_[depth], trees_.provider_.map(memory::Account::io_buffers, trees_.page_bytes()));
      }
      char* const copied = buffers_[depth].data();
      const Result<storage::OptimisticPage> sampled = copy(page, copied);
      if (parent.bytes != nullptr && !parent.still_valid()) return false;
      if (!sampled && sampled.error().code() != ErrorCode::corruption) return std::unexpected(sampled.error());
      if (sampled && sampled->bytes == nullptr) return false;
      const bool first = lower_.get() == at_.get() && met(page);
      if (first && page_ && !page_(page)) return fail(ErrorCode::transaction_aborted, "the check was called off");
      if (!sampled) {
        problem(page, sampled.error().details());
        return true;
      }
      const Node node(copied);
      if (first && !sound(page, node, level)) return true;
      if (node.level() > level_max || depth == level_max || (level && node.level() + 1 != *level)) return true;  // was said
      if (node.leaf()) {
        visit_records(node);
        return true;
      }
      if (node.count() == 0) return true;  // was said
      page = choose_child(node);
      parent = *sampled;
      level = node.level();
    }
  }

  // Whether this is the first time since the last leaf: a descent may have to begin again.
  bool met(std::uint32_t page) {
    const auto end = met_.begin() + static_cast<std::ptrdiff_t>(met_count_);
    if (std::find(met_.begin(), end, page) != end) return false;
    if (met_count_ < met_.size()) met_[met_count_++] = page;
    return true;
  }

  // What a node is by itself, and what its parent says of it. False: it cannot be looked into.
  bool sound(std::uint32_t page, const Node& node, std::optional<std::uint8_t> parents_level) {
    if (parents_level && node.level() + 1 != *parents_level) {
      problem(page, "its level is not one below its parent's");
      return false;
    }
    if (!check_node(node.bytes(), trees_.page_bytes(), [&](std::string_view what) { problem(page, what); })) return false;
    if (node.tree() != tree_.value) problem(page, "it belongs to another tree");
    if (node.lower_fence() != lower_.get()) problem(page, "its lower fence is not what its parent says");
    const bool cut_off = half_freed_ && !upper_.get();  // what lay behind its fence
    if (!cut_off && node.upper_fence() != upper_.get()) problem(page, "its upper fence is not what its parent says");
    if (!parents_level) counts_.height = node.level() + 1u;
    ++(node.leaf() ? counts_.leaves : counts_.inner_nodes);
    return true;
  }

  void visit_records(const Node& node) {
    counts_.records += node.count();
    if (!record_) return;
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; i < node.count(); ++i) record_(node.key(i, key), record_at(node.bytes(), i));
  }

  // The child that covers at_, and its range.
  std::uint32_t choose_child(const Node& node) {
    const auto at = at_.get();
    const std::uint16_t slot = at ? search_inner(node.bytes(), trees_.page_bytes(), *at) : std::uint16_t{0};
    char key[key_bytes_limit];
    if (slot != 0) lower_.set(node.key(slot, key));
    if (slot + 1 < node.count()) upper_.set(node.key(slot + 1u, key));
    return node.child(slot);
  }

  // An empty page: somebody changed it meanwhile.
  Result<storage::OptimisticPage> copy(std::uint32_t page, char* to) {
    PLIMSOLL_ASSIGN(const storage::OptimisticPage sampled, trees_.pool_.read(storage::data_page(page), storage::Access::scan));
    {
      const ReadLatch latch(trees_.pool_, sampled);
      if (!latch) return storage::OptimisticPage{};
      page_read(to + storage::at::key, sampled.bytes + storage::at::key, trees_.page_bytes() - storage::at::key);
    }
    return sampled.still_valid() ? sampled : storage::OptimisticPage{};
  }

  Trees& trees_;
  const TreeId tree_;
  const bool half_freed_;
  const Problem& problem_;
  const Page& page_;
  const Visit& record_;
  TreeCounts counts_;
  Bound at_, lower_, upper_;
  std::array<std::uint32_t, 2 * (level_max + 1)> met_{};  // nodes that begin at at_
  std::size_t met_count_ = 0;
  std::array<memory::Mapping, level_max + 1> buffers_;  // by depth
};

Result<TreeCounts> Trees::check(TreeId tree, const std::function<void(std::uint32_t, std::string_view)>& problem,
                                const std::function<bool(std::uint32_t)>& page,
                                const std::function<void(Bytes, const RecordView&)>& record, bool half_freed) {
  return Walk(*this, tree, half_freed, problem, page, record).run();
}

}  // namespace plimsoll::btree
