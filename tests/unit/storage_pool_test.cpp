// Pages come, go and are told apart: one thread. Many threads: storage_eviction_test; what reaches the files: storage_write_test.
#include <array>

#include "interference.hpp"
#include "storage_support.hpp"

namespace plimsoll::storage {
namespace {

TEST(Pool, FindsWhatItHoldsAndReadsWhatItDoesNot) {
  PoolFixture f;
  f.create(data_page(7), 70);
  EXPECT_EQ(f.counter_of(data_page(7)), 70u);
  EXPECT_EQ(f.counted(Counter::pool_hits_by_table), 1u);
  EXPECT_EQ(f.counted(Counter::pool_misses), 0u);
  f.write_and_drop(8);
  EXPECT_FALSE(f.pool->resident(data_page(7)));
  EXPECT_EQ(f.counter_of(data_page(7)), 70u);
  EXPECT_EQ(f.counted(Counter::pool_misses), 1u);
  EXPECT_EQ(f.counted(Counter::pages_read), 1u);
  EXPECT_TRUE(f.pool->resident(data_page(7)));
}

// Somebody latches the page, changes it and unlatches it just after its word was looked at.
TEST(Pool, ALatchThatWasOvertakenBeginsAgain) {
  if (!can_interfere) GTEST_SKIP() << "needs a perturbed build";
  PoolFixture f;
  f.create(data_page(1), 1);
  OptimisticPage changed;
  const Interference overtaken(Window::sampled, 0, [&] {
    auto page = f.pool->latch_resident(data_page(1));
    f.change(page, 2);
    page.unlatch();
    auto read = f.pool->read(data_page(1));
    if (read) changed = *read;
    return true;
  });
  { const auto unchanged = f.pool->latch_resident(data_page(1)); }
  ASSERT_TRUE(overtaken.happened());
  EXPECT_TRUE(changed.still_valid());
  EXPECT_EQ(f.counter_of(data_page(1)), 2u);
}

// As above, just after the sampled page was found unchanged.
TEST(Pool, AnUpgradeThatWasOvertakenFails) {
  if (!can_interfere) GTEST_SKIP() << "needs a perturbed build";
  PoolFixture f;
  f.create(data_page(1), 1);
  const auto sampled = f.pool->read(data_page(1));
  ASSERT_TRUE(sampled);
  const Interference overtaken(Window::sampled, 0, [&] {
    auto page = f.pool->latch_resident(data_page(1));
    f.change(page, 2);
    return true;
  });
  ExclusivePage upgraded;
  EXPECT_FALSE(f.pool->try_upgrade(*sampled, upgraded));
  EXPECT_TRUE(overtaken.happened());
}

TEST(Pool, HintsAreBelievedOnlyIfTheFrameHoldsThePage) {
  PoolFixture f;
  f.create(data_page(1), 1);
  f.create(data_page(2), 2);
  const auto page = f.pool->read(data_page(1));
  ASSERT_TRUE(page);
  OptimisticPage hinted;
  EXPECT_TRUE(f.pool->try_frame(data_page(1), page->frame, hinted));
  EXPECT_EQ(hinted.bytes, page->bytes);
  EXPECT_FALSE(f.pool->try_frame(data_page(2), page->frame, hinted));
  EXPECT_FALSE(f.pool->try_frame(data_page(1), no_frame, hinted));
  EXPECT_FALSE(f.pool->try_frame(data_page(1), f.pool->frames() - 1, hinted));
  EXPECT_FALSE(f.pool->try_frame(data_page(0), f.pool->frames() - 1, hinted));  // what was never used reads as zeroes
  const auto latched = f.pool->latch(data_page(1));
  ASSERT_TRUE(latched);
  EXPECT_FALSE(f.pool->try_frame(data_page(1), page->frame, hinted));
}

TEST(Pool, ReadersNoticeChangesAndNothingElse) {
  PoolFixture f;
  f.create(data_page(1), 1);
  const auto seen = f.pool->read(data_page(1));
  ASSERT_TRUE(seen);
  { const auto unchanged = f.pool->latch(data_page(1)); }
  EXPECT_TRUE(seen->still_valid());
  {
    auto page = f.pool->latch(data_page(1));
    EXPECT_FALSE(seen->still_valid());
    page->hint_changed();
  }
  EXPECT_FALSE(seen->still_valid());
  ExclusivePage upgraded;
  EXPECT_FALSE(f.pool->try_upgrade(*seen, upgraded));
  const auto again = f.pool->read(data_page(1));
  ASSERT_TRUE(again);
  EXPECT_TRUE(f.pool->try_upgrade(*again, upgraded));
  f.change(upgraded, 2);
  upgraded.unlatch();
  EXPECT_FALSE(again->still_valid());
  EXPECT_EQ(f.counter_of(data_page(1)), 2u);
}

TEST(Pool, GuardsMoveAndLetGo) {
  PoolFixture f;
  f.create(data_page(1), 1);
  ExclusivePage first = std::move(*f.pool->latch(data_page(1)));
  ExclusivePage second = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
  second = ExclusivePage();
  EXPECT_TRUE(f.pool->latch_resident(data_page(1)));
  FreeFrame frame = std::move(*f.pool->take_frame());
  const auto free = f.pool->counts().free;
  FreeFrame moved = std::move(frame);
  EXPECT_FALSE(frame);
  moved = FreeFrame();
  EXPECT_EQ(f.pool->counts().free, free + 1);
}

TEST(Pool, ADiscardedPageLeavesItsReadersNothing) {
  PoolFixture f;
  f.create(data_page(1), 1);
  const auto seen = f.pool->read(data_page(1));
  ASSERT_TRUE(seen);
  f.pool->discard(std::move(*f.pool->latch(data_page(1))));
  EXPECT_FALSE(seen->still_valid());
  EXPECT_FALSE(f.pool->latch_resident(data_page(1)));
  EXPECT_EQ(f.pool->oldest_change(Lsn{99999}), Lsn{99999});
  f.create(data_page(1), 5);  // the same frame and key again: another word
  EXPECT_FALSE(seen->still_valid());
  EXPECT_EQ(f.counter_of(data_page(1)), 5u);
  EXPECT_EQ(f.data.writes, 0u);
}

TEST(Pool, CreatingDropsWhatALateReaderOfTheFreedPageLoaded) {
  PoolFixture f;
  f.create(data_page(1), 1);
  f.write_and_drop(2);
  EXPECT_EQ(f.counter_of(data_page(1)), 1u);  // the late reader
  f.create(data_page(1), 2);
  EXPECT_EQ(f.counter_of(data_page(1)), 2u);
}

TEST(Pool, ErrorsSayWhichPageAndWhy) {
  PoolFixture f;
  const auto missing = f.pool->read(data_page(9));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::corruption);
  EXPECT_EQ(missing.error().details(), "data file, page 9: it was never written");
  const auto foreign = f.pool->read(page_key(3, 1));
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().details(), "version file 3, page 1: there is no such file");

