// Which pages are handed out: against a model, up to a full disk, over the border of a group, by many threads.
#include "storage/space.hpp"

#include <set>
#include <thread>

#include "storage_support.hpp"

namespace plimsoll::storage {
namespace {

struct SpaceFixture : PoolFixture {
  SpaceFixture() : PoolFixture(256) { open(); }

  void open() {
    auto opened = Space::open(*pool, data, provider);
    EXPECT_TRUE(opened) << opened.error().message();
    space = std::move(*opened);
  }
  // What a structure change does.
  void set(const Reservation& reservation) {
    auto map = space->latch_map(reservation);
    map.will_change(log.end());
    Space::set_bits(map.bytes(), reservation.first(), reservation.count());
    map.set_lsn(log.append());
  }
  void free(std::uint32_t first, std::uint32_t count) {
    auto reservation = space->prepare_free(first);
    ASSERT_TRUE(reservation);
    auto map = space->latch_map(*reservation);
    map.will_change(log.end());
    Space::clear_bits(map.bytes(), first, count);
    map.set_lsn(log.append());
    map.unlatch();
    space->note_freed(first, Lsn{});
  }
  std::uint32_t allocate(std::uint32_t count = 1) {
    auto reservation = space->reserve(count);
    EXPECT_TRUE(reservation) << reservation.error().message();
    set(*reservation);
    return reservation->first();
  }
  std::set<std::uint32_t> used() {
    std::set<std::uint32_t> pages;
    EXPECT_TRUE(space->for_each_used([&](std::uint32_t page) { pages.insert(page); }));
    return pages;
  }

