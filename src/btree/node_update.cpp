// Writing and changing nodes (btree/node_update.hpp). Everything that moves more than one entry goes through write_node(), which
// builds the node anew in a private buffer: there is one way to lay out a node.
#include "btree/node_update.hpp"

#include <algorithm>
#include <bit>

#include "btree/search.hpp"

namespace plimsoll::btree {

namespace {

// Key bytes after a prefix, in two parts: what the source node had in its own longer prefix, and the stored rest.
struct Suffix {
  Bytes first, rest;
  std::size_t size() const { return first.size() + rest.size(); }
};

// The keys of a node as seen behind another prefix than its own.
class SuffixReader {
 public:
  SuffixReader(const char* node, std::size_t prefix) : node_(node), prefix_(node_.prefix(prefix_buffer_)) {
    if (prefix < prefix_.size()) {
      prefix_.remove_prefix(prefix);
    } else {
      skip_ = prefix - prefix_.size();
      prefix_ = {};
    }
  }
  SuffixReader(const SuffixReader&) = delete;
  SuffixReader& operator=(const SuffixReader&) = delete;

  Suffix at(std::size_t i) {  // valid until the next call
    const Bytes stored = node_.suffix(i, suffix_buffer_);
    PLIMSOLL_CHECK(skip_ <= stored.size());
    return {prefix_, stored.substr(skip_)};
  }

