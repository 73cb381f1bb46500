// The budget and the page provider: what the budget promises, also under races, and that memory becomes resident and goes away
// exactly as it is charged.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <latch>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/page_provider.hpp"
#include "memory/pressure.hpp"
#include "unit/memory_support.hpp"
#include "unit/reclaimer_support.hpp"

namespace plimsoll::memory {
namespace {

constexpr std::array all_accounts = {Account::frames,   Account::log_ring,      Account::contexts,
                                     Account::versions, Account::large_objects, Account::recovery};

TEST(Budget, ChargesUpToItsLimitAndNotAByteMore) {
  MemoryBudget budget(16 * MiB);
  EXPECT_TRUE(budget.try_charge(Account::frames, 16 * MiB - 1));
  EXPECT_FALSE(budget.try_charge(Account::frames, 2));
  EXPECT_TRUE(budget.try_charge(Account::contexts, 1));
  EXPECT_FALSE(budget.try_charge(Account::contexts, 1));
  EXPECT_FALSE(budget.try_charge(Account::contexts, ~std::size_t{0}));  // would wrap around
  EXPECT_TRUE(budget.try_charge(Account::contexts, 0));
  EXPECT_EQ(budget.used(), budget.limit());
  budget.discharge(Account::frames, 16 * MiB - 1);
  EXPECT_EQ(budget.used(), 1u);
  EXPECT_EQ(budget.peak(Account::frames), 16 * MiB - 1);
  budget.reset_peaks();
  EXPECT_EQ(budget.peak(Account::frames), 0u);
  EXPECT_EQ(budget.peak(Account::contexts), 1u);
  budget.discharge(Account::contexts, 1);
}

TEST(Budget, RefusalNamesTheAccountAndTheNumbers) {
  MemoryBudget budget(16 * MiB);
  const auto refused = budget.charge(Account::log_ring, 17 * MiB);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
  EXPECT_NE(refused.error().message().find("log_ring"), std::string::npos);
  EXPECT_NE(refused.error().message().find("17825792"), std::string::npos);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Budget, FloorsAreKeptForTheirAccount) {
  MemoryBudget budget(16 * MiB);
  budget.set_floor(Account::frames, 4 * MiB);
  budget.set_floor(Account::contexts, 2 * MiB);
  EXPECT_EQ(budget.available(Account::log_ring), 10 * MiB);
  EXPECT_EQ(budget.available(Account::frames), 14 * MiB);
  EXPECT_TRUE(budget.try_charge(Account::log_ring, 10 * MiB));
  EXPECT_FALSE(budget.try_charge(Account::log_ring, 1));
  EXPECT_TRUE(budget.try_charge(Account::frames, 4 * MiB));
  EXPECT_FALSE(budget.try_charge(Account::frames, 1));
  EXPECT_TRUE(budget.try_charge(Account::contexts, 2 * MiB));
  EXPECT_EQ(budget.used(), budget.limit());
  budget.discharge(Account::frames, 4 * MiB);  // what a floor gets back is not for others
  EXPECT_FALSE(budget.try_charge(Account::log_ring, 1));
  budget.set_floor(Account::frames, 1 * MiB);
  EXPECT_TRUE(budget.try_charge(Account::log_ring, 3 * MiB));
  EXPECT_FALSE(budget.try_charge(Account::log_ring, 1));
  budget.discharge(Account::log_ring, 13 * MiB);
  budget.discharge(Account::contexts, 2 * MiB);
  EXPECT_EQ(budget.floor(Account::contexts), 2 * MiB);
}

TEST(Budget, AsksReclaimersInOrderForWhatIsMissing) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer first(budget, Account::versions, 64 * KiB), second(budget, Account::frames, 64 * KiB, Rung::pool);
  ASSERT_TRUE(budget.charge(Account::versions, 1 * MiB));
  first.held = 1 * MiB;
  ASSERT_TRUE(budget.charge(Account::frames, 15 * MiB));
  second.held = 15 * MiB;
  ASSERT_TRUE(budget.charge(Account::contexts, 512 * KiB));
  EXPECT_EQ(first.calls, 1u);
  EXPECT_EQ(first.asked, 512 * KiB);
  EXPECT_EQ(second.calls, 0u);
  ASSERT_TRUE(budget.charge(Account::contexts, 3 * MiB));
  EXPECT_EQ(first.held, 0u);
  EXPECT_EQ(second.held, 15 * MiB - 2560 * KiB);
  EXPECT_FALSE(budget.charge(Account::contexts, 15 * MiB));  // everything was given, and it is not enough
  EXPECT_EQ(second.held, 0u);
  const std::size_t calls = second.calls;
  EXPECT_FALSE(budget.charge(Account::contexts, 17 * MiB));  // nobody is asked for the impossible
  EXPECT_EQ(second.calls, calls);
  budget.discharge(Account::contexts, 3584 * KiB);
}

#ifndef NDEBUG
TEST(BudgetDeathTest, AReclaimerThatClaimsMoreThanTheLedgerSawIsFound) {
  EXPECT_DEATH(
      {
        MemoryBudget budget(16 * MiB);
        TestReclaimer liar(budget, Account::frames, 64 * KiB);
        liar.lie = 1;
        liar.held = budget.try_charge(Account::frames, 16 * MiB) ? 16 * MiB : 0;
        std::ignore = budget.charge(Account::contexts, 1);
      },
      "answer <= freed");
}
#endif

TEST(BudgetDeathTest, OverDischargeIsFound) {
  EXPECT_DEATH(
      {
        MemoryBudget budget(16 * MiB);
        std::ignore = budget.try_charge(Account::frames, 100) && budget.try_charge(Account::contexts, 100);
        budget.discharge(Account::frames, 101);
      },
      "bytes <= before");
}

TEST(BudgetDeathTest, ABudgetThatDiesInUseIsFound) {
  EXPECT_DEATH(
      {
        MemoryBudget budget(16 * MiB);
        std::ignore = budget.try_charge(Account::frames, 1);
      },
      "used.load\\(\\) == 0");
}

TEST(Budget, BehavesLikeTheFormulaUnderRandomOperations) {
  EXPECT_TRUE(rc::check("charge is granted if and only if the formula has room", [](std::uint64_t seed) {
    Random random(seed);
    const std::size_t limit = 16 * MiB + random.below(1008 * MiB);
    MemoryBudget budget(limit);
    std::array<std::size_t, account_count> used{}, floor{};
    for (const Account a : all_accounts) budget.set_floor(a, floor[static_cast<std::size_t>(a)] = random.below(limit / 8));
    for (unsigned step = 0; step < 300; ++step) {
      const Account a = all_accounts[random.below(all_accounts.size())];
      const auto at = static_cast<std::size_t>(a);
      std::size_t others = 0, sum = 0;
      for (std::size_t i = 0; i < used.size(); ++i) {
        others += i != at && floor[i] > used[i] ? floor[i] - used[i] : 0;
        sum += used[i];
      }
      RC_ASSERT(budget.used() == sum);
      RC_ASSERT(budget.available(a) == limit - sum - others);
      if (random.one_in(3)) {
        const std::size_t bytes = random.below(used[at] + 1);
        budget.discharge(a, bytes);
        used[at] -= bytes;
      } else {
        const std::size_t bytes = random.below(random.one_in(4) ? limit : limit / 16);
        RC_ASSERT(budget.try_charge(a, bytes) == (bytes <= limit - sum - others));
        if (bytes <= limit - sum - others) used[at] += bytes;
      }
      RC_ASSERT(budget.used(a) == used[at]);
    }
    for (const Account a : all_accounts) budget.discharge(a, used[static_cast<std::size_t>(a)]);
  }));
}

TEST(Budget, IsNeverAboveItsLimitWhileEightThreadsFight) {
  MemoryBudget budget(16 * MiB);
  budget.set_floor(Account::frames, 3 * MiB);
  budget.set_floor(Account::contexts, 1 * MiB);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> granted{0}, refused{0};
  std::latch start(9);
  std::thread observer([&] {
    start.arrive_and_wait();
    std::size_t highest = 0;
    while (!stop) highest = std::max(highest, budget.used());
    EXPECT_LE(highest, budget.limit());
  });
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      std::vector<std::pair<Account, std::size_t>> held;
      start.arrive_and_wait();
      for (unsigned i = 0; i < 20'000; ++i) {
        const Account account = all_accounts[random.below(all_accounts.size())];
        const std::size_t bytes = 1 + random.below(1 * MiB);
        if (budget.try_charge(account, bytes)) {
          held.emplace_back(account, bytes);
          ++granted;
        } else {
          ++refused;
        }
        EXPECT_LE(budget.used(), budget.limit());
        if (held.size() > 32 || (!held.empty() && random.one_in(3))) {
          budget.discharge(held.back().first, held.back().second);
          held.pop_back();
        }
      }
      for (const auto& [account, bytes] : held) budget.discharge(account, bytes);
    });
  }
  for (auto& thread : threads) thread.join();
  stop = true;
  observer.join();
  EXPECT_GT(granted, 1000u);
  EXPECT_GT(refused, 1000u);
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_EQ(budget.available(Account::log_ring), 12 * MiB);  // no claim was lost or left behind
  EXPECT_EQ(budget.available(Account::frames), 15 * MiB);
}