  std::unique_ptr<Space> space;
};

TEST(Space, AnEmptyFileGrowsWithTheFirstPage) {
  SpaceFixture f;
  EXPECT_EQ(f.space->file_pages(), 0u);
  EXPECT_EQ(f.allocate(), 1u);  // page 0 is the map
  EXPECT_EQ(f.space->file_pages(), 1_MiB / test_page_bytes);
  EXPECT_EQ(*f.data.size(), 1_MiB);
  EXPECT_EQ(*f.space->used_pages(), 2u);
  EXPECT_EQ(f.used(), (std::set<std::uint32_t>{0, 1}));
}

TEST(Space, AReservationThatIsNotUsedCostsNothing) {
  SpaceFixture f;
  f.allocate();
  {
    auto first = f.space->reserve(3);
    auto second = f.space->reserve(1);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->first(), 2u);
    EXPECT_EQ(second->first(), 5u);
    const Reservation moved = std::move(*first);
    EXPECT_EQ(moved.count(), 3u);
  }
  EXPECT_EQ(f.allocate(), 2u);
  EXPECT_EQ(*f.space->used_pages(), 3u);
}

TEST(Space, ImpossibleCountsAreRefused) {
  SpaceFixture f;
  EXPECT_EQ(f.space->reserve(0).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(f.space->reserve(f.space->pages_per_map()).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(f.space->pages_per_map(), (test_page_bytes - 64) * 8);
}

TEST(Space, AgreesWithAModel) {
  SpaceFixture f;
  Random random(3);
  std::set<std::uint32_t> model{0};
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
  for (unsigned step = 0; step < 1500; ++step) {
    if (runs.empty() || !random.one_in(3)) {
      const auto count = static_cast<std::uint32_t>(random.one_in(4) ? 1 + random.below(40) : 1);
      const std::uint32_t first = f.allocate(count);
      runs.emplace_back(first, count);
      for (std::uint32_t page = first; page < first + count; ++page) EXPECT_TRUE(model.insert(page).second) << page;
    } else {
      std::swap(runs[random.below(runs.size())], runs.back());
      const auto [first, count] = runs.back();
      runs.pop_back();
      f.free(first, count);
      for (std::uint32_t page = first; page < first + count; ++page) model.erase(page);
    }
    if (step % 200 == 0) { EXPECT_EQ(f.used(), model); }
  }
  EXPECT_EQ(f.used(), model);
  EXPECT_EQ(*f.space->used_pages(), model.size());
  std::uint32_t lowest_free = 0;
  while (model.contains(lowest_free)) ++lowest_free;
  EXPECT_EQ(f.allocate(), lowest_free);
}

TEST(Space, ALargeRunOpensANewGroup) {
  SpaceFixture f;
  const std::uint32_t most = f.space->pages_per_map() - 1;
  EXPECT_EQ(f.allocate(), 1u);
  EXPECT_EQ(f.allocate(most), most + 2);  // all of group 1 but its map
  EXPECT_EQ(f.allocate(), 2u);
  EXPECT_EQ(*f.space->used_pages(), std::uint64_t{most} + 4);
  EXPECT_EQ(f.space->map_of(most + 2), data_page(most + 1));
  f.free(most + 2, most);
  EXPECT_EQ(f.allocate(most / 2), 3u);
}

TEST(Space, WhatIsWrittenIsFoundAgain) {
  SpaceFixture f;
  for (unsigned i = 0; i < 300; ++i) f.allocate();
  const auto pages = f.space->file_pages();
  f.space.reset();
  f.write_and_drop(1);
  EXPECT_FALSE(f.pool->resident(data_page(0)));
  f.open();
  EXPECT_EQ(f.space->file_pages(), pages);
  EXPECT_EQ(*f.space->used_pages(), 301u);
  EXPECT_EQ(f.allocate(), 301u);
}

// A group whose map was never written: redo starts from zeroes and comes to the same page.
TEST(Space, RedoMakesTheSameMapPageFromNothing) {
  SpaceFixture f;
  const std::uint32_t first = f.allocate(5);
  PageImage done, redone{};
  {
    const auto map = f.pool->latch_resident(data_page(0));
    std::copy_n(map.bytes(), test_page_bytes, done.data());
  }
  page_store<std::uint64_t>(redone.data() + at::key, data_page(0).value);
  Space::set_bits(redone.data(), first, 5);
  EXPECT_TRUE(std::equal(done.begin() + at::kind, done.end(), redone.begin() + at::kind));
}

// docs/file-format.md shows these bytes: a change here is a change of the format.
TEST(Space, AMapPageLooksAsDocumented) {
  PageImage map{};
  page_store<std::uint64_t>(map.data() + at::key, data_page(0).value);
  Space::set_bits(map.data(), 1, 1);
  page_store<std::uint64_t>(map.data() + at::lsn, 4160);
  seal_image(map.data(), test_page_bytes, 42);
  PageImage documented{};
  const unsigned char head[] = {0x87, 0xd5, 0x5d, 0x2b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x10, 0, 0, 0, 0, 0, 0, 2};
  std::copy(std::begin(head), std::end(head), documented.begin());
  documented[64] = 3;
  EXPECT_EQ(map, documented);
}

TEST(Space, ADamagedMapIsAnErrorNotAnEmptyGroup) {
  SpaceFixture f;
  f.allocate();
  f.write_and_drop(1);
  const PageImage other{{'x'}};
  ASSERT_TRUE(f.data.write(0, std::span(other).first(4096)));
  const auto refused = f.space->reserve(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::corruption);
}

TEST(Space, AFullDiskIsAnErrorAndFreedPagesHelp) {
  SpaceFixture f;
  f.allocate();
  f.disk.set_disk_bytes(f.disk.disk_bytes_used() + 40 * test_page_bytes);  // too little for a whole step, enough for small ones
  std::vector<std::uint32_t> pages;
  for (;;) {
    const auto reservation = f.space->reserve(1);
    if (!reservation) {
      EXPECT_EQ(reservation.error().code(), ErrorCode::no_space);
      break;
    }
    f.set(*reservation);
    pages.push_back(reservation->first());
  }
  EXPECT_EQ(pages.size() + 2, 1_MiB / test_page_bytes + 40);
  f.free(pages[17], 1);
  EXPECT_EQ(f.allocate(), pages[17]);
}

TEST(Space, NoTwoThreadsGetTheSamePage) {
  SpaceFixture f;
  constexpr unsigned threads = 6, steps = 300;
  std::vector<std::vector<std::uint32_t>> owned(threads);
  {
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        Random random(t + 1);
        for (unsigned step = 0; step < steps; ++step) {
          if (!owned[t].empty() && random.one_in(3)) {
            f.free(owned[t].back(), 1);
            owned[t].pop_back();
            continue;
          }
          auto reservation = f.space->reserve(1);
          ASSERT_TRUE(reservation);
          if (random.one_in(5)) continue;  // changed its mind
          f.set(*reservation);
          owned[t].push_back(reservation->first());
        }
      });
    }
  }
  std::set<std::uint32_t> all{0};
  for (const auto& pages : owned) {
    for (const auto page : pages) EXPECT_TRUE(all.insert(page).second);
  }
  EXPECT_EQ(f.used(), all);
}

}  // namespace
}  // namespace plimsoll::storage
