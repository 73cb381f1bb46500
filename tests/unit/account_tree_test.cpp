// The tree of accounts under its limit: sums, floors, caps, the reserve, and a limit that moves.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/pressure.hpp"
#include "unit/memory_support.hpp"
#include "unit/reclaimer_support.hpp"

namespace plimsoll::memory {
namespace {

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

TEST(Limit, WhoDoesNotWantToWaitIsToldThatItMoves) {
  MemoryBudget budget(32 * MiB);
  TestReclaimer pool(budget, Account::frames, 64 * KiB, Rung::pool);
  pool.hold(32 * MiB);
  unsigned busy = 0;
  pool.when_called = [&] {
    std::thread([&] {
      const auto moved = budget.try_set_limit(30 * MiB);
      busy += !moved && moved.error().code() == ErrorCode::busy;
    }).join();
  };
  ASSERT_TRUE(budget.set_limit(28 * MiB));
  EXPECT_GT(busy, 0u);
  pool.when_called = {};
  EXPECT_TRUE(budget.try_set_limit(30 * MiB));
  EXPECT_EQ(budget.limit(), 30 * MiB);
}

TEST(Limit, WhatIsFreedForALowerOneIsNobodyElses) {
  MemoryBudget budget(32 * MiB);
  TestReclaimer pool(budget, Account::frames, 64 * KiB, Rung::pool);
  pool.hold(32 * MiB);
  unsigned tries = 0, taken = 0;
  pool.when_done = [&] {
    std::thread([&] {
      ++tries;
      if (!budget.try_charge(Account::contexts, 64 * KiB)) return;
      ++taken;
      budget.discharge(Account::contexts, 64 * KiB);
    }).join();
  };
  ASSERT_TRUE(budget.set_limit(28 * MiB));
  EXPECT_GT(tries, 0u);
  EXPECT_EQ(taken, 0u);
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

}  // namespace
}  // namespace plimsoll::memory
