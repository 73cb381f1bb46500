// Search by heads (btree/search.hpp).
#include "btree/search.hpp"

#include <algorithm>
#include <bit>

#if defined(__SSE4_2__) && !defined(PLIMSOLL_ATOMIC_PAGES)
#include <nmmintrin.h>
#define PLIMSOLL_SIMD_SEARCH
#endif

namespace plimsoll::btree {

namespace {

// How many of 16 adjacent heads are smaller.
std::uint16_t count_smaller(const char* heads, std::uint32_t than) {
#ifdef PLIMSOLL_SIMD_SEARCH
  const __m128i limit = _mm_set1_epi32(static_cast<int>(than));
  const auto not_smaller = [&](std::size_t i) {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(heads + 16 * i));
    return _mm_cmpeq_epi32(_mm_max_epu32(four, limit), four);
  };
  const __m128i low = _mm_packs_epi32(not_smaller(0), not_smaller(1)), high = _mm_packs_epi32(not_smaller(2), not_smaller(3));
  const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  return static_cast<std::uint16_t>(heads_a_block - static_cast<std::size_t>(std::popcount(mask)));
#else
  std::uint16_t smaller = 0;
  for (std::size_t i = 0; i < heads_a_block; ++i) smaller += page_load<std::uint32_t>(heads + 4 * i) < than ? 1 : 0;
  return smaller;
#endif
}

// The first entry whose head is not smaller.
std::uint16_t lower_bound_of_heads(const char* node, const Shape& shape, std::uint32_t head) {
  const std::size_t begin = std::size_t{count_smaller(node + node_at::hints, head)} * shape.distance;
  if (begin >= shape.capacity) return shape.count;
  const std::size_t end = std::min<std::size_t>(begin + shape.distance, shape.capacity);
  std::size_t slot = begin;
  for (std::size_t i = begin; i < end; i += heads_a_block) slot += count_smaller(node + Node::head_at(i), head);
  return static_cast<std::uint16_t>(std::min<std::size_t>(slot, shape.count));
}

// Where the prefix puts the key: below all keys of the node (< 0), above all (> 0), or among them.
int compare_with_prefix(const char* node, std::uint32_t page_bytes, Bytes key) {
  const std::size_t size = Node(node).prefix_bytes();
  if (size == 0) return 0;
  const std::size_t in_word = std::min(size, prefix_word_bytes);
  const auto word = page_load<std::uint64_t>(node + node_at::prefix_word);
  if (key.size() >= 8) {
    std::uint64_t begin;
    std::memcpy(&begin, key.data(), 8);
    begin = std::byteswap(begin) >> (64 - 8 * in_word);
    if (begin != word) return begin < word ? -1 : 1;
  } else {
    for (std::size_t i = 0; i < in_word; ++i) {
      if (i == key.size()) return -1;
      const auto ours = static_cast<unsigned char>(key[i]), theirs = static_cast<unsigned char>(word >> (8 * (in_word - 1 - i)));
      if (ours != theirs) return ours < theirs ? -1 : 1;
    }
  }
  if (size <= prefix_word_bytes) return 0;
  const auto offset = page_load<std::uint16_t>(node + node_at::prefix);
  if (size > key_bytes_limit || offset + size > page_bytes) return 0;
  const int order = page_compare(node + offset, key.data(), std::min(size, key.size()));
  if (order != 0) return -order;
  return key.size() < size ? -1 : 0;
}

// Two suffixes whose heads are equal: what lies behind the heads decides, then the length (a shorter one was padded with zeroes).
int compare_behind_head(const char* stored, std::size_t stored_bytes, Bytes suffix) {
  if (stored_bytes > head_bytes && suffix.size() > head_bytes) {
    const std::size_t both = std::min(stored_bytes, suffix.size()) - head_bytes;
    const int order = page_compare(stored + head_bytes, suffix.data() + head_bytes, both);
    if (order != 0) return order;
  }
  if (stored_bytes == suffix.size()) return 0;
  return stored_bytes < suffix.size() ? -1 : 1;
}

int compare_record(const char* node, std::uint32_t page_bytes, std::uint16_t offset, Bytes suffix) {
  if (offset + record_header_bytes > page_bytes) return 0;
  const std::size_t bytes = page_load<std::uint16_t>(node + offset + 16);
  if (offset + record_header_bytes + bytes > page_bytes) return 0;
  return compare_behind_head(node + offset + record_header_bytes, bytes, suffix);
}

int compare_separator(const char* node, std::uint32_t page_bytes, std::size_t at, Bytes suffix) {
  const std::size_t offset = page_load<std::uint16_t>(node + at), bytes = page_load<std::uint16_t>(node + at + 2);
  if (bytes > head_bytes && offset + bytes > page_bytes) return 0;
  return compare_behind_head(node + offset, bytes, suffix);
}

// The end of the run of entries with this head that begins at `slot`.
std::uint16_t end_of_run(const Node& view, const Shape& shape, std::uint16_t slot, std::uint32_t head) {
  while (slot < shape.count && view.head(slot) == head) ++slot;
  return slot;
}

}  // namespace

