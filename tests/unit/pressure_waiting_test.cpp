// Who waits for memory: until another one gives some back, a deadline or an interrupt, never for nothing; and who comes in
// meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "memory/budget.hpp"
#include "memory/pressure.hpp"
#include "test_time.hpp"
#include "unit/memory_support.hpp"
#include "unit/reclaimer_support.hpp"

namespace plimsoll::memory {
namespace {

// The budget is full; another thread frees a part of it as soon as somebody waits.
void expect_charge_gets_what_is_freed(MemoryBudget& budget) {
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  std::thread other([&] {
    while (budget.pressure().statistics().waits == 0) std::this_thread::yield();
    budget.discharge(Account::frames, MiB);
  });
  EXPECT_TRUE(budget.charge(Account::contexts, MiB));
  other.join();
  budget.discharge(Account::contexts, MiB);
  budget.discharge(Account::frames, 15 * MiB);
}

TEST(Waiting, ACallGetsWhatAnotherThreadFrees) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(10'000'000'000);
  TestReclaimer victims(budget, Account::contexts, 64 * KiB, Rung::victim);  // somebody who promises, so that waiting goes on
  victims.starts = true;
  victims.lie = 1;
  expect_charge_gets_what_is_freed(budget);
}

TEST(Waiting, ADischargeWakesWhoWaits) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(7'200'000'000'000);
  budget.pressure().set_watchdog(3'600'000'000'000);  // would be noticed
  expect_charge_gets_what_is_freed(budget);
}

// A victim promises again and again, so that only its own end stops the charge.
struct Endless {
  Endless() {
    budget.pressure().set_wait(3'600'000'000'000);
    victims.starts = true;
    victims.lie = MiB;
    EXPECT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  }
  ~Endless() { budget.discharge(Account::frames, 16 * MiB); }

  TestTime time{TestTime::Runs::by_itself};
  MemoryBudget budget{16 * MiB, time};
  TestReclaimer victims{budget, Account::contexts, 64 * KiB, Rung::victim};
};

TEST(Waiting, EndsAtItsDeadline) {
  Endless all;
  all.victims.when_called = [&] { all.time.advance(3'600'000'000'000); };
  EXPECT_FALSE(all.budget.charge(Account::contexts, 1));
  EXPECT_EQ(all.victims.calls, 1u);
}

TEST(Waiting, CanBeCalledOff) {
  Endless all;
  std::atomic<std::uint64_t> word{1};
  all.victims.when_called = [&] { word |= 4; };
  const InterruptScope operation({&word, 4});
  EXPECT_FALSE(all.budget.charge(Account::contexts, 1));
  EXPECT_EQ(all.victims.calls, 1u);
  EXPECT_EQ(all.budget.pressure().statistics().refusals, 0u);  // it has ended for another reason
}

TEST(Waiting, PromisesThatAreNotKeptEndInARefusal) {
  Endless all;
  std::atomic<std::uint64_t> word{0};
  all.victims.when_called = [&] { word = all.victims.calls > 100 ? 1 : 0; };  // so that a defect does not hang
  const InterruptScope operation({&word, 1});
  EXPECT_FALSE(all.budget.charge(Account::contexts, 1));
  EXPECT_GT(all.victims.calls, 2u);
  EXPECT_LT(all.victims.calls, 60u);
  EXPECT_EQ(all.budget.pressure().statistics().refusals, 1u);
}

// Who waits asks again and again; who had nothing to give is left alone meanwhile.
TEST(Waiting, ARungThatHadNothingToGiveRests) {
  TestTime time(TestTime::Runs::when_told);
  MemoryBudget budget(16 * MiB, time);
  budget.pressure().set_wait(1);
  const TestReclaimer cache(budget, Account::frames, 64 * KiB);
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  const std::atomic<std::uint64_t> word{1};
  const InterruptScope called_off({&word, 1});  // after it has waited once
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(cache.calls, 1u);
  time.advance(1'000'000);
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(cache.calls, 2u);
  budget.discharge(Account::frames, 16 * MiB);
}

TEST(Waiting, EndsAtOnceWhenNobodyCouldFreeAnything) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);  // would be noticed
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(budget.pressure().statistics().watchdog, 1u);
  EXPECT_EQ(budget.pressure().statistics().refusals, 1u);
  budget.discharge(Account::frames, 16 * MiB);
}

