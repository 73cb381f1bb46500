// The structural check of a tree: a walk over private copies of its pages, one buffer a level, charged to the budget.
#include <algorithm>

#include "base/fail.hpp"
#include "btree/node_check.hpp"
#include "btree/read_latch.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

class Trees::Walk {
 public:
  using Problem = std::function<void(std::uint32_t, std::string_view)>;
  using Page = std::function<void(std::uint32_t)>;
  using Visit = std::function<void(Bytes, const RecordView&)>;

  Walk(Trees& trees, TreeId tree, const Problem& problem, const Page& page, const Visit& record)
      : trees_(trees), tree_(tree), problem_(problem), page_(page), record_(record) {}

  Result<TreeCounts> run() {
    PLIMSOLL_TRY(visit(tree_.value, {}, {}, std::nullopt));
    return counts_;
  }

 private:
  void problem(std::uint32_t page, std::string_view what) const {
    if (problem_) problem_(page, what);
  }

  // The subtree of a page that its parent says to be of this level and to cover [lower, upper).
  Result<void> visit(std::uint32_t page, std::optional<Bytes> lower, std::optional<Bytes> upper,
                     std::optional<std::uint8_t> level) {
    if (page_) page_(page);
    // The root's buffer is the last: levels below need not be known to tell them apart.
    memory::Mapping& buffer = buffers_[level ? *level : buffers_.size() - 1];
    if (!buffer) { PLIMSOLL_ASSIGN(buffer, trees_.provider_.map(memory::Account::io_buffers, trees_.page_bytes())); }
    const Result<void> copied = copy(page, buffer.data());
    if (!copied && copied.error().code() == ErrorCode::corruption) {
      problem(page, copied.error().details());
      return {};
    }
    PLIMSOLL_TRY(copied);
    const Node node(buffer.data());
    if (level && node.level() != *level) {
      problem(page, "its level is not one below its parent's");
      return {};
    }
    if (!check_node(buffer.data(), trees_.page_bytes(), [&](std::string_view what) { problem(page, what); })) return {};
    if (node.tree() != tree_.value) problem(page, "it belongs to another tree");
    if (node.lower_fence() != lower) problem(page, "its lower fence is not what its parent says");
    if (node.upper_fence() != upper) problem(page, "its upper fence is not what its parent says");
    if (!level) counts_.height = node.level() + 1u;
    return node.leaf() ? visit_records(node) : visit_children(node);
  }

  Result<void> visit_records(const Node& node) {
    ++counts_.leaves;
    counts_.records += node.count();
    if (!record_) return {};
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; i < node.count(); ++i) record_(node.key(i, key), record_at(node.bytes(), i));
    return {};
  }

  Result<void> visit_children(const Node& node) {
    ++counts_.inner_nodes;
    for (std::uint16_t i = 0; i < node.count(); ++i) {
      char from[key_bytes_limit], to[key_bytes_limit];
      const std::optional<Bytes> lower = i == 0 ? node.lower_fence() : node.key(i, from);
      const std::optional<Bytes> upper = i + 1 == node.count() ? node.upper_fence() : node.key(i + 1u, to);
      PLIMSOLL_TRY(visit(node.child(i), lower, upper, static_cast<std::uint8_t>(node.level() - 1)));
    }
    return {};
  }

  Result<void> copy(std::uint32_t page, char* to) {
    for (Backoff backoff;; backoff.pause()) {
      storage::OptimisticPage sampled;
      PLIMSOLL_ASSIGN(sampled, trees_.pool_.read(storage::data_page(page), storage::Access::scan));
      {
        const ReadLatch latch(trees_.pool_, sampled);
        if (!latch) continue;
        page_read(to + storage::at::key, sampled.bytes + storage::at::key, trees_.page_bytes() - storage::at::key);
      }
      if (sampled.still_valid()) return {};
    }
  }

  Trees& trees_;
  const TreeId tree_;
  const Problem& problem_;
  const Page& page_;
  const Visit& record_;
  TreeCounts counts_;
  std::array<memory::Mapping, level_max + 1> buffers_;  // by level
};

Result<TreeCounts> Trees::check(TreeId tree, const std::function<void(std::uint32_t, std::string_view)>& problem,
                                const std::function<void(std::uint32_t)>& page,
                                const std::function<void(Bytes, const RecordView&)>& record) {
  return Walk(*this, tree, problem, page, record).run();
}

}  // namespace plimsoll::btree
