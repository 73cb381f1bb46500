// Block pool and memory contexts: blocks and allocations are aligned, disjoint, counted, capped, and go back; checked against small
// models (RapidCheck). The program counts its heap allocations, because the steady state must not make any.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/context.hpp"
#include "memory/page_provider.hpp"
#include "memory/poison.hpp"
#include "unit/heap_allocations.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {
namespace {

TEST(Pool, GivesEmptyChunksBackButOne) {
  MemoryBudget budget(64 * MiB);
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider);
  ASSERT_TRUE(pool);
  const std::size_t own = budget.used();
  EXPECT_LT(own, 64 * KiB);
  std::vector<char*> blocks;
  std::size_t got = 0;
  for (unsigned i = 0; i < 3 * 512; ++i) {
    blocks.push_back(pool->take(100, got));
    ASSERT_NE(blocks.back(), nullptr);
    EXPECT_EQ(got, 4 * KiB);
  }
  EXPECT_EQ(budget.used(), own + 6 * MiB);  // no byte of a chunk is wasted
  EXPECT_EQ(pool->live_bytes(), 6 * MiB);
  for (char* block : blocks) pool->give(block, 4 * KiB);
  EXPECT_EQ(budget.used(), own + 2 * MiB);
  EXPECT_EQ(pool->trim(), 2 * MiB);
  EXPECT_EQ(pool->trim(), 0u);
  EXPECT_EQ(budget.used(), own);
}

TEST(Pool, SpareChunkGoesToWhoeverNeedsIt) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider);
  ASSERT_TRUE(pool);
  const std::size_t own = budget.used();
  std::size_t got = 0;
  char* block = pool->take(1, got);
  pool->give(block, got);
  EXPECT_EQ(budget.used(), own + 256 * KiB);
  const std::size_t rest = budget.limit() - own;
  ASSERT_TRUE(budget.charge(Account::frames, rest));
  EXPECT_EQ(pool->take(1, got), nullptr);
  budget.discharge(Account::frames, rest);
}

TEST(Pool, LargeBlocksAreMappedByThemselves) {
  MemoryBudget budget(64 * MiB);
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider, {});  // no cache of extents
  ASSERT_TRUE(pool);
  const std::size_t own = budget.used();
  for (const std::size_t bytes : {256 * KiB + 1, 1 * MiB, 20 * MiB + 3}) {
    std::size_t got = 0;
    char* block = pool->take(bytes, got);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(got, BlockPool::block_bytes(bytes));
    EXPECT_EQ(pool->live_bytes(), got);
    EXPECT_LT(budget.used() - own - bytes, bytes > 2 * MiB ? bytes / 8 : 8 * KiB);  // huge pages, if that costs little
    std::memset(block, 1, got);
    pool->give(block, got);
    EXPECT_EQ(budget.used(), own);
  }
  std::size_t got = 0;
  EXPECT_EQ(pool->take(65 * MiB, got), nullptr);
  EXPECT_EQ(pool->take(~std::size_t{0}, got), nullptr);
}

TEST(Pool, MovesWithItsBlocks) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  auto made = BlockPool::make(provider);
  ASSERT_TRUE(made);
  BlockPool pool = std::move(*made);
  std::size_t got = 0;
  char* block = pool.take(5000, got);
  EXPECT_EQ(got, 8 * KiB);
  auto other = BlockPool::make(provider);
  ASSERT_TRUE(other);
  *other = std::move(pool);
  other->give(block, got);
}

TEST(PoolDeathTest, WrongGivesAreFound) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider);
  ASSERT_TRUE(pool);
  std::size_t got = 0, got_too = 0;
  char* block = pool->take(8 * KiB, got);
  char* other = pool->take(8 * KiB, got_too);
  EXPECT_DEATH(pool->give(block, 4 * KiB), "taken_block");
  EXPECT_DEATH(pool->give(block + 4096, 4 * KiB), "taken_block");
  EXPECT_DEATH(pool->give(block + 64, 8 * KiB), "unit_bytes == 0");
  EXPECT_DEATH(*pool = std::move(*BlockPool::make(provider)), "live_bytes\\(\\) == 0");
  pool->give(block, got);
  EXPECT_DEATH(pool->give(block, got), "taken_block");  // twice
  pool->give(other, got_too);
}

// Fills what it was given with a pattern of its own and finds it unchanged at the end: blocks do not overlap.
struct Filled {
  char* at;
  std::size_t bytes;
  char pattern;
  void fill() const { std::memset(at, pattern, bytes); }
  bool intact() const { return all_are(at, bytes, pattern); }
};