TEST(Budget, ThreadsThatReclaimAndLeaveAtTheSameTime) {
  MemoryBudget budget(16 * MiB);
  TestReclaimer cache(budget, Account::frames, 64 * KiB);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 77);
      for (unsigned i = 0; i < 2'000; ++i) {
        const std::size_t bytes = 64 * KiB * (1 + random.below(8));
        if (budget.charge(Account::frames, bytes)) cache.held += bytes;
        EXPECT_LE(budget.used(), budget.limit());
      }
    });
  }
  threads.emplace_back([&] {
    for (unsigned i = 0; i < 500; ++i) TestReclaimer passing(budget, Account::versions, 4 * KiB);
  });
  for (auto& thread : threads) thread.join();
  EXPECT_GT(cache.calls, 0u);
  EXPECT_EQ(cache.held, budget.used());
}

TEST(Charge, GoesBackOnceAndMoves) {
  MemoryBudget budget(16 * MiB);
  {
    auto a = Charge::take(budget, Account::frames, 5);
    ASSERT_TRUE(a);
    Charge b = std::move(*a);
    EXPECT_EQ(a->bytes(), 0u);
    EXPECT_EQ(b.bytes(), 5u);
    auto c = Charge::take(budget, Account::contexts, 7);
    ASSERT_TRUE(c);
    b = std::move(*c);  // gives the 5 back
    EXPECT_EQ(budget.used(Account::frames), 0u);
    EXPECT_EQ(budget.used(Account::contexts), 7u);
    b.release();
    b.release();
    EXPECT_EQ(budget.used(), 0u);
    EXPECT_FALSE(Charge::take(budget, Account::frames, 20 * MiB));
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Provider, MapsZeroedAlignedChargedMemory) {
  MemoryBudget budget(64 * MiB);
  PageProvider provider(budget);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, 4 * KiB, 4 * KiB + 1, 2 * MiB, 6 * MiB, 6 * MiB + 5}) {
    auto mapping = provider.map(Account::io_buffers, bytes);
    ASSERT_TRUE(mapping);
    EXPECT_GE(mapping->bytes(), bytes);
    EXPECT_LT(mapping->bytes(), bytes + 4 * KiB + 1);
    EXPECT_EQ(mapping->bytes(), budget.used(Account::io_buffers));
    const std::size_t alignment = mapping->bytes() % (2 * MiB) == 0 ? 2 * MiB : 4 * KiB;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping->data()) % alignment, 0u);
    EXPECT_TRUE(is_zero(mapping->data(), mapping->bytes()));
    std::memset(mapping->data(), 1, mapping->bytes());
  }
  EXPECT_EQ(budget.used(), 0u);
  const auto refused = provider.map(Account::io_buffers, ~std::size_t{0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
}

TEST(Provider, MappingsMoveAndAreFreedOnce) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  {
    auto a = provider.map(Account::frames, 8 * KiB);
    auto b = provider.map(Account::log_ring, 4 * KiB);
    ASSERT_TRUE(a && b);
    char* const data = a->data();
    Mapping c = std::move(*a);
    EXPECT_FALSE(*a);
    EXPECT_EQ(c.data(), data);
    *b = std::move(c);
    EXPECT_EQ(budget.used(Account::log_ring), 0u);
    EXPECT_EQ(b->as<char>(), data);
    EXPECT_EQ(budget.used(), 8 * KiB);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Provider, MappedMemoryIsResidentAndThenGone) {
  if (!resident_is_exact) GTEST_SKIP() << "the sanitizer's own memory counts";
  MemoryBudget budget(256 * MiB);
  PageProvider provider(budget);
  for (const std::size_t bytes : {33 * MiB + 4 * KiB, 64 * MiB}) {
    const std::size_t before = resident_bytes();
    auto mapping = provider.map(Account::frames, bytes);
    ASSERT_TRUE(mapping);
    EXPECT_NEAR(static_cast<double>(resident_bytes() - before), static_cast<double>(bytes), noise);
    *mapping = Mapping();
    EXPECT_LT(resident_bytes(), before + noise);
  }
}

// Most kernels map a zero page, which is nobody's, for those who only read. Some are built or booted without it.
bool reading_costs_nothing() {
  constexpr std::size_t bytes = 8 * MiB;
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  const auto arena = provider.reserve(Account::frames, bytes, 1);
  const std::size_t before = resident_bytes();
  EXPECT_TRUE(arena && is_zero(arena->chunk(0), bytes));
  return resident_bytes() < before + bytes / 2;
}

class Arena : public testing::TestWithParam<std::size_t> {};

TEST_P(Arena, CommitsAndDecommitsChunksInPlace) {
  const std::size_t chunk_bytes = GetParam();
  MemoryBudget budget(1024 * MiB);
  PageProvider provider(budget);
  constexpr std::size_t chunks = 4096;  // far more addresses than budget
  auto arena = provider.reserve(Account::frames, chunk_bytes, chunks);
  ASSERT_TRUE(arena);
  EXPECT_EQ(budget.used(), 4 * KiB);  // the arena's own table
  for (const std::size_t i : {std::size_t{0}, std::size_t{7}, chunks - 1}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena->chunk(i)) % chunk_bytes, 0u);
    EXPECT_TRUE(is_zero(arena->chunk(i), chunk_bytes));
    EXPECT_TRUE(arena->try_commit(i));
    EXPECT_TRUE(arena->committed(i));
    std::memset(arena->chunk(i), 0xAB, chunk_bytes);
  }
  EXPECT_FALSE(arena->committed(1));
  EXPECT_EQ(arena->committed_chunks(), 3u);
  EXPECT_EQ(budget.used(), 4 * KiB + 3 * chunk_bytes);
  EXPECT_TRUE(is_zero(arena->chunk(chunks), PageProvider::slack_bytes));  // torn reads after the last chunk
  arena->decommit(7);
  EXPECT_TRUE(is_zero(arena->chunk(7), chunk_bytes));
  ChunkArena moved = std::move(*arena);
  EXPECT_EQ(arena->chunks(), 0u);
  EXPECT_TRUE(moved.commit(7));
  EXPECT_TRUE(is_zero(moved.chunk(7), chunk_bytes));
  EXPECT_EQ(budget.used(), 4 * KiB + 3 * chunk_bytes);
  moved = ChunkArena();
  EXPECT_EQ(budget.used(), 0u);
}

