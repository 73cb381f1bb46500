// Many threads, few frames: nobody ever sees a wrong page, nothing is lost, no thread waits for ever.
#include <thread>

#include "storage_support.hpp"

namespace plimsoll::storage {
namespace {

constexpr unsigned threads = 8;

void run_threads(const std::function<void(unsigned)>& body, unsigned count = threads) {
  std::vector<std::jthread> running;
  for (unsigned i = 0; i < count; ++i) running.emplace_back(body, i);
}

TEST(Eviction, EightThreadsShareAQuarterOfTheFramesTheyNeed) {
  constexpr std::uint32_t pages = 256;
  constexpr unsigned steps = 500 * effort;
  PoolFixture f(64, 64);
  f.create_pages(pages);
  std::array<std::atomic<std::uint64_t>, pages> written{};
  run_threads([&](unsigned thread) {
    Random random(thread + 1);
    for (unsigned step = 0; step < steps; ++step) {
      const auto number = static_cast<std::uint32_t>(random.below(pages));
      const PageKey key = data_page(number);
      if (random.one_in(3)) {
        auto page = f.pool->latch(key);
        ASSERT_TRUE(page) << page.error().message();
        ASSERT_EQ(page->key(), key);
        const auto counter = page_load<std::uint64_t>(page->bytes() + 40) + 1;
        f.change(*page, counter);
        written[number].fetch_add(1);
      } else {
        const auto at_least = written[number].load();  // may be one ahead of the page: its writer still has it latched
        ASSERT_GE(f.counter_of(key) + threads, at_least);
      }
    }
  });
  for (std::uint32_t i = 0; i < pages; ++i) EXPECT_EQ(f.counter_of(data_page(i)), written[i].load());
  EXPECT_GT(f.counted(Counter::evictions), std::uint64_t{steps});
  EXPECT_GT(f.counted(Counter::doublewrite_batches), 0u);
  f.write_and_drop(pages);
  for (std::uint32_t i = 0; i < pages; ++i) EXPECT_EQ(f.counter_of(data_page(i)), written[i].load());
}

// Those who need a frame while a batch is on its way wait for it: were each to move the hand, it would take the second chance from
// every page (it went round a hundred times for each page that left).
TEST(Eviction, WhileABatchIsWrittenTheHandDoesNotRun) {
  constexpr std::uint32_t pages = 512;
  PoolFixture f(128, 128);
  f.create_pages(pages);
  f.log.on_flush = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  const std::uint64_t steps = f.counted(Counter::eviction_steps), evictions = f.counted(Counter::evictions);
  run_threads(
      [&](unsigned thread) {
        Random random(thread + 1);
        for (unsigned step = 0; step < 50; ++step) {
          auto page = f.pool->latch(data_page(static_cast<std::uint32_t>(random.below(pages))));
          ASSERT_TRUE(page) << page.error().message();
          f.change(*page, step);
        }
      },
      6 * threads);
  const std::uint64_t gone = f.counted(Counter::evictions) - evictions;
  EXPECT_GT(gone, 1000u);
  EXPECT_LT(f.counted(Counter::eviction_steps) - steps, 6 * gone);
}

TEST(Eviction, APageThatManyWantIsReadOnce) {
  PoolFixture f;
  f.create_pages(20);
  for (unsigned round = 0; round < 20; ++round) {
    f.write_and_drop(20);
    const unsigned before = f.data.reads;
    run_threads([&](unsigned) {
      for (std::uint32_t i = 0; i < 20; ++i) f.counter_of(data_page(i));
    });
    EXPECT_EQ(f.data.reads, before + 20);
  }
}

TEST(Eviction, ThreadsThatTakeSeveralFramesAllGetThem) {
  PoolFixture f(64, 64);
  f.create_pages(200);
  run_threads([&](unsigned thread) {
    for (std::uint32_t step = 0; step < 40 * effort; ++step) {
      std::array<FreeFrame, 3> frames;
      for (FreeFrame& frame : frames) {
        auto taken = f.pool->take_frame();
        ASSERT_TRUE(taken) << taken.error().message();
        frame = std::move(*taken);
      }
      const PageKey key = data_page(1000 + thread);
      auto page = f.pool->create(std::move(frames[1]), key);
      f.change(page, step);
      f.pool->discard(std::move(page));
    }
  });
  EXPECT_EQ(f.counter_of(data_page(199)), 0u);
}

// Pages come and go under readers who do not know it; a reader may find an old page or none, never a mixture.
TEST(Eviction, LateReadersOfDiscardedPagesNeverSeeAMixture) {
  constexpr std::uint32_t pages = 96;
  PoolFixture f(64, 64);
  f.create_pages(pages);
  ASSERT_TRUE(f.pool->write_back(Lsn{~std::uint64_t{0}}));
  std::atomic<bool> over{false};
  run_threads([&](unsigned thread) {
    Random random(thread + 100);
    if (thread == 0) {
      for (std::uint64_t step = 1; step < 400 * effort; ++step) {
        const PageKey key = data_page(static_cast<std::uint32_t>(random.below(pages)));
        if (auto page = f.pool->latch_resident(key)) f.pool->discard(std::move(page));
        f.create(key, step);
      }
      over = true;
    }
    while (!over) {
      const PageKey key = data_page(static_cast<std::uint32_t>(random.below(pages)));
      const auto page = f.pool->read(key, random.one_in(2) ? Access::scan : Access::normal);
      if (!page) continue;  // a freed page's place may be half written: not wrong, its reader has to look at the parent again
      const auto seen = f.look(*page);
      if (!seen) continue;
      ASSERT_EQ(seen->number, key.value);
      ASSERT_EQ(seen->first, seen->last);
    }
  });
}

TEST(Eviction, APageThatIsPinnedWhileItsCopyIsBeingWrittenStays) {
  constexpr std::uint32_t pages = 60;
  PoolFixture f(64, 32);
  f.create_pages(pages);
  std::vector<FrameIndex> pinned;
  f.log.on_flush = [&] {
    if (!pinned.empty()) return;
    for (std::uint32_t i = 0; i < pages; ++i) {
      auto page = f.pool->latch_resident(data_page(i));
      ASSERT_TRUE(page);
      f.pool->pin(page);
      pinned.push_back(page.frame());
    }
  };
  f.pool->reclaim(32 * test_page_bytes);
  ASSERT_EQ(pinned.size(), pages) << "nothing was written";
  for (std::uint32_t i = 0; i < pages; ++i) {
    auto page = f.pool->latch_resident(data_page(i));
    ASSERT_TRUE(page);
    EXPECT_EQ(page.frame(), pinned[i]);
    f.pool->unpin(pinned[i]);
  }
}

TEST(Eviction, ThePoolGrowsAndShrinksUnderReadersAndWriters) {
  constexpr std::uint32_t pages = 400;
  PoolFixture f(320, 32);
  f.create_pages(pages);
  std::atomic<unsigned> running{threads - 1};
  std::array<std::atomic<std::uint64_t>, pages> written{};
  run_threads([&](unsigned thread) {
    if (thread == 0) {
      while (running != 0) {
        f.pool->reclaim(512_KiB);
        std::this_thread::yield();
      }
      return;
    }
    Random random(thread + 7);
    for (unsigned step = 0; step < 250 * effort; ++step) {
      const auto number = static_cast<std::uint32_t>(random.below(pages));
      if (random.one_in(4)) {
        auto page = f.pool->latch(data_page(number));
        ASSERT_TRUE(page) << page.error().message();
        f.change(*page, ++written[number]);
      } else {
        f.counter_of(data_page(number));
      }
    }
    --running;
  });
  const auto counts = f.pool->counts();
  EXPECT_LE(counts.frames, 320u);
  EXPECT_LE(f.budget.used(), f.budget.limit());
  for (std::uint32_t i = 0; i < pages; ++i) EXPECT_EQ(f.counter_of(data_page(i)), written[i].load());
}

}  // namespace
}  // namespace plimsoll::storage