TEST(Pool, RandomTakesAndGivesNeverOverlap) {
  EXPECT_TRUE(rc::check("blocks keep their bytes; the ledger covers them", [](std::uint64_t seed) {
    Random random(seed);
    MemoryBudget budget(random.one_in(2) ? 16 * MiB : 64 * MiB);
    PageProvider provider(budget);
    auto pool = BlockPool::make(provider);
    RC_ASSERT(pool.has_value());
    const std::size_t own = budget.used();
    std::vector<Filled> blocks;
    std::size_t live = 0;
    for (unsigned step = 0; step < 400; ++step) {
      if (blocks.empty() || !random.one_in(3)) {
        std::size_t got = 0;
        const std::size_t bytes = random.below(std::size_t{1} << (8 + random.below(12)));
        char* at = pool->take(bytes, got);
        if (at == nullptr) continue;
        RC_ASSERT(got >= bytes && got == BlockPool::block_bytes(bytes));
        RC_ASSERT(reinterpret_cast<std::uintptr_t>(at) % BlockPool::block_alignment == 0);
        blocks.push_back({at, got, static_cast<char>(random.next())});
        blocks.back().fill();
        live += got;
      } else {
        std::swap(blocks[random.below(blocks.size())], blocks.back());
        RC_ASSERT(blocks.back().intact());
        live -= blocks.back().bytes;
        pool->give(blocks.back().at, blocks.back().bytes);
        blocks.pop_back();
      }
      RC_ASSERT(pool->live_bytes() == live);
      RC_ASSERT(budget.used() == budget.used(Account::contexts) && budget.used() >= own + live);
    }
    for (const Filled& block : blocks) {
      RC_ASSERT(block.intact());
      pool->give(block.at, block.bytes);
    }
    pool->trim();
    RC_ASSERT(budget.used() == own);  // all buddies merged again
  }));
}

TEST(Pool, ThreadsShareItAtTheEdgeOfTheBudget) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider);
  ASSERT_TRUE(pool);
  const std::size_t own = budget.used();
  std::atomic<std::size_t> refused{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 5);
      std::vector<Filled> blocks;
      for (unsigned i = 0; i < 1500; ++i) {
        std::size_t got = 0;
        char* at = pool->take(random.below(std::size_t{1} << (10 + random.below(10))), got);
        if (at != nullptr) {
          blocks.push_back({at, got, static_cast<char>(t * 50 + i % 50)});
          blocks.back().fill();
        } else {
          ++refused;
        }
        EXPECT_LE(budget.used(), budget.limit());
        if (at != nullptr && !random.one_in(3)) continue;
        for (std::size_t n = random.below(4); n != 0 && !blocks.empty(); --n) {
          std::swap(blocks[random.below(blocks.size())], blocks.back());
          EXPECT_TRUE(blocks.back().intact());
          pool->give(blocks.back().at, blocks.back().bytes);
          blocks.pop_back();
        }
      }
      for (const Filled& block : blocks) pool->give(block.at, block.bytes);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(pool->live_bytes(), 0u);
  pool->trim();
  EXPECT_EQ(budget.used(), own);
}

class Contexts : public testing::Test {
 protected:
  MemoryBudget budget{64 * MiB};
  PageProvider provider{budget};
  BlockPool pool = BlockPool::make(provider).value();
};

TEST_F(Contexts, BlocksDoubleAndGoBack) {
  Context context(pool, "test");
  EXPECT_EQ(context.bytes(), 0u);
  std::size_t expected = 0;
  for (const std::size_t block : {4 * KiB, 8 * KiB, 16 * KiB, 32 * KiB, 64 * KiB, 128 * KiB, 256 * KiB, 256 * KiB}) {
    expected += block;
    const std::size_t before = context.bytes();
    while (context.bytes() == before) ASSERT_NE(context.allocate(100), nullptr);
    EXPECT_EQ(context.bytes(), expected);
  }
  context.reset();
  EXPECT_EQ(context.bytes(), 4 * KiB);
  EXPECT_EQ(context.live_bytes(), 0u);
  context.release();
  EXPECT_EQ(context.bytes(), 0u);
  EXPECT_EQ(pool.live_bytes(), 0u);
  EXPECT_STREQ(context.label(), "test");
}