TEST_P(Arena, ResidentMemoryFollowsTheCharge) {
  if (!resident_is_exact) GTEST_SKIP() << "the sanitizer's own memory counts";
  const std::size_t chunk_bytes = GetParam();
  MemoryBudget budget(256 * MiB);
  PageProvider provider(budget);
  const std::size_t before = resident_bytes();
  const std::size_t chunks = 64 * MiB / chunk_bytes;
  auto arena = provider.reserve(Account::frames, chunk_bytes, chunks);
  ASSERT_TRUE(arena);
  const auto expect_resident = [&](std::size_t bytes) {
    EXPECT_NEAR(static_cast<double>(resident_bytes()) - static_cast<double>(before), static_cast<double>(bytes), noise);
  };
  const bool read = reading_costs_nothing();
  for (std::size_t i = 0; i < chunks && read; ++i) EXPECT_TRUE(is_zero(arena->chunk(i), chunk_bytes));
  expect_resident(0);  // the zero page, small or huge, is nobody's
  for (std::size_t i = 0; i < chunks; i += 2) ASSERT_TRUE(arena->commit(i));
  expect_resident(chunks / 2 * chunk_bytes);  // a huge page must not reach into the neighbour
  for (std::size_t i = 0; i < chunks; i += 2) std::memset(arena->chunk(i), 1, chunk_bytes);
  expect_resident(chunks / 2 * chunk_bytes);
  for (std::size_t i = 0; i < chunks; i += 4) arena->decommit(i);
  expect_resident(chunks / 4 * chunk_bytes);
  for (std::size_t i = 0; i < chunks && read; i += 4) EXPECT_TRUE(is_zero(arena->chunk(i), chunk_bytes));
  expect_resident(chunks / 4 * chunk_bytes);
  *arena = ChunkArena();
  expect_resident(0);
}

