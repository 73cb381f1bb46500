// Finding a key in a node. Safe on bytes that change meanwhile: every offset is checked against the page before it is followed;
// what comes out is then merely wrong, and the page's validation says so. Keys are compared by 4-byte heads, 16 at a time; 16
// sampled heads in the page's second cache line say which block of heads to count.
#pragma once

#include <cstdint>

#include "btree/leaf.hpp"
#include "btree/node.hpp"

namespace plimsoll::btree {

// Where the key is in a leaf, or would be.
struct LeafPlace {
  std::uint16_t slot = 0;
  bool found = false;
  RecordView record{};
};
LeafPlace search_leaf(const char* node, std::uint32_t page_bytes, Bytes key);

// The entry of an inner node whose child covers the key, or (below) holds the keys right below it.
enum class Side : std::uint8_t { at, below };
std::uint16_t search_inner(const char* node, std::uint32_t page_bytes, Bytes key, Side side = Side::at);

// The child of an entry; page 0 (never a node) unless the entry exists.
ChildRef child_of(const char* node, std::uint32_t page_bytes, std::uint16_t slot);

// The two halves of search_leaf, for callers that work on many keys at once: which entry may hold the key, judged by heads alone
// (slot == count: none), and afterwards the full comparison.
std::uint16_t leaf_candidate(const char* node, std::uint32_t page_bytes, Bytes key);

// The record at a heap offset, null unless it lies within the page.
RecordView record_view(const char* node, std::uint32_t page_bytes, std::uint16_t offset);
// The heap offset of a slot, 0 unless the slot exists.
std::uint16_t record_offset(const char* node, std::uint32_t page_bytes, std::uint16_t slot);

// The first bytes of a key after the prefix, as they are kept in heads.
std::uint32_t head_of(Bytes suffix);

// What a descent needs first of a child: its header and hints, and of a leaf the slot area.
inline void prefetch_node(const char* node, bool leaf) {
  constexpr std::size_t leaf_bytes = 512;  // header, hints and the arrays of 64 records
  const std::size_t bytes = leaf ? leaf_bytes : node_at::heads;
  for (std::size_t i = 0; i < bytes; i += 64) prefetch(node + i);
}
// A record of ordinary size.
inline void prefetch_record(const char* record) {
  prefetch(record);
  prefetch(record + 64);
  prefetch(record + 128);
}

}  // namespace plimsoll::btree
