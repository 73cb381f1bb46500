// The rule at the head of node.hpp, as code.
#include "btree/node_check.hpp"

#include <algorithm>

#include "btree/node.hpp"
#include "btree/node_update.hpp"
#include "btree/search.hpp"

namespace plimsoll::btree {

namespace {

class NodeCheck {
 public:
  NodeCheck(const char* node, std::uint32_t page_bytes, const std::function<void(std::string_view)>& problem)
      : node_(node), page_bytes_(page_bytes), report_(problem) {}

  bool run() {
    check_layout();
    if (!problem_) check_heap_references();
    if (problem_) return false;
    check_keys();
    check_heads();
    return true;
  }

 private:
  void problem(std::string_view what) {
    problem_ = true;
    report_(what);
  }
  bool in_heap(std::size_t offset, std::size_t bytes) const {
    return offset >= node_.heap_begin() && offset + bytes <= page_bytes_;
  }
  std::size_t aligned(std::size_t bytes) const { return node_.leaf() ? round_up_8(bytes) : bytes; }

  void check_layout() {
    const std::size_t distance = page_load<std::uint16_t>(node_.bytes() + node_at::hint_distance);
    if (storage::kind_of(node_.bytes()) != storage::PageKind::node) problem("it is not a node");
    if (node_.level() > level_max) problem("its level is impossible");
    if (node_.page_bytes() != page_bytes_) problem("it was written for another page size");
    if (node_.capacity() == 0 || node_.capacity() % heads_a_block != 0) problem("its capacity is not a multiple of 16");
    if (node_.count() > node_.capacity()) problem("its count exceeds its capacity");
    if (!node_.leaf() && node_.count() == 0) problem("it is an inner node without children");
    if (node_.arrays_end() > node_.heap_begin()) problem("its arrays and its heap overlap");
    if (node_.heap_begin() > page_bytes_ || node_.dead() > page_bytes_ - std::min<std::size_t>(node_.heap_begin(), page_bytes_)) {
      problem("its heap exceeds the page");
    }
    if (distance % heads_a_block != 0 || distance * hints < node_.capacity()) problem("its hints do not cover its heads");
    if (node_.prefix_bytes() > key_bytes_limit) problem("its prefix is too long");
  }

  void check_heap_references() {
    std::size_t live = 0;
    const auto take = [&](std::size_t at, std::size_t size_at, std::string_view what) {
      const std::size_t offset = load(at), bytes = load(size_at);
      if (!in_heap(offset, aligned(bytes))) problem(what);
      live += aligned(bytes);
    };
    if (load(node_at::lower_bytes) != no_fence)
      take(node_at::lower, node_at::lower_bytes, "its lower fence lies outside of the heap");
    if (load(node_at::upper_bytes) != no_fence)
      take(node_at::upper, node_at::upper_bytes, "its upper fence lies outside of the heap");
    if (node_.prefix_bytes() > prefix_word_bytes)
      take(node_at::prefix, node_at::prefix_bytes, "its prefix lies outside of the heap");
    for (std::uint16_t i = 0; i < node_.count(); ++i) {
      if (node_.leaf()) {
        const RecordView record = record_view(node_.bytes(), page_bytes_, node_.offset(i));
        if (!record || !in_heap(node_.offset(i), heap_bytes_of(record))) {
          problem("a record lies outside of the heap");
        } else if (node_.prefix_bytes() + load(node_.offset(i) + 16u) > key_bytes_limit) {
          problem("a key is too long");
        }
        live += heap_bytes_of(record);
      } else if (node_.suffix_bytes(i) > head_bytes) {
        take(node_.suffix_at(i), node_.suffix_at(i) + 2, "a separator lies outside of the heap");
        if (std::size_t{node_.prefix_bytes()} + node_.suffix_bytes(i) > key_bytes_limit) problem("a separator is too long");
      }
    }
    if (!problem_ && live != node_.live_bytes()) problem("live and dead bytes do not add up to the heap");
  }

  void check_keys() {
    const auto lower = node_.lower_fence(), upper = node_.upper_fence();
    if (lower && upper && *lower >= *upper) problem("its fences are in the wrong order");
    char buffers[2][key_bytes_limit];
    Bytes previous;
    const std::uint16_t first = node_.leaf() ? 0 : 1;
    for (std::uint16_t i = first; i < node_.count(); ++i) {
      const Bytes key = node_.key(i, buffers[i % 2]);
      if (i > first && previous >= key) problem("its keys are not in order");
      if (lower && (node_.leaf() ? key < *lower : key <= *lower)) problem("a key lies below the lower fence");
      if (upper && key >= *upper) problem("a key lies above the upper fence");
      previous = key;
    }
    if (!node_.leaf() && (node_.suffix_bytes(0) != 0 || node_.head(0) != 0)) problem("its first child has a separator");
    if (!node_.leaf()) check_children();
  }

  void check_children() {
    for (std::uint16_t i = 0; i < node_.count(); ++i) {
      if (node_.child(i) == 0) problem("a child has no page number");
      for (std::uint16_t j = 0; j < i; ++j) {
        if (node_.child(i) == node_.child(j)) problem("a child appears twice");
      }
    }
  }

  void check_heads() {
    std::array<char, head_bytes> buffer;
    for (std::uint16_t i = node_.leaf() ? 0 : 1; i < node_.count(); ++i) {
      if (node_.head(i) != head_of(node_.suffix(i, buffer))) problem("a head differs from its key");
    }
    for (std::uint16_t i = node_.count(); i < node_.capacity(); ++i) {
      if (node_.head(i) != no_head) problem("a head beyond the last key is not empty");
    }
    const std::size_t distance = load(node_at::hint_distance);
    for (std::size_t i = 0; i < hints; ++i) {
      const std::size_t last = (i + 1) * distance - 1;
      const auto expected = last < node_.capacity() ? node_.head(last) : no_head;
      if (page_load<std::uint32_t>(node_.bytes() + node_at::hints + 4 * i) != expected) problem("a hint differs from its head");
    }
    check_prefix_word();
  }

  void check_prefix_word() {
    std::array<char, prefix_word_bytes> buffer;
    std::uint64_t word = 0;
    for (const char c : node_.prefix(buffer).substr(0, prefix_word_bytes)) word = word << 8 | static_cast<unsigned char>(c);
    if (word != page_load<std::uint64_t>(node_.bytes() + node_at::prefix_word)) problem("its prefix word differs from its prefix");
  }

  std::uint16_t load(std::size_t at) const { return page_load<std::uint16_t>(node_.bytes() + at); }

  Node node_;
  std::uint32_t page_bytes_;
  const std::function<void(std::string_view)>& report_;
  bool problem_ = false;
};

}  // namespace

bool check_node(const char* node, std::uint32_t page_bytes, const std::function<void(std::string_view)>& problem) {
  return NodeCheck(node, page_bytes, problem).run();
}

}  // namespace plimsoll::btree
