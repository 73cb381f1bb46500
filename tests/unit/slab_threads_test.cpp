// The slab allocator and threads: magazines of those that are idle, that end, that outlive it; objects that change hands while
// others trim.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <latch>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "unit/slab_support.hpp"

namespace plimsoll::memory {
namespace {

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

}  // namespace
}  // namespace plimsoll::memory
