// What the log promises when something breaks: after a failed write nobody hangs and nothing is acknowledged, after a power failure
// everything that was durable is there and nothing that never was can appear.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "base/random.hpp"
#include "unit/log_support.hpp"

namespace plimsoll::log {
namespace {

std::string read_block(io::FileSystem& files, const std::string& path, std::uint64_t offset) {
  auto file = files.open(path, io::OpenMode::read_only, false);
  EXPECT_TRUE(file);
  std::string block(io::block_bytes, '\0');
  EXPECT_TRUE((*file)->read(offset, block));
  return block;
}

void write_bytes(io::FileSystem& files, const std::string& path, std::uint64_t offset, std::string_view bytes) {
  auto file = files.open(path, io::OpenMode::read_write, false);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write(offset, bytes));
  ASSERT_TRUE((*file)->sync());
}

TEST(FailureTest, AFailedFlushPoisonsTheLogAndNobodyHangs) {
  for (const Operation operation : {Operation::write, Operation::sync}) {
    Base base;
    SimulatedFileSystem files;
    const auto log = base.create(files);
    std::atomic<int> failures{0}, unknown{0};
    log->set_on_failure([&](const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::io_error);
      ++failures;
    });
    const auto safe = append(*log, "safe");
    ASSERT_TRUE(log->flush_to(safe.end));
    files.inject({.operation = operation, .nth = 20});
    std::vector<std::thread> threads;
    for (int writer = 0; writer < 8; ++writer) {
      threads.emplace_back([&] {
        while (true) {
          auto credit = log->reserve(record_bytes(100), Log::Priority::normal, in_seconds(20));
          if (!credit) {
            EXPECT_EQ(credit.error().code(), ErrorCode::read_only);
            return;
          }
          const auto at = log->append(*credit, Kind::commit, std::string(100, 'x'));
          const auto flushed = log->flush_to(at.end);
          if (flushed) continue;
          EXPECT_EQ(flushed.error().code(), ErrorCode::commit_outcome_unknown);
          EXPECT_LT(log->durable(), at.end);
          ++unknown;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_TRUE(log->failed());
    EXPECT_EQ(failures.load(), 1);
    EXPECT_GT(unknown.load(), 0);
    ASSERT_TRUE(log->failure().has_value());
    EXPECT_TRUE(log->flush_to(safe.end)) << "what was durable stays so";
    const Lsn durable = log->durable();
    const auto syncs = files.count(Operation::sync);
    EXPECT_FALSE(log->flush_to(log->end()));
    EXPECT_EQ(files.count(Operation::sync), syncs) << "nothing is tried again";
    EXPECT_EQ(log->durable(), durable);
    EXPECT_FALSE(log->prepare_segment());
    const auto found = scan_all(base, files, base.begin());
    EXPECT_GE(found.back().end, durable);
  }
}

TEST(FailureTest, AnErrorOfTheHookFailsTheLog) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  log->set_before_flush([]() -> Result<void> { return std::unexpected(Error(ErrorCode::io_error, "large value")); });
  const auto at = append(*log, "x");
  EXPECT_EQ(log->flush_to(at.end).error().code(), ErrorCode::commit_outcome_unknown);
  EXPECT_EQ(log->failure()->details(), "large value");
  EXPECT_TRUE(scan_all(base, files, base.begin()).empty());
}

TEST(FailureTest, AFailureWakesThoseWhoWaitForRoom) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  auto most = log->reserve(20u << 10, Log::Priority::normal, 0);
  ASSERT_TRUE(most);
  const auto at = log->append(*most, Kind::commit, "x");
  ASSERT_TRUE(log->flush_to(at.end));
  std::thread waiter([&] {
    const auto credit = log->reserve(8u << 10, Log::Priority::normal, in_seconds(60));
    ASSERT_FALSE(credit);
    EXPECT_EQ(credit.error().code(), ErrorCode::read_only);
  });
  while (base.metrics.sum(Counter::log_ring_waits) == 0) std::this_thread::yield();
  files.inject({.operation = Operation::write});
  EXPECT_FALSE(log->flush_to(log->append(*most, Kind::commit, "y").end));
  waiter.join();
}

// The last records are torn at every byte: the scan ends before the record that lost something, and the log goes on from there.
TEST(TornTailTest, TheLogEndsBeforeTheFirstDamagedByte) {
  Base base;
  SimulatedFileSystem files;
  std::vector<Log::Span> spans;
  {
    const auto log = base.create(files);
    for (int i = 0; i < 6; ++i)
      spans.push_back(append(*log, std::string(20 + static_cast<std::size_t>(i), static_cast<char>('a' + i))));
    ASSERT_TRUE(log->flush_to(log->end()));
  }
  const std::string path = segment_path("log", base.begin().value / base.options.segment_bytes);
  const std::string whole = read_block(files, path, 0);
  for (std::uint64_t tear = spans[3].begin.value; tear <= spans.back().end.value; ++tear) {
    std::string torn = whole;
    const std::size_t kept = tear - base.begin().value;
    std::memset(torn.data() + kept, 0, torn.size() - kept);
    write_bytes(files, path, 0, torn);
    std::size_t complete = 0;
    while (complete < spans.size() && torn.compare(0, spans[complete].end.value - base.begin().value, whole, 0,
                                                   spans[complete].end.value - base.begin().value) == 0) {
      ++complete;
    }
    ScanEnd end;
    const auto found = scan_all(base, files, base.begin(), &end);
    ASSERT_EQ(found.size(), complete) << "torn at " << kept;
    const auto log = base.open(files, base.begin(), end.end);
    ASSERT_NE(log, nullptr);
    append(*log, "after");
    ASSERT_TRUE(log->flush_to(log->end()));
    const auto again = scan_all(base, files, base.begin());
    ASSERT_EQ(again.size(), complete + 1);
    EXPECT_EQ(again.back().payload, "after");
  }
}

// A flush of several blocks lost its first one in a crash: valid records lie behind the new end, at their own positions. New
// records that end exactly where one of them begins must not call it back to life.
void expect_stale_records_stay_dead(std::size_t ring_then, std::size_t ring_now) {
  Base base;
  base.options.ring_bytes = ring_then;
  SimulatedFileSystem files;
  std::vector<Log::Span> lost;
  Lsn end{};
  {
    const auto log = base.create(files);
    append(*log, "kept");
    ASSERT_TRUE(log->flush_to(log->end()));
    end = log->end();
    for (int i = 0; i < 400 || log->end().value < end.value + ring_then * 3 / 4; ++i)
      lost.push_back(append(*log, std::string(40, 'l')));
    ASSERT_TRUE(log->flush_to(log->end()));
  }
  const std::string path = segment_path("log", base.begin().value / base.options.segment_bytes);
  std::string first = read_block(files, path, 0);
  std::memset(first.data() + (end.value - base.begin().value), 0, first.size() - (end.value - base.begin().value));
  write_bytes(files, path, 0, first);
  ScanEnd stopped;
  ASSERT_EQ(scan_all(base, files, base.begin(), &stopped).size(), 1u);
  ASSERT_EQ(stopped.end, end);
  // The rest of the last block is written as zeroes: the danger is an end on a block boundary.
  const std::uint64_t beyond = ring_now < ring_then ? end.value + ring_now + 2 * io::block_bytes : 0;
  const auto at = std::ranges::find_if(
      lost, [&](const Log::Span& span) { return span.begin.value % io::block_bytes == 0 && span.begin.value > beyond; });
  ASSERT_NE(at, lost.end());
  const Log::Span first_stale = *at;
  ASSERT_GT(scan_all(base, files, first_stale.begin).size(), 50u) << "the danger is real";

  base.options.ring_bytes = ring_now;
  const auto log = base.open(files, base.begin(), end);
  ASSERT_NE(log, nullptr);
  while (log->end() < first_stale.begin) append(*log, std::string(40, 'n'));
  ASSERT_EQ(log->end(), first_stale.begin);
  ASSERT_TRUE(log->flush_to(log->end()));
  ScanEnd now;
  const auto found = scan_all(base, files, base.begin(), &now);
  EXPECT_EQ(now.end, log->end());
  EXPECT_EQ(now.why, Validity::zero);
  EXPECT_EQ(std::ranges::count_if(found, [](const Stored& record) { return record.payload.front() == 'l'; }), 0);
}

TEST(StaleTailTest, RecordsBehindALostBlockStayDead) { expect_stale_records_stay_dead(32u << 10, 32u << 10); }
TEST(StaleTailTest, AlsoIfTheRingWasLargerAtThatTime) { expect_stale_records_stay_dead(256u << 10, 32u << 10); }

TEST(OpenTest, ACleanLogGoesOnWhereItEnded) {
  Base base;
  SimulatedFileSystem files;
  Lsn end = base.begin();
  std::size_t count = 0;
  for (int round = 0; round < 30; ++round) {
    const auto log = round == 0 ? base.create(files) : base.open(files, base.begin(), end);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->end(), end);
    EXPECT_EQ(log->durable(), end);
    for (int i = 0; i < 7; ++i, ++count)
      append(*log, std::to_string(count) + std::string(static_cast<std::size_t>(round) * 40, '.'));
    ASSERT_TRUE(log->flush_to(log->end()));
    end = log->end();
  }
  const auto found = scan_all(base, files, base.begin());
  expect_contiguous(found, base.begin());
  ASSERT_EQ(found.size(), count);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(found[i].payload.substr(0, found[i].payload.find('.')), std::to_string(i));
}

TEST(OpenTest, OldAndLooseSegmentsGoAndSpareOnesStay) {
  Base base;
  SimulatedFileSystem files;
  Lsn end{}, start{};
  {
    const auto log = base.create(files);
    while (log->end().value < base.begin().value + 5 * base.options.segment_bytes / 2)
      start = append(*log, std::string(900, 'x')).begin;
    ASSERT_TRUE(log->prepare_segment());
    ASSERT_TRUE(log->flush_to(log->end()));
    end = log->end();
  }
  const std::uint64_t last = end.value / base.options.segment_bytes;
  ASSERT_TRUE(*files.exists(segment_path("log", last + 1)));
  auto loose = files.open(segment_path("log", last + 5), io::OpenMode::create, false);
  ASSERT_TRUE(loose);
  {
    const auto log = base.open(files, start, end);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->bytes_on_disk(), 2 * base.options.segment_bytes);
  }
  EXPECT_EQ(files.list("log")->size(), 2u);
  EXPECT_EQ(first_position(files, base.options)->value, last * base.options.segment_bytes);
  ASSERT_TRUE(files.remove(segment_path("log", last)));
  const auto broken = Log::open(files, base.provider, base.metrics, system_time(), base.options, start, end);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), ErrorCode::corruption);
  ScanEnd stopped;
  EXPECT_TRUE(scan_all(base, files, start, &stopped).empty());
  EXPECT_TRUE(stopped.segment_missing);
}

