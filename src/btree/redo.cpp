// Redo of page actions on nodes. The same functions that made the change repeat it; what they would assert is tested before, so
// that a log that does not belong to the page is reported, not executed.
#include "btree/change.hpp"
#include "btree/node_update.hpp"
#include "btree/search.hpp"

namespace plimsoll::btree {

namespace {

bool sound_node(const char* page, std::uint32_t page_bytes, bool leaf) {
  return storage::kind_of(page) == storage::PageKind::node && Node(page).page_bytes() == page_bytes && Node(page).leaf() == leaf;
}

bool redo_image(char* page, std::uint32_t page_bytes, log::Reader data) {
  const std::size_t low = data.number<std::uint16_t>(), high = data.number<std::uint16_t>();
  const Bytes begin = data.bytes(low), end = data.bytes(high);
  if (!data.ok() || !data.empty() || storage::at::kind + low + high > page_bytes || low < node_at::heads - storage::at::kind)
    return false;
  page_write(page + storage::at::kind, begin.data(), low);
  std::memset(page + storage::at::kind + low, 0, page_bytes - high - low - storage::at::kind);
  page_write(page + page_bytes - high, end.data(), high);
  return Node(page).page_bytes() == page_bytes && Node(page).heap_begin() == page_bytes - high;
}

bool redo_keep_first(char* page, log::Reader data) {
  const auto count = data.number<std::uint16_t>();
  const Bytes fence = data.rest();
  if (!data.ok() || count > Node(page).count() || fence.size() > key_bytes_limit) return false;
  if (bytes_needed(part(page, 0, count, Node(page).lower_fence(), fence)) > Node(page).page_bytes()) return false;
  keep_first(page, count, fence);
  return true;
}

bool redo_inner_insert(char* page, log::Reader data) {
  const auto child = data.number<std::uint32_t>();
  const Bytes separator = data.rest();
  if (!data.ok() || separator.size() > key_bytes_limit || inner_find(page, separator) || !inner_fits(page, separator)) return false;
  inner_insert(page, separator, {child, storage::no_frame});
  return true;
}

bool redo_inner_erase(char* page, log::Reader data) {
  const auto slot = inner_find(page, data.rest());
  if (!slot) return false;
  inner_erase(page, *slot);
  return true;
}

bool redo_inner_child(char* page, log::Reader data) {
  const auto child = data.number<std::uint32_t>();
  if (!data.ok() || Node(page).count() == 0) return false;
  set_child(page, 0, {child, storage::no_frame});
  return true;
}

bool redo_leaf_put(char* page, std::uint32_t page_bytes, log::Reader data) {
  Record record;
  record.stamp = data.number<std::uint64_t>();
  record.previous = data.number<std::uint64_t>();
  record.flags = data.number<std::uint8_t>();
  const Bytes key = data.bytes(data.number<std::uint16_t>());
  record.value = data.rest();
  if (!data.ok() || key.size() > key_bytes_limit || record.flags > 3 || record.value.size() > record_bytes_max(page_bytes))
    return false;
  const LeafPlace place = search_leaf(page, page_bytes, key);
  if (!leaf_fits(page, shared_with_prefix(page, key), key.size(), record.value.size(), place.record)) return false;
  leaf_put(page, key, record);
  return true;
}

bool redo_leaf_erase(char* page, std::uint32_t page_bytes, log::Reader data) {
  const LeafPlace place = search_leaf(page, page_bytes, data.rest());
  if (!place.found) return false;
  leaf_erase(page, place.slot);
  return true;
}

}  // namespace

bool redo_action(char* page, std::uint32_t page_bytes, const log::PageAction& action) {
  const log::Reader data(action.data);
  switch (action.action) {
    case log::Action::image: return redo_image(page, page_bytes, data);
    case log::Action::keep_first:
      return (sound_node(page, page_bytes, true) || sound_node(page, page_bytes, false)) && redo_keep_first(page, data);
    case log::Action::inner_insert: return sound_node(page, page_bytes, false) && redo_inner_insert(page, data);
    case log::Action::inner_erase: return sound_node(page, page_bytes, false) && redo_inner_erase(page, data);
    case log::Action::inner_child: return sound_node(page, page_bytes, false) && redo_inner_child(page, data);
    case log::Action::leaf_put: return sound_node(page, page_bytes, true) && redo_leaf_put(page, page_bytes, data);
    case log::Action::leaf_erase: return sound_node(page, page_bytes, true) && redo_leaf_erase(page, page_bytes, data);
    case log::Action::space_set:
    case log::Action::space_clear: return false;  // storage::Space has these
  }
  return false;
}

}  // namespace plimsoll::btree