  f.create_pages(2);
  f.write_and_drop(2);
  PageImage image{};
  ASSERT_TRUE(f.data.read(0, image));
  ASSERT_TRUE(f.data.write(test_page_bytes, image));
  const auto misplaced = f.pool->read(data_page(1));
  ASSERT_FALSE(misplaced);
  EXPECT_EQ(misplaced.error().details(), "data file, page 1: another page is in its place");
  image[5000] ^= 1;
  ASSERT_TRUE(f.data.write(0, image));
  const auto damaged = f.pool->read(data_page(0));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().details(), "data file, page 0: its checksum does not fit");
  EXPECT_EQ(f.counted(Counter::checksum_failures), 3u);
  EXPECT_FALSE(f.pool->resident(data_page(0)));
}

TEST(Pool, AReadErrorLeavesNoTrace) {
  PoolFixture f;
  f.create_pages(1);
  f.write_and_drop(1);
  f.disk.inject({.operation = io::simulation::Operation::read, .nth = 1});
  const auto failed = f.pool->read(data_page(0));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::io_error);
  EXPECT_FALSE(f.pool->resident(data_page(0)));
  EXPECT_EQ(f.counter_of(data_page(0)), 0u);
}

TEST(Pool, RecoveryMayHaveBadPagesAsZeroes) {
  PoolFixture f;
  f.create(data_page(0), 3);
  f.write_and_drop(1);
  const PageImage foreign{};
  ASSERT_TRUE(f.data.write(4096, std::span(foreign).first(4096)));
  EXPECT_FALSE(f.pool->latch_for_redo(data_page(0), Pool::IfBad::fail));
  EXPECT_FALSE(f.pool->latch_for_redo(data_page(0), Pool::IfBad::zero_if_never_written));
  EXPECT_FALSE(f.pool->latch_or_zero(data_page(0)));
  {
    const auto page = f.pool->latch_for_redo(data_page(0), Pool::IfBad::zero);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->key(), data_page(0));
    EXPECT_EQ(page->lsn(), Lsn{});
    EXPECT_EQ(page_load<std::uint64_t>(page->bytes() + 32), 0u);
  }
  const auto never_written = f.pool->latch_or_zero(data_page(5));
  ASSERT_TRUE(never_written);
  EXPECT_EQ(kind_of(never_written->bytes()), PageKind::none);
}

