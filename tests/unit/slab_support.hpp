// What the tests of the slab allocator share: an allocator over a pool of its own, and many objects at once, taken and given back
// with their contents compared.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "memory/slab.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {

class Slab : public testing::Test {
 protected:
  Slab() { make({}); }
  ~Slab() override {
    slab.reset();
    EXPECT_EQ(pool->live_bytes(), 0u);
    pool.reset();
    EXPECT_EQ(budget.used(), 0u);
  }
  void make(const SlabOptions& options) {
    slab.reset();
    auto made = SlabAllocator::make(*pool, options);
    ASSERT_TRUE(made);
    slab.emplace(std::move(*made));
  }

  MemoryBudget budget{64 * MiB};
  PageProvider provider{budget};
  std::optional<BlockPool> pool = std::move(*BlockPool::make(provider));
  std::optional<SlabAllocator> slab;
};

using SlabDeathTest = Slab;

struct Object {
  char* at;
  std::size_t bytes;
};

inline std::vector<Object> take_many(SlabAllocator& from, std::size_t bytes, std::size_t count) {
  std::vector<Object> all;
  for (std::size_t i = 0; i < count; ++i) {
    char* at = from.allocate(bytes, 8);
    EXPECT_NE(at, nullptr);
    std::memset(at, static_cast<int>(i), bytes);
    all.push_back({at, bytes});
  }
  return all;
}

inline void give_all(SlabAllocator& to, std::vector<Object>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(all_are(all[i].at, all[i].bytes, static_cast<char>(i)));
    to.free(all[i].at, all[i].bytes, 8);
  }
  all.clear();
}
}  // namespace plimsoll::memory