TEST_F(Contexts, FreeOfTheNewestGivesItsBytesBack) {
  Context context(pool, "test");
  ASSERT_NE(context.allocate(1), nullptr);
  char* first = context.allocate(100);
  context.free(first, 100);
  EXPECT_EQ(context.allocate(96), first);
  for (unsigned i = 0; i < 100'000; ++i) {  // a value read and dropped, again and again
    char* value = context.allocate(1000, 64);
    ASSERT_NE(value, nullptr);
    context.free(value, 1000);
  }
  EXPECT_EQ(context.bytes(), 4 * KiB);
}

TEST_F(Contexts, WhenNothingIsLeftTheBlocksGoBack) {
  Context context(pool, "test");
  std::vector<char*> all;
  for (unsigned i = 0; i < 1000; ++i) all.push_back(context.allocate(200));
  for (char* at : all) context.free(at, 200);  // oldest first
  EXPECT_EQ(context.live_bytes(), 0u);
  EXPECT_EQ(context.bytes(), 4 * KiB);
}

TEST_F(Contexts, AMovingWindowBehindALongLivedAllocationDoesNotGrow) {
  Context context(pool, "test");
  ASSERT_NE(context.allocate(1), nullptr);
  std::array<char*, 50> window{};
  for (unsigned i = 0; i < 100'000; ++i) {
    char*& place = window[i % window.size()];
    if (place != nullptr) context.free(place, 1000);  // the oldest
    place = context.allocate(1000);
    ASSERT_NE(place, nullptr);
  }
  EXPECT_LE(context.bytes(), 4 * 256 * KiB);
}

TEST_F(Contexts, LargeAllocationsHaveBlocksOfTheirOwn) {
  Context context(pool, "test");
  ASSERT_NE(context.allocate(8), nullptr);
  const std::size_t before = context.bytes();
  std::vector<std::pair<char*, std::size_t>> large;
  for (const std::size_t bytes : {5000u, 100'000u, 300'000u, 5'000'000u, 9000u}) {
    large.emplace_back(context.allocate(bytes, 64), bytes);
    ASSERT_NE(large.back().first, nullptr);
    std::memset(large.back().first, 1, bytes);
  }
  for (const std::size_t i : {2u, 0u, 4u, 1u, 3u}) {
    const std::size_t held = context.bytes();
    context.free(large[i].first, large[i].second);
    EXPECT_LE(context.bytes() + large[i].second, held);  // at once
  }
  EXPECT_EQ(context.bytes(), before);
}

