// Changes to a node whose page the caller holds latched (or owns). Deterministic: the same change of the same content leads to the
// same content, so redo may repeat them. Whether something fits depends on the live content only, never on how it is scattered in
// the heap.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "btree/leaf.hpp"
#include "btree/node.hpp"

namespace plimsoll::btree {

// What a node shall hold: entries of one node, or of two neighbours, between two fences.
struct Content {
  struct Piece {
    const char* node = nullptr;
    std::uint16_t from = 0, to = 0;  // entries [from, to)
  };
  std::uint32_t page_bytes = 0, tree = 0;
  std::uint8_t level = 0;
  std::array<Piece, 2> pieces{};
  Bytes joint{};  // inner nodes: the separator between the two pieces
  std::optional<Bytes> lower, upper;

  std::size_t entries() const;
};
Content whole(const char* node);
Content part(const char* node, std::uint16_t from, std::uint16_t to, std::optional<Bytes> lower, std::optional<Bytes> upper);

// An entry that shall fit in addition. prefix_max: how much of the node's prefix its key shares.
struct Newcomer {
  std::size_t key_bytes = 0, value_bytes = 0, prefix_max = 0;
};

// Bytes of a compacted node with this content, keys stored without the first `prefix` bytes (which all must share).
std::size_t bytes_needed(const Content& content, std::size_t prefix, const Newcomer* newcomer = nullptr);
// The same with the best prefix.
std::size_t bytes_needed(const Content& content);

// Writes the content into `node` (which may be one of its pieces), with slots to spare for what the free bytes can take. The common
// page header stays, but for kind, level and tree. There must be room (checked).
void write_node(char* node, const Content& content, const Newcomer* newcomer = nullptr);
// An empty node without fences.
void format_node(char* node, std::uint32_t page_bytes, std::uint8_t level, std::uint32_t tree);

// An inner node whose only child takes every key.
void format_inner(char* node, std::uint32_t page_bytes, std::uint8_t level, std::uint32_t tree, ChildRef child);

std::size_t common_bytes(Bytes a, Bytes b);  // at their begin
// How many bytes of the key are shared with the node's prefix.
std::size_t shared_with_prefix(const char* node, Bytes key);

// Leaves. put: insert or replace; it must fit (checked).
bool leaf_fits(const char* node, std::size_t shared, std::size_t key_bytes, std::size_t value_bytes, const RecordView& replaced);
std::size_t leaf_room(const char* node, std::size_t shared, std::size_t key_bytes, const RecordView& replaced);
void leaf_put(char* node, Bytes key, const Record& record);
void leaf_erase(char* node, std::uint16_t slot);
std::size_t heap_bytes_of(const RecordView& record);
// What entry i takes: its slot and its part of the heap.
std::size_t entry_bytes(const char* node, std::uint16_t slot);

// Inner nodes.
bool inner_fits(const char* node, Bytes separator);
void inner_insert(char* node, Bytes separator, ChildRef child);              // it must fit (checked) and be new (checked)
std::optional<std::uint16_t> inner_find(const char* node, Bytes separator);  // the entry with exactly this separator
void inner_erase(char* node, std::uint16_t slot);                            // not entry 0
void set_child(char* node, std::uint16_t slot, ChildRef child);

// The node keeps its first entries and gets an upper fence.
void keep_first(char* node, std::uint16_t count, Bytes upper);

}  // namespace plimsoll::btree
