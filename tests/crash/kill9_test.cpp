// A process that is killed in the middle of its work loses nothing that it was told is durable. The writer (kill9_writer.hpp) runs
// on the real file system; only this process knows what was acknowledged. PLIMSOLL_KILLS: how many kills for each back end.
// ctest-timeout: 900
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <filesystem>

#include "crash/kill9_writer.hpp"
#include "io/file.hpp"
#include "model/reference.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

class Kill9Test : public testing::TestWithParam<IoBackend> {
 protected:
  void SetUp() override {
    if (GetParam() == IoBackend::uring && !io::make_uring_file_system()) GTEST_SKIP() << "the kernel refuses io_uring";
    path_ = std::filesystem::temp_directory_path() / fmt::format("plimsoll_kill9_{}_{}", getpid(), static_cast<int>(GetParam()));
    std::filesystem::remove_all(path_);
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  // Runs the writer for so long, and notes what it was promised.
  void write_and_kill(std::uint64_t microseconds, std::uint64_t seed) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      kill9_write(path_, GetParam(), ends[1], seed);
    }
    close(ends[1]);
    std::thread killer([&] {
      usleep(static_cast<useconds_t>(microseconds));
      kill(child, SIGKILL);
    });
    Acknowledged told;
    while (read(ends[0], &told, sizeof told) == sizeof told)
      acknowledged_[told.thread] = std::max(acknowledged_[told.thread], told.step);
    killer.join();
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the writer ended by itself, status " << status;
  }

  void check() {
    auto db = Database::open(path_.string(), kill9_options(GetParam()));
    ASSERT_TRUE(db) << db.error().message();
    recoveries_ += db->recovery_report().was_clean ? 0 : 1;
    auto table = db->open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(table) << table.error().message();
    auto tx = db->begin({.read_only = true});
    ASSERT_TRUE(tx);
    for (std::uint32_t thread = 0; thread < kill9_threads; ++thread) {
      auto value = tx->get(*table, fmt::format("last/{}", thread));
      ASSERT_TRUE(value);
      const auto last = static_cast<std::uint32_t>(number_of(*value));
      ASSERT_GE(last, acknowledged_[thread]) << "thread " << thread << " has lost acknowledged commits";
      const std::string from = fmt::format("step/{}/", thread), to = fmt::format("step/{}0", thread);
      auto steps = tx->count(*table, {.from = Bytes(from), .to = Bytes(to)});
      ASSERT_TRUE(steps);
      ASSERT_EQ(*steps, last) << "thread " << thread << ": a transaction is there in part";
      acknowledged_[thread] = last;
    }
    std::int64_t sum = 0;
    for (std::uint32_t account = 0; account < kill9_accounts; ++account) {
      auto value = tx->get(*table, fmt::format("account/{}", account));
      ASSERT_TRUE(value);
      sum += number_of(*value);
    }
    ASSERT_EQ(sum, 0);
    ASSERT_TRUE(tx->commit());
    ASSERT_EQ(problems(*db), "");
  }

  std::filesystem::path path_;
  std::array<std::uint32_t, kill9_threads> acknowledged_{};
  int recoveries_ = 0;
};

TEST_P(Kill9Test, NothingAcknowledgedIsLost) {
  const char* text = std::getenv("PLIMSOLL_KILLS");
  const std::uint64_t kills = text == nullptr ? scaled(10) : std::strtoull(text, nullptr, 10);
  Random random(only_seed() + static_cast<std::uint64_t>(GetParam()));
  for (std::uint64_t i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    ASSERT_NO_FATAL_FAILURE(write_and_kill(random.below(random.one_in(3) ? 20'000 : 600'000), i));
    ASSERT_NO_FATAL_FAILURE(check());
  }
  std::uint64_t commits = 0;
  for (const std::uint32_t steps : acknowledged_) commits += steps;
  std::printf("%llu kills, %d recoveries, %llu commits\n", static_cast<unsigned long long>(kills), recoveries_,
              static_cast<unsigned long long>(commits));
  EXPECT_GT(commits, 0u);
  EXPECT_GT(recoveries_, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, Kill9Test, testing::Values(IoBackend::plain, IoBackend::uring),
                         [](const auto& one) { return std::string(one.param == IoBackend::plain ? "Plain" : "Uring"); });

}  // namespace
}  // namespace plimsoll::test
