// Readers of slots, the commit table and the snapshot set who are overtaken by another thread in the middle: by the same one, at
// that very moment.
#include <gtest/gtest.h>

#include "base/hybrid_clock.hpp"
#include "interference.hpp"
#include "registry/registry.hpp"

namespace plimsoll::registry {
namespace {

struct Fixture {
  memory::MemoryBudget budget{memory::MemoryBudget::least_bytes};
  memory::PageProvider provider{budget};
};

class Overtaken : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_interfere) GTEST_SKIP() << "only with PLIMSOLL_PERTURB";
  }
  std::unique_ptr<Registry> make() {
    auto made = Registry::make(f.provider, metrics, clock, system_time(), 4, 0, 1);
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }
  // The slot's transaction ends and another begins in it.
  TxnId replace(Registry& registry, SlotIndex index, Bytes label) {
    registry.release(index);
    EXPECT_EQ(*registry.acquire(0, label), index);
    return TxnId{registry.slot(index).id.load()};
  }

  Fixture f;
  Metrics metrics;
  HybridClock clock{system_time()};
};

TEST_F(Overtaken, ASlotsNewTransactionIsNotTakenForTheOldOne) {
  const auto registry = make();
  const SlotIndex index = *registry->acquire(0, "old");
  const TxnId old{registry->slot(index).id.load()};
  registry->slot(index).state.store(TransactionState::committed);
  registry->slot(index).timestamp.store(77);
  ASSERT_TRUE(registry->commit_table().insert(old, Timestamp{77}));
  const Interference interference(Window::resampled, 0, [&] {
    replace(*registry, index, "new");
    return true;
  });
  const Outcome outcome = registry->find(old);
  EXPECT_TRUE(interference.happened());
  EXPECT_EQ(outcome.kind, Outcome::Kind::committed);
  EXPECT_EQ(outcome.timestamp.value, 77u);
  registry->release(index);
}

TEST_F(Overtaken, AListHasNoMixtureOfTwoTransactions) {
  const auto registry = make();
  const SlotIndex index = *registry->acquire(0, "old");
  const TxnId old{registry->slot(index).id.load()};
  const Interference interference(Window::resampled, 0, [&] {
    replace(*registry, index, "new");
    return true;
  });
  for (const TransactionInfo& info : registry->list()) EXPECT_TRUE(info.id != old || info.label == "old");
  EXPECT_TRUE(interference.happened());
  registry->release(index);
}

TEST_F(Overtaken, ATimestampInTheCommitTableIsNotThatOfAnother) {
  CommitTable table = std::move(*CommitTable::make(f.provider, 8));
  ASSERT_TRUE(table.insert(TxnId{1}, Timestamp{10}));
  const Interference interference(Window::resampled, 0, [&] {
    table.evict(Timestamp{10});
    EXPECT_TRUE(table.insert(TxnId{2}, Timestamp{20}));
    return true;
  });
  EXPECT_EQ(table.find(TxnId{1}), std::nullopt);
  EXPECT_TRUE(interference.happened());
}

// The point at 5 was there all the time, but not at the same place.
TEST_F(Overtaken, NothingIsGarbageThatASnapshotSees) {
  SnapshotSet set = std::move(*SnapshotSet::make(f.provider, 8));
  const auto publish = [&](std::initializer_list<std::uint64_t> points) {
    std::copy(points.begin(), points.end(), set.points());
    set.publish(points.size(), Timestamp{100}, 100);
  };
  publish({1, 5, 7});
  EXPECT_FALSE(set.garbage(4, 6));
  EXPECT_TRUE(set.garbage(2, 4));
  const Interference interference(Window::resampled, 0, [&] {
    publish({5, 7});
    publish({5});
    return true;
  });
  EXPECT_FALSE(set.garbage(4, 6));
  EXPECT_TRUE(interference.happened());
}

}  // namespace
}  // namespace plimsoll::registry