 private:
  Node node_;
  std::array<char, prefix_word_bytes> prefix_buffer_;
  std::array<char, head_bytes> suffix_buffer_;
  Bytes prefix_;
  std::size_t skip_ = 0;
};

std::size_t heap_align(std::uint8_t level, std::size_t bytes) { return level == 0 ? round_up_8(bytes) : bytes; }
std::size_t slot_bytes(std::uint8_t level) { return level == 0 ? leaf_slot_bytes : inner_slot_bytes; }
std::size_t separator_heap_bytes(std::size_t suffix) { return suffix > head_bytes ? suffix : 0; }
std::size_t prefix_heap_bytes(std::size_t prefix) { return prefix > prefix_word_bytes ? prefix : 0; }

std::size_t newcomer_bytes(std::uint8_t level, const Newcomer& newcomer, std::size_t prefix) {
  PLIMSOLL_DCHECK(prefix <= newcomer.key_bytes);
  const std::size_t suffix = newcomer.key_bytes - prefix;
  return level == 0 ? record_bytes(suffix, newcomer.value_bytes) : separator_heap_bytes(suffix);
}

std::uint16_t value_bytes_of(const char* record) { return page_load<std::uint16_t>(record + 18) & 0x3FFF; }

// The heap bytes of everything but a newcomer.
std::size_t heap_needed(const Content& content, std::size_t prefix) {
  std::size_t bytes = heap_align(content.level, prefix_heap_bytes(prefix));
  if (content.lower) bytes += heap_align(content.level, content.lower->size());
  if (content.upper) bytes += heap_align(content.level, content.upper->size());
  bool first = true;  // the first entry of an inner node has no separator
  for (const auto& piece : content.pieces) {
    if (piece.node == nullptr) continue;
    SuffixReader keys(piece.node, prefix);
    const Node view(piece.node);
    for (std::uint16_t i = piece.from; i < piece.to; ++i) {
      if (content.level == 0) {
        bytes += record_bytes(keys.at(i).size(), value_bytes_of(piece.node + view.offset(i)));
      } else if (!first) {
        bytes += separator_heap_bytes(i == 0 ? content.joint.size() - prefix : keys.at(i).size());
      }
      first = false;
    }
  }
  return bytes;
}

// Key number i of the content, counted over the pieces.
Bytes content_key(const Content& content, std::size_t i, char* buffer) {
  for (const auto& piece : content.pieces) {
    const std::size_t here = piece.to - piece.from;
    if (i < here) {
      const std::size_t slot = piece.from + i;
      if (content.level > 0 && slot == 0) return content.joint;
      return Node(piece.node).key(slot, buffer);
    }
    i -= here;
  }
  PLIMSOLL_CHECK(false);
  return {};
}

// The prefix that a single-piece content has now: all its keys share it, also when there is but one.
std::size_t present_prefix(const Content& content) {
  const bool single = content.pieces[0].node != nullptr && content.pieces[1].node == nullptr;
  return single ? Node(content.pieces[0].node).prefix_bytes() : 0;
}

// What all keys share. Of fewer than two keys: what they share now, so that a lone key does not become a prefix that the next one
// breaks.
std::size_t shared_prefix(const Content& content) {
  const std::size_t first = content.level == 0 ? 0 : 1, entries = content.entries();
  if (entries <= first) return 0;
  if (entries == first + 1) return present_prefix(content);
  char a[key_bytes_limit], b[key_bytes_limit];
  return common_bytes(content_key(content, first, a), content_key(content, entries - 1, b));
}

std::size_t bytes_with(const Content& content, std::size_t prefix, const Newcomer* newcomer) {
  const std::size_t entries = content.entries() + (newcomer != nullptr ? 1 : 0);
  return node_at::heads + slot_bytes(content.level) * round_up_16(entries) + heap_needed(content, prefix) +
         (newcomer != nullptr ? newcomer_bytes(content.level, *newcomer, prefix) : 0);
}

// The prefix to write a content with: what its keys (and the newcomer's) share. A longer prefix may cost a few bytes more than the
// present one (it lies in the heap itself), and fits() judges by the present one: so that one is the second choice.
std::size_t choose_prefix(const Content& content, const Newcomer* newcomer) {
  const std::size_t limit = newcomer != nullptr ? newcomer->prefix_max : key_bytes_limit;
  const std::size_t best = std::min(shared_prefix(content), limit), present = std::min(present_prefix(content), limit);
  if (present < best && bytes_with(content, best, newcomer) > content.page_bytes) return content.entries() > 0 ? present : 0;
  return best;
}

// As many slots as the free bytes could fill with entries of the present average size, at least as many as are asked for.
std::size_t choose_capacity(const Content& content, std::size_t heap, std::size_t newcomer_heap, bool newcomer) {
  constexpr std::size_t usual_record_bytes = 120;
  const std::size_t slot = slot_bytes(content.level), entries = content.entries(),
                    least = round_up_16(entries + (newcomer ? 1 : 0));
  const std::size_t taken = node_at::heads + slot * entries + heap;
  const std::size_t space = content.page_bytes > taken ? content.page_bytes - taken : 0;
  const std::size_t average = slot + (entries > 0 ? heap / entries : content.level == 0 ? usual_record_bytes : 0);
  std::size_t capacity = std::max(least, round_up_16(entries + space / average));
  while (capacity > least && node_at::heads + slot * capacity + heap + newcomer_heap > content.page_bytes)
    capacity -= heads_a_block;
  PLIMSOLL_CHECK(node_at::heads + slot * capacity + heap + newcomer_heap <= content.page_bytes);
  return std::max(capacity, heads_a_block);
}

void refresh_hints(char* node) {
  const Node view(node);
  const std::size_t distance = page_load<std::uint16_t>(node + node_at::hint_distance), capacity = view.capacity();
  PLIMSOLL_DCHECK(distance % heads_a_block == 0 && distance * hints >= capacity);
  for (std::size_t i = 0; i < hints; ++i) {
    const std::size_t last = (i + 1) * distance - 1;
    page_store<std::uint32_t>(node + node_at::hints + 4 * i, last < capacity ? view.head(last) : no_head);
  }
}

void store_u16(char* node, std::size_t at, std::size_t value) {
  PLIMSOLL_CHECK(value <= 0xFFFF);
  page_store<std::uint16_t>(node + at, static_cast<std::uint16_t>(value));
}

// An empty view may have no address.
void write_bytes(char* to, Bytes bytes) {
  if (!bytes.empty()) page_write(to, bytes.data(), bytes.size());
}

// Takes bytes from the heap. There must be room between the arrays and the heap.
std::size_t take_heap(char* node, std::size_t bytes) {
  const Node view(node);
  const std::size_t begin = view.heap_begin();
  PLIMSOLL_CHECK(view.arrays_end() + bytes <= begin);
  store_u16(node, node_at::heap_begin, begin - bytes);
  return begin - bytes;
}

// Fills the private buffer of write_node() from the top down.
class Builder {
 public:
  Builder(char* to, const Content& content, std::size_t prefix, std::size_t capacity)
      : to_(to), level_(content.level), prefix_(prefix) {
    page_store<std::uint8_t>(to + storage::at::kind, static_cast<std::uint8_t>(storage::PageKind::node));
    page_store<std::uint8_t>(to + storage::at::level, content.level);
    page_store<std::uint16_t>(to + storage::at::flags, 0);
    page_store<std::uint32_t>(to + storage::at::tree, content.tree);
    page_store<std::uint64_t>(to + node_at::prefix_word, 0);
    for (const std::size_t at : {node_at::count, node_at::dead, node_at::prefix}) store_u16(to, at, 0);
    store_u16(to, node_at::capacity, capacity);
    store_u16(to, node_at::heap_begin, content.page_bytes);
    store_u16(to, node_at::prefix_bytes, prefix);
    store_u16(to, node_at::hint_distance, round_up_16((capacity + hints - 1) / hints));
    page_store<std::uint8_t>(to + node_at::page_shift, static_cast<std::uint8_t>(std::countr_zero(content.page_bytes)));
    page_store<std::uint8_t>(to + node_at::page_shift + 1, 0);
    for (std::size_t i = 0; i < capacity; ++i) page_store<std::uint32_t>(to + Node::head_at(i), no_head);
    set_fence(node_at::lower, content.lower);
    set_fence(node_at::upper, content.upper);
  }

