// Large objects: that extents are used again, charged while they are kept, bounded, and what misuse does.
#include "memory/extent_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {
namespace {

class Extents : public testing::Test {
 protected:
  ~Extents() override { EXPECT_EQ(budget.used(), 0u); }
  MemoryBudget budget{256 * MiB};
  PageProvider provider{budget};
};
using ExtentsDeathTest = Extents;

TEST_F(Extents, AreUsedAgainAndChargedWhileTheyAreKept) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 40 * MiB});
  std::size_t got = 0;
  char* first = cache.take(16 * MiB, got);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(got, 16 * MiB);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % (2 * MiB), 0u);
  std::memset(first, 1, got);
  const std::size_t charged = budget.used();
  EXPECT_LE(charged, 16 * MiB + 4 * KiB);
  cache.give(first, got);
  EXPECT_EQ(budget.used(), charged);
  EXPECT_EQ(cache.cached_bytes(), charged);
  EXPECT_EQ(cache.take(15 * MiB, got), first);  // an eighth may be lost
  EXPECT_EQ(got, ExtentCache::extent_bytes(15 * MiB));
  cache.give(first, got);
  char* small = cache.take(1 * MiB, got);
  EXPECT_NE(small, first);
  cache.give(small, got);
  EXPECT_EQ(cache.trim(1), charged);  // the oldest
  EXPECT_EQ(cache.trim(~std::size_t{0}), 1 * MiB + 4 * KiB);
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(Extents, HugePagesAreAlignedThoughOthersLieInTheCache) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 40 * MiB});
  std::vector<char*> odd;
  std::size_t odd_bytes = 0, got = 0, misaligned = 0;
  for (int i = 0; i < 8; ++i) odd.push_back(cache.take(2 * MiB + 64 * KiB, odd_bytes));
  for (char* one : odd) {
    misaligned += reinterpret_cast<std::uintptr_t>(one) % (2 * MiB) != 0;
    cache.give(one, odd_bytes);
  }
  ASSERT_GT(misaligned, 0u);
  for (char*& one : odd) {
    one = cache.take(2 * MiB, got);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one) % (2 * MiB), 0u);
  }
  for (char* one : odd) cache.give(one, got);
  cache.trim(~std::size_t{0});
}

TEST_F(Extents, TheCacheIsBounded) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 10 * MiB});
  std::vector<char*> all;
  std::size_t got = 0;
  for (int i = 0; i < 40; ++i) all.push_back(cache.take(1 * MiB, got));
  for (char* one : all) {
    cache.give(one, got);
    EXPECT_LE(cache.cached_bytes(), 10 * MiB);
  }
  EXPECT_GT(cache.cached_bytes(), 8 * MiB);
  char* large = cache.take(12 * MiB, got);
  cache.give(large, got);
  EXPECT_LE(cache.cached_bytes(), 10 * MiB);
}

TEST_F(Extents, LargeOnesAreRoundedToHugePagesWhereThatCostsLittle) {
  EXPECT_EQ(ExtentCache::extent_bytes(2 * MiB), 2 * MiB);
  EXPECT_EQ(ExtentCache::extent_bytes(2 * MiB + 1), 2 * MiB + 4 * KiB);
  EXPECT_EQ(ExtentCache::extent_bytes(20 * MiB + 3), 22 * MiB);
  EXPECT_EQ(ExtentCache::extent_bytes(300 * KiB + 1), 304 * KiB);
}

TEST_F(Extents, ResidentAsChargedOrWhenTouched) {
  if (!resident_is_exact) GTEST_SKIP() << "sanitizers have memory of their own";
  std::size_t got = 0;
  {
    ExtentCache cache(provider, Account::large_objects, {});
    const std::size_t before = resident_bytes();
    char* at = cache.take(32 * MiB, got);
    EXPECT_GE(resident_bytes() + noise, before + 32 * MiB);
    cache.give(at, got);  // nothing is kept
    EXPECT_LE(resident_bytes(), before + noise);
  }
  ExtentCache cache(provider, Account::large_objects, {.prefault = false, .exclude_from_dumps = true});
  const std::size_t before = resident_bytes();
  char* at = cache.take(32 * MiB, got);
  EXPECT_LE(resident_bytes(), before + noise);
  EXPECT_GE(budget.used(), 32 * MiB);
  at[0] = at[got - 1] = 1;
  cache.give(at, got);
}

TEST_F(Extents, RefusedWithoutBudget) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 64 * MiB});
  std::size_t got = 0;
  EXPECT_EQ(cache.take(257 * MiB, got), nullptr);
  char* most = cache.take(200 * MiB, got);
  ASSERT_NE(most, nullptr);
  std::size_t other = 0;
  EXPECT_EQ(cache.take(100 * MiB, other), nullptr);
  cache.give(most, got);
}

TEST_F(Extents, ThreadsShareTheCache) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 16 * MiB});
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<std::uint64_t>(t));
      for (int i = 0; i < 60; ++i) {
        std::size_t got = 0;
        char* at = cache.take((random.below(4) + 1) * 512 * KiB, got);
        ASSERT_NE(at, nullptr);
        std::memset(at, t, got);
        std::this_thread::yield();
        ASSERT_TRUE(all_are(at, got, static_cast<char>(t)));
        cache.give(at, got);
        if (i % 16 == 0) cache.trim(1 * MiB);
      }
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_EQ(cache.cached_bytes(), budget.used());
}

TEST_F(ExtentsDeathTest, MisuseIsFound) {
  ExtentCache cache(provider, Account::large_objects, {.cached_bytes_max = 16 * MiB, .guard = true});
  std::size_t got = 0;
  char* volatile at = cache.take(1 * MiB, got);
  EXPECT_DEATH(cache.give(at, got - 4 * KiB), "header->bytes == got");
  EXPECT_DEATH(cache.give(at + 4 * KiB, got), "");
  EXPECT_DEATH(at[got] = 1, "");
  EXPECT_DEATH(
      {
        cache.give(at, got);
        cache.give(at, got);
      },
      "!header->cached");
  cache.give(at, got);
}

}  // namespace
}  // namespace plimsoll::memory