INSTANTIATE_TEST_SUITE_P(ChunkSizes, Arena, testing::Values(64 * KiB, 256 * KiB, 2 * MiB));

TEST(ArenaBudget, CommitReclaimsAndTryCommitDoesNot) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  TestReclaimer cache(budget, Account::versions, 256 * KiB);
  auto arena = provider.reserve(Account::frames, 256 * KiB, 64);
  ASSERT_TRUE(arena);
  while (budget.try_charge(Account::versions, 256 * KiB)) cache.held += 256 * KiB;
  EXPECT_FALSE(arena->try_commit(0));
  EXPECT_FALSE(arena->committed(0));
  EXPECT_TRUE(arena->commit(0));
  cache.held.exchange(0);
  const auto refused = arena->commit(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::memory_budget_exceeded);
  EXPECT_FALSE(arena->committed(1));
  budget.discharge(Account::versions, budget.used(Account::versions));
}

TEST(ArenaDeathTest, AChunkIsCommittedOnceAndDecommittedOnce) {
  MemoryBudget budget(16 * MiB);
  PageProvider provider(budget);
  auto arena = provider.reserve(Account::frames, 256 * KiB, 4);
  ASSERT_TRUE(arena && arena->commit(0));
  EXPECT_DEATH(std::ignore = arena->try_commit(0), "committed");
  EXPECT_DEATH(arena->decommit(1), "committed");
  EXPECT_DEATH(arena->decommit(4), "index < chunks_");
  EXPECT_DEATH(arena->chunk(4)[0] = 1, "");  // the slack is read-only
}

TEST(Provider, ChunkSizeFollowsTheBudget) {
  MemoryBudget small(16 * MiB), middle(64 * MiB), large(1024 * MiB);
  EXPECT_EQ(PageProvider(small).chunk_bytes(), 256 * KiB);
  EXPECT_EQ(PageProvider(middle).chunk_bytes(), 2 * MiB);
  EXPECT_EQ(PageProvider(large).chunk_bytes(), 2 * MiB);
}

}  // namespace
}  // namespace plimsoll::memory
