// The levels, the rungs of the ladder and what is told of them. Who waits, and the admission of newcomers: pressure_waiting_test.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "memory/budget.hpp"
#include "memory/pressure.hpp"
#include "test_time.hpp"
#include "unit/memory_support.hpp"
#include "unit/reclaimer_support.hpp"

namespace plimsoll::memory {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t percent = 16 * MiB / 100;

// --- levels (defect A8 of the replaced system: the level stayed at emergency) ---

TEST(Levels, FollowTheLedgerUpAtOnceAndDownWithHysteresis) {
  MemoryBudget budget(16 * MiB);
  const PressureManager& pressure = budget.pressure();
  std::size_t held = 0;
  const auto go_to = [&](std::size_t percents) {
    const std::size_t want = percents * percent;
    EXPECT_TRUE(want <= held || budget.try_charge(Account::contexts, want - held));
    if (want < held) budget.discharge(Account::contexts, held - want);
    held = want;
    return pressure.level();
  };
  EXPECT_EQ(go_to(69), PressureLevel::normal);
  EXPECT_EQ(go_to(71), PressureLevel::warning);
  EXPECT_EQ(go_to(96), PressureLevel::emergency);
  EXPECT_EQ(go_to(91), PressureLevel::emergency);
  EXPECT_EQ(go_to(85), PressureLevel::critical);
  EXPECT_EQ(go_to(81), PressureLevel::critical);
  EXPECT_EQ(go_to(79), PressureLevel::warning);
  EXPECT_EQ(go_to(64), PressureLevel::normal);
  EXPECT_EQ(go_to(96), PressureLevel::emergency);
  EXPECT_EQ(go_to(0), PressureLevel::normal);
  EXPECT_EQ(pressure.statistics().events.size(), 7u);
  for (int i = 0; i < 100; ++i) go_to(i % 2 == 0 ? 87 : 83);  // a square wave around a threshold
  EXPECT_EQ(pressure.statistics().events.size(), 8u);
  go_to(0);
}

TEST(Levels, WhatCanGoAtAnyTimeIsNoPressure) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer pool(budget, Account::frames, 64 * KiB, Rung::pool);
  pool.offers = true;
  pool.hold(16 * MiB);
  budget.pressure().ledger_moved();
  EXPECT_EQ(budget.pressure().level(), PressureLevel::normal);
  EXPECT_EQ(budget.pressure().needed(), 0u);
  ASSERT_TRUE(budget.charge(Account::contexts, 12 * MiB));
  EXPECT_EQ(budget.pressure().level(), PressureLevel::warning);
  budget.discharge(Account::contexts, 12 * MiB);
}

TEST(Levels, WhatIsFixedAtOpenIsNoPressure) {
  MemoryBudget budget(16 * MiB);
  ASSERT_TRUE(budget.try_charge(Account::registry, 14 * MiB));
  budget.pressure().set_baseline();
  EXPECT_EQ(budget.pressure().level(), PressureLevel::normal);
  ASSERT_TRUE(budget.try_charge(Account::contexts, MiB));
  EXPECT_EQ(budget.pressure().level(), PressureLevel::normal);
  ASSERT_TRUE(budget.try_charge(Account::contexts, MiB));
  EXPECT_EQ(budget.pressure().level(), PressureLevel::emergency);
  budget.discharge(Account::contexts, 2 * MiB);
  budget.discharge(Account::registry, 14 * MiB);
}

TEST(Levels, TheSystemAndTheHostCanRaiseThem) {
  MemoryBudget budget(16 * MiB);
  PressureManager& pressure = budget.pressure();
  pressure.set_level_of_system(PressureLevel::warning);
  EXPECT_EQ(pressure.level(), PressureLevel::warning);
  pressure.set_level_by_hand(PressureLevel::critical);
  EXPECT_EQ(pressure.level(), PressureLevel::critical);
  pressure.set_level_of_system(PressureLevel::normal);
  EXPECT_EQ(pressure.level(), PressureLevel::critical);
  pressure.set_level_by_hand(PressureLevel::normal);
  EXPECT_EQ(pressure.level(), PressureLevel::normal);
  std::vector<std::string> why;
  for (const PressureEvent& event : pressure.statistics().events) why.emplace_back(event.why);
  EXPECT_EQ(why, (std::vector<std::string>{"by the operating system's figures", "by the host", "by the ledger"}));
}