// Most of what is used could be given back, but for the moment is not, and there is no victim either.
TEST(Waiting, WhatWouldFitIsNotRefusedBecauseThePoolIsSlow) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);
  TestReclaimer pool(budget, Account::frames, 64 * MiB, Rung::pool);  // less than a piece: it gives nothing
  pool.offers = true;
  pool.hold(12 * MiB);
  ASSERT_TRUE(budget.try_charge(Account::frames, 4 * MiB));
  std::thread other([&] {
    while (budget.pressure().statistics().watchdog < 3 && budget.pressure().statistics().refusals == 0) std::this_thread::yield();
    budget.discharge(Account::frames, MiB);
  });
  EXPECT_TRUE(budget.charge(Account::contexts, MiB));
  other.join();
  EXPECT_EQ(budget.pressure().statistics().refusals, 0u);
  budget.discharge(Account::contexts, MiB);
  budget.discharge(Account::frames, 3 * MiB);
}

TEST(Waiting, TheWatchdogTakesTheLastRungWhenNothingIsFreed) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);
  TestReclaimer victims(budget, Account::contexts, 64 * KiB, Rung::victim);
  victims.hold(16 * MiB);
  EXPECT_TRUE(budget.charge(Account::frames, MiB));
  EXPECT_EQ(victims.calls, 1u);
  EXPECT_EQ(fired(budget, Rung::victim), 1u);
  budget.discharge(Account::frames, MiB);
}

TEST(Waiting, IsNotForThoseWhoFreeMemory) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  const ReserveScope aborting;
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(budget.pressure().statistics().waits, 0u);
  budget.discharge(Account::frames, 16 * MiB);
}

// --- admission ---

TEST(Admission, NewcomersAreDelayedThenRefused) {
  MemoryBudget budget(16 * MiB);
  PressureManager& pressure = budget.pressure();
  EXPECT_TRUE(pressure.admit());
  EXPECT_EQ(fired(budget, Rung::admission), 0u);
  ASSERT_TRUE(budget.try_charge(Account::contexts, 14 * MiB));
  EXPECT_EQ(pressure.level(), PressureLevel::critical);
  EXPECT_TRUE(pressure.admit());
  EXPECT_EQ(fired(budget, Rung::admission), 1u);
  ASSERT_TRUE(budget.try_charge(Account::contexts, 2 * MiB));
  const auto refused = pressure.admit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
  EXPECT_TRUE(is_retryable(refused.error().code()));
  const PressureEvent told = pressure.statistics().events.back();
  EXPECT_EQ(told.what, name(Rung::admission));
  EXPECT_EQ(told.why, "nothing is freed for a newcomer, which is refused");
  pressure.enable(Rung::admission, false);
  EXPECT_TRUE(pressure.admit());
  pressure.enable(Rung::admission, true);
  budget.discharge(Account::contexts, 16 * MiB);
  EXPECT_TRUE(pressure.admit());
}

TEST(Admission, EachComesInForWhatAnotherHasGivenBack) {
  MemoryBudget budget(16 * MiB);
  ASSERT_TRUE(budget.try_charge(Account::contexts, 16 * MiB));
  EXPECT_FALSE(budget.pressure().admit());
  budget.discharge(Account::contexts, 8 * KiB);
  EXPECT_TRUE(budget.pressure().admit());
  EXPECT_TRUE(budget.pressure().admit());
  EXPECT_EQ(fired(budget, Rung::admission), 1u);
  EXPECT_FALSE(budget.pressure().admit());
  budget.discharge(Account::contexts, 16 * MiB - 8 * KiB);
}

TEST(Admission, TheLastPartIsForSmallOnes) {
  MemoryBudget budget(16 * MiB);
  PressureManager& pressure = budget.pressure();
  EXPECT_TRUE(pressure.admit_large(10 * MiB, MiB));
  ASSERT_TRUE(budget.try_charge(Account::contexts, 13 * MiB));
  EXPECT_TRUE(pressure.admit_large(0, 512 * KiB));
  EXPECT_FALSE(pressure.admit_large(MiB, MiB));
  EXPECT_FALSE(pressure.admit_large(512 * KiB, MiB));
  EXPECT_EQ(pressure.statistics().refusals, 2u);
  {
    const ReserveScope aborting;
    EXPECT_TRUE(pressure.admit_large(MiB, MiB));
  }
  budget.discharge(Account::contexts, MiB);
  EXPECT_TRUE(pressure.admit_large(MiB, MiB));
  budget.discharge(Account::contexts, 12 * MiB);
}

TEST(Admission, OneThatWaitsComesInWhenMemoryIsFreed) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(10'000'000'000);
  TestReclaimer victims(budget, Account::contexts, 64 * KiB, Rung::victim);
  victims.starts = true;
  victims.lie = 1;
  ASSERT_TRUE(budget.try_charge(Account::contexts, 16 * MiB));
  std::thread other([&] {
    while (fired(budget, Rung::admission) == 0) std::this_thread::yield();
    budget.discharge(Account::contexts, 16 * MiB);
  });
  EXPECT_TRUE(budget.pressure().admit());
  other.join();
}

}  // namespace
}  // namespace plimsoll::memory