  void set_prefix(Bytes prefix) {
    PLIMSOLL_CHECK(prefix.size() == prefix_);
    std::uint64_t word = 0;
    for (const char c : prefix.substr(0, prefix_word_bytes)) word = word << 8 | static_cast<unsigned char>(c);
    page_store<std::uint64_t>(to_ + node_at::prefix_word, word);
    if (prefix.size() > prefix_word_bytes) store_u16(to_, node_at::prefix, put_bytes(prefix));
  }

  void add_record(const Suffix& key, const char* record) {
    const std::size_t value_bytes = value_bytes_of(record), old_key = page_load<std::uint16_t>(record + 16);
    const std::size_t at = take_heap(to_, record_bytes(key.size(), value_bytes));
    page_write(to_ + at, record, record_header_bytes);
    page_store<std::uint16_t>(to_ + at + 16, static_cast<std::uint16_t>(key.size()));
    put_suffix(at + record_header_bytes, key);
    page_write(to_ + at + record_header_bytes + key.size(), record + record_header_bytes + old_key, value_bytes);
    const std::size_t slot = add_head(key);
    store_u16(to_, Node(to_).offset_at(slot), at);
  }

  void add_child(const Suffix& separator, ChildRef child) {
    const std::size_t heap = separator_heap_bytes(separator.size()), at = heap > 0 ? take_heap(to_, heap) : 0;
    if (heap > 0) put_suffix(at, separator);
    const std::size_t slot = add_head(separator);
    const Node view(to_);
    set_child(to_, static_cast<std::uint16_t>(slot), child);
    store_u16(to_, view.suffix_at(slot), at);
    store_u16(to_, view.suffix_at(slot) + 2, separator.size());
  }

 private:
  std::size_t put_bytes(Bytes bytes) {
    const std::size_t at = take_heap(to_, heap_align(level_, bytes.size()));
    write_bytes(to_ + at, bytes);
    return at;
  }
  void set_fence(std::size_t at, const std::optional<Bytes>& fence) {
    store_u16(to_, at, fence ? put_bytes(*fence) : 0);
    store_u16(to_, at + 2, fence ? fence->size() : no_fence);
  }
  void put_suffix(std::size_t at, const Suffix& key) {
    write_bytes(to_ + at, key.first);
    write_bytes(to_ + at + key.first.size(), key.rest);
  }
  std::size_t add_head(const Suffix& key) {
    char begin[head_bytes];
    const std::size_t first = std::min(head_bytes, key.first.size()), rest = std::min(head_bytes - first, key.rest.size());
    std::copy_n(key.first.data(), first, begin);
    std::copy_n(key.rest.data(), rest, begin + first);
    const std::size_t slot = Node(to_).count();
    PLIMSOLL_CHECK(slot < Node(to_).capacity());
    page_store<std::uint32_t>(to_ + Node::head_at(slot), head_of({begin, first + rest}));
    store_u16(to_, node_at::count, slot + 1);
    return slot;
  }