TEST(Levels, TheBackgroundTakesTheCheapRungsUnasked) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer caches(budget, Account::contexts, 64 * KiB), versions(budget, Account::frames, 64 * KiB, Rung::versions);
  caches.hold(MiB);
  versions.hold(MiB);
  budget.pressure().tick();
  EXPECT_EQ(caches.calls + versions.calls, 0u);
  budget.pressure().set_level_by_hand(PressureLevel::warning);
  std::this_thread::sleep_for(25ms);
  budget.pressure().tick();
  EXPECT_EQ(caches.held, 0u);
  EXPECT_EQ(versions.calls, 0u);
  budget.pressure().set_level_by_hand(PressureLevel::critical);
  std::this_thread::sleep_for(25ms);
  budget.pressure().tick();
  EXPECT_EQ(versions.calls, 1u);
  EXPECT_EQ(versions.asked, 0u);  // it collects; the pool is to keep its pages
}

// --- the ladder ---

TEST(Ladder, ARungAsksWhoHoldsMostForItsWeightFirst) {
  static_assert(facts_of(Account::memory_files).weight == 4 && facts_of(Account::contexts).weight == 1);
  MemoryBudget budget(16 * MiB);
  TestReclaimer files(budget, Account::memory_files, 64 * KiB), contexts(budget, Account::contexts, 64 * KiB);
  files.hold(8 * MiB);
  contexts.hold(8 * MiB);
  ASSERT_TRUE(budget.charge(Account::versions, 64 * KiB));
  EXPECT_EQ(contexts.held, 8 * MiB - 64 * KiB);
  EXPECT_EQ(files.calls, 0u);
  contexts.held -= 7 * MiB;
  budget.discharge(Account::contexts, 7 * MiB);
  ASSERT_TRUE(budget.charge(Account::versions, 7 * MiB));
  ASSERT_TRUE(budget.charge(Account::versions, 64 * KiB));
  EXPECT_EQ(files.held, 8 * MiB - 64 * KiB);
  budget.discharge(Account::versions, 7 * MiB + 128 * KiB);
}

TEST(Ladder, RungsAreAskedInTheirOrderAndNoneIsLeftOut) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer versions(budget, Account::frames, 64 * KiB, Rung::versions), pool(budget, Account::frames, 64 * KiB, Rung::pool),
      contexts(budget, Account::frames, 64 * KiB, Rung::contexts), caches(budget, Account::frames, 64 * KiB, Rung::caches);
  std::vector<Rung> order;
  versions.when_called = [&] { order.push_back(Rung::versions); };
  pool.when_called = [&] { order.push_back(Rung::pool); };
  contexts.when_called = [&] { order.push_back(Rung::contexts); };
  caches.when_called = [&] { order.push_back(Rung::caches); };
  ASSERT_TRUE(budget.try_charge(Account::registry, 16 * MiB));
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(order, (std::vector{Rung::caches, Rung::contexts, Rung::pool, Rung::versions}));
  budget.discharge(Account::registry, 16 * MiB);
}

TEST(Ladder, EachRungAloneHelpsOrSaysWhyItCannot) {
  for (const Rung only : {Rung::caches, Rung::contexts, Rung::pool, Rung::versions}) {
    MemoryBudget budget(16 * MiB);
    TestReclaimer one(budget, Account::frames, 64 * KiB, only);
    for (std::size_t i = 0; i < rung_count; ++i) budget.pressure().enable(static_cast<Rung>(i), static_cast<Rung>(i) == only);
    one.hold(16 * MiB);
    EXPECT_TRUE(budget.charge(Account::contexts, MiB)) << name(only);
    EXPECT_EQ(fired(budget, only), 1u);
    one.held.exchange(0);
    EXPECT_FALSE(budget.charge(Account::contexts, MiB));
    const auto events = budget.pressure().statistics().events;
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().what, name(only));
    EXPECT_EQ(events.back().why, "nothing is held");
    EXPECT_EQ(events.back().freed_bytes, 0u);
    budget.discharge(Account::contexts, MiB);
    budget.discharge(Account::frames, budget.used(Account::frames));
  }
}

TEST(Ladder, WhatIsSwitchedOffIsNotTaken) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer cache(budget, Account::frames, 64 * KiB);
  cache.hold(16 * MiB);
  budget.pressure().enable(Rung::caches, false);
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(cache.calls, 0u);
  budget.pressure().enable(Rung::caches, true);
  EXPECT_TRUE(budget.charge(Account::contexts, 1));
  budget.discharge(Account::contexts, 1);
}

TEST(Ladder, ACallbackCannotChargeAndIsCalledOnceARound) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer cache(budget, Account::frames, 64 * KiB);
  cache.hold(16 * MiB);
  unsigned refused = 0;
  cache.when_called = [&] { refused += budget.charge(Account::contexts, 1).has_value() ? 0 : 1; };
  ASSERT_TRUE(budget.charge(Account::contexts, MiB));
  EXPECT_EQ(cache.calls, 1u);
  EXPECT_EQ(refused, 1u);
  budget.discharge(Account::contexts, MiB);
}

