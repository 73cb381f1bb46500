// An in-memory B-tree without transactions, versions or locks: what a point read costs when nothing but the search is paid for.
// Keys are 64-bit numbers, values live in their own allocations, as in a tree of pointers. Built once from ascending keys, then
// read by any number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "bench/limits/machine_workers.hpp"
#include "bench/workloads/data.hpp"

namespace plimsoll::bench {

class MemoryTree {
 public:
  static constexpr std::size_t fanout = 64;

  // Holds rows 0 .. rows - 1, each with a value of `value_bytes`.
  MemoryTree(std::uint64_t rows, std::size_t value_bytes) : value_bytes_(value_bytes) {
    PLIMSOLL_CHECK(rows > 0 && value_bytes >= value_bytes_min);
    build_leaves(rows);
    while (levels_.back().size() > 1) build_level_above();
  }

  // The value of a row, empty when it is absent.
  Bytes find(std::uint64_t key) const {
    const Node* node = levels_.back().front().get();
    while (!node->leaf) node = static_cast<const Node*>(node->below[upper(*node, key) - 1]);
    const std::size_t at = upper(*node, key);
    if (at == 0 || node->keys[at - 1] != key) return {};
    return {static_cast<const char*>(node->below[at - 1]), value_bytes_};
  }

 private:
  struct Node {
    std::uint32_t count = 0;
    bool leaf = true;
    std::array<std::uint64_t, fanout> keys{};  // the least key of what hangs below
    std::array<const void*, fanout> below{};   // values of a leaf, nodes otherwise
  };

  // How many keys of the node are <= key.
  static std::size_t upper(const Node& node, std::uint64_t key) {
    return static_cast<std::size_t>(std::upper_bound(node.keys.begin(), node.keys.begin() + node.count, key) - node.keys.begin());
  }

  void build_leaves(std::uint64_t rows) {
    std::vector<std::unique_ptr<Node>> leaves;
    values_.reserve(rows);
    for (std::uint64_t row = 0; row < rows; ++row) {
      if (leaves.empty() || leaves.back()->count == fanout) leaves.push_back(std::make_unique<Node>());
      values_.push_back(std::make_unique<char[]>(value_bytes_));
      fill_value(std::span(values_.back().get(), value_bytes_), row, 0);
      Node& leaf = *leaves.back();
      leaf.keys[leaf.count] = row;
      leaf.below[leaf.count++] = values_.back().get();
    }
    levels_.push_back(std::move(leaves));
  }

  void build_level_above() {
    std::vector<std::unique_ptr<Node>> nodes;
    for (const std::unique_ptr<Node>& child : levels_.back()) {
      if (nodes.empty() || nodes.back()->count == fanout) {
        nodes.push_back(std::make_unique<Node>());
        nodes.back()->leaf = false;
      }
      Node& node = *nodes.back();
      node.keys[node.count] = child->keys[0];
      node.below[node.count++] = child.get();
    }
    PLIMSOLL_CHECK(nodes.size() < levels_.back().size());
    levels_.push_back(std::move(nodes));
  }

  std::size_t value_bytes_;
  std::vector<std::unique_ptr<char[]>> values_;
  std::vector<std::vector<std::unique_ptr<Node>>> levels_;  // leaves first, the root alone in the last
};

class MemoryTreeWorker : public MachineWorker {
 public:
  MemoryTreeWorker(const MemoryTree& tree, std::uint64_t rows, std::uint64_t seed) : tree_(tree), rows_(rows), random_(seed) {}
  Result<std::uint64_t> step() {
    const Bytes value = tree_.find(random_.below(rows_));
    PLIMSOLL_CHECK(!value.empty());
    sum_ += sum_of(value);
    return 1;
  }

 private:
  const MemoryTree& tree_;
  std::uint64_t rows_;
  Random random_;
};

}  // namespace plimsoll::bench
