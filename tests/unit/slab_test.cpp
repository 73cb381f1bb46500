// The slab allocator as its users see it, at its edges: classes, alignment, caps, threads that come and go, misuse, sampled guards,
// reports and compaction. Random use against a model: tests/model/slab_model_test.cpp.
#include "memory/slab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstring>
#include <latch>
#include <list>
#include <map>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {
namespace {

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

std::vector<Object> take_many(SlabAllocator& from, std::size_t bytes, std::size_t count) {
  std::vector<Object> all;
  for (std::size_t i = 0; i < count; ++i) {
    char* at = from.allocate(bytes, 8);
    EXPECT_NE(at, nullptr);
    std::memset(at, static_cast<int>(i), bytes);
    all.push_back({at, bytes});
  }
  return all;
}

void give_all(SlabAllocator& to, std::vector<Object>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(all_are(all[i].at, all[i].bytes, static_cast<char>(i)));
    to.free(all[i].at, all[i].bytes, 8);
  }
  all.clear();
}

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
  for (int round = 0; round < 3; ++round) {
    auto all = take_many(*slab, 64, 10'000);
    auto others = take_many(*slab, 1000, 300);
    give_all(*slab, all);
    give_all(*slab, others);
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

TEST_F(Slab, TrimTakesTheMagazinesOfIdleThreads) {
  std::latch filled(1), trimmed(1);
  std::thread idle([&] {
    auto all = take_many(*slab, 64, 200);
    give_all(*slab, all);
    filled.count_down();
    trimmed.wait();
    auto again = take_many(*slab, 64, 200);
    give_all(*slab, again);
  });
  filled.wait();
  EXPECT_GT(slab->statistics().magazine_bytes, 0u);
  slab->trim();
  EXPECT_EQ(slab->statistics().magazine_bytes, 0u);
  EXPECT_EQ(slab->statistics().slabs, 0u);
  trimmed.count_down();
  idle.join();
}

TEST_F(Slab, WhatAThreadHoldsGoesBackWhenItEnds) {
  for (int i = 0; i < 20; ++i) {
    std::thread([&] {
      auto all = take_many(*slab, 500, 100);
      give_all(*slab, all);
    }).join();
  }
  const SlabStatistics now = slab->statistics();
  EXPECT_EQ(now.live_objects, 0u);
  EXPECT_EQ(now.magazine_bytes, 0u);
}

TEST_F(Slab, ObjectsOutliveTheThreadThatMadeThem) {
  std::vector<Object> all;
  std::thread([&] { all = take_many(*slab, 72, 5000); }).join();
  EXPECT_EQ(slab->statistics().live_objects, 5000u);
  give_all(*slab, all);
  EXPECT_EQ(slab->statistics().live_objects, 0u);
}

TEST_F(Slab, AThreadMayOutliveItsAllocator) {
  std::latch used(1), gone(1);
  std::thread user([&] {
    auto all = take_many(*slab, 64, 300);
    give_all(*slab, all);
    used.count_down();
    gone.wait();
    make({});  // another one, with the same entry
    auto more = take_many(*slab, 64, 300);
    give_all(*slab, more);
  });
  used.wait();
  slab.reset();
  gone.count_down();
  user.join();
}

// An object of the thread's that is destroyed after the thread has given its magazines back.
TEST_F(Slab, AllocatesAtTheVeryEndOfAThread) {
  struct Late {
    SlabAllocator* slab = nullptr;
    ~Late() {
      if (slab == nullptr) return;
      char* at = slab->allocate(64, 8);
      std::memset(at, 1, 64);
      slab->free(at, 64, 8);
    }
  };
  std::thread([&] {
    thread_local Late late;  // constructed first, destroyed last
    late.slab = &*slab;
    auto all = take_many(*slab, 64, 10);
    give_all(*slab, all);
  }).join();
  EXPECT_EQ(slab->statistics().live_objects, 0u);
  EXPECT_EQ(slab->statistics().magazine_bytes, 0u);
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

// Producers allocate, consumers free, one more trims and looks at the statistics, and threads come and go.
TEST_F(Slab, ThreadsExchangeObjectsWhileOthersTrim) {
  constexpr int pairs = 2, rounds = 60, batch = 300;
  std::atomic<bool> done{false};
  std::thread trimmer([&] {
    while (!done) {
      slab->trim(1 * MiB);
      static_cast<void>(slab->statistics());
      slab->sample_next();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int pair = 0; pair < pairs; ++pair) {
    threads.emplace_back([&, pair] {
      Random random(static_cast<std::uint64_t>(pair) + 1);
      for (int round = 0; round < rounds; ++round) {
        std::vector<Object> all = take_many(*slab, 16 + random.below(2000), batch);
        std::thread([&] { give_all(*slab, all); }).join();
      }
    });
  }
  for (std::thread& one : threads) one.join();
  done = true;
  trimmer.join();
  EXPECT_EQ(slab->statistics().live_objects, 0u);
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

// Whoever is in the middle of an allocation when its magazines are wanted keeps them; nothing is ever handed out twice.
TEST_F(Slab, TwoThreadsNeverGetOneObject) {
  constexpr int threads = 3, rounds = 4000;
  std::atomic<bool> done{false};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&, i] {
      std::array<char*, 8> mine{};
      for (int round = 0; round < rounds; ++round) {
        for (char*& at : mine) {
          at = slab->allocate(48, 16);
          ASSERT_NE(at, nullptr);
          std::memset(at, i + 1, 48);
        }
        for (char* at : mine) {
          ASSERT_TRUE(all_are(at, 48, static_cast<char>(i + 1)));
          slab->free(at, 48, 16);
        }
      }
    });
  }
  std::thread trimmer([&] {
    while (!done) slab->trim();
  });
  for (std::thread& one : all) one.join();
  done = true;
  trimmer.join();
  EXPECT_EQ(slab->statistics().live_objects, 0u);
}

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

// --- compaction ---

// An owner that keeps its objects in a table and finds an object's place by the number in it.
class Owner {
 public:
  Owner(SlabAllocator& slab, std::size_t bytes)
      : slab_(slab), bytes_(bytes), movable_(slab.make_movable(bytes, &Owner::relocate, this)) {}

  bool add() {
    char* at = slab_.take(movable_);
    if (at == nullptr) return false;
    const std::lock_guard lock(mutex_);
    std::memset(at, static_cast<int>(table_.size()), bytes_);
    const std::uint64_t number = table_.size();
    std::memcpy(at + 8, &number, sizeof number);
    table_.push_back(at);
    return true;
  }
  void remove(std::size_t number) {
    const std::lock_guard lock(mutex_);
    if (table_[number] != nullptr) slab_.give(movable_, std::exchange(table_[number], nullptr));
  }
  void check() {
    const std::lock_guard lock(mutex_);
    for (std::uint64_t i = 0; i < table_.size(); ++i) {
      if (table_[i] == nullptr) continue;
      ASSERT_EQ(std::memcmp(table_[i] + 8, &i, sizeof i), 0);
      ASSERT_TRUE(all_are(table_[i] + 16, bytes_ - 16, static_cast<char>(i)));
    }
  }
  void clear() {
    for (std::size_t i = 0; i < table_.size(); ++i) remove(i);
    table_.clear();
  }
  std::size_t size() const { return table_.size(); }
  int refuse_every = 0;

 private:
  static bool relocate(void* context, char* from, char* to) {
    Owner& self = *static_cast<Owner*>(context);
    const std::lock_guard lock(self.mutex_);
    if (self.slab_.is_free(from)) return false;
    if (self.refuse_every != 0 && ++self.asked_ % self.refuse_every == 0) return false;
    std::uint64_t number = 0;
    std::memcpy(&number, from + 8, sizeof number);
    EXPECT_EQ(self.table_[number], from);
    std::memcpy(to, from, self.bytes_);
    self.table_[number] = to;
    return true;
  }

  SlabAllocator& slab_;
  std::size_t bytes_;
  SlabAllocator::MovableClass movable_;
  std::mutex mutex_;
  std::vector<char*> table_;
  int asked_ = 0;
};

TEST_F(Slab, CompactionGivesBackWhatIsNotUsed) {
  make({.guard_every = 0});
  Owner owner(*slab, 64);
  for (int i = 0; i < 400'000; ++i) ASSERT_TRUE(owner.add());
  Random random(5);
  std::size_t live = 0;
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (random.one_in(10)) {
      ++live;
    } else {
      owner.remove(i);
    }
  }
  slab->trim();
  EXPECT_GT(slab->statistics().slab_bytes, live * 64 * 5);
  while (slab->compact(10'000) != 0) owner.check();
  owner.check();
  slab->trim();
  const SlabStatistics now = slab->statistics();
  EXPECT_EQ(now.live_objects, live);
  EXPECT_GT(now.moved_objects, live / 2);
  EXPECT_LE(budget.used(), live * 64 + 2 * provider.chunk_bytes() + 512 * KiB);
  owner.clear();
}

// A slab is made when there is no object; when others give some back before one is taken from it, nothing in it is ever out.
TEST_F(Slab, ASlabThatNobodyTookFromGoes) {
  SlabShared shared;
  std::vector<std::atomic<std::uint8_t>> units(pool->chunks() * pool->chunk_bytes() / SlabClasses::unit_bytes);
  shared.pool = &*pool;
  shared.units = units.data();
  shared.base = pool->base();
  shared.span_bytes_max = MiB;
  SlabClass of;
  of.open(shared, 5, SlabClasses::size(5));
  ASSERT_TRUE(of.add_span(false));
  char* object = nullptr;
  ASSERT_EQ(of.take(&object, 1), 1u);
  EXPECT_EQ(of.take_unused(), nullptr);
  ASSERT_TRUE(of.add_span(false));
  of.release(of.take_unused());
  EXPECT_EQ(of.spans(), 1u);
  of.release(of.give(&object, 1));
  EXPECT_EQ(of.spans(), 0u);
  EXPECT_EQ(shared.span_bytes.load(), 0u);
}

TEST_F(Slab, OwnersMayRefuseAndOthersMayUseTheChunk) {
  make({.guard_every = 0});
  Owner owner(*slab, 200), other(*slab, 1000);
  owner.refuse_every = 3;
  std::vector<Object> fixed;
  for (int i = 0; i < 30'000; ++i) {
    ASSERT_TRUE(owner.add());
    if (i % 4 == 0) { ASSERT_TRUE(other.add()); }
    if (i % 1000 == 0) fixed.push_back({slab->allocate(100, 8), 100});
  }
  Random random(6);
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (!random.one_in(8)) owner.remove(i);
    if (i < other.size() && !random.one_in(8)) other.remove(i);
  }
  for (int i = 0; i < 5; ++i) slab->compact();
  owner.check();
  other.check();
  owner.clear();
  other.clear();
  for (const Object& one : fixed) slab->free(one.at, one.bytes, 8);
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

TEST_F(Slab, CompactsWhileOthersAllocateAndFree) {
  make({.guard_every = 0});
  Owner owner(*slab, 96);
  for (int i = 0; i < 60'000; ++i) ASSERT_TRUE(owner.add());
  std::atomic<bool> done{false};
  std::thread compactor([&] {
    while (!done) slab->compact(2000);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<std::uint64_t>(t) + 9);
      for (int i = 0; i < 30'000; ++i) {
        owner.remove(random.below(60'000));
        if (i % 10 == 0) {
          char* at = slab->allocate(96, 8);
          std::memset(at, 1, 96);
          slab->free(at, 96, 8);
        }
      }
    });
  }
  for (std::thread& one : threads) one.join();
  done = true;
  compactor.join();
  owner.check();
  owner.clear();
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

}  // namespace
}  // namespace plimsoll::memory