  char* to_;
  std::uint8_t level_;
  std::size_t prefix_;
};

void add_entries(Builder& builder, const Content& content, std::size_t prefix) {
  bool first = true;
  for (const auto& piece : content.pieces) {
    if (piece.node == nullptr) continue;
    SuffixReader keys(piece.node, prefix);
    const Node view(piece.node);
    for (std::uint16_t i = piece.from; i < piece.to; ++i) {
      if (content.level == 0) {
        builder.add_record(keys.at(i), piece.node + view.offset(i));
      } else if (first) {
        builder.add_child({}, view.child_ref(i));
      } else {
        builder.add_child(i == 0 ? Suffix{{}, content.joint.substr(prefix)} : keys.at(i), view.child_ref(i));
      }
      first = false;
    }
  }
}

// Moves entries [slot, count) of every array by one, up or down.
void shift_entries(char* node, std::size_t slot, std::size_t to) {
  const Node view(node);
  const std::size_t n = view.count() - std::max(slot, to) + (to < slot ? 0 : to - slot);
  const auto move = [&](std::size_t base, std::size_t size) {
    page_move(node + base + size * to, node + base + size * slot, size * n);
  };
  move(node_at::heads, 4);
  if (view.leaf()) {
    move(view.offset_at(0), 2);
  } else {
    move(view.child_at(0), 8);
    move(view.suffix_at(0), 4);
  }
}

void open_slot(char* node, std::size_t slot, std::uint32_t head) {
  const std::size_t count = Node(node).count();
  PLIMSOLL_CHECK(slot <= count && count < Node(node).capacity());
  shift_entries(node, slot, slot + 1);
  page_store<std::uint32_t>(node + Node::head_at(slot), head);
  store_u16(node, node_at::count, count + 1);
  refresh_hints(node);
}

void close_slot(char* node, std::size_t slot, std::size_t heap) {
  const std::size_t count = Node(node).count();
  PLIMSOLL_CHECK(slot < count);
  shift_entries(node, slot + 1, slot);
  page_store<std::uint32_t>(node + Node::head_at(count - 1), no_head);
  store_u16(node, node_at::count, count - 1);
  store_u16(node, node_at::dead, Node(node).dead() + heap);
  refresh_hints(node);
}

// Brings the node into a state where the key shares the whole prefix and a slot and the bytes for it are at hand.
void make_room(char* node, Bytes key, std::size_t value_bytes) {
  const Node view(node);
  const std::size_t prefix = view.prefix_bytes();
  Newcomer newcomer{key.size(), value_bytes, shared_with_prefix(node, key)};
  if (newcomer.prefix_max == prefix && view.count() < view.capacity() &&
      view.arrays_end() + newcomer_bytes(view.level(), newcomer, prefix) <= view.heap_begin()) {
    return;
  }
  // The keys may share more than the present prefix: the newcomer then limits what can be gained.
  const std::size_t first = view.leaf() ? 0 : 1;
  char buffer[key_bytes_limit];
  newcomer.prefix_max = view.count() > first ? common_bytes(view.key(first, buffer), key) : 0;
  write_node(node, whole(node), &newcomer);
}

void store_record(char* at, Bytes suffix, const Record& record) {
  PLIMSOLL_CHECK(record.value.size() <= 0x3FFF && record.flags <= 3);
  page_store<std::uint64_t>(at, record.stamp);
  page_store<std::uint64_t>(at + 8, record.previous);
  page_store<std::uint16_t>(at + 16, static_cast<std::uint16_t>(suffix.size()));
  page_store<std::uint16_t>(at + 18, static_cast<std::uint16_t>(record.value.size() | std::size_t{record.flags} << 14));
  write_bytes(at + record_header_bytes, suffix);
  write_bytes(at + record_header_bytes + suffix.size(), record.value);
}

}  // namespace

std::size_t common_bytes(Bytes a, Bytes b) { return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin()); }

std::size_t Content::entries() const {
  return static_cast<std::size_t>(pieces[0].to - pieces[0].from) + (pieces[1].to - pieces[1].from);
}

Content part(const char* node, std::uint16_t from, std::uint16_t to, std::optional<Bytes> lower, std::optional<Bytes> upper) {
  const Node view(node);
  PLIMSOLL_CHECK(from <= to && to <= view.count());
  return {view.page_bytes(), view.tree(), view.level(), {Content::Piece{node, from, to}, Content::Piece{}}, {}, lower, upper};
}

