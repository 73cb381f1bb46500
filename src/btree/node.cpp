// Keys of a node put together again, for latch holders and private copies (btree/node.hpp).
#include "btree/node.hpp"

#include <algorithm>
#include <bit>

namespace plimsoll::btree {

bool Node::covers(Bytes key) const {
  const auto lower = lower_fence(), upper = upper_fence();
  return (!lower || key >= *lower) && (!upper || key < *upper);
}

Bytes Node::prefix(std::array<char, prefix_word_bytes>& buffer) const {
  const std::size_t size = prefix_bytes();
  PLIMSOLL_CHECK(size <= key_bytes_limit);
  if (size > prefix_word_bytes) return {at_ + u16(node_at::prefix), size};
  const auto word = page_load<std::uint64_t>(at_ + node_at::prefix_word);
  for (std::size_t i = 0; i < size; ++i) buffer[i] = static_cast<char>(word >> (8 * (size - 1 - i)));
  return {buffer.data(), size};
}

Bytes Node::suffix(std::size_t i, std::array<char, head_bytes>& buffer) const {
  PLIMSOLL_DCHECK(i < count());
  if (leaf()) {
    const char* record = at_ + offset(i);
    return {record + record_header_bytes, page_load<std::uint16_t>(record + 16)};
  }
  const std::size_t size = suffix_bytes(i);
  PLIMSOLL_DCHECK(size <= key_bytes_limit && (i > 0 || size == 0));
  if (size > head_bytes) return {at_ + suffix_offset(i), size};
  const std::uint32_t word = std::byteswap(head(i));
  std::memcpy(buffer.data(), &word, head_bytes);
  return {buffer.data(), size};
}

Bytes Node::key(std::size_t i, char* buffer) const {
  std::array<char, prefix_word_bytes> prefix_buffer;
  std::array<char, head_bytes> suffix_buffer;
  const Bytes first = prefix(prefix_buffer), rest = suffix(i, suffix_buffer);
  PLIMSOLL_CHECK(first.size() + rest.size() <= key_bytes_limit);
  std::ranges::copy(first, buffer);
  std::ranges::copy(rest, buffer + first.size());
  return {buffer, first.size() + rest.size()};
}

}  // namespace plimsoll::btree