std::uint32_t head_of(Bytes suffix) {
  std::uint32_t head = 0;
  if (suffix.size() >= head_bytes) {
    std::memcpy(&head, suffix.data(), head_bytes);
    return std::byteswap(head);
  }
  for (std::size_t i = 0; i < suffix.size(); ++i) head |= std::uint32_t{static_cast<unsigned char>(suffix[i])} << (24 - 8 * i);
  return head;
}

RecordView record_view(const char* node, std::uint32_t page_bytes, std::uint16_t offset) {
  if (offset < node_at::heads || offset % 8 != 0 || offset + record_header_bytes > page_bytes) return {};
  const char* at = node + offset;
  const auto key_bytes = page_load<std::uint16_t>(at + 16), sizes = page_load<std::uint16_t>(at + 18);
  const std::uint16_t value_bytes = sizes & 0x3FFF;
  if (offset + record_header_bytes + key_bytes + value_bytes > page_bytes) return {};
  return {at, at + record_header_bytes + key_bytes, value_bytes, static_cast<std::uint8_t>(sizes >> 14)};
}

std::uint16_t record_offset(const char* node, std::uint32_t page_bytes, std::uint16_t slot) {
  const Shape shape = Shape::of(node, page_bytes, leaf_slot_bytes);
  return slot < shape.count ? page_load<std::uint16_t>(node + node_at::heads + 4u * shape.capacity + 2u * slot) : std::uint16_t{0};
}

LeafPlace search_leaf(const char* node, std::uint32_t page_bytes, Bytes key) {
  const Shape shape = Shape::of(node, page_bytes, leaf_slot_bytes);
  const int order = compare_with_prefix(node, page_bytes, key);
  if (order != 0) return {order < 0 ? std::uint16_t{0} : shape.count};
  const std::size_t prefix_bytes = Node(node).prefix_bytes();
  if (prefix_bytes > key.size()) return {};  // torn: the comparison has just said otherwise
  const Bytes suffix = key.substr(prefix_bytes);
  const std::uint32_t head = head_of(suffix);

  const Node view(node);
  std::uint16_t low = lower_bound_of_heads(node, shape, head);
  if (low == shape.count || view.head(low) != head) return {low};
  const std::size_t offsets = node_at::heads + 4u * shape.capacity;
  const auto offset_of = [&](std::uint16_t slot) { return page_load<std::uint16_t>(node + offsets + 2u * slot); };
  prefetch_record(node + offset_of(low));
  for (std::uint16_t high = end_of_run(view, shape, low, head); low < high;) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    const std::uint16_t offset = offset_of(middle);
    const int compared = compare_record(node, page_bytes, offset, suffix);
    if (compared == 0) return {middle, true, record_view(node, page_bytes, offset)};
    if (compared < 0) {
      low = static_cast<std::uint16_t>(middle + 1);
    } else {
      high = middle;
    }
  }
  return {low};
}

std::uint16_t leaf_candidate(const char* node, std::uint32_t page_bytes, Bytes key) {
  const Shape shape = Shape::of(node, page_bytes, leaf_slot_bytes);
  const std::size_t prefix_bytes = Node(node).prefix_bytes();
  if (prefix_bytes > key.size()) return shape.count;
  return lower_bound_of_heads(node, shape, head_of(key.substr(prefix_bytes)));
}

ChildRef child_of(const char* node, std::uint32_t page_bytes, std::uint16_t slot) {
  const Shape shape = Shape::of(node, page_bytes, inner_slot_bytes);
  if (slot >= shape.count) return {};
  const char* at = node + node_at::heads + 4u * shape.capacity + 8u * slot;
  return {page_load<std::uint32_t>(at), Node::hint_ref(at).load(std::memory_order_relaxed)};
}

std::uint16_t search_inner(const char* node, std::uint32_t page_bytes, Bytes key, Side side) {
  const Shape shape = Shape::of(node, page_bytes, inner_slot_bytes);
  if (shape.count < 2) return 0;
  const int order = compare_with_prefix(node, page_bytes, key);
  if (order != 0) return order < 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(shape.count - 1);
  const Node view(node);
  const std::size_t prefix_bytes = view.prefix_bytes();
  if (prefix_bytes > key.size()) return 0;  // torn
  const Bytes suffix = key.substr(prefix_bytes);
  const std::uint32_t head = head_of(suffix);

  // Entry 0 has head 0 and no key: it is never compared.
  std::uint16_t low = std::max<std::uint16_t>(1, lower_bound_of_heads(node, shape, head));
  prefetch(node + node_at::heads + 4u * shape.capacity + 8u * low);
  if (low < shape.count && view.head(low) == head) {
    for (std::uint16_t high = end_of_run(view, shape, low, head); low < high;) {
      const auto middle = static_cast<std::uint16_t>((low + high) / 2);
      const int compared = compare_separator(node, page_bytes, node_at::heads + 12u * shape.capacity + 4u * middle, suffix);
      if (compared < 0 || (compared == 0 && side == Side::at)) {
        low = static_cast<std::uint16_t>(middle + 1);
      } else {
        high = middle;
      }
    }
  }
  return static_cast<std::uint16_t>(low - 1);
}

}  // namespace plimsoll::btree
