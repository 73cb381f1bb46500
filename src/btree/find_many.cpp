// Many keys at once: all go down level by level, so that the cache misses (and the page misses) of a level overlap. A key whose
// path changes on the way is looked up by itself at the end.
#include <algorithm>

#include "btree/node.hpp"
#include "btree/read_latch.hpp"
#include "btree/search.hpp"
#include "btree/trees.hpp"

namespace plimsoll::btree {

// The keys of one group and where each of them is.
class Trees::Batch {
 public:
  static constexpr std::size_t keys_max = 64;

  Batch(Trees& trees, TreeId tree, std::span<const Bytes> keys, std::span<LeafPosition> out)
      : trees_(trees), tree_(tree), keys_(keys), out_(out) {}

  Result<void> run() {
    storage::OptimisticPage root;
    PLIMSOLL_ASSIGN(root, trees_.sample_root(tree_));
    PLIMSOLL_DCHECK(keys_.size() <= keys_max && keys_.size() == out_.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) probes_[i].node = root;
    for (bool walking = true; walking;) {
      walking = choose_children();
      if (walking) { PLIMSOLL_TRY(enter_children()); }
    }
    return search_leaves();
  }

 private:
  enum class State : std::uint8_t { walking, in_leaf, lost };
  struct Probe {
    storage::OptimisticPage node, child;
    ChildRef ref;
    std::uint16_t slot = 0;
    std::uint8_t level = level_max + 1;
    State state = State::walking;
    bool missing = false;
  };

  // False: no key is on the way any more.
  bool choose_children() {
    bool walking = false;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      Probe& probe = probes_[i];
      if (probe.state != State::walking) continue;
      const ReadLatch latch(trees_.pool_, probe.node);
      const std::uint8_t level = latch ? Node(probe.node.bytes).level() : probe.level;
      if (level >= probe.level) {
        probe.state = State::lost;
      } else if (level == 0) {
        probe.state = State::in_leaf;
      } else {
        probe.level = level;
        probe.slot = search_inner(probe.node.bytes, trees_.page_bytes(), keys_[i]);
        probe.ref = child_of(probe.node.bytes, trees_.page_bytes(), probe.slot);
        if (probe.ref.hint < trees_.pool_.frames()) prefetch_node(trees_.pool_.frame_bytes(probe.ref.hint), level == 1);
        walking = true;
      }
    }
    return walking;
  }

  Result<void> enter_children() {
    std::array<storage::PageKey, keys_max> missing;
    std::size_t count = 0;
    for (Probe& probe : std::span(probes_.data(), keys_.size())) {
      if (probe.state != State::walking) continue;
      const storage::PageKey key = storage::data_page(probe.ref.page);
      perturb(Window::sampled);
      probe.missing = !trees_.pool_.try_frame(key, probe.ref.hint, probe.child);
      if (!probe.node.still_valid()) {
        probe.state = State::lost;
      } else if (!probe.missing) {
        probe.node = probe.child;
      } else if (std::find(missing.begin(), missing.begin() + count, key) == missing.begin() + count) {
        missing[count++] = key;
      }
    }
    return count > 0 ? read_missing({missing.data(), count}) : Result<void>{};
  }

  Result<void> read_missing(std::span<const storage::PageKey> pages) {
    if (pages.size() > 1) trees_.pool_.prefetch(pages, storage::Access::normal);
    for (Probe& probe : std::span(probes_.data(), keys_.size())) {
      if (probe.state != State::walking || !probe.missing) continue;
      auto read = trees_.pool_.read(storage::data_page(probe.ref.page));
      if (!probe.node.still_valid()) {
        probe.state = State::lost;
        continue;
      }
      if (!read) return std::unexpected(read.error());
      if (read->frame != probe.ref.hint) trees_.fix_hint(probe.node, probe.slot, read->frame);
      probe.node = *read;
    }
    return {};
  }

  Result<void> search_leaves() {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const Probe& probe = probes_[i];
      if (probe.state != State::in_leaf) continue;
      const ReadLatch latch(trees_.pool_, probe.node);
      if (!latch) continue;
      const std::uint16_t slot = leaf_candidate(probe.node.bytes, trees_.page_bytes(), keys_[i]);
      prefetch_record(probe.node.bytes + record_offset(probe.node.bytes, trees_.page_bytes(), slot));
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const Probe& probe = probes_[i];
      PLIMSOLL_DCHECK(probe.state != State::walking);
      const ReadLatch latch(trees_.pool_, probe.node);
      if (probe.state == State::in_leaf && latch) {
        out_[i] = {probe.node, search_leaf(probe.node.bytes, trees_.page_bytes(), keys_[i]).record};
      } else {
        probes_[i].state = State::lost;
      }
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (probes_[i].state != State::lost) continue;
      PLIMSOLL_ASSIGN(out_[i], trees_.find(tree_, keys_[i]));
    }
    return {};
  }

  Trees& trees_;
  const TreeId tree_;
  std::span<const Bytes> keys_;
  std::span<LeafPosition> out_;
  std::array<Probe, keys_max> probes_{};
};

Result<void> Trees::find_many(TreeId tree, std::span<const Bytes> keys, std::span<LeafPosition> out) {
  PLIMSOLL_CHECK(keys.size() == out.size());
  for (std::size_t begin = 0; begin < keys.size(); begin += Batch::keys_max) {
    const std::size_t count = std::min(Batch::keys_max, keys.size() - begin);
    PLIMSOLL_TRY(Batch(*this, tree, keys.subspan(begin, count), out.subspan(begin, count)).run());
  }
  return {};
}

}  // namespace plimsoll::btree
