// The tree of accounts, the levels, the ladder, waiting with its watchdog, the admission of newcomers, and a limit that moves.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/pressure.hpp"
#include "unit/memory_support.hpp"
#include "unit/reclaimer_support.hpp"

namespace plimsoll::memory {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t percent = 16 * MiB / 100;

std::uint64_t fired(const MemoryBudget& budget, Rung rung) {
  return budget.pressure().statistics().rungs[static_cast<std::size_t>(rung)].fired;
}

// --- the tree ---

TEST(AccountTree, InnerAccountsSumUpAndCapWhatIsBelow) {
  MemoryBudget budget(16 * MiB);
  budget.set_cap(Account::transactions, 3 * MiB);
  EXPECT_TRUE(budget.try_charge(Account::contexts, 2 * MiB));
  EXPECT_TRUE(budget.try_charge(Account::registry, MiB / 2));
  EXPECT_EQ(budget.used(Account::transactions), 2 * MiB + MiB / 2);
  EXPECT_EQ(budget.used(Account::store), 2 * MiB + MiB / 2);
  EXPECT_EQ(budget.available(Account::large_objects), MiB / 2);
  EXPECT_FALSE(budget.try_charge(Account::large_objects, MiB / 2 + 1));
  EXPECT_TRUE(budget.try_charge(Account::frames, 10 * MiB));  // it is not below that cap
  EXPECT_FALSE(budget.can_ever_hold(Account::contexts, 3 * MiB + 1));
  budget.set_cap(Account::transactions, MemoryBudget::no_cap);
  EXPECT_TRUE(budget.try_charge(Account::large_objects, MiB / 2 + 1));
  budget.discharge(Account::contexts, 2 * MiB);
  budget.discharge(Account::registry, MiB / 2);
  budget.discharge(Account::large_objects, MiB / 2 + 1);
  budget.discharge(Account::frames, 10 * MiB);
  EXPECT_EQ(budget.peak(Account::transactions), 3 * MiB + 1);
}

TEST(AccountTree, EachHasOneParentAboveItAndWeighsSomething) {
  for (std::size_t i = 0; i < account_count; ++i) {
    const auto account = static_cast<Account>(i);
    EXPECT_EQ(is_root(account), i == 0);
    if (i != 0) { EXPECT_LT(static_cast<std::size_t>(parent_of(account)), i) << name(account); }
    EXPECT_GE(facts_of(account).weight, 1u);
  }
}

// The rule, written down a second time: what an account claims from its parent is what it holds, or its floor.
struct Model {
  std::array<std::size_t, account_count> used{}, floor{}, cap{};
  std::size_t claimed(Account account) const {
    if (is_leaf(account)) return used[static_cast<std::size_t>(account)];
    std::size_t sum = 0;
    for (std::size_t i = 1; i < account_count; ++i)
      if (parent_of(static_cast<Account>(i)) == account) sum += std::max(claimed(static_cast<Account>(i)), floor[i]);
    return sum;
  }
  bool fits(Account account, std::size_t bytes) {
    used[static_cast<std::size_t>(account)] += bytes;
    bool fit = true;
    for (Account at = account; fit; at = parent_of(at)) {
      fit = claimed(at) <= cap[static_cast<std::size_t>(at)];
      if (is_root(at)) break;
    }
    if (!fit) used[static_cast<std::size_t>(account)] -= bytes;
    return fit;
  }
};

TEST(AccountTree, BehavesLikeTheRuleUnderRandomOperations) {
  std::size_t granted = 0, refused = 0;
  rc::check("charges are granted exactly when every account on the way can hold them", [&](std::uint64_t seed) {
    Random random(seed);
    MemoryBudget budget(16 * MiB);
    Model model;
    model.cap.fill(MemoryBudget::no_cap);
    model.cap[0] = 16 * MiB;
    std::vector<Account> leaves;
    for (std::size_t i = 1; i < account_count; ++i) {
      const auto account = static_cast<Account>(i);
      if (is_leaf(account) && account != Account::withheld) leaves.push_back(account);
      if (random.below(3) == 0) budget.set_cap(account, model.cap[i] = 2 * MiB + random.below(6 * MiB));
    }
    for (const Account leaf : leaves) {
      const std::size_t floor = random.below(MiB / 2);
      budget.set_floor(leaf, model.floor[static_cast<std::size_t>(leaf)] = floor);
    }
    for (unsigned step = 0; step < 200; ++step) {
      const Account account = leaves[random.below(leaves.size())];
      const std::size_t i = static_cast<std::size_t>(account);
      if (random.below(3) == 0) {
        const std::size_t bytes = random.below(model.used[i] + 1);
        budget.discharge(account, bytes);
        model.used[i] -= bytes;
      } else {
        const std::size_t bytes = random.below(2 * MiB);
        const bool expected = model.fits(account, bytes);
        RC_ASSERT(budget.try_charge(account, bytes) == expected);
        ++(expected ? granted : refused);
      }
      RC_ASSERT(budget.used(Account::store) <= 16 * MiB);
    }
    for (const Account leaf : leaves) budget.discharge(leaf, model.used[static_cast<std::size_t>(leaf)]);
  });
  EXPECT_GT(granted, 100u);
  EXPECT_GT(refused, 100u);
}

TEST(Reserve, IsForThoseInsideAScopeOnly) {
  MemoryBudget budget(16 * MiB);
  budget.set_reserve(MiB);
  EXPECT_EQ(budget.available(Account::frames), 15 * MiB);
  EXPECT_TRUE(budget.try_charge(Account::frames, 15 * MiB));
  EXPECT_FALSE(budget.try_charge(Account::contexts, 1));
  {
    const ReserveScope outer;
    { const ReserveScope inner; }
    EXPECT_TRUE(budget.try_charge(Account::contexts, MiB));
    EXPECT_FALSE(budget.try_charge(Account::contexts, 1));
  }
  EXPECT_FALSE(budget.try_charge(Account::frames, 1));
  EXPECT_EQ(budget.used(), budget.limit());
  budget.discharge(Account::contexts, MiB);
  EXPECT_FALSE(budget.try_charge(Account::frames, 1));
  budget.discharge(Account::frames, 15 * MiB);
}

// --- the limit moves ---

TEST(Limit, LowersByTakingFromReclaimersAndRaisesAgain) {
  MemoryBudget budget(32 * MiB);
  TestReclaimer pool(budget, Account::frames, 64 * KiB, Rung::pool);
  pool.hold(32 * MiB);
  ASSERT_TRUE(budget.set_limit(20 * MiB));
  EXPECT_EQ(budget.limit(), 20 * MiB);
  EXPECT_EQ(budget.used(), 20 * MiB);
  EXPECT_EQ(pool.held, 20 * MiB);
  EXPECT_FALSE(budget.try_charge(Account::contexts, 1));
  ASSERT_TRUE(budget.set_limit(30 * MiB));
  EXPECT_TRUE(budget.try_charge(Account::contexts, 10 * MiB));
  EXPECT_FALSE(budget.try_charge(Account::contexts, 1));
  budget.discharge(Account::contexts, 10 * MiB);
  ASSERT_TRUE(budget.set_limit(32 * MiB));
  EXPECT_EQ(budget.used(Account::withheld), 0u);
}

TEST(Limit, StaysWhereItWasWhenTooMuchIsInUse) {
  MemoryBudget budget(32 * MiB);
  ASSERT_TRUE(budget.try_charge(Account::contexts, 22 * MiB));
  const auto refused = budget.set_limit(16 * MiB);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
  EXPECT_NE(refused.error().message().find(std::to_string(22 * MiB)), std::string::npos) << refused.error().message();
  EXPECT_EQ(budget.limit(), 32 * MiB);
  EXPECT_TRUE(budget.set_limit(22 * MiB));
  EXPECT_EQ(budget.set_limit(16 * MiB - 1).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(budget.set_limit(32 * MiB + 1).error().code(), ErrorCode::invalid_argument);
  budget.discharge(Account::contexts, 22 * MiB);
}

TEST(Limit, IsNeverPassedWhileItMovesAndThreadsFight) {
  MemoryBudget budget(32 * MiB);
  TestReclaimer pool(budget, Account::frames, 64 * KiB, Rung::pool);
  budget.pressure().set_wait(20'000'000);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> lowered{0}, granted{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 5);
      while (!stop) {
        pool.hold(64 * KiB);
        const std::size_t bytes = 1 + random.below(2 * MiB);
        if (!budget.charge(Account::contexts, bytes)) continue;
        ++granted;
        budget.discharge(Account::contexts, bytes);
      }
    });
  }
  Random random(99);
  for (unsigned i = 0; i < 200 || (i < 100'000 && (lowered <= 50 || granted <= 50)); ++i) {
    const std::size_t limit = 16 * MiB + random.below(16 * MiB + 1);
    if (budget.set_limit(limit)) ++lowered;
    EXPECT_LE(budget.used(Account::store), 32 * MiB);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_GT(lowered, 50u);
  EXPECT_GT(granted, 50u);
}

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

// --- waiting ---

TEST(Waiting, ACallGetsWhatAnotherThreadFrees) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(10'000'000'000);
  TestReclaimer victims(budget, Account::contexts, 64 * KiB, Rung::victim);  // somebody who promises, so that waiting goes on
  victims.starts = true;
  victims.lie = 1;
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

TEST(Waiting, EndsAtOnceWhenNobodyCouldFreeAnything) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);  // would be noticed
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_EQ(budget.pressure().statistics().watchdog, 1u);
  EXPECT_EQ(budget.pressure().statistics().refusals, 1u);
  budget.discharge(Account::frames, 16 * MiB);
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

TEST(Waiting, PromisesThatAreNotKeptEndInARefusal) {
  MemoryBudget budget(16 * MiB);
  budget.pressure().set_wait(3'600'000'000'000);
  TestReclaimer victims(budget, Account::contexts, 64 * KiB, Rung::victim);
  victims.starts = true;
  victims.lie = MiB;
  ASSERT_TRUE(budget.try_charge(Account::frames, 16 * MiB));
  EXPECT_FALSE(budget.charge(Account::contexts, 1));
  EXPECT_GT(victims.calls, 2u);
  EXPECT_LT(victims.calls, 60u);
  budget.discharge(Account::frames, 16 * MiB);
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
  pressure.enable(Rung::admission, false);
  EXPECT_TRUE(pressure.admit());
  pressure.enable(Rung::admission, true);
  budget.discharge(Account::contexts, 16 * MiB);
  EXPECT_TRUE(pressure.admit());
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