Content whole(const char* node) {
  const Node view(node);
  return part(node, 0, view.count(), view.lower_fence(), view.upper_fence());
}

std::size_t bytes_needed(const Content& content, std::size_t prefix, const Newcomer* newcomer) {
  return bytes_with(content, prefix, newcomer);
}

std::size_t bytes_needed(const Content& content) { return bytes_with(content, choose_prefix(content, nullptr), nullptr); }

void write_node(char* node, const Content& content, const Newcomer* newcomer) {
  alignas(8) char scratch[storage::page_bytes_max];
  PLIMSOLL_DCHECK(!content.lower || !content.upper || *content.lower < *content.upper);
  const std::size_t prefix = choose_prefix(content, newcomer);
  const std::size_t heap = heap_needed(content, prefix);
  const std::size_t newcomer_heap = newcomer != nullptr ? newcomer_bytes(content.level, *newcomer, prefix) : 0;
  Builder builder(scratch, content, prefix, choose_capacity(content, heap, newcomer_heap, newcomer != nullptr));
  if (prefix > 0) {
    char buffer[key_bytes_limit];
    builder.set_prefix(content_key(content, content.level == 0 ? 0 : 1, buffer).substr(0, prefix));
  }
  add_entries(builder, content, prefix);
  refresh_hints(scratch);
  const Node built(scratch);
  PLIMSOLL_CHECK(built.count() == content.entries() && content.page_bytes - built.heap_begin() == heap);
  page_write(node + storage::at::kind, scratch + storage::at::kind, built.arrays_end() - storage::at::kind);
  page_write(node + built.heap_begin(), scratch + built.heap_begin(), content.page_bytes - built.heap_begin());
}

void format_node(char* node, std::uint32_t page_bytes, std::uint8_t level, std::uint32_t tree) {
  PLIMSOLL_CHECK(std::has_single_bit(page_bytes) && page_bytes >= storage::page_bytes_min && page_bytes <= storage::page_bytes_max);
  write_node(node, {page_bytes, tree, level, {}, {}, {}, {}});
}

void format_inner(char* node, std::uint32_t page_bytes, std::uint8_t level, std::uint32_t tree, ChildRef child) {
  PLIMSOLL_CHECK(level > 0 && level <= level_max);
  format_node(node, page_bytes, level, tree);
  open_slot(node, 0, 0);
  set_child(node, 0, child);
  page_store<std::uint32_t>(node + Node(node).suffix_at(0), 0);  // no key: offset and bytes are 0
}

std::size_t shared_with_prefix(const char* node, Bytes key) {
  std::array<char, prefix_word_bytes> buffer;
  return common_bytes(Node(node).prefix(buffer), key);
}

std::size_t heap_bytes_of(const RecordView& record) {
  return record ? record_bytes(page_load<std::uint16_t>(record.at + 16), record.value_bytes) : 0;
}

std::size_t entry_bytes(const char* node, std::uint16_t slot) {
  const Node view(node);
  PLIMSOLL_CHECK(slot < view.count());
  if (!view.leaf()) return inner_slot_bytes + separator_heap_bytes(view.suffix_bytes(slot));
  return leaf_slot_bytes + heap_bytes_of(record_view(node, view.page_bytes(), view.offset(slot)));
}

std::size_t leaf_room(const char* node, std::size_t shared, std::size_t key_bytes, const RecordView& replaced) {
  const Node view(node);
  std::size_t taken;
  if (shared == view.prefix_bytes()) {
    taken = node_at::heads + leaf_slot_bytes * round_up_16(view.count() + (replaced ? 0u : 1u)) + view.live_bytes() -
            heap_bytes_of(replaced);
  } else {
    PLIMSOLL_CHECK(!replaced);
    const Newcomer newcomer{key_bytes, 0, shared};
    taken = bytes_with(whole(node), view.count() > 0 ? shared : 0, &newcomer) -
            newcomer_bytes(0, newcomer, view.count() > 0 ? shared : 0);
  }
  return taken < view.page_bytes() ? (view.page_bytes() - taken) / 8 * 8 : 0;
}

bool leaf_fits(const char* node, std::size_t shared, std::size_t key_bytes, std::size_t value_bytes, const RecordView& replaced) {
  const std::size_t prefix = shared == Node(node).prefix_bytes() || Node(node).count() > 0 ? shared : 0;
  return record_bytes(key_bytes - prefix, value_bytes) <= leaf_room(node, shared, key_bytes, replaced);
}

