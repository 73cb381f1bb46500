// What the tests of the log share: a log in a simulated file system, with small segments and a small ring, and short ways to use
// it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "base/time.hpp"
#include "io/simulation/simulated_file_system.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::log {

using io::simulation::Fault;
using io::simulation::Operation;
using io::simulation::SimulatedFileSystem;

inline constexpr std::uint64_t second_ns = 1'000'000'000;
inline std::uint64_t in_seconds(std::uint64_t seconds) { return system_time().monotonic_ns() + seconds * second_ns; }

// Budget and metrics; outlives the logs that stand on it.
struct Base {
  memory::MemoryBudget budget{32u << 20};
  memory::PageProvider provider{budget};
  Metrics metrics;
  LogOptions options{
      .directory = "log", .salt = 0x5a17, .segment_bytes = 64u << 10, .ring_bytes = 32u << 10, .bytes_max = 512u << 10};

  Lsn begin() const { return Lsn{3 * options.segment_bytes}; }
  std::unique_ptr<Log> create(io::FileSystem& files) {
    EXPECT_TRUE(files.make_directory(options.directory));
    auto log = Log::create(files, provider, metrics, system_time(), options, begin());
    EXPECT_TRUE(log) << log.error().message();
    return log ? std::move(*log) : nullptr;
  }
  std::unique_ptr<Log> open(io::FileSystem& files, Lsn start, Lsn end) {
    auto log = Log::open(files, provider, metrics, system_time(), options, start, end);
    EXPECT_TRUE(log) << log.error().message();
    return log ? std::move(*log) : nullptr;
  }
};

struct Stored {
  Lsn begin{}, end{};
  Kind kind{};
  std::string payload;
};

inline Log::Span append(Log& log, std::string_view payload, Kind kind = Kind::commit) {
  auto credit = log.reserve(record_bytes(payload.size()), Log::Priority::normal, in_seconds(20));
  EXPECT_TRUE(credit) << credit.error().message();
  if (!credit) return {};
  return log.append(*credit, kind, payload);
}

inline std::vector<Stored> scan_all(Base& base, io::FileSystem& files, Lsn from, ScanEnd* end = nullptr) {
  std::vector<Stored> found;
  const auto done = scan(files, base.provider, base.options, from, [&](const Record& record) -> Result<bool> {
    found.push_back({record.begin, record.end, record.kind, std::string(record.payload)});
    return true;
  });
  EXPECT_TRUE(done) << done.error().message();
  if (done && end != nullptr) *end = *done;
  return found;
}

// No hole, no overlap.
inline void expect_contiguous(const std::vector<Stored>& records, Lsn from) {
  for (const Stored& record : records) {
    EXPECT_EQ(record.begin.value, from.value);
    from = record.end;
  }
}

}  // namespace plimsoll::log
