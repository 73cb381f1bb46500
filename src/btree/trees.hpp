// All B+-trees of a store (D3). A tree is known by its root page's number, which never moves; there is no object a tree.
// Search is optimistic (Leis et al., optimistic lock coupling): sample the child, re-check the parent; nothing shared is written.
// Structure changes latch parent, then child, then its new or right neighbour, then space maps, after all frames, pages and credits
// were taken. Full inner nodes are split on the way down, so that a change touches one parent only.
//
// Thread-safe. No call may be made with a latch held, except where said. Cost: O(log n) page visits.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <span>

#include "base/metrics.hpp"
#include "btree/change.hpp"
#include "btree/leaf.hpp"
#include "btree/search.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"
#include "storage/pool.hpp"
#include "storage/space.hpp"

namespace plimsoll::btree {

struct TreeCounts {
  std::uint64_t leaves = 0, inner_nodes = 0, records = 0, height = 0;
};

class Trees {
 public:
  Trees(storage::Pool& pool, storage::Space& space, log::Log& log, Metrics& metrics, memory::PageProvider& provider);
  ~Trees();

  // The leaf and record of a key. Restarts inside until a consistent path was seen; the answer must be validated by the caller.
  Result<LeafPosition> find(TreeId tree, Bytes key, storage::Access access = storage::Access::normal);
  // The same for up to 64 keys at once, level by level with prefetching; misses of all keys are read together.
  Result<void> find_many(TreeId tree, std::span<const Bytes> keys, std::span<LeafPosition> out);

  // Latches the leaf of `key`. With `value_bytes`, splits until a record of that size fits (memory, log and disk errors come from
  // there, before anything is changed). `priority`: revert uses the log's reserve.
  Result<LatchedLeaf> latch(TreeId tree, Bytes key);
  Result<LatchedLeaf> latch_with_room(TreeId tree, Bytes key, std::size_t value_bytes, log::Log::Priority priority,
                                      std::uint64_t deadline_ns);
  // The leaf of `key` if frame `hint` still holds page `leaf`, it covers the key and nobody has it latched; else an empty one. No
  // waiting.
  LatchedLeaf try_latch_at(storage::PageKey leaf, storage::FrameIndex hint, Bytes key);
  // The leaf if the whole path is resident and unlatched right now; else an empty one. No I/O.
  LatchedLeaf try_latch_resident(TreeId tree, Bytes key);

  // Copies the leaf that covers `key` (no key: the first leaf), or, `before`, the one that holds the keys right below `key` (no
  // key: the last leaf). The buffer has page_bytes bytes. Access::scan reads ahead: the next leaves in that direction are loaded in
  // one batch.
  Result<LeafCopy> copy_leaf(TreeId tree, std::optional<Bytes> key, bool before, char* buffer, storage::Access access);

  // Tries to merge the leaf of `key` with a neighbour under the same parent; true if it did. A root with one child takes its
  // content.
  Result<bool> merge(TreeId tree, Bytes key, std::uint64_t deadline_ns);

  // A new, empty tree: formats the root on a page of the caller's structure change (its reservation and frame taken before).
  static void format_root(char* page, std::uint32_t page_bytes);
  // Frees every page of the tree except its root, one structure change at a time, restartable after a crash at any point;
  // afterwards the root is an empty leaf. Nobody else may use the tree. between() is called before each: the log may need room.
  Result<void> free_pages(TreeId tree, const std::function<Result<void>()>& between);

  // Structural check: order, fences, levels, prefixes, heads, page kinds and checksums, reachable pages. Reports through
  // `problem(page, what)`; visits `page(number)` for each page (false: called off, transaction_aborted) and `record(key,
  // record view)` for each record (either may be empty). Writers may go on; nobody may merge or free nodes.
  // `half_freed`: free_pages() may have cut off the end of the tree.
  Result<TreeCounts> check(TreeId tree, const std::function<void(std::uint32_t, std::string_view)>& problem,
                           const std::function<bool(std::uint32_t)>& page,
                           const std::function<void(Bytes, const RecordView&)>& record, bool half_freed = false);

  storage::Pool& pool() const { return pool_; }
  std::uint32_t page_bytes() const { return pool_.page_bytes(); }

 private:
  // What a descent looks for: the node of `level` that covers the key, or (side below) holds what lies right below it. No key: the
  // first (last).
  struct Target {
    std::optional<Bytes> key;
    Side side = Side::at;
    std::uint8_t level = 0;
    storage::Access access = storage::Access::normal;
  };
  // A node and how it was reached; the parent was valid after the node had been sampled.
  struct Place {
    storage::OptimisticPage node, parent;  // no parent (bytes null): the node is the root
    std::uint16_t slot = 0;                // in the parent
    std::uint8_t level = 0;                // below the target's only where the tree is lower than that
    bool is_root() const { return parent.bytes == nullptr; }
  };
  struct Split;    // what a split is for: split.hpp
  class Splitter;  // split.cpp
  class Merger;    // merge.cpp
  class Batch;     // find_many.cpp
  class Walk;      // check.cpp

  // descend.cpp. Result<bool>: false means that the tree changed meanwhile: start again.
  Result<storage::OptimisticPage> sample_root(TreeId tree);
  Result<bool> sample_child(const Place& place, const Target& target, storage::OptimisticPage& child, std::uint16_t& slot);
  Result<bool> try_descend(TreeId tree, const Target& target, Place& place);
  Result<Place> descend(TreeId tree, const Target& target);
  bool read_ahead(const storage::OptimisticPage& parent, std::uint16_t slot, Side direction);
  void fix_hint(const storage::OptimisticPage& parent, std::uint16_t slot, storage::FrameIndex frame);

  // split.cpp, merge.cpp, free_pages.cpp
  // `separator` is set if the parent has no room for it.
  Result<void> split(TreeId tree, Bytes key, std::uint8_t level, const Split& wanted);
  Result<std::optional<Bytes>> try_split(TreeId tree, Bytes key, std::uint8_t level, const Split& wanted, char* separator);
  Result<bool> free_last_branch(TreeId tree);
  void cut_branch(StructureChange& change, storage::ExclusivePage& holder);

  std::atomic<storage::FrameIndex>& root_hint(TreeId tree) { return root_hints_[tree.value % root_hints_.size()]; }

  storage::Pool& pool_;
  storage::Space& space_;
  log::Log& log_;
  Metrics& metrics_;
  memory::PageProvider& provider_;
  std::array<std::atomic<storage::FrameIndex>, 256> root_hints_;  // like the hints beside child page numbers, by tree
};

}  // namespace plimsoll::btree