TEST(OpenTest, ALogLargerThanItsLimitCanStillTakeACheckpointAndBeCut) {
  Base base;
  SimulatedFileSystem files;
  Lsn end{};
  {
    const auto log = base.create(files);
    while (log->end().value < base.begin().value + 6 * base.options.segment_bytes) append(*log, std::string(900, 'x'));
    ASSERT_TRUE(log->flush_to(log->end()));
    end = log->end();
  }
  base.options.bytes_max = 2 * base.options.segment_bytes;
  const auto log = base.open(files, base.begin(), end);
  ASSERT_NE(log, nullptr);
  EXPECT_FALSE(log->reserve(100, Log::Priority::normal, 0));
  EXPECT_TRUE(log->wants_cut(0.5));
  EXPECT_FALSE(log->reserve(100, Log::Priority::reserve, 0));
  EXPECT_TRUE(log->reserve(1000, Log::Priority::checkpoint, 0));
  log->cut(end);
  EXPECT_TRUE(log->reserve(100, Log::Priority::normal, 0));
}

// Any moment of a run with recycling may be the last: all that was acknowledged is there, in order, and the log goes on. Several
// lives each.
TEST(PowerFailureTest, WhatWasDurableSurvivesInOrder) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Base base;
    base.options.bytes_max = 4 * base.options.segment_bytes;
    Random random(seed);
    SimulatedFileSystem files;
    ASSERT_TRUE(files.make_directory("log"));
    ASSERT_TRUE(files.sync_directory(""));
    Lsn start = base.begin();
    auto log = base.create(files);
    std::uint64_t number = 0, next_expected = 0, acknowledged = 0;  // records are numbered; those below `acknowledged` were durable
    std::uint64_t first_kept = 0;                                   // the number of the record at `start`
    for (int life = 0; life < 4; ++life) {
      files.power_fails_at(1 + random.below(220));
      while (log != nullptr && !log->failed()) {
        auto credit = log->reserve(record_bytes(2000), Log::Priority::normal, 0);
        if (!credit && credit.error().code() != ErrorCode::log_full) break;
        if (credit) {
          const std::string payload = std::to_string(number) + ":" + std::string(random.below(1900), 'x');
          ++number;
          log->append(*credit, Kind::commit, payload);
        }
        if (random.one_in(5) && log->flush_to(log->end())) acknowledged = number;
        if (log->wants_cut(0.6) && acknowledged == number && log->durable() == log->end()) {
          start = log->end();
          first_kept = number;
          log->cut(start);
        }
      }
      log.reset();
      files.crash(random);
      ScanEnd end;
      const auto found = scan_all(base, files, start, &end);
      expect_contiguous(found, start);
      next_expected = first_kept;
      for (const Stored& record : found) {
        ASSERT_EQ(record.payload.substr(0, record.payload.find(':')), std::to_string(next_expected++)) << "seed " << seed;
      }
      ASSERT_GE(next_expected, acknowledged) << "seed " << seed << " life " << life;
      number = acknowledged = next_expected;
      log = base.open(files, start, end.end);
      ASSERT_NE(log, nullptr) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace plimsoll::log
