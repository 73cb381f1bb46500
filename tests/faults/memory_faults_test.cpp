// Every request of the engine for memory fails: the k-th one of a scenario once, then the k-th and all later ones until the
// scenario has returned, for every k. What is answered is right or says memory_budget_exceeded; an abort succeeds whatever fails;
// afterwards the store is sound, holds what was committed, goes on working, and its accounts are where they were. A site of the
// build's list at which nothing ever failed fails the last test. One thread, nothing runs in the background.
//
// ctest-labels: medium asan
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "faults/injector.hpp"
#include "faults/life.hpp"
#include "faults/scenario.hpp"

namespace plimsoll::test {
namespace {

using Mode = Injector::Mode;

Injector& injector() {
  static Injector one;
  return one;
}

// Sites at which no scenario lets memory be refused, by what stands in their line.
// What is refused here is seen by nobody but the place itself. The pool's growth: it evicts instead, every day
// (unit/storage_pool_test). A background thread's magazines, made ahead of need on a thread that is not armed.
std::set<Place> exceptions(const std::set<Place>& listed) {
  const std::set<std::string_view> files = {"src/storage/chunks.cpp", "src/db/background.cpp"};
  std::set<Place> chosen;
  for (const Place& place : listed)
    if (files.contains(place.file)) chosen.insert(place);
  return chosen;
}

// --- the loop ---

class Faults : public ::testing::TestWithParam<Scenario> {
 protected:
  static void SetUpTestSuite() { injector(); }

  std::unique_ptr<Life> new_life() {
    auto life = std::make_unique<Life>();
    if (GetParam().kind == Scenario::begins) return life;
    life->open();
    life->populate();
    warm_up(*life);
    return life;
  }
  // What a first run leaves for the second one to find is no leak.
  void warm_up(Life& life) {
    for (int round = 0; round < 2; ++round) {
      if (GetParam().prepare != nullptr) GetParam().prepare(life);
      const auto done = GetParam().run(life);
      ASSERT_TRUE(done) << "without failures: " << done.error().message();
      if (!life.is_open()) life.open();
      life.accounts();
    }
  }

  // False: nothing was left to fail.
  bool fail_from(Life& life, std::uint64_t first, Mode mode) {
    SCOPED_TRACE(fmt::format("request {} fails {}", first, mode == Mode::once ? "once" : "persistently"));
    const Scenario& scenario = GetParam();
    if (scenario.prepare != nullptr) scenario.prepare(life);
    Life::Accounts before;
    if (scenario.kind == Scenario::goes_on) before = life.accounts();
    Result<void> done{};
    std::thread([&] {  // one that the store has not seen, so that it has to ask for that as well
      memory::failure_points = &injector();
      injector().arm(first, mode);
      done = scenario.run(life);
      injector().disarm();
    })
        .join();
    if (!done) {
      const bool no_space = scenario.on_memory_disk && done.error().code() == ErrorCode::no_space;
      EXPECT_TRUE(no_space || done.error().code() == ErrorCode::memory_budget_exceeded) << done.error().message();
      EXPECT_NE(injector().fired(), 0u) << done.error().message();
    }
    if (!life.is_open()) life.open();
    if (!life.is_open()) return false;
    EXPECT_EQ(life.examine(), "");
    if (scenario.kind == Scenario::goes_on) { EXPECT_EQ(Life::difference_of(before, life.accounts()), ""); }
    return injector().fired() != 0;
  }

