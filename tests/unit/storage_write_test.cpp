// What reaches the files, when, and in which order: write-ahead rule, doublewrite, the oldest change, hints and scratch pages.
#include <thread>

#include "storage_support.hpp"

namespace plimsoll::storage {
namespace {

constexpr Lsn everything{~std::uint64_t{0}};

class Client final : public PageClient {
 public:
  explicit Client(PoolFixture& fixture) : fixture_(fixture) {}
  void before_write(char* page, FrameIndex frame) override {
    ++asked;
    if (when_asked) when_asked();
    page_store<std::uint64_t>(page + 48, 77);
    if (flush_limit.value != 0) fixture_.pool->raise_flush_limit(frame, flush_limit);
  }
  bool scratch(PageKey key) const override { return file_of(key) != data_file; }

  Lsn flush_limit{};
  unsigned asked = 0;
  std::function<void()> when_asked;  // what happens elsewhere while a page is copied

 private:
  PoolFixture& fixture_;
};

TEST(WriteBack, WritesTheLogFirstAndEachPageOnce) {
  PoolFixture f;
  f.create_pages(10);
  EXPECT_EQ(f.pool->counts().dirty, 10u);
  EXPECT_LT(f.log.durable(), f.log.end());
  ASSERT_TRUE(f.pool->write_back(everything));  // WatchedFile checks the order
  EXPECT_EQ(f.data.writes, 10u);
  EXPECT_EQ(f.data.syncs, 1u);
  EXPECT_EQ(f.log.flushes, 1u);
  EXPECT_EQ(f.pool->counts().dirty, 0u);
  EXPECT_EQ(f.counted(Counter::doublewrite_batches), 1u);
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(f.data.writes, 10u);
}

TEST(WriteBack, TheLimitDividesOldChangesFromNewOnes) {
  PoolFixture f;
  f.create(data_page(1));
  const Lsn middle = f.log.end();
  f.create(data_page(2));
  EXPECT_LT(f.pool->oldest_change(f.log.end()), middle);
  ASSERT_TRUE(f.pool->write_back(middle));
  EXPECT_EQ(f.data.writes, 1u);
  EXPECT_EQ(f.pool->oldest_change(f.log.end()), middle);
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(f.pool->oldest_change(f.log.end()), f.log.end());
}

TEST(WriteBack, AFailedLogLetsNothingThrough) {
  PoolFixture f(32);
  f.create_pages(32);
  f.log.fails = true;
  EXPECT_FALSE(f.pool->write_back(everything));
  EXPECT_EQ(f.data.writes, 0u);
  EXPECT_EQ(f.pool->counts().dirty, 32u);
  EXPECT_FALSE(f.pool->take_frame());  // all dirty
  f.log.fails = false;
  ASSERT_TRUE(f.pool->write_back(everything));
  f.log.fails = true;
  f.create(data_page(100));
  EXPECT_TRUE(f.pool->take_frame());  // clean ones go on being evicted
}

TEST(WriteBack, AFailedWriteLeavesThePageDirty) {
  PoolFixture f;
  f.create_pages(3);
  f.disk.inject({.operation = io::simulation::Operation::write, .nth = 4});  // after the doublewrite area's two
  const auto failed = f.pool->write_back(everything);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::io_error);
  EXPECT_EQ(f.pool->counts().dirty, 3u);
  ASSERT_TRUE(f.pool->write_back(everything));
  f.write_and_drop(3);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 0u);
}

