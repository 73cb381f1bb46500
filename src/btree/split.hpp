// Why a node is split: an entry shall fit into it. Internal to the layer.
#pragma once

#include "btree/trees.hpp"

namespace plimsoll::btree {

struct Trees::Split {
  std::size_t value_bytes = 0;  // leaves: room for a record of the key with such a value
  Bytes separator{};            // inner nodes: room for this separator
  log::Log::Priority priority = log::Log::Priority::normal;
  std::uint64_t deadline_ns = 0;
};

// Where to split a node in the face of a key that does not fit: entries [0, at) stay, the rest goes right.
struct SplitPoint {
  std::uint16_t at = 0;
  Bytes separator{};  // in the caller's buffer of key_bytes_limit bytes
};
SplitPoint choose_split(const char* node, Bytes key, char* separator);

}  // namespace plimsoll::btree