  void fail_all(Mode mode) {
    std::unique_ptr<Life> life = new_life();
    std::uint64_t first = 0;
    while (fail_from(*life, first, mode)) {
      if (HasFailure()) return;
      ++first;
      if (GetParam().kind == Scenario::begins) life = new_life();
    }
    EXPECT_GT(first, 0u) << "the scenario asks for no memory";
    RecordProperty(mode == Mode::once ? "once" : "persistent", static_cast<int>(first));
  }
};

TEST_P(Faults, OfEachRequestOnce) { fail_all(Mode::once); }
TEST_P(Faults, OfEachRequestAndAllLaterOnes) { fail_all(Mode::persistent); }

std::vector<Scenario> every_scenario() {
  std::vector<Scenario> all;
  for (const auto part : {scenarios_of_transactions(), scenarios_of_stores()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, Faults, testing::ValuesIn(every_scenario()),
                         [](const auto& one) { return std::string(one.param.name); });

// --- all sites ---

std::string shown(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) text += "\n  " + shown(place);
  return text;
}

// Runs after all scenarios, in one process with them: instantiated tests run in the order in which they are written.
class Sites : public ::testing::TestWithParam<const char*> {
 protected:
  static bool all_have_run() {
    const auto* all = ::testing::UnitTest::GetInstance();
    return all->test_to_run_count() == all->total_test_count();
  }
};

TEST_P(Sites, EachHasFailedOnceAndPersistently) {
  if (!all_have_run()) GTEST_SKIP() << "only some of the scenarios have run";
  const Coverage found = compare(sites_of_build(GetParam()), injector().failures(), exceptions(sites_of_build(GetParam())));
  std::uint64_t all = 0;
  for (const auto& [site, count] : found.injected) {
    fmt::print("{:7} once {:7} persistently  {}\n", count.once, count.persistent, shown(site));
    all += count.all();
  }
  fmt::print("{} failures at {} sites\n", all, found.injected.size());
  EXPECT_GE(found.injected.size(), 50u) << "the build has lost the list";
  EXPECT_TRUE(found.missed.empty()) << "at these sites memory was never refused (both ways):" << shown(found.missed);
  EXPECT_TRUE(found.unlisted.empty()) << "the build's list lacks:" << shown(found.unlisted);
  EXPECT_TRUE(found.needless.empty()) << "these are no exceptions any more:" << shown(found.needless);
}

// Planted: a site that nobody reaches, one that failed in one way only, and one that the list does not know.
TEST_P(Sites, ThatAreMissedAreNoticed) {
  const std::set<Place> listed = {{"src/a.cpp", 10}, {"src/a.cpp", 20}, {"src/b.cpp", 5}, {"src/b.cpp", 50}};
  const FailuresAt failures = {
      {{"src/a.cpp", 9}, {1, 1}}, {{"src/a.cpp", 20}, {3, 0}}, {{"src/b.cpp", 30}, {1, 1}}, {{"src/b.cpp", 50}, {1, 2}}};
  const Coverage found = compare(listed, failures, {{"src/b.cpp", 50}});
  EXPECT_EQ(found.missed, (std::vector<Place>{{"src/a.cpp", 20}, {"src/b.cpp", 5}}));
  EXPECT_EQ(found.unlisted, (std::vector<Place>{{"src/b.cpp", 30}}));
  EXPECT_EQ(found.needless, (std::vector<Place>{{"src/b.cpp", 50}}));
}

// Planted: a transaction that is not ended, and one whose write the model does not know.
TEST_P(Sites, WhatAScenarioLeavesIsNoticed) {
  Life life;
  life.open();
  life.populate();
  const Life::Accounts before = life.accounts();
  ASSERT_EQ(life.examine(), "");
  {
    auto left = life.db().begin({});
    ASSERT_TRUE(left);
    ASSERT_TRUE(left->allocate(4_MiB));
    EXPECT_NE(life.examine(), "");
    EXPECT_NE(Life::difference_of(before, life.accounts()), "");
  }
  EXPECT_EQ(Life::difference_of(before, life.accounts()), "");
  life.must.tables["t"][key_of(1)] = "something else";
  EXPECT_NE(life.examine(), "");
}

INSTANTIATE_TEST_SUITE_P(OfTheBuild, Sites, testing::Values(PLIMSOLL_MEMORY_SITES),
                         [](const auto&) { return std::string("list"); });

}  // namespace
}  // namespace plimsoll::test