// A page is torn in its place because writing it has failed: until it is whole there, the area keeps its image, whatever else is
// written.
TEST(WriteBack, TheAreaIsKeptUntilItsPagesAreWholeInTheirPlaces) {
  constexpr std::uint32_t frames = 32, torn = 3;
  PoolFixture f(frames);
  for (std::uint32_t i = 0; i < torn; ++i) f.create(data_page(i), 1 + i);
  f.disk.inject({.operation = io::simulation::Operation::write, .nth = 4, .lands_bytes = 4096});  // after the area's two and page 0
  ASSERT_FALSE(f.pool->write_back(everything));
  {
    std::vector<ExclusivePage> in_use;  // so that nobody writes them again
    for (std::uint32_t i = 0; i < torn; ++i) {
      auto page = f.pool->latch(data_page(i));
      ASSERT_TRUE(page);
      in_use.push_back(std::move(*page));
    }
    for (std::uint32_t i = torn; i < frames; ++i) f.create(data_page(100 + i));
    ASSERT_TRUE(f.pool->take_frame()) << "a batch of others";
  }
  PageImage image;
  for (std::uint32_t i = 0; i < torn; ++i) {
    ASSERT_TRUE(f.data.read(std::uint64_t{i} * test_page_bytes, image));
    EXPECT_EQ(check_image(image.data(), test_page_bytes, test_salt, data_page(i)), PageState::good) << "page " << i;
  }
}

// A page that was copied is freed, and made anew in a frame that the batch comes to later: its two images in one batch may reach
// the file in either order.
TEST(WriteBack, ABatchHoldsNoPageTwice) {
  constexpr std::uint32_t pages = 32;  // all frames, so that the one that becomes free is the one that is used
  PoolFixture f(pages);
  Client client(f);
  f.pool->set_client(client);
  f.create_pages(pages);
  client.when_asked = [&] {
    if (client.asked != pages / 2) return;
    f.pool->discard(f.pool->latch_resident(data_page(pages - 1)));
    auto frame = f.pool->take_frame();
    ASSERT_TRUE(frame);
    f.pool->discard(f.pool->latch_resident(data_page(0)));
    auto page = f.pool->create(std::move(*frame), data_page(0));
    f.change(page, 1);
  };
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(f.data.writes, pages - 1);
  EXPECT_EQ(f.pool->counts().dirty, 1u) << "the new one waits for the next batch";
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(f.data.writes, pages);
  EXPECT_EQ(f.pool->counts().dirty, 0u);
  f.write_and_drop(pages - 1);
  EXPECT_EQ(f.counter_of(data_page(0)), 1u);
}

TEST(WriteBack, HintsGoWithThePageAndRaiseTheFlushLimit) {
  PoolFixture f;
  Client client(f);
  f.pool->set_client(client);
  f.create(data_page(1));
  const auto seen = f.pool->read(data_page(1));
  client.flush_limit = Lsn{f.log.end().value + 1000};
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(client.asked, 1u);
  EXPECT_EQ(f.log.durable(), client.flush_limit);
  EXPECT_FALSE(seen->still_valid());
  f.write_and_drop(2);
  const auto page = f.pool->read(data_page(1));
  ASSERT_TRUE(page);
  EXPECT_EQ(page_load<std::uint64_t>(page->bytes + 48), 77u);
}

TEST(WriteBack, AHintAloneIsNoReasonToWrite) {
  PoolFixture f;
  f.create(data_page(1));
  ASSERT_TRUE(f.pool->write_back(everything));
  f.pool->latch(data_page(1))->hint_changed();
  EXPECT_EQ(f.pool->counts().dirty, 0u);
}

TEST(WriteBack, ScratchPagesAreSpilledButNeverForced) {
  PoolFixture f(32);
  Client client(f);
  f.pool->set_client(client);
  WatchedFile versions(make_file(f.disk, "/versions.0001"), f.log);
  f.pool->attach(1, versions);
  const Lsn before = f.log.end();
  for (std::uint32_t i = 0; i < 32; ++i) f.create(page_key(1, i), 10 + i);
  EXPECT_EQ(f.pool->oldest_change(f.log.end()), f.log.end());
  ASSERT_TRUE(f.pool->write_back(everything));
  EXPECT_EQ(versions.writes, 0u);
  f.create(data_page(1));  // makes room
  EXPECT_GT(versions.writes, 0u);
  EXPECT_EQ(versions.syncs, 0u);
  EXPECT_EQ(f.counted(Counter::version_pages_spilled), versions.writes);
  EXPECT_EQ(f.counted(Counter::doublewrite_batches), 0u);
  EXPECT_GT(f.pool->oldest_change(f.log.end()), before);
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(f.counter_of(page_key(1, i)), 10 + i);
}

