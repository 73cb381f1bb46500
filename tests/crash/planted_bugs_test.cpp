// The crash tests see what they are meant to see: under each planted bug (planted_bugs.hpp) a run of theirs fails.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/crash_run.hpp"
#include "crash/planted_bugs.hpp"

namespace plimsoll::test {
namespace {

constexpr const char* bug_names[] = {"LogSyncDropped", "DataSyncDropped", "DoublewriteDropped",
                                     "WriteLost",      "PagesSwapped",    "DirectorySyncDropped"};
static_assert(std::size(bug_names) == static_cast<std::size_t>(PlantedBug::count_));

class PlantedBugTest : public testing::TestWithParam<PlantedBug> {};

// In a process of its own, because a store may also notice by itself and stop.
TEST_P(PlantedBugTest, IsNoticed) {
  constexpr int nothing_noticed = 7;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    CrashSettings settings;
    settings.history.keys = 200;
    settings.steps = 1500;
    settings.changes_max = 800;
    settings.survivors = 8;
    CrashTally tally;
    constexpr std::uint64_t seeds = 60;
    const auto lie = [](SimulatedFileSystem& disk) { return std::make_unique<LyingFileSystem>(disk, GetParam()); };
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const std::string wrong = CrashRun(settings, seed, tally, lie).run();
      if (wrong.empty()) continue;
      std::printf("noticed with seed %llu: %s\n", static_cast<unsigned long long>(seed), wrong.c_str());
      std::fflush(stdout);
      _exit(0);
    }
    _exit(nothing_noticed);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == nothing_noticed) << "no run failed";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugTest,
                         testing::Values(PlantedBug::log_sync_dropped, PlantedBug::data_sync_dropped,
                                         PlantedBug::doublewrite_dropped, PlantedBug::write_lost, PlantedBug::pages_swapped,
                                         PlantedBug::directory_sync_dropped),
                         [](const auto& one) { return std::string(bug_names[static_cast<std::size_t>(one.param)]); });

}  // namespace
}  // namespace plimsoll::test
