// The bytes of a node (docs/file-format-nodes.md has the same as a table). Accessors only: they own nothing and change nothing.
//
//   0   common page header (storage/page.hpp), 32 bytes; level 0 is a leaf
//   32  u64 prefix word: the first min(7, prefix_bytes) bytes of the shared prefix as a big-endian number
//   40  u16 count | 42 u16 capacity (a multiple of 16) | 44 u16 heap_begin | 46 u16 dead heap bytes | 48 u16 prefix_bytes
//   50  u16 lower fence offset | 52 u16 its bytes | 54 u16 upper fence offset | 56 u16 its bytes (0xFFFF: infinite)
//   58  u16 hint distance (a multiple of 16) | 60 u16 prefix offset (prefixes over 7 bytes) | 62 u8 log2(page bytes) | 63 u8 zero
//   64  16 x u32 hints: hint i is head number (i + 1) * distance - 1
//   128 u32 heads[capacity]: the first 4 bytes of the key without the prefix, big-endian value, zero-padded; 0xFFFFFFFF beyond
//   count then, leaf:  u16 record offset[capacity] then, inner: {u32 page, u32 frame hint}[capacity], {u16 suffix offset, u16
//   suffix bytes}[capacity] (up to 4 bytes: the head has them) heap, growing down from the end: records (btree/leaf.hpp), suffixes,
//   fences, the prefix; in leaves all sizes are multiples of 8
//
// A node is valid if and only if: arrays end at or below heap_begin; keys ascend strictly; every key lies within the fences and
// begins with the prefix; heads and hints are what the keys say; entry 0 of an inner node has no key (it takes all below key 1);
// live heap bytes and dead ones add up to the heap. An inner node has at least one entry. check_node() tests just this.
//
// Who may read: a latch holder and the owner of a private copy anything; optimistic readers only through Shape and the functions of
// search.hpp, which check bounds before they follow an offset.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/check.hpp"
#include "base/optimistic.hpp"
#include "btree/leaf.hpp"
#include "storage/page.hpp"

namespace plimsoll::btree {

namespace node_at {
inline constexpr std::size_t prefix_word = 32, count = 40, capacity = 42, heap_begin = 44, dead = 46, prefix_bytes = 48, lower = 50,
                             lower_bytes = 52, upper = 54, upper_bytes = 56, hint_distance = 58, prefix = 60, page_shift = 62,
                             hints = 64, heads = 128;
}
inline constexpr std::uint16_t no_fence = 0xFFFF;
inline constexpr std::uint32_t no_head = 0xFFFFFFFF;
inline constexpr std::size_t hints = 16, heads_a_block = 16, prefix_word_bytes = 7, head_bytes = 4;
inline constexpr std::size_t leaf_slot_bytes = 4 + 2, inner_slot_bytes = 4 + 8 + 4;
inline constexpr std::size_t key_bytes_limit = 1024;
inline constexpr std::uint8_t level_max =
    16;  // 2^32 pages hold fewer levels: an inner node is split only when it has four children

static_assert(node_at::prefix_word == storage::page_header_bytes);
static_assert(node_at::hints + hints * 4 == node_at::heads && node_at::heads % 64 == 0);
static_assert(storage::page_bytes_max <= 32768, "offsets, and heap_begin of an empty page, are 16 bits");
static_assert(key_bytes_max(storage::page_bytes_max) <= key_bytes_limit && key_bytes_limit < no_fence);
// Two fences, a prefix, one record and one more always fit, so splitting leads to room: see split.cpp.
static_assert(node_at::heads + heads_a_block * leaf_slot_bytes + 3 * (key_bytes_max(4096) + 8) + 2 * record_bytes_max(4096) <=
              4096);
static_assert(node_at::heads + heads_a_block * inner_slot_bytes + 2 * key_bytes_max(4096) + 4 * key_bytes_max(4096) <= 4096);

constexpr std::size_t round_up_8(std::size_t n) { return (n + 7) & ~std::size_t{7}; }
constexpr std::size_t round_up_16(std::size_t n) { return (n + 15) & ~std::size_t{15}; }

struct ChildRef {
  std::uint32_t page = 0;
  storage::FrameIndex hint = storage::no_frame;
};
static_assert(sizeof(ChildRef) == 8);

// Plain loads of header fields and arrays. The index must be below capacity; optimistic readers check that by Shape.
class Node {
 public:
  explicit Node(const char* bytes) : at_(bytes) {}