TEST(WriteBack, ColdVersionsAreSpilledAheadAndNothingElse) {
  PoolFixture f(64);
  Client client(f);
  f.pool->set_client(client);
  WatchedFile versions(make_file(f.disk, "/versions.0001"), f.log);
  f.pool->attach(1, versions);
  for (std::uint32_t i = 0; i < 20; ++i) f.create(page_key(1, i), 10 + i);
  f.create_pages(20);
  const std::uint64_t free = f.pool->counts().free;
  EXPECT_EQ(f.pool->spill_versions(100), 0u);  // all are warm
  const auto use_five = [&] {
    for (std::uint32_t i = 0; i < 5; ++i) f.counter_of(page_key(1, i));
  };
  use_five();
  EXPECT_EQ(f.pool->spill_versions(4), 4u);
  use_five();
  EXPECT_EQ(f.pool->spill_versions(100), 11u);
  EXPECT_EQ(versions.writes, 15u);
  EXPECT_EQ(f.data.writes, 0u);
  EXPECT_EQ(f.pool->counts().free, free + 15);
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_TRUE(f.pool->resident(page_key(1, i)));
  for (std::uint32_t i = 0; i < 20; ++i) EXPECT_TRUE(f.pool->resident(data_page(i)));
  for (std::uint32_t i = 0; i < 20; ++i) EXPECT_EQ(f.counter_of(page_key(1, i)), 10 + i);
  EXPECT_EQ(versions.reads, 15u);
}

// What a checkpoint relies on: after `now` was loaded and the scan has answered C, every record below C is in a page that is on
// disk.
TEST(WriteBack, TheOldestChangeNeverLiesAboveWhatIsNotWritten) {
  constexpr std::uint32_t pages = 48;
  PoolFixture f(64, 64);
  f.create_pages(pages);
  std::array<std::atomic<std::uint64_t>, pages> changed_at{};  // begin of the page's newest record
  std::atomic<bool> over{false};
  std::jthread writers[3];
  for (unsigned w = 0; w < 3; ++w) {
    writers[w] = std::jthread([&, w] {
      Random random(w + 1);
      while (!over) {
        const auto number = static_cast<std::uint32_t>(random.below(pages / 3)) * 3 + w;  // each page has one writer
        auto page = f.pool->latch(data_page(number));
        ASSERT_TRUE(page);
        page->will_change(f.log.end());
        const Lsn end = f.log.append();
        page_store<std::uint64_t>(page->bytes() + 40, end.value);
        page_store<std::uint64_t>(page->bytes() + test_page_bytes - 8, end.value);
        page->set_lsn(end);
        changed_at[number] = end.value - 64;
      }
    });
  }
  PageImage image;
  for (const Lsn start = f.log.end(); f.log.end() < Lsn{start.value + 64 * 100};) std::this_thread::yield();
  for (unsigned round = 0; round < 40 * effort; ++round) {
    const Lsn now = f.log.end();
    ASSERT_TRUE(f.pool->write_back(now));
    std::array<std::uint64_t, pages> newest{};
    for (std::uint32_t i = 0; i < pages; ++i) newest[i] = changed_at[i];
    const Lsn loaded = f.log.end();
    const Lsn oldest = f.pool->oldest_change(loaded);
    for (std::uint32_t i = 0; i < pages; ++i) {
      if (newest[i] == 0 || newest[i] >= oldest.value) continue;
      ASSERT_TRUE(f.data.read(std::uint64_t{i} * test_page_bytes, image));
      EXPECT_GE(lsn_of(image.data()).value, newest[i] + 64) << "page " << i;
    }
  }
  over = true;
}

TEST(WriteBack, AChangeDuringTheWriteIsNotForgotten) {
  PoolFixture f(64, 64);
  f.create_pages(40);
  std::atomic<bool> over{false};
  std::jthread writing([&] {
    while (!over) ASSERT_TRUE(f.pool->write_back(everything));
  });
  for (std::uint64_t counter = 1; counter < 400 * effort; ++counter) {
    auto page = f.pool->latch(data_page(static_cast<std::uint32_t>(counter % 40)));
    ASSERT_TRUE(page);
    f.change(*page, counter);
  }
  over = true;
  writing.join();
  f.write_and_drop(40);
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(f.counter_of(data_page(i)) % 40, i);
}

