// What the tests of the storage layer share: a log that only counts, a file that watches the write-ahead rule, and a pool over
// them. A test page holds, behind the common header, its own number and a counter twice, at its beginning and at its end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "io/simulation/simulated_file_system.hpp"
#include "memory/page_provider.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {

inline constexpr std::uint32_t test_page_bytes = 8192;
inline constexpr std::uint64_t test_salt = 0x5A17;
// How often concurrent tests go round: they are slow under a sanitizer, most of all where pages are copied byte by byte.
#if defined(PLIMSOLL_ATOMIC_PAGES) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr unsigned effort = 1;
#else
inline constexpr unsigned effort = 8;
#endif

struct alignas(io::block_bytes) PageImage : std::array<char, test_page_bytes> {};

class CountingLog final : public LogGate {
 public:
  Lsn durable() const override { return Lsn{durable_.load()}; }
  Result<void> flush_to(Lsn lsn) override {
    if (fails) return std::unexpected(Error(ErrorCode::io_error, "the log has failed"));
    ++flushes;
    if (on_flush) on_flush();
    for (std::uint64_t now = durable_; now < lsn.value && !durable_.compare_exchange_weak(now, lsn.value);) {}
    return {};
  }
  Lsn end() const { return Lsn{end_.load()}; }
  Lsn append() { return Lsn{end_.fetch_add(64) + 64}; }

  std::atomic<bool> fails{false};
  std::atomic<unsigned> flushes{0};
  std::function<void()> on_flush;  // what happens elsewhere while somebody waits for the log

 private:
  std::atomic<std::uint64_t> end_{4096}, durable_{4096};
};

// Passes everything on; no page may come by whose log record is not durable.
class WatchedFile final : public io::File {
 public:
  WatchedFile(std::unique_ptr<io::File> file, const LogGate& log) : file_(std::move(file)), log_(log) {}

  Result<void> read(std::uint64_t offset, std::span<char> into) override {
    ++reads;
    return file_->read(offset, into);
  }
  Result<void> write(std::uint64_t offset, std::span<const char> from) override { return file_->write(offset, from); }
  bool read_batch(std::span<io::Transfer> transfers) override {
    reads += static_cast<unsigned>(transfers.size());
    return file_->read_batch(transfers);
  }
  bool write_batch(std::span<io::Transfer> transfers) override {
    for (const io::Transfer& transfer : transfers) {
      EXPECT_EQ(transfer.bytes, test_page_bytes);
      EXPECT_LE(lsn_of(transfer.data).value, log_.durable().value) << "written before its log record";
      EXPECT_EQ(page_of(key_of(transfer.data)), transfer.offset / test_page_bytes);
      ++writes;
    }
    return file_->write_batch(transfers);
  }
  Result<void> sync() override {
    ++syncs;
    return file_->sync();
  }
  Result<void> write_durable(std::uint64_t offset, std::span<const char> from) override {
    return file_->write_durable(offset, from);
  }
  Result<std::uint64_t> size() override { return file_->size(); }
  Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
  Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->deallocate(offset, bytes); }
  Result<std::uint64_t> allocated() override { return file_->allocated(); }

  std::atomic<unsigned> reads{0}, writes{0}, syncs{0};

 private:
  const std::unique_ptr<io::File> file_;
  const LogGate& log_;
};

inline std::unique_ptr<io::File> make_file(io::FileSystem& disk, std::string_view name) {
  auto file = disk.open(name, io::OpenMode::create, true);
  EXPECT_TRUE(file) << file.error().message();
  return std::move(*file);
}

// A pool over a simulated disk. Its chunks have 32 frames.
struct PoolFixture {
  explicit PoolFixture(std::size_t frames_max = 64, std::size_t frames_min = 0,
                       std::size_t budget_bytes = memory::MemoryBudget::least_bytes)
      : budget(budget_bytes), data(make_file(disk, "/data"), log), doublewrite(make_file(disk, "/doublewrite")) {
    auto opened = Pool::open(provider, metrics, log,
                             {.page_bytes = test_page_bytes,
                              .salt = test_salt,
                              .frames_max = frames_max,
                              .frames_min = std::max<std::size_t>(frames_min, 1)});
    EXPECT_TRUE(opened) << opened.error().message();
    pool = std::move(*opened);
    pool->attach(data_file, data);
    EXPECT_TRUE(pool->attach_doublewrite(*doublewrite));
  }

  std::uint64_t counted(Counter counter) const { return metrics.sum(counter); }

  // A logged change of a latched page.
  void change(ExclusivePage& page, std::uint64_t counter) {
    page.will_change(log.end());
    page_store<std::uint64_t>(page.bytes() + 32, page.key().value);
    page_store<std::uint64_t>(page.bytes() + 40, counter);
    page_store<std::uint64_t>(page.bytes() + test_page_bytes - 8, counter);
    page.set_lsn(log.append());
  }
  void create(PageKey key, std::uint64_t counter = 0) {
    auto frame = pool->take_frame();
    ASSERT_TRUE(frame) << frame.error().message();
    auto page = pool->create(std::move(*frame), key);
    change(page, counter);
  }
  void create_pages(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) create(data_page(i));
  }
  struct Seen {
    std::uint64_t number = 0, first = 0, last = 0;
  };
  // What a page says, read the optimistic way, or (PLIMSOLL_LATCHED_READS) latched. Nothing: it has changed meanwhile.
  std::optional<Seen> look(const OptimisticPage& page) {
    Seen seen;
    {
#ifdef PLIMSOLL_LATCHED_READS
      ExclusivePage latched;
      if (!pool->try_upgrade(page, latched)) return std::nullopt;
#endif
      seen.number = page_load<std::uint64_t>(page.bytes + 32);
      seen.first = page_load<std::uint64_t>(page.bytes + 40);
      seen.last = page_load<std::uint64_t>(page.bytes + test_page_bytes - 8);
    }
    return page.still_valid() ? std::optional(seen) : std::nullopt;
  }
  // The counter of a page, read the optimistic way. False: it must be tried again.
  bool try_counter(PageKey key, std::uint64_t& counter, Access access = Access::normal) {
    auto page = pool->read(key, access);
    EXPECT_TRUE(page) << page.error().message();
    if (!page) return true;
    const auto seen = look(*page);
    if (!seen) return false;
    EXPECT_EQ(seen->number, key.value);
    EXPECT_EQ(seen->first, seen->last);
    counter = seen->first;
    return true;
  }
  std::uint64_t counter_of(PageKey key, Access access = Access::normal) {
    std::uint64_t counter = 0;
    while (!try_counter(key, counter, access)) {}
    return counter;
  }
  // Out of the pool: read from the file the next time.
  void write_and_drop(std::uint32_t pages) {
    ASSERT_TRUE(pool->write_back(Lsn{~std::uint64_t{0}}));
    for (std::uint32_t i = 0; i < pages; ++i) {
      if (auto page = pool->latch_resident(data_page(i))) pool->discard(std::move(page));
    }
  }

  memory::MemoryBudget budget;
  memory::PageProvider provider{budget};
  Metrics metrics;
  io::simulation::SimulatedFileSystem disk;
  CountingLog log;
  WatchedFile data;
  std::unique_ptr<io::File> doublewrite;
  std::unique_ptr<Pool> pool;
};

}  // namespace plimsoll::storage
