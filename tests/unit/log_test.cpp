// The running log: parallel writers, the ring, segments, credits, group commit, space on disk, reading.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/random.hpp"
#include "unit/log_support.hpp"

namespace plimsoll::log {
namespace {

TEST(LogTest, RecordsComeBackInOrderWithTheirPayload) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  EXPECT_EQ(log->end(), base.begin());
  EXPECT_EQ(log->durable(), base.begin());
  std::vector<std::string> payloads = {"", "a", std::string(8, 'b'), std::string(5000, 'c'), std::string("\0\1\2", 3)};
  for (const auto& payload : payloads) append(*log, payload, Kind::update);
  EXPECT_EQ(log->durable(), base.begin());
  ASSERT_TRUE(log->flush_to(log->end()));
  EXPECT_EQ(log->durable(), log->end());
  ScanEnd end;
  const auto found = scan_all(base, files, base.begin(), &end);
  ASSERT_EQ(found.size(), payloads.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].payload, payloads[i]);
    EXPECT_EQ(found[i].kind, Kind::update);
  }
  expect_contiguous(found, base.begin());
  EXPECT_EQ(end.end, log->end());
  EXPECT_EQ(end.why, Validity::zero);
  EXPECT_EQ(base.metrics.sum(Counter::log_records), payloads.size());
  EXPECT_EQ(base.metrics.sum(Counter::log_bytes), log->end().value - base.begin().value);
  EXPECT_EQ(base.metrics.sum(Counter::log_flushes), 1u);
}

TEST(LogTest, PiecesAreJoinedAndAClaimIsFilledLater) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  const std::string_view pieces[] = {"one", "", "two", "three"};
  auto credit = log->reserve(2 * record_bytes(11), Log::Priority::normal, 0);
  ASSERT_TRUE(credit);
  const auto claimed = log->claim(*credit, 11);
  const auto after = log->append(*credit, Kind::pages, pieces);
  EXPECT_EQ(claimed.end, after.begin);
  std::thread filler([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    log->fill(claimed, Kind::commit, pieces);
  });
  EXPECT_TRUE(log->flush_to(after.end)) << "a hole stops the flush until it is filled";
  filler.join();
  const auto found = scan_all(base, files, base.begin());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].payload, "onetwothree");
  EXPECT_EQ(found[0].kind, Kind::commit);
  EXPECT_EQ(found[1].payload, "onetwothree");
}