TEST(Doublewrite, ATornPageGetsItsCopyBackWhicheverItIs) {
  constexpr std::uint32_t pages = 20;
  PoolFixture f;
  for (std::uint32_t i = 0; i < pages; ++i) f.create(data_page(i), 500 + i);
  f.write_and_drop(pages);
  const auto file = [&](std::uint16_t number) -> io::File* { return number == data_file ? &f.data : nullptr; };
  for (std::uint32_t torn = 0; torn < pages; ++torn) {
    const PageImage zeroes{};
    ASSERT_TRUE(f.data.write(std::uint64_t{torn} * test_page_bytes + 4096, std::span(zeroes).first(4096)));
    PageImage image;
    ASSERT_TRUE(f.data.read(std::uint64_t{torn} * test_page_bytes, image));
    EXPECT_EQ(check_image(image.data(), test_page_bytes, test_salt, data_page(torn)), PageState::damaged);
    const auto repaired = repair(*f.doublewrite, f.provider, test_page_bytes, test_salt, file);
    ASSERT_TRUE(repaired);
    EXPECT_EQ(*repaired, 1u);
  }
  EXPECT_EQ(*repair(*f.doublewrite, f.provider, test_page_bytes, test_salt, file), 0u);
  for (std::uint32_t i = 0; i < pages; ++i) EXPECT_EQ(f.counter_of(data_page(i)), 500 + i);
}

TEST(Doublewrite, AnUnusedOrForeignAreaRepairsNothing) {
  PoolFixture f;
  const auto file = [&](std::uint16_t) -> io::File* { return &f.data; };
  EXPECT_EQ(*repair(*f.doublewrite, f.provider, test_page_bytes, test_salt, file), 0u);
  f.create_pages(3);
  ASSERT_TRUE(f.pool->write_back(everything));
  const PageImage zeroes{};
  ASSERT_TRUE(f.data.write(0, zeroes));
  EXPECT_EQ(*repair(*f.doublewrite, f.provider, test_page_bytes, test_salt + 1, file), 0u);
  EXPECT_EQ(*repair(*f.doublewrite, f.provider, test_page_bytes, test_salt, file), 1u);
}

// After a power failure at any change, repair() makes every page whole: the old or the new version, never a torn one.
TEST(Doublewrite, PowerFailuresNeverLeaveATornPage) {
  constexpr std::uint32_t pages = 12;
  std::uint64_t repaired_in_all = 0;
  for (std::uint64_t nth = 1; nth <= 40; ++nth) {
    PoolFixture f;
    for (std::uint32_t i = 0; i < pages; ++i) f.create(data_page(i), 1);
    ASSERT_TRUE(f.pool->write_back(everything));
    ASSERT_TRUE(f.disk.sync_directory("/"));
    for (std::uint32_t i = 0; i < pages; ++i) {
      auto page = f.pool->latch_resident(data_page(i));
      f.change(page, 2);
    }
    f.disk.power_fails_at(nth);
    static_cast<void>(f.pool->write_back(everything));
    Random random(nth);
    for (unsigned state = 0; state < 8; ++state) {
      const auto after = f.disk.crash_copy(random);
      const auto data = after->open("/data", io::OpenMode::read_write, true);
      const auto area = after->open("/doublewrite", io::OpenMode::read_write, true);
      ASSERT_TRUE(data && area);
      const auto repaired = repair(**area, f.provider, test_page_bytes, test_salt, [&](std::uint16_t) { return data->get(); });
      ASSERT_TRUE(repaired);
      repaired_in_all += *repaired;
      PageImage image;
      for (std::uint32_t i = 0; i < pages; ++i) {
        ASSERT_TRUE((*data)->read(std::uint64_t{i} * test_page_bytes, image));
        EXPECT_EQ(check_image(image.data(), test_page_bytes, test_salt, data_page(i)), PageState::good)
            << "page " << i << ", change " << nth;
      }
    }
  }
  EXPECT_GT(repaired_in_all, 0u);
}

}  // namespace
}  // namespace plimsoll::storage
