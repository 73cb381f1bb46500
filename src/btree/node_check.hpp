// Is a node valid? Safe on arbitrary bytes of page_bytes (a private copy): nothing is followed before it was bounds-checked.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace plimsoll::btree {

// Reports everything that contradicts the rule at the head of node.hpp. False: the node's structure is so broken that its entries
// must not be used.
bool check_node(const char* node, std::uint32_t page_bytes, const std::function<void(std::string_view)>& problem);

}  // namespace plimsoll::btree