// Eight writers, some of whom wait for durability; the ring wraps and segments fill many times over.
TEST(LogTest, ParallelWritersLeaveNoHole) {
  Base base;
  base.options.bytes_max = 8u << 20;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  constexpr unsigned writers = 8, each = 400;
  std::vector<std::thread> threads;
  for (unsigned writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      Random random(writer);
      for (unsigned i = 0; i < each; ++i) {
        const std::string payload = std::to_string(writer) + ":" + std::to_string(i) + ":" + std::string(random.below(1200), 'p');
        const auto at = append(*log, payload);
        if (random.one_in(80)) {
          EXPECT_TRUE(log->flush_to(at.end));
          EXPECT_GE(log->durable(), at.end);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(log->flush_to(log->end()));
  const auto found = scan_all(base, files, base.begin());
  expect_contiguous(found, base.begin());
  ASSERT_EQ(found.size(), writers * each);
  EXPECT_EQ(found.back().end, log->end());
  std::map<std::string, int> next;
  for (const auto& record : found) {
    const auto writer = record.payload.substr(0, record.payload.find(':'));
    const auto number = record.payload.substr(2, record.payload.find(':', 2) - 2);
    EXPECT_EQ(std::to_string(next[writer]++), number);
  }
  EXPECT_GT(base.metrics.sum(Counter::log_ring_waits), 0u);
}

TEST(LogTest, RecordsOfEverySizeCrossTheRingsEndAndSegmentBoundaries) {
  Base base;
  base.options.segment_bytes = 12u << 10;  // not a power of two, smaller than the ring
  base.options.bytes_max = 4u << 20;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  std::vector<std::string> payloads;
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    payloads.emplace_back(random.below(i % 10 == 0 ? 20'000 : 700), static_cast<char>('a' + i % 26));
    append(*log, payloads.back());
    if (random.one_in(9)) { ASSERT_TRUE(log->flush_to(log->end())); }
  }
  ASSERT_TRUE(log->flush_to(log->end()));
  const auto found = scan_all(base, files, base.begin());
  ASSERT_EQ(found.size(), payloads.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].payload, payloads[i]);
  expect_contiguous(found, base.begin());
}

TEST(LogTest, ALargeFlushGoesStraightFromTheRing) {
  Base base;
  base.options.ring_bytes = 256u << 10;
  base.options.segment_bytes = 512u << 10;
  base.options.bytes_max = 4u << 20;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  std::size_t count = 0;
  for (int round = 0; round < 9; ++round) {
    const int records = round % 2 == 0 ? 20 : 11;
    for (int i = 0; i < records; ++i) append(*log, std::string(9'000, static_cast<char>('a' + count++ % 26)));
    ASSERT_TRUE(log->flush_to(log->end()));
  }
  const auto found = scan_all(base, files, base.begin());
  ASSERT_EQ(found.size(), count);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(found[i].payload, std::string(9'000, static_cast<char>('a' + i % 26)));
}

TEST(LogTest, FlushingWhatIsDurableDoesNothing) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  const auto at = append(*log, "x");
  ASSERT_TRUE(log->flush_to(at.end));
  ASSERT_TRUE(log->flush_to(at.end));
  ASSERT_TRUE(log->flush_to(at.begin));
  EXPECT_EQ(base.metrics.sum(Counter::log_flushes), 1u);
}

TEST(LogTest, ALoneCommitterWritesOneBlockInOneWrite) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  for (int i = 0; i < 20; ++i) {
    const auto at = append(*log, std::string(50, 'x'));
    const auto writes = files.count(Operation::write), syncs = files.count(Operation::sync);
    ASSERT_TRUE(log->flush_to(at.end));
    EXPECT_EQ(files.count(Operation::write), writes + 1);
    EXPECT_EQ(files.count(Operation::sync), syncs + 1);
  }
}

TEST(GroupCommitTest, ManyCommittersShareFlushesAndNobodyHangs) {
  Base base;
  base.options.bytes_max = 8u << 20;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  std::atomic<std::uint64_t> announced{0};
  log->set_on_durable([&](Lsn durable) {
    EXPECT_GT(durable.value, announced.load());
    EXPECT_GE(log->durable(), durable);
    announced.store(durable.value);
  });
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 16; ++writer) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto at = append(*log, std::string(100, 'x'));
        EXPECT_TRUE(log->flush_to(at.end));
        EXPECT_GE(announced.load(), at.end.value) << "the hook has run before a waiter returns";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(scan_all(base, files, base.begin()).size(), 16u * 200u);
  EXPECT_LE(base.metrics.sum(Counter::log_flushes), 16u * 200u);
}

TEST(GroupCommitTest, TheHookRunsBeforeEachFlush) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  int calls = 0;
  log->set_before_flush([&]() -> Result<void> {
    EXPECT_LT(log->durable(), log->end());
    ++calls;
    return {};
  });
  for (int i = 1; i <= 3; ++i) {
    append(*log, "x");
    ASSERT_TRUE(log->flush_to(log->end()));
    EXPECT_EQ(calls, i);
  }
}

TEST(CreditTest, WhatIsNotUsedComesBack) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  const std::uint64_t most = (32u << 10) - (8u << 10) - (4u << 10);  // without two blocks and an eighth
  {
    auto credit = log->reserve(most, Log::Priority::normal, 0);
    ASSERT_TRUE(credit);
    EXPECT_EQ(credit->bytes(), most);
    auto rest = log->reserve(4u << 10, Log::Priority::normal, 0);
    ASSERT_TRUE(rest);
    auto other = log->reserve(8, Log::Priority::normal, 0);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::log_full);
    log->append(*credit, Kind::commit, "12345678");
    EXPECT_EQ(credit->bytes(), most - 24);
    Credit moved = std::move(*credit);
    EXPECT_EQ(credit->bytes(), 0u);
    EXPECT_EQ(moved.bytes(), most - 24);
  }
  EXPECT_TRUE(log->reserve(most, Log::Priority::normal, 0)) << "flushes what was appended";
}

TEST(CreditTest, TheReserveIsForThoseWhoMayUseIt) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  auto all = log->reserve(20u << 10, Log::Priority::normal, 0);
  auto rest = log->reserve(4u << 10, Log::Priority::normal, 0);
  ASSERT_TRUE(all && rest);
  EXPECT_FALSE(log->reserve(8, Log::Priority::normal, 0));
  auto urgent = log->reserve(4u << 10, Log::Priority::reserve, 0);
  ASSERT_TRUE(urgent);
  EXPECT_FALSE(log->reserve(8, Log::Priority::reserve, 0));
  const auto impossible = log->reserve(29u << 10, Log::Priority::reserve, 0);
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().code(), ErrorCode::invalid_argument);
}

