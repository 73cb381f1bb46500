// The slab allocator as its users see it, at its edges: classes, alignment, caps, what it counts and gives back. Also:
// slab_threads_test, slab_misuse_test (with sampled guards and reports), slab_compaction_test; random use against a model:
// tests/model/slab_model_test.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <tuple>
#include <vector>

#include "unit/slab_support.hpp"

namespace plimsoll::memory {
namespace {

TEST(SlabClasses, EverySizeHasTheSmallestClassThatHoldsIt) {
  for (unsigned i = 1; i < SlabClasses::count; ++i) EXPECT_LT(SlabClasses::size(i - 1), SlabClasses::size(i));
  for (std::size_t bytes = 0; bytes <= SlabClasses::object_bytes_max; ++bytes) {
    const unsigned index = SlabClasses::of(bytes);
    ASSERT_LT(index, SlabClasses::count);
    ASSERT_GE(SlabClasses::size(index), bytes);
    ASSERT_TRUE(index == 0 || SlabClasses::size(index - 1) < bytes);
    ASSERT_TRUE(bytes <= 128 || (SlabClasses::size(index) - bytes) * 8 < bytes) << bytes;
  }
}

// A2: the system before this one refused 13,312 sizes.
TEST_F(Slab, NoSizeIsRefusedAndNothingOverlaps) {
  std::map<std::uintptr_t, std::size_t> live;
  std::vector<Object> all;
  std::size_t total = 0;
  for (std::size_t bytes = 0; bytes <= 40 * KiB; bytes += bytes < 4 * KiB ? 7 : 509) {
    char* at = slab->allocate(bytes, 8);
    ASSERT_NE(at, nullptr) << bytes;
    std::memset(at, static_cast<int>(bytes), bytes);
    const auto place = reinterpret_cast<std::uintptr_t>(at);
    const auto after = live.lower_bound(place);
    ASSERT_TRUE(after == live.end() || after->first >= place + bytes);
    ASSERT_TRUE(after == live.begin() || std::prev(after)->first + std::prev(after)->second <= place);
    live[place] = bytes;
    all.push_back({at, bytes});
    total += bytes;
  }
  EXPECT_GE(budget.used(Account::contexts), total);
  for (const Object& one : all) {
    EXPECT_TRUE(all_are(one.at, one.bytes, static_cast<char>(one.bytes)));
    slab->free(one.at, one.bytes, 8);
  }
  EXPECT_EQ(slab->statistics().live_objects, 0u);
}

// A1: a slab that was fully used was freed while its objects lived.
TEST_F(Slab, FullSlabsKeepTheirObjects) {
  for (const std::size_t bytes : {64, 2048}) {
    auto all = take_many(*slab, bytes, 40'000 * 64 / bytes);
    EXPECT_GE(slab->statistics().live_objects, all.size());
    give_all(*slab, all);
  }
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

// A3: two allocators shared one cache of a thread.
TEST_F(Slab, AllocatorsOnOneThreadAreApart) {
  auto other_pool = BlockPool::make(provider);
  ASSERT_TRUE(other_pool);
  {
    auto other = SlabAllocator::make(*other_pool, {});
    ASSERT_TRUE(other);
    char* mine = slab->allocate(64, 8);
    slab->free(mine, 64, 8);
    std::vector<char*> others;
    for (int i = 0; i < 2000; ++i) {
      char* at = other->allocate(64, 8);
      ASSERT_TRUE(at >= other_pool->base() && at < other_pool->base() + other_pool->chunks() * other_pool->chunk_bytes());
      others.push_back(at);
    }
    EXPECT_EQ(slab->allocate(64, 8), mine);  // still the newest of its own magazine
    slab->free(mine, 64, 8);
    for (char* at : others) other->free(at, 64, 8);
    EXPECT_EQ(other->statistics().live_objects, 0u);
  }
}

// More allocators than a thread has entries: those without magazines work all the same.
TEST_F(Slab, AnyNumberOfAllocatorsMayLive) {
  std::list<SlabAllocator> more;
  for (int i = 0; i < 20; ++i) {
    auto made = SlabAllocator::make(*pool, {.guard_every = 0});
    ASSERT_TRUE(made);
    more.push_back(std::move(*made));
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<Object>> all;
    for (SlabAllocator& one : more) all.push_back(take_many(one, 100, 300));
    auto objects = all.begin();
    for (SlabAllocator& one : more) {
      EXPECT_EQ(one.statistics().live_objects, 300u);
      give_all(one, *objects++);
    }
    more.pop_front();  // its entry is another's afterwards
    auto made = SlabAllocator::make(*pool, {});
    ASSERT_TRUE(made);
    more.push_back(std::move(*made));
  }
}

// A6: aligned memory that was not aligned.
TEST_F(Slab, EveryAlignmentIsKept) {
  std::vector<std::tuple<char*, std::size_t, std::size_t>> all;
  for (std::size_t alignment = 1; alignment <= 2 * MiB; alignment *= 2) {
    for (const std::size_t bytes : {1, 15, 24, 100, 144, 1000, 1500, 5000, 9000, 30'000, 40'000, 300'000}) {
      for (int i = 0; i < (alignment <= 4096 ? 5 : 1); ++i) {
        char* at = slab->allocate(bytes, alignment);
        ASSERT_NE(at, nullptr) << bytes << " " << alignment;
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % alignment, 0u) << bytes << " " << alignment;
        std::memset(at, 1, bytes);
        all.emplace_back(at, bytes, alignment);
      }
      if (budget.used() > budget.limit() / 2) {
        for (auto [at, size, aligned] : all) slab->free(at, size, aligned);
        all.clear();
      }
    }
  }
  for (auto [at, size, aligned] : all) slab->free(at, size, aligned);
}

TEST_F(Slab, TakesAndGivesAsTheBlockPoolDoes) {
  for (const std::size_t bytes :
       {std::size_t{1}, 100 * KiB, 4 * KiB, 4 * KiB + 1, 12 * KiB, 32 * KiB, 33 * KiB, 256 * KiB, 1 * MiB, 5 * KiB}) {
    std::size_t got = 0, expected = 0;
    char* at = slab->take(bytes, got);
    ASSERT_NE(at, nullptr);
    ASSERT_GE(got, bytes);
    std::memset(at, 7, got);
    if (bytes >= 4 * KiB) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % BlockPool::block_alignment, 0u);
      expected = BlockPool::block_bytes(bytes);
      EXPECT_EQ(got, expected);
    }
    slab->give(at, got);
  }
}

TEST_F(Slab, IsAMemoryResource) {
  {
    std::pmr::map<int, std::pmr::string> all(&*slab);
    for (int i = 0; i < 5000; ++i) all[i] = std::pmr::string(static_cast<std::size_t>(i % 500), 'x', &*slab);
    for (int i = 0; i < 5000; i += 2) all.erase(i);
    for (const auto& [key, text] : all) EXPECT_EQ(text.size(), static_cast<std::size_t>(key % 500));
    EXPECT_GT(slab->statistics().live_objects, 2500u);
  }
  EXPECT_EQ(slab->statistics().live_objects, 0u);
  EXPECT_TRUE(slab->is_equal(*slab));
  EXPECT_FALSE(slab->is_equal(*std::pmr::new_delete_resource()));
  EXPECT_THROW(static_cast<void>(slab->std::pmr::memory_resource::allocate(budget.limit() * 2)), std::bad_alloc);
}

TEST_F(Slab, StatisticsAreExactWhenQuiet) {
  const std::size_t idle = budget.used();
  auto all = take_many(*slab, 100, 1000);
  auto blocks = take_many(*slab, 4 * KiB, 50);
  SlabStatistics now = slab->statistics();
  EXPECT_EQ(now.live_objects, 1050u);
  EXPECT_EQ(now.live_bytes, 1000u * 112 + 50 * 4 * KiB);
  EXPECT_EQ(now.slab_bytes, now.slabs * 64 * KiB);
  EXPECT_GE(budget.used() - idle, now.slab_bytes);
  EXPECT_GE(pool->live_bytes(), now.slab_bytes + 50 * 4 * KiB);
  give_all(*slab, all);
  give_all(*slab, blocks);
  now = slab->statistics();
  EXPECT_EQ(now.live_objects, 0u);
  EXPECT_EQ(now.live_bytes, 0u);
  EXPECT_GT(now.magazine_bytes + now.depot_bytes, 0u);
}

TEST_F(Slab, TheDepotNeverHoldsMoreThanItsLimit) {
  make({.depot_bytes_max = 32 * KiB});
  for (int round = 0; round < 4; ++round) {  // those who have empty magazines from the round before may not fill them either
    auto all = take_many(*slab, 64, 10'000);
    auto others = take_many(*slab, 1000, 300);
    give_all(*slab, round % 2 == 0 ? others : all);
    give_all(*slab, round % 2 == 0 ? all : others);
    const SlabStatistics now = slab->statistics();
    EXPECT_LE(now.depot_bytes, 32 * KiB);
    EXPECT_LE(now.depot_bytes_peak, 32 * KiB);
    EXPECT_GT(now.depot_bytes_peak, 16 * KiB);  // it is used
  }
}

TEST_F(Slab, TheCapOfAllSlabsIsKeptAndWhatIdlesElsewhereIsUsedFirst) {
  make({.span_bytes_max = 1 * MiB});
  std::vector<Object> small;
  while (char* at = slab->allocate(64, 8)) small.push_back({at, 64});
  EXPECT_LE(slab->statistics().slab_bytes, 1 * MiB);
  EXPECT_GT(small.size() * 64, 800 * KiB);
  std::size_t got = 0;
  char* block = slab->take(4 * KiB, got);  // no slab is needed for it
  ASSERT_NE(block, nullptr);
  slab->give(block, got);
  for (const Object& one : small) slab->free(one.at, one.bytes, 8);
  std::vector<Object> larger;  // the slabs of the small ones must go for these
  while (char* at = slab->allocate(700, 8)) larger.push_back({at, 700});
  EXPECT_GT(larger.size() * 700, 700 * KiB);
  EXPECT_LE(slab->statistics().slab_bytes, 1 * MiB);
  for (const Object& one : larger) slab->free(one.at, one.bytes, 8);
}

TEST_F(Slab, ExhaustedBudgetIsRefusedAndEverythingComesBack) {
  std::vector<Object> all;
  for (std::size_t bytes = 16; bytes != 0; bytes = bytes == 16 ? 3000 : bytes == 3000 ? 4096 : 0) {
    while (char* at = slab->allocate(bytes, 8)) all.push_back({at, bytes});
  }
  EXPECT_LE(budget.used(), budget.limit());
  EXPECT_GT(budget.used(), budget.limit() * 9 / 10);
  for (const Object& one : all) slab->free(one.at, one.bytes, 8);
  slab->trim();
  EXPECT_LT(budget.used(), 2 * provider.chunk_bytes());  // one is held by the magazines' record of this thread
  auto again = take_many(*slab, 3000, 1000);
  give_all(*slab, again);
}

TEST_F(Slab, TrimReturnsWhatItSays) {
  auto all = take_many(*slab, 200, 100'000);
  give_all(*slab, all);
  const std::size_t before = budget.used();
  const std::size_t returned = slab->trim();
  EXPECT_GE(returned, provider.chunk_bytes());
  EXPECT_EQ(before - budget.used(), returned);
  const SlabStatistics now = slab->statistics();
  EXPECT_EQ(now.slabs, 0u);
  EXPECT_EQ(now.magazine_bytes, 0u);
  EXPECT_EQ(now.depot_bytes, 0u);
}

TEST_F(Slab, PrefilledAllocationsCannotFail) {
  std::vector<Object> all;
  for (const std::size_t bytes : {100, 4096, 20'000}) {
    const unsigned most = SlabAllocator::prefill_max(bytes);
    auto prefilled = slab->prefill(bytes, most);
    ASSERT_TRUE(prefilled);
    const std::size_t rest = budget.available(Account::frames);
    ASSERT_TRUE(budget.try_charge(Account::frames, rest));
    slab->trim();  // leaves them alone
    for (unsigned i = 0; i < most; ++i) {
      char* at = slab->allocate(bytes, 8);
      ASSERT_NE(at, nullptr);
      all.push_back({at, bytes});
    }
    budget.discharge(Account::frames, budget.used(Account::frames));
  }
  while (char* at = slab->allocate(24'000, 8)) all.push_back({at, 24'000});
  EXPECT_FALSE(slab->prefill(24'000, 1));
  for (const Object& one : all) slab->free(one.at, one.bytes, 8);
}

}  // namespace
}  // namespace plimsoll::memory