  const char* bytes() const { return at_; }
  std::uint32_t page_bytes() const { return 1u << (page_load<std::uint8_t>(at_ + node_at::page_shift) & 15); }
  std::uint8_t level() const { return page_load<std::uint8_t>(at_ + storage::at::level); }
  bool leaf() const { return level() == 0; }
  std::uint32_t tree() const { return page_load<std::uint32_t>(at_ + storage::at::tree); }
  std::uint16_t count() const { return u16(node_at::count); }
  std::uint16_t capacity() const { return u16(node_at::capacity); }
  std::uint16_t heap_begin() const { return u16(node_at::heap_begin); }
  std::uint16_t dead() const { return u16(node_at::dead); }
  std::uint16_t prefix_bytes() const { return u16(node_at::prefix_bytes); }
  std::size_t slot_bytes() const { return leaf() ? leaf_slot_bytes : inner_slot_bytes; }
  std::size_t arrays_end() const { return node_at::heads + slot_bytes() * capacity(); }
  std::size_t live_bytes() const { return page_bytes() - heap_begin() - dead(); }  // of the heap
  // What the node takes when it is compacted with as few slots as possible.
  std::size_t used_bytes() const { return node_at::heads + slot_bytes() * round_up_16(count()) + live_bytes(); }

  std::uint32_t head(std::size_t i) const { return page_load<std::uint32_t>(at_ + head_at(i)); }
  static constexpr std::size_t head_at(std::size_t i) { return node_at::heads + 4 * i; }

  std::size_t offset_at(std::size_t i) const { return node_at::heads + 4u * capacity() + 2 * i; }
  std::uint16_t offset(std::size_t i) const {
    PLIMSOLL_DCHECK(leaf() && i < capacity());
    return u16(offset_at(i));
  }

  std::size_t child_at(std::size_t i) const { return node_at::heads + 4u * capacity() + 8 * i; }
  std::uint32_t child(std::size_t i) const {
    PLIMSOLL_DCHECK(!leaf() && i < capacity());
    return page_load<std::uint32_t>(at_ + child_at(i));
  }
  storage::FrameIndex child_hint(std::size_t i) const { return hint_ref(at_ + child_at(i)).load(std::memory_order_relaxed); }
  ChildRef child_ref(std::size_t i) const { return {child(i), child_hint(i)}; }
  static std::atomic_ref<std::uint32_t> hint_ref(const char* child) {
    return std::atomic_ref(
        *reinterpret_cast<std::uint32_t*>(const_cast<char*>(child) + 4));  // aligned: capacity is a multiple of 16
  }
  // The one store to a node that is no change: not logged, not announced to readers. The caller has the node latched.
  static void store_child_hint(char* node, std::size_t i, storage::FrameIndex frame) {
    PLIMSOLL_DCHECK(!Node(node).leaf() && i < Node(node).capacity());
    hint_ref(node + Node(node).child_at(i)).store(frame, std::memory_order_relaxed);
  }

  std::size_t suffix_at(std::size_t i) const { return node_at::heads + 12u * capacity() + 4 * i; }
  std::uint16_t suffix_offset(std::size_t i) const { return u16(suffix_at(i)); }
  std::uint16_t suffix_bytes(std::size_t i) const { return u16(suffix_at(i) + 2); }

  // For latch holders and private copies.
  std::optional<Bytes> lower_fence() const { return fence(node_at::lower); }
  std::optional<Bytes> upper_fence() const { return fence(node_at::upper); }
  bool covers(Bytes key) const;
  Bytes prefix(std::array<char, prefix_word_bytes>& buffer) const;  // into the buffer, or into the node
  // Key number i without the prefix: into the node, or (short ones of inner nodes) into the buffer.
  Bytes suffix(std::size_t i, std::array<char, head_bytes>& buffer) const;
  Bytes key(std::size_t i, char* buffer) const;  // whole, in the buffer of key_bytes_limit bytes

 private:
  std::uint16_t u16(std::size_t offset) const { return page_load<std::uint16_t>(at_ + offset); }
  std::optional<Bytes> fence(std::size_t at) const {
    const std::uint16_t size = u16(at + 2);
    if (size == no_fence) return std::nullopt;
    PLIMSOLL_DCHECK(u16(at) >= heap_begin() && u16(at) + size <= page_bytes());
    return Bytes(at_ + u16(at), size);
  }

  const char* at_;
};

// The numbers that bound all others, loaded once and made harmless: a torn header yields an empty node.
struct Shape {
  std::uint16_t count = 0, capacity = 0, distance = heads_a_block;

  static Shape of(const char* node, std::uint32_t page_bytes, std::size_t slot_bytes) {
    const Node view(node);
    Shape shape{view.count(), view.capacity(), page_load<std::uint16_t>(node + node_at::hint_distance)};
    const bool sane = shape.count <= shape.capacity && shape.capacity % heads_a_block == 0 && shape.distance != 0 &&
                      shape.distance % heads_a_block == 0 && node_at::heads + slot_bytes * shape.capacity <= page_bytes;
    if (sane) return shape;
    return {};
  }
};

}  // namespace plimsoll::btree