#ifdef NDEBUG
TEST(Ladder, FalseClaimsAreCountedAndNotBelieved) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer liar(budget, Account::frames, 64 * KiB);
  liar.hold(16 * MiB);
  liar.lie = 12345;
  ASSERT_TRUE(budget.charge(Account::contexts, MiB));
  const RungStats stats = budget.pressure().statistics().rungs[static_cast<std::size_t>(Rung::caches)];
  EXPECT_EQ(stats.false_claims, 1u);
  EXPECT_EQ(stats.freed_bytes, MiB);
  budget.discharge(Account::contexts, MiB);
}
#endif

TEST(Ladder, TellsHowLongARungTookAndWhatItFreed) {
  TestTime time(TestTime::Runs::when_told);
  MemoryBudget budget(16 * MiB, time);
  TestReclaimer cache(budget, Account::frames, 64 * KiB);
  cache.hold(16 * MiB);
  cache.when_called = [&] { time.advance(7'000'000); };
  ASSERT_TRUE(budget.charge(Account::contexts, 2 * MiB));
  RungStats stats = stats_of(budget, Rung::caches);
  EXPECT_EQ(stats.busy_ns, 7'000'000u);
  EXPECT_EQ(stats.freed_bytes, 2 * MiB);
  EXPECT_EQ(stats.in_vain, 0u);
  budget.discharge(Account::frames, cache.held.exchange(0));
  EXPECT_FALSE(budget.charge(Account::contexts, 16 * MiB - 1));
  stats = stats_of(budget, Rung::caches);
  EXPECT_EQ(stats.busy_ns, 14'000'000u);
  EXPECT_EQ(stats.freed_bytes, 2 * MiB);
  EXPECT_EQ(stats.in_vain, 1u);
  const PressureEvent told = budget.pressure().statistics().events.back();
  EXPECT_EQ(told.busy_ns, 7'000'000u);
  EXPECT_EQ(told.asked_bytes, 2 * MiB - 1);
  EXPECT_EQ(told.freed_bytes, 0u);
  budget.pressure().reset_statistics();
  EXPECT_EQ(stats_of(budget, Rung::caches).busy_ns, 0u);
  budget.discharge(Account::contexts, 2 * MiB);
}

// The history is for what changes: a rung that is asked in vain all the time does not push everything else out of it.
TEST(Ladder, WhatIsInVainAgainAndAgainIsToldOnceASecond) {
  TestTime time(TestTime::Runs::when_told);
  MemoryBudget budget(16 * MiB, time);
  const TestReclaimer cache(budget, Account::frames, 64 * KiB);
  ASSERT_TRUE(budget.try_charge(Account::registry, 16 * MiB));
  const auto told = [&] {
    std::size_t count = 0;
    for (const PressureEvent& event : budget.pressure().statistics().events) count += event.what == name(Rung::caches) ? 1 : 0;
    return count;
  };
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(cache.calls, 1000u);
  EXPECT_EQ(told(), 1u);
  time.advance(1'000'000'001);
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(told(), 2u);
  budget.discharge(Account::registry, 16 * MiB);
}

TEST(Ladder, ReleaseGivesWhatTheHostAsksForAndNotMuchMore) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer cache(budget, Account::contexts, 64 * KiB), pool(budget, Account::frames, 64 * KiB, Rung::pool);
  cache.hold(MiB);
  pool.hold(8 * MiB);
  EXPECT_EQ(budget.pressure().release(3 * MiB), 3 * MiB);
  EXPECT_EQ(cache.held, 0u);
  EXPECT_EQ(pool.held, 6 * MiB);
  EXPECT_EQ(budget.pressure().release(100 * MiB), 6 * MiB);
  EXPECT_EQ(budget.pressure().release(1), 0u);
}

TEST(Ladder, ItsHistoryIsBoundedAndCanBeFollowed) {
  MemoryBudget budget(16 * MiB);
  PressureManager& pressure = budget.pressure();
  std::uint64_t seen = 0, told = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    pressure.set_level_by_hand(i % 2 == 0 ? PressureLevel::critical : PressureLevel::normal);
    if (i % 7 == 0) seen = pressure.events_since(seen, [&](const PressureEvent&) { ++told; });
  }
  seen = pressure.events_since(seen, [&](const PressureEvent&) { ++told; });
  EXPECT_EQ(seen, 1000u);
  EXPECT_EQ(told, 1000u);
  EXPECT_EQ(pressure.statistics().events.size(), PressureManager::history_max);
}

TEST(PressureDeathTest, AReclaimerThatIsLeftBehindIsFound) {
  EXPECT_DEATH(
      {
        auto* budget = new MemoryBudget(16 * MiB);
        TestReclaimer left(*budget, Account::frames, 64 * KiB);
        delete budget;
      },
      "reclaimer == nullptr");
}

}  // namespace
}  // namespace plimsoll::memory