TEST_F(Contexts, CapIsKept) {
  Context context(pool, "capped", {.cap_bytes = 32 * KiB});
  unsigned n = 0;
  while (context.allocate(1000) != nullptr) ++n;
  EXPECT_LE(context.bytes(), 32 * KiB);
  EXPECT_GE(n, 26u);  // the cap can be used up to the rest of a small block
  EXPECT_EQ(context.allocate(40'000), nullptr);
  EXPECT_EQ(context.allocate(~std::size_t{0}), nullptr);
  context.set_cap(0);
  EXPECT_NE(context.allocate(40'000), nullptr);
}

TEST_F(Contexts, BudgetIsKept) {
  const std::size_t own = budget.used();
  {
    Context context(pool, "greedy");
    unsigned n = 0;
    while (context.allocate(10'000) != nullptr) ++n;
    EXPECT_LE(budget.used(), budget.limit());
    EXPECT_GT(n * 10'000u, 30 * MiB);
  }
  EXPECT_LE(budget.used(), own + 2 * MiB);
}

TEST_F(Contexts, ServeStandardContainers) {
  Context context(pool, "pmr", {.cap_bytes = 4 * MiB});
  {
    std::pmr::map<std::pmr::string, std::pmr::vector<int>> map(&context);
    for (int i = 0; i < 1000; ++i) map[std::pmr::string(50, static_cast<char>('a' + i % 26))].push_back(i);
    EXPECT_EQ(map.size(), 26u);
    std::pmr::vector<char> large(&context);
    EXPECT_THROW(large.resize(8 * MiB), std::bad_alloc);
  }
  EXPECT_EQ(context.live_bytes(), 0u);
}

TEST_F(Contexts, DeathOnWrongFree) {
  Context context(pool, "test");
  char* large = context.allocate(5000);
  EXPECT_DEATH(context.free(large, 4000), "live == size");
  EXPECT_DEATH(context.free(large, 6000), "size <= live_");
}

#ifdef PLIMSOLL_ASAN
TEST_F(Contexts, SanitizerSeesOverrunsAndUseAfterFree) {
  Context context(pool, "test");
  char* small = context.allocate(13);
  char* large = context.allocate(5000);
  EXPECT_DEATH(small[13] = 1, "use-after-poison");
  EXPECT_DEATH(small[32] = 1, "use-after-poison");
  EXPECT_DEATH(large[5001] = 1, "use-after-poison");
  context.free(large, 5000);
  EXPECT_DEATH(large[100] = 1, "use-after-poison");
  context.free(small, 13);
  EXPECT_DEATH(small[0] = 1, "use-after-poison");
}
#endif

TEST_F(Contexts, RandomUseAgreesWithAModel) {
  EXPECT_TRUE(rc::check("allocations are aligned, disjoint and counted", [this](std::uint64_t seed) {
    Random random(seed);
    Context context(pool, "model", {.cap_bytes = random.one_in(2) ? 0 : 1 * MiB});
    std::vector<Filled> all;
    std::size_t live = 0;
    const auto rounded = [](std::size_t bytes) { return (std::max<std::size_t>(bytes, 1) + 7) / 8 * 8; };
    for (unsigned step = 0; step < 500; ++step) {
      const std::uint64_t dice = random.below(100);
      if (dice < 60 || all.empty()) {
        const std::size_t bytes = random.below(std::size_t{1} << (2 + random.below(17)));
        const std::size_t alignment = std::size_t{1} << random.below(7);
        char* at = context.allocate(bytes, alignment);
        if (at == nullptr) continue;
        RC_ASSERT(reinterpret_cast<std::uintptr_t>(at) % alignment == 0);
        all.push_back({at, bytes, static_cast<char>(random.next())});
        all.back().fill();
        live += rounded(bytes);
      } else if (dice < 99) {
        if (random.one_in(2)) std::swap(all[random.below(all.size())], all.back());
        RC_ASSERT(all.back().intact());
        context.free(all.back().at, all.back().bytes);
        live -= rounded(all.back().bytes);
        all.pop_back();
      } else {
        for (const Filled& a : all) RC_ASSERT(a.intact());
        random.one_in(2) ? context.reset() : context.release();
        all.clear();
        live = 0;
        RC_ASSERT(context.bytes() <= 4 * KiB);
      }
      RC_ASSERT(context.live_bytes() == live);
      RC_ASSERT(context.bytes() >= live && context.bytes() == pool.live_bytes());
    }
    for (const Filled& a : all) RC_ASSERT(a.intact());
  }));
  EXPECT_EQ(pool.live_bytes(), 0u);
}

TEST_F(Contexts, SteadyStateNeverCallsTheHeap) {
  Random random(1);
  std::array<std::pair<char*, std::size_t>, 64> held{};
  const std::size_t before = heap_allocations;
  for (unsigned round = 0; round < 50; ++round) {
    Context context(pool, "steady");
    for (unsigned i = 0; i < 500; ++i) {
      auto& [at, bytes] = held[random.below(held.size())];
      context.free(at, bytes);
      bytes = random.below(std::size_t{1} << (3 + random.below(16)));
      at = context.allocate(bytes);
    }
    held = {};
    std::size_t got = 0;
    if (char* block = pool.take(3 * MiB, got)) pool.give(block, got);
    if (auto charge = Charge::take(budget, Account::frames, 1 * MiB)) charge->release();
    if (budget.charge(Account::frames, 100 * MiB)) ADD_FAILURE();  // the error is a value as well
  }
  EXPECT_EQ(heap_allocations, before);
}

class Budgets : public testing::TestWithParam<std::size_t> {};

// The last part, from the critical level on, is for small contexts.
TEST_P(Budgets, AContextCanUseMostOfIt) {
  MemoryBudget budget(GetParam());
  PageProvider provider(budget);
  auto pool = BlockPool::make(provider);
  ASSERT_TRUE(pool);
  EXPECT_LT(budget.used(), budget.limit() / 256);
  Context context(*pool, "all");
  const std::size_t before = resident_bytes();
  while (context.allocate(100'000) != nullptr) {}
  EXPECT_GT(budget.used(), budget.limit() / 100 * 85 - 2 * provider.chunk_bytes());
  Context small(*pool, "small");
  EXPECT_NE(small.allocate(100'000), nullptr);
  small.release();
  if (resident_is_exact) { EXPECT_LT(resident_bytes(), before + budget.limit() + noise); }
  context.release();
  EXPECT_LT(budget.used(), budget.limit() / 256 + provider.chunk_bytes());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Budgets, testing::Values(16 * MiB, 63 * MiB, 64 * MiB, 256 * MiB, 1024 * MiB));

}  // namespace
}  // namespace plimsoll::memory
