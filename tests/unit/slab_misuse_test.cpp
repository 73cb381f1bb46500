// What is done wrong with the slab allocator is found: objects given back twice, or elsewhere, or never, written past their end or
// after they were freed; and what its samples and reports say.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "unit/slab_support.hpp"

namespace plimsoll::memory {
namespace {

// --- misuse ---

// A4: a block given back twice was accepted, and two live blocks shared an address.
TEST_F(SlabDeathTest, GivingBackTwiceIsFound) {
  for (const std::size_t bytes : {16, 64, 4096, 5000, 20'000}) {
    EXPECT_DEATH(
        {
          char* at = slab->allocate(bytes, 8);
          slab->free(at, bytes, 8);
          slab->free(at, bytes, 8);
        },
        "is_free")
        << bytes;
  }
  EXPECT_DEATH(  // also long afterwards, and when it is in a slab again
      {
        auto all = take_many(*slab, 64, 3000);
        char* at = all[1500].at;
        for (const Object& one : all) slab->free(one.at, 64, 8);
        slab->trim(1);
        slab->free(at, 64, 8);
      },
      "is_free|unit < unit_count_|== code");
}

TEST_F(SlabDeathTest, WhatIsNobodysIsFound) {
  static char elsewhere[64];
  EXPECT_DEATH(slab->free(elsewhere, 64, 8), "unit < unit_count_");
  auto other_pool = BlockPool::make(provider);
  ASSERT_TRUE(other_pool);
  auto other = SlabAllocator::make(*other_pool, {});
  ASSERT_TRUE(other);
  char* at = other->allocate(64, 8);
  EXPECT_DEATH(slab->free(at, 64, 8), "unit < unit_count_");
  other->free(at, 64, 8);
}

// Found when the magazine leaves the thread at the latest.
TEST_F(SlabDeathTest, WrongSizesAndPlacesAreFound) {
  EXPECT_DEATH(
      {
        slab->free(slab->allocate(64, 8), 200, 8);
        slab->trim();
      },
      "== code");
  EXPECT_DEATH(
      {
        slab->free(slab->allocate(200, 8) + 32, 200, 8);
        slab->trim();
      },
      "is_object");
  EXPECT_DEATH(slab->give(slab->allocate(64, 8), 65), "");
}

TEST_F(SlabDeathTest, WhatLivesAtTheEndIsReportedAndStops) {
  SlabOptions options;
  options.label = "leaky";
  options.guard_every = 1;
  options.guard_places = 1;
  options.on_leak = [](void*, const SlabLeak& leak) {
    std::fprintf(stderr, "%s: %zu of %zu bytes, %d\n", leak.label, leak.objects, leak.object_bytes, leak.age.count() > 0);
  };
  EXPECT_DEATH(
      {
        make(options);
        const SlabLabel label("cursor");
        for (int i = 0; i < 3; ++i) static_cast<void>(slab->allocate(40, 8));
        slab.reset();
      },
      "leaky: 2 of 48 bytes, 0\ncursor: 1 of 40 bytes, 1\n");
}

// --- sampled guards ---

TEST_F(Slab, SamplesAreObjectsLikeOthers) {
  make({.guard_every = 1, .guard_places = 8});
  for (int round = 0; round < 10; ++round) {
    std::vector<Object> all;
    for (const std::size_t bytes :
         {1, 16, 100, 1000, 4096, 5000, 24, 64, 8, 200}) {  // two more than there are places, one too large
      char* at = slab->allocate(bytes, 8);
      ASSERT_NE(at, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % 8, 0u);
      std::memset(at, 3, bytes);
      all.push_back({at, bytes});
    }
    EXPECT_EQ(slab->statistics().live_objects, 10u);
    for (const Object& one : all) slab->free(one.at, one.bytes, 8);
    EXPECT_EQ(slab->statistics().guarded_objects, 8u * (static_cast<unsigned>(round) + 1));
  }
}

TEST_F(Slab, OneInSoManyIsSampledAndTheNextOneOnDemand) {
  make({.guard_every = 1000, .guard_places = 64});
  for (int i = 0; i < 20; ++i) {
    auto all = take_many(*slab, 64, 1000);
    give_all(*slab, all);
  }
  const std::uint64_t sampled = slab->statistics().guarded_objects;
  EXPECT_GE(sampled, 5u);
  EXPECT_LE(sampled, 20u);
  slab->sample_next();
  auto one = take_many(*slab, 64, 1);
  give_all(*slab, one);
  EXPECT_EQ(slab->statistics().guarded_objects, sampled + 1);
}

// A5: with guards on, an overrun of 16 bytes was not noticed.
TEST_F(SlabDeathTest, SampledOverrunsAndUsesAfterFreeAreFaults) {
  make({.guard_every = 1});
  char* volatile at = slab->allocate(64, 16);
  at[63] = 1;
  EXPECT_DEATH(at[64] = 1, "");
  EXPECT_DEATH(std::memset(at, 0, 80), "");
  slab->free(at, 64, 16);
  EXPECT_DEATH(at[0] = 1, "");
  EXPECT_DEATH(slab->free(at, 64, 16), "");
  char* volatile odd = slab->allocate(61, 8);  // three bytes lie between its end and the page's
  EXPECT_DEATH(
      {
        odd[61] = 1;
        slab->free(odd, 61, 8);
      },
      "is_pattern");
  EXPECT_DEATH(
      {
        odd[-1] = 1;
        slab->free(odd, 61, 8);
      },
      "is_pattern");
  slab->free(odd, 61, 8);
}

#ifdef PLIMSOLL_ASAN
TEST_F(SlabDeathTest, SanitizerSeesOverrunsAndUsesAfterFree) {
  char* volatile at = slab->allocate(60, 8);
  EXPECT_DEATH(at[60] = 1, "use-after-poison");
  slab->free(at, 60, 8);
  EXPECT_DEATH(at[8] = 1, "use-after-poison");
}
#endif

#ifndef NDEBUG
// The write changes what it finds: the mark is a random word, whose byte is any constant once in 256 runs.
TEST_F(SlabDeathTest, WritesToFreeObjectsAreFound) {
  EXPECT_DEATH(
      {
        char* volatile at = slab->allocate(64, 8);
        slab->free(at, 64, 8);
        at[0] = static_cast<char>(at[0] ^ 1);
        static_cast<void>(slab->allocate(64, 8));
      },
      "is_on|use-after-poison");
}
#endif

// --- reports ---

TEST_F(Slab, ReportsSizesAndSamplesWithTheirAge) {
  make({.label = "rows", .guard_every = 1, .guard_places = 2});
  std::vector<Object> all;
  {
    const SlabLabel label("scan");
    all = take_many(*slab, 100, 10);
  }
  std::vector<std::pair<std::string, std::size_t>> seen;
  slab->report(
      [](void* context, const SlabLeak& leak) { static_cast<decltype(seen)*>(context)->emplace_back(leak.label, leak.objects); },
      &seen);
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen[0].first, "rows");
  EXPECT_EQ(seen[0].second + seen.size() - 1, 10u);
  EXPECT_EQ(seen[1].first, "scan");
  give_all(*slab, all);
}

}  // namespace
}  // namespace plimsoll::memory
