// Latched leaves and copies of leaves (btree/leaf.hpp), in terms of the node layer.
#include "btree/leaf.hpp"

#include "btree/node_update.hpp"
#include "btree/search.hpp"

namespace plimsoll::btree {

namespace {
constexpr std::size_t sparse_percent = 40;  // below this share of the page a leaf looks for a neighbour to merge with

bool is_sparse(const char* leaf) {
  const Node node(leaf);
  return node.used_bytes() * 100 < std::size_t{node.page_bytes()} * sparse_percent;
}
}  // namespace

LatchedLeaf::LatchedLeaf(storage::ExclusivePage page, Bytes key) : page_(std::move(page)) {
  PLIMSOLL_CHECK(page_ && storage::kind_of(page_.bytes()) == storage::PageKind::node && Node(page_.bytes()).leaf());
  PLIMSOLL_DCHECK(Node(page_.bytes()).covers(key));
  const LeafPlace place = search_leaf(page_.bytes(), Node(page_.bytes()).page_bytes(), key);
  PLIMSOLL_CHECK(!place.found || place.record);
  slot_ = place.slot;
  found_ = place.found;
  shared_ = static_cast<std::uint16_t>(shared_with_prefix(page_.bytes(), key));
}

RecordView LatchedLeaf::record() const {
  if (!found_) return {};
  const Node node(page_.bytes());
  const RecordView record = record_view(node.bytes(), node.page_bytes(), node.offset(slot_));
  PLIMSOLL_CHECK(record);
  return record;
}

std::size_t LatchedLeaf::room() const { return leaf_room(page_.bytes(), shared_, shared_, record()); }

bool LatchedLeaf::fits(std::size_t key_bytes, std::size_t value_bytes) const {
  PLIMSOLL_DCHECK(key_bytes >= shared_);
  return leaf_fits(page_.bytes(), shared_, key_bytes, value_bytes, record());
}

void LatchedLeaf::put(Bytes key, const Record& record) {
  PLIMSOLL_DCHECK(Node(page_.bytes()).covers(key));
  PLIMSOLL_DCHECK(fits(key.size(), record.value.size()));
  leaf_put(page_.bytes(), key, record);
  found_ = true;
  shared_ = static_cast<std::uint16_t>(shared_with_prefix(page_.bytes(), key));
  PLIMSOLL_DCHECK(shared_ == Node(page_.bytes()).prefix_bytes());
}

void LatchedLeaf::set_header(std::uint64_t stamp, std::uint64_t previous) {
  PLIMSOLL_CHECK(found_);
  char* at = const_cast<char*>(record().at);
  page_store<std::uint64_t>(at, stamp);
  page_store<std::uint64_t>(at + 8, previous);
}

void LatchedLeaf::erase() {
  PLIMSOLL_CHECK(found_);
  leaf_erase(page_.bytes(), slot_);
  found_ = false;
}

bool LatchedLeaf::sparse() const { return is_sparse(page_.bytes()); }

void apply_put(char* leaf, Bytes key, const Record& record) {
  PLIMSOLL_CHECK(Node(leaf).leaf());
  leaf_put(leaf, key, record);
}

void apply_erase(char* leaf, Bytes key) {
  const LeafPlace place = search_leaf(leaf, Node(leaf).page_bytes(), key);
  PLIMSOLL_CHECK(place.found);
  leaf_erase(leaf, place.slot);
}

std::uint16_t record_count(const char* leaf) {
  PLIMSOLL_DCHECK(Node(leaf).leaf());
  return Node(leaf).count();
}

RecordView record_at(const char* leaf, std::uint16_t index) {
  const Node node(leaf);
  PLIMSOLL_DCHECK(index < node.count());
  return record_view(leaf, node.page_bytes(), node.offset(index));
}

Bytes key_at(const char* leaf, std::uint16_t index, char* key_buffer) { return Node(leaf).key(index, key_buffer); }

std::uint32_t tree_of(const char* node) { return Node(node).tree(); }

std::uint16_t LeafCopy::lower_bound(Bytes key) const { return search_leaf(bytes_, Node(bytes_).page_bytes(), key).slot; }
bool LeafCopy::sparse() const { return is_sparse(bytes_); }
std::optional<Bytes> LeafCopy::lower_fence() const { return Node(bytes_).lower_fence(); }
std::optional<Bytes> LeafCopy::upper_fence() const { return Node(bytes_).upper_fence(); }

}  // namespace plimsoll::btree
