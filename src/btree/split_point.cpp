// Where to split: in the middle by bytes; near the end if the key is the node's new last one (ascending inserts fill their pages),
// near the begin if it is a leaf's new first one; exactly at the end or begin if the key does not share the node's prefix and would
// blow up its neighbours. Separators of leaves are truncated to the shortest that still separates (Bayer and Unterauer, "Prefix
// B-trees", 1977).
//
// Both halves always fit for some point: see the static_asserts of node.hpp.
#include <algorithm>

#include "btree/node_update.hpp"
#include "btree/search.hpp"
#include "btree/split.hpp"

namespace plimsoll::btree {

namespace {

constexpr std::size_t append_percent = 5;  // what goes to the emptier side of a split that expects more keys of the same direction

std::size_t bytes_of_entries(const char* node) {
  std::size_t bytes = 0;
  for (std::uint16_t i = 0; i < Node(node).count(); ++i) bytes += entry_bytes(node, i);
  return bytes;
}

std::uint16_t by_bytes_from_begin(const char* node, std::size_t bytes) {
  std::uint16_t at = 0;
  for (std::size_t sum = 0; at < Node(node).count(); ++at) {
    sum += entry_bytes(node, at);
    if (sum > bytes) break;
  }
  return at;
}

std::uint16_t by_bytes_from_end(const char* node, std::size_t bytes) {
  std::uint16_t at = Node(node).count();
  for (std::size_t sum = 0; at > 0; --at) {
    sum += entry_bytes(node, static_cast<std::uint16_t>(at - 1));
    if (sum > bytes) break;
  }
  return at;
}

std::uint16_t preferred_point(const char* node, Bytes key) {
  const Node view(node);
  const std::size_t bytes = bytes_of_entries(node);
  const bool foreign = shared_with_prefix(node, key) < view.prefix_bytes();
  if (!view.leaf()) {
    const bool last = search_inner(node, view.page_bytes(), key) + 1 == view.count();
    return last ? by_bytes_from_end(node, bytes * append_percent / 100) : by_bytes_from_begin(node, bytes / 2);
  }
  const LeafPlace place = search_leaf(node, view.page_bytes(), key);
  if (!place.found && place.slot == view.count())
    return foreign ? view.count() : by_bytes_from_end(node, bytes * append_percent / 100);
  if (!place.found && place.slot == 0) return foreign ? std::uint16_t{0} : by_bytes_from_begin(node, bytes * append_percent / 100);
  return by_bytes_from_begin(node, bytes / 2);
}

// The separator for a split at `at`. A leaf's side without records is the side of the key.
Bytes separator_at(const char* node, std::uint16_t at, Bytes key, char* buffer) {
  const Node view(node);
  if (!view.leaf()) return view.key(at, buffer);
  char below_buffer[key_bytes_limit], above_buffer[key_bytes_limit];
  const Bytes below = at > 0 ? view.key(static_cast<std::size_t>(at - 1), below_buffer) : key;
  const Bytes above = at < view.count() ? view.key(at, above_buffer) : key;
  PLIMSOLL_CHECK(below < above);
  const Bytes separator = above.substr(0, common_bytes(below, above) + 1);
  std::ranges::copy(separator, buffer);
  return {buffer, separator.size()};
}

}  // namespace

SplitPoint choose_split(const char* node, Bytes key, char* buffer) {
  const Node view(node);
  const std::uint16_t count = view.count();
  PLIMSOLL_CHECK(count >= 2);
  // A side of a leaf may stay empty only if the key goes there; an inner node needs a child on both sides.
  const std::uint16_t preferred = preferred_point(node, key);
  const bool to_end = view.leaf() && preferred == count, to_begin = view.leaf() && preferred == 0;
  std::uint16_t least = 1, most = static_cast<std::uint16_t>(count - 1);
  if (view.leaf()) {
    const LeafPlace place = search_leaf(node, view.page_bytes(), key);
    if (to_begin && !place.found && place.slot == 0) least = 0;
    if (to_end && !place.found && place.slot == count) most = count;
  }
  std::uint16_t at = std::clamp(preferred, least, most);
  for (bool moved_left = false;;) {
    const Bytes separator = separator_at(node, at, key, buffer);
    const bool left_fits = bytes_needed(part(node, 0, at, view.lower_fence(), separator)) <= view.page_bytes();
    const bool right_fits = bytes_needed(part(node, at, count, separator, view.upper_fence())) <= view.page_bytes();
    if (left_fits && right_fits) return {at, separator};
    if (!left_fits && at > least) {
      --at;
      moved_left = true;
    } else {
      PLIMSOLL_CHECK(!right_fits && at < most && !moved_left);
      ++at;
    }
  }
}

}  // namespace plimsoll::btree