TEST(CreditTest, AWaiterGetsWhatAnotherGivesBack) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  auto all = log->reserve(20u << 10, Log::Priority::normal, 0);
  ASSERT_TRUE(all);
  std::thread waiter([&] { EXPECT_TRUE(log->reserve(5000, Log::Priority::normal, in_seconds(20))); });
  while (base.metrics.sum(Counter::log_ring_waits) == 0) std::this_thread::yield();
  all->release();
  waiter.join();
}

TEST(SpaceTest, AFullLogAnswersLogFullAndACutWakesTheWaiter) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  const std::string payload(1000, 'x');
  Error last(ErrorCode::busy);
  while (true) {
    auto credit = log->reserve(record_bytes(payload.size()), Log::Priority::normal, 0);
    if (!credit) {
      last = credit.error();
      break;
    }
    log->append(*credit, Kind::commit, payload);
  }
  EXPECT_EQ(last.code(), ErrorCode::log_full);
  EXPECT_LE(log->bytes_on_disk(), base.options.bytes_max);
  EXPECT_GE(log->end().value - log->start().value, base.options.bytes_max * 7 / 8 - 2000);
  EXPECT_TRUE(log->wants_cut(0.8));
  auto short_wait = log->reserve(2000, Log::Priority::normal, system_time().monotonic_ns() + second_ns / 50);
  ASSERT_FALSE(short_wait);
  EXPECT_EQ(short_wait.error().code(), ErrorCode::log_full);
  EXPECT_TRUE(log->reserve(2000, Log::Priority::reserve, 0)) << "the reserve is still there";

  std::atomic<bool> got{false};
  std::thread waiter([&] {
    EXPECT_TRUE(log->reserve(2000, Log::Priority::normal, in_seconds(20)));
    got = true;
  });
  while (!log->wants_cut(1.0)) std::this_thread::yield();
  EXPECT_FALSE(got.load());
  ASSERT_TRUE(log->flush_to(log->end()));
  log->cut(log->durable());
  waiter.join();
  EXPECT_FALSE(log->wants_cut(0.8));
  EXPECT_GT(base.metrics.sum(Counter::log_space_waits), 0u);
}

TEST(SpaceTest, SegmentsAreRecycledAndTheLogStaysWithinItsLimit) {
  Base base;
  SimulatedFileSystem files;
  auto log = base.create(files);
  std::uint64_t written = 0;
  Lsn kept = log->end();
  std::uint64_t creations = 0;
  for (int i = 0; written < 20 * base.options.bytes_max; ++i) {
    const auto at = append(*log, std::string(900, static_cast<char>('a' + i % 26)));
    written += at.end.value - at.begin.value;
    if (log->wants_cut(0.5)) {
      ASSERT_TRUE(log->flush_to(at.end));
      log->cut(at.begin);
      kept = at.begin;
    }
    ASSERT_LE(log->bytes_on_disk(), base.options.bytes_max);
    if (written < 2 * base.options.bytes_max) creations = files.count(Operation::create);
  }
  EXPECT_EQ(files.count(Operation::create), creations) << "from then on old segments are used again";
  ASSERT_TRUE(log->flush_to(log->end()));
  const auto found = scan_all(base, files, kept);
  expect_contiguous(found, kept);
  EXPECT_EQ(found.back().end, log->end());
  EXPECT_EQ(first_position(files, base.options)->value, kept.value / base.options.segment_bytes * base.options.segment_bytes);
  const auto names = files.list("log");
  EXPECT_LE(names->size(), base.options.bytes_max / base.options.segment_bytes);
}