TEST(Pool, APoolOfPinnedPagesRefusesAndRecovers) {
  PoolFixture f(32);
  std::vector<FrameIndex> pinned;
  for (std::uint32_t i = 0; i < 32; ++i) {
    f.create(data_page(i));
    const auto page = f.pool->latch_resident(data_page(i));
    f.pool->pin(page);
    pinned.push_back(page.frame());
  }
  for (const bool clean : {false, true}) {
    EXPECT_TRUE(!clean || f.pool->write_back(Lsn{~std::uint64_t{0}}));
    const auto refused = f.pool->take_frame();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
    EXPECT_EQ(refused.error().details(), "all 32 frames of the buffer pool are in use");
  }
  f.pool->unpin(pinned[3]);
  EXPECT_TRUE(f.pool->take_frame());
  EXPECT_FALSE(f.pool->resident(data_page(3)));
}

TEST(Pool, PrefetchLoadsWhatIsMissingAtOnce) {
  PoolFixture f(128);
  f.create_pages(50);
  f.write_and_drop(40);
  std::vector<PageKey> keys;
  for (std::uint32_t i = 0; i < 50; ++i) keys.push_back(data_page(i));
  keys.push_back(data_page(3));    // twice
  keys.push_back(data_page(700));  // not there
  f.pool->prefetch(keys, Access::normal);
  EXPECT_EQ(f.counted(Counter::pages_read_ahead) + 0u, 40u);
  EXPECT_FALSE(f.pool->resident(data_page(700)));
  for (std::uint32_t i = 0; i < 50; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
  EXPECT_EQ(f.counted(Counter::pool_misses), 0u);
}

TEST(Pool, AHotSetSurvivesALongScan) {
#ifdef PLIMSOLL_LATCHED_READS
  GTEST_SKIP() << "a scan that latches pages makes them look used";
#endif
  PoolFixture f(128, 128);
  constexpr std::uint32_t hot = 64, cold = 1280;
  f.create_pages(hot + cold);
  ASSERT_TRUE(f.pool->write_back(Lsn{~std::uint64_t{0}}));
  for (unsigned round = 0; round < 4; ++round) {
    for (std::uint32_t i = 0; i < hot; ++i) f.counter_of(data_page(i));
  }
  std::uint64_t hot_misses = 0;
  for (std::uint32_t i = 0; i < cold; ++i) {
    f.counter_of(data_page(hot + i), Access::scan);
    const auto before = f.counted(Counter::pool_misses);
    for (std::uint32_t k = 0; k < 4; ++k) f.counter_of(data_page((i * 4 + k) % hot));
    hot_misses += f.counted(Counter::pool_misses) - before;
  }
  EXPECT_LT(hot_misses, cold * 4 / 100);  // 99 % hits
}

TEST(Pool, GrowsWhileTheBudgetPermitsAndGivesChunksBack) {
  PoolFixture f(256, 32);
  constexpr std::size_t one_chunk = 256_KiB;
  const auto fixed = f.budget.used(memory::Account::frames) - one_chunk;
  f.create_pages(200);
  EXPECT_EQ(f.pool->counts().frames, 224u);
  EXPECT_EQ(f.budget.used(memory::Account::frames), fixed + 7 * one_chunk);
  const auto seen = f.pool->read(data_page(150));
  ASSERT_TRUE(seen);
  EXPECT_EQ(f.pool->reclaim(3 * one_chunk), 3 * one_chunk);
  EXPECT_EQ(f.budget.used(memory::Account::frames), fixed + 4 * one_chunk);
  EXPECT_EQ(f.pool->reclaim(100 * one_chunk), 3 * one_chunk);  // the least number of frames stays
  EXPECT_EQ(f.pool->counts().frames, 32u);
  EXPECT_FALSE(seen->still_valid());
  for (std::uint32_t i = 0; i < 200; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
  EXPECT_FALSE(seen->still_valid());
  EXPECT_EQ(f.pool->counts().frames, 32u);  // what was wanted by others stays free for a quarter of a second
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (std::uint32_t i = 0; i < 200; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
  EXPECT_EQ(f.pool->counts().frames, 224u);
}

TEST(Pool, OthersGetTheMemoryOfCleanPages) {
  PoolFixture f(1400, 32);
  for (std::uint32_t i = 0; i < 1400; ++i) f.create(data_page(i));
  const auto available = f.budget.available(memory::Account::contexts);
  ASSERT_TRUE(f.budget.charge(memory::Account::contexts, available + 1_MiB));
  EXPECT_LE(f.budget.used(), f.budget.limit());
  for (std::uint32_t i = 0; i < 1400; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
  f.budget.discharge(memory::Account::contexts, available + 1_MiB);
}

TEST(Pool, AFullBudgetMakesThePoolEvictInsteadOfGrowing) {
  PoolFixture f(256, 32);
  const auto rest = f.budget.available(memory::Account::contexts);
  ASSERT_TRUE(f.budget.try_charge(memory::Account::contexts, rest));
  f.create_pages(100);
  EXPECT_EQ(f.pool->counts().frames, 32u);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
  f.budget.discharge(memory::Account::contexts, rest);
}

TEST(Pool, TheBackgroundKeepsFramesFree) {
  PoolFixture f(64, 64);
  f.create_pages(64);
  EXPECT_EQ(f.pool->counts().free, 0u);
  for (unsigned round = 0; round < 4 && f.pool->counts().free < 8; ++round) EXPECT_TRUE(f.pool->run_background());
  EXPECT_GE(f.pool->counts().free, 8u);
  const auto idle = f.pool->run_background();
  ASSERT_TRUE(idle);
  EXPECT_FALSE(*idle);
}

TEST(Pool, DetachingAFileDropsItsPages) {
  PoolFixture f;
  WatchedFile versions(make_file(f.disk, "/versions.0001"), f.log);
  f.pool->attach(1, versions);
  f.create(page_key(1, 4), 14);
  f.create(data_page(4), 4);
  EXPECT_EQ(f.counter_of(page_key(1, 4)), 14u);
  f.pool->detach(1);
  EXPECT_FALSE(f.pool->resident(page_key(1, 4)));
  EXPECT_EQ(f.pool->counts().dirty, 1u);
  EXPECT_EQ(f.counter_of(data_page(4)), 4u);
  EXPECT_FALSE(f.pool->read(page_key(1, 4)));
}

TEST(Translation, AgreesWithAModelUnderInsertionsAndErasures) {
  constexpr std::size_t frames = 100;
  memory::MemoryBudget budget(memory::MemoryBudget::least_bytes);
  memory::PageProvider provider(budget);
  std::vector<FrameInfo> infos(frames);
  Translation translation;
  ASSERT_TRUE(translation.open(provider, infos.data(), frames));
  Random random(7);
  std::vector<std::uint64_t> model(frames, no_key);  // frame -> key
  for (unsigned step = 0; step < 50'000; ++step) {
    const auto frame = static_cast<FrameIndex>(random.below(frames));
    if (model[frame] != no_key) {
      translation.erase(PageKey{model[frame]}, frame);
      infos[frame].key = model[frame] = no_key;
    } else {
      const std::uint64_t key = random.below(300) << (random.one_in(2) ? 32 : 0);
      const auto owner = std::find(model.begin(), model.end(), key);
      infos[frame].key = key;
      const FrameIndex found = translation.insert(PageKey{key}, frame);
      EXPECT_EQ(found, owner == model.end() ? no_frame : static_cast<FrameIndex>(owner - model.begin()));
      if (found == no_frame) {
        model[frame] = key;
      } else {
        infos[frame].key = no_key;
      }
    }
    if (step % 100 != 0) continue;
    for (std::size_t i = 0; i < frames; ++i) { EXPECT_EQ(model[i] == no_key || translation.find(PageKey{model[i]}) == i, true); }
  }
}

}  // namespace
}  // namespace plimsoll::storage
