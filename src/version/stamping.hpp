// Replaces marks of ended transactions in a latched leaf by their commit timestamps, so that readers need not look them up. A hint
// (D5): nothing is logged, but the page may then only be written when those commits are durable.
#pragma once

#include <cstddef>

#include "registry/registry.hpp"

namespace plimsoll::version {

// Answers how many records were stamped. If any, the caller raises the page's flush limit to Log::end() (protocols.md rule 10) and
// makes readers notice. `leaf` may be any node; inner ones are left alone.
std::size_t stamp_leaf(char* leaf, const registry::Registry& registry);

}  // namespace plimsoll::version