void leaf_put(char* node, Bytes key, const Record& record) {
  PLIMSOLL_DCHECK(Node(node).leaf() && key.size() <= key_bytes_limit);
  const LeafPlace place = search_leaf(node, Node(node).page_bytes(), key);
  if (place.found) {
    PLIMSOLL_CHECK(place.record);
    const Bytes suffix = key.substr(Node(node).prefix_bytes());
    const std::size_t old_bytes = heap_bytes_of(place.record), new_bytes = record_bytes(suffix.size(), record.value.size());
    if (new_bytes <= old_bytes) {
      store_record(const_cast<char*>(place.record.at), suffix, record);
      store_u16(node, node_at::dead, Node(node).dead() + (old_bytes - new_bytes));
      return;
    }
    leaf_erase(node, place.slot);
  }
  make_room(node, key, record.value.size());
  PLIMSOLL_DCHECK(shared_with_prefix(node, key) == Node(node).prefix_bytes());
  const Bytes suffix = key.substr(Node(node).prefix_bytes());
  const std::size_t at = take_heap(node, record_bytes(suffix.size(), record.value.size()));
  store_record(node + at, suffix, record);
  open_slot(node, place.slot, head_of(suffix));
  store_u16(node, Node(node).offset_at(place.slot), at);
}

void leaf_erase(char* node, std::uint16_t slot) {
  const Node view(node);
  PLIMSOLL_CHECK(view.leaf() && slot < view.count());
  close_slot(node, slot, heap_bytes_of(record_view(node, view.page_bytes(), view.offset(slot))));
}

bool inner_fits(const char* node, Bytes separator) {
  const Node view(node);
  const std::size_t shared = view.count() > 1 ? shared_with_prefix(node, separator) : 0;
  const Newcomer newcomer{separator.size(), 0, shared};
  if (shared == view.prefix_bytes()) {
    return node_at::heads + inner_slot_bytes * round_up_16(view.count() + 1u) + view.live_bytes() +
               newcomer_bytes(view.level(), newcomer, shared) <=
           view.page_bytes();
  }
  return bytes_with(whole(node), shared, &newcomer) <= view.page_bytes();
}

void inner_insert(char* node, Bytes separator, ChildRef child) {
  PLIMSOLL_CHECK(!Node(node).leaf() && Node(node).count() > 0 && !inner_find(node, separator));
  const auto slot = static_cast<std::uint16_t>(search_inner(node, Node(node).page_bytes(), separator) + 1);
  make_room(node, separator, 0);
  PLIMSOLL_DCHECK(slot <= Node(node).count());
  const Bytes suffix = separator.substr(Node(node).prefix_bytes());
  const std::size_t heap = separator_heap_bytes(suffix.size()), at = heap > 0 ? take_heap(node, heap) : 0;
  if (heap > 0) page_write(node + at, suffix.data(), suffix.size());
  open_slot(node, slot, head_of(suffix));
  set_child(node, slot, child);
  store_u16(node, Node(node).suffix_at(slot), at);
  store_u16(node, Node(node).suffix_at(slot) + 2, suffix.size());
}

std::optional<std::uint16_t> inner_find(const char* node, Bytes separator) {
  const std::uint16_t slot = search_inner(node, Node(node).page_bytes(), separator);
  char buffer[key_bytes_limit];
  if (slot == 0 || Node(node).key(slot, buffer) != separator) return std::nullopt;
  return slot;
}

void inner_erase(char* node, std::uint16_t slot) {
  PLIMSOLL_CHECK(!Node(node).leaf() && slot > 0 && slot < Node(node).count());
  close_slot(node, slot, separator_heap_bytes(Node(node).suffix_bytes(slot)));
}

void set_child(char* node, std::uint16_t slot, ChildRef child) {
  PLIMSOLL_DCHECK(slot < Node(node).count());
  page_store<std::uint32_t>(node + Node(node).child_at(slot), child.page);
  Node::store_child_hint(node, slot, child.hint);
}

void keep_first(char* node, std::uint16_t count, Bytes upper) {
  write_node(node, part(node, 0, count, Node(node).lower_fence(), upper));
}

}  // namespace plimsoll::btree