TEST(SpaceTest, ASpareSegmentIsPreparedAhead) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  auto first = log->prepare_segment();
  ASSERT_TRUE(first && !*first) << "the first segment is all spare";
  append(*log, "x");
  auto second = log->prepare_segment();
  ASSERT_TRUE(second && *second);
  auto third = log->prepare_segment();
  ASSERT_TRUE(third && !*third);
  EXPECT_EQ(log->bytes_on_disk(), 2 * base.options.segment_bytes);
}

TEST(SpaceTest, AFullDiskIsReportedAndTriedAgain) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  files.set_disk_bytes(files.disk_bytes_used() + base.options.segment_bytes / 2);
  Error last(ErrorCode::busy);
  while (true) {
    auto credit = log->reserve(record_bytes(1000), Log::Priority::normal, in_seconds(1));
    if (!credit) {
      last = credit.error();
      break;
    }
    log->append(*credit, Kind::commit, std::string(1000, 'x'));
  }
  EXPECT_EQ(last.code(), ErrorCode::no_space);
  EXPECT_FALSE(log->failed());
  EXPECT_TRUE(log->flush_to(log->end())) << "what was promised has its blocks";
  EXPECT_EQ(files.list("log")->size(), 1u) << "the unfinished segment is gone";
  files.set_disk_bytes(files.disk_bytes_used() + 2 * base.options.segment_bytes);
  append(*log, std::string(1000, 'x'));
  ASSERT_TRUE(log->flush_to(log->end()));
  expect_contiguous(scan_all(base, files, base.begin()), base.begin());
}

TEST(ReadTest, ARunningLogIsReadUpToWhatIsDurable) {
  Base base;
  SimulatedFileSystem files;
  const auto log = base.create(files);
  std::vector<Lsn> begins;
  for (int i = 0; i < 200; ++i) begins.push_back(append(*log, std::to_string(i) + std::string(500, 'x')).begin);
  ASSERT_TRUE(log->flush_to(log->end()));
  const Lsn durable = log->durable();
  append(*log, "not durable");
  std::size_t count = 0;
  auto next = log->read(begins[10], [&](const Record& record) {
    EXPECT_EQ(record.begin, begins[10 + count]);
    return ++count < 5;
  });
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, begins[15]);
  next = log->read(*next, [&](const Record&) { return ++count != 0; });
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, durable);
  EXPECT_EQ(count, 190u);
  EXPECT_EQ(log->read(log->end(), [](const Record&) { return true; }).error().code(), ErrorCode::invalid_argument);
  log->cut(begins[150]);
  EXPECT_EQ(log->read(begins[0], [](const Record&) { return true; }).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(log->read(begins[150], [](const Record&) { return true; }));
}

TEST(OptionsTest, WrongSizesAreRefused) {
  Base base;
  SimulatedFileSystem files;
  ASSERT_TRUE(files.make_directory("log"));
  const auto code = [&](auto change) {
    LogOptions options = base.options;
    change(options);
    const auto log = Log::create(files, base.provider, base.metrics, system_time(), options, base.begin());
    return log ? ErrorCode::busy : log.error().code();
  };
  EXPECT_EQ(code([](LogOptions& o) { o.ring_bytes = 24u << 10; }), ErrorCode::invalid_argument);
  EXPECT_EQ(code([](LogOptions& o) { o.ring_bytes = 4096; }), ErrorCode::invalid_argument);
  EXPECT_EQ(code([](LogOptions& o) { o.segment_bytes = 5000; }), ErrorCode::invalid_argument);
  EXPECT_EQ(code([](LogOptions& o) { o.bytes_max = o.segment_bytes; }), ErrorCode::invalid_argument);
}

TEST(OptionsTest, MemoryIsChargedAndGivenBack) {
  Base base;
  SimulatedFileSystem files;
  {
    const auto log = base.create(files);
    EXPECT_EQ(base.budget.used(memory::Account::log_ring), base.options.ring_bytes + (64u << 10));
    append(*log, "x");
    ASSERT_TRUE(log->flush_to(log->end()));
    ASSERT_TRUE(log->read(base.begin(), [](const Record&) { return true; }));
    EXPECT_GT(base.budget.peak(memory::Account::io_buffers), 0u);
  }
  EXPECT_EQ(base.budget.used(), 0u);
}

}  // namespace
}  // namespace plimsoll::log
