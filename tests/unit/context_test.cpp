// The tree of memory contexts: ends and resets take what is below along, caps cover it, callbacks are called, nothing accumulates,
// and the keepers of contexts that rest go back under pressure. What one context does by itself is in memory_context_test.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/context_set.hpp"
#include "memory/page_provider.hpp"
#include "test_time.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {
namespace {

class ContextTree : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(pool.live_bytes(), 0u); }

  TestTime time{TestTime::Runs::when_told};
  MemoryBudget budget{64 * MiB};
  PageProvider provider{budget};
  BlockPool pool = BlockPool::make(provider).value();
  ContextSet set{pool, budget.pressure(), time};
};

// Writes down who was called.
struct Told {
  std::vector<std::string>* order;
  std::string name;
  ResetCallback callback{[](void* self) noexcept {
                           auto* told = static_cast<Told*>(self);
                           told->order->push_back(told->name);
                         },
                         this};
};

TEST_F(ContextTree, ChildrenComeAndGoInAnyOrderAndLeaveNothing) {
  Context parent(set, "parent");
  ASSERT_NE(parent.allocate(100), nullptr);
  const std::size_t held = parent.subtree_bytes();
  Random random(3);
  std::array<std::optional<Context>, 32> children;
  std::size_t alive = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    auto& child = children[random.below(children.size())];
    if (child) {
      child.reset();
      --alive;
    } else {
      child.emplace(parent, "child");
      ASSERT_NE(child->allocate(random.below(5000)), nullptr);
      ++alive;
    }
    ASSERT_EQ(parent.descendants(), alive);
  }
  for (auto& child : children) child.reset();
  EXPECT_EQ(parent.descendants(), 0u);
  EXPECT_EQ(parent.subtree_bytes(), held);
  EXPECT_EQ(pool.live_bytes(), held);
}

TEST_F(ContextTree, AResetEndsWhatIsBelow) {
  Context parent(set, "parent");
  Context child(parent, "child"), other(parent, "other");
  Context grandchild(child, "grandchild");
  for (Context* context : {&parent, &child, &other, &grandchild}) ASSERT_NE(context->allocate(3000), nullptr);
  EXPECT_EQ(parent.descendants(), 3u);
  parent.reset();
  EXPECT_EQ(parent.descendants(), 0u);
  EXPECT_EQ(parent.subtree_bytes(), 4 * KiB);
  EXPECT_EQ(pool.live_bytes(), 4 * KiB);
  EXPECT_FALSE(parent.ended());
  for (Context* context : {&child, &other, &grandchild}) {
    EXPECT_TRUE(context->ended());
    EXPECT_EQ(context->bytes(), 0u);
    EXPECT_EQ(context->live_bytes(), 0u);
    EXPECT_EQ(context->allocate(8), nullptr);
    EXPECT_EQ(context->allocate(100'000), nullptr);
    EXPECT_THROW(static_cast<void>(static_cast<std::pmr::memory_resource*>(context)->allocate(8)), std::bad_alloc);
    context->reset();
    context->release();
  }
  EXPECT_DEATH(Context(child, "of an ended one"), "ended_");
  EXPECT_NE(parent.allocate(8), nullptr);
}

// Objects of children may lie in their parent's memory: what ends the parent needs none of their destructors.
TEST_F(ContextTree, ChildrenMayLieInTheirParent) {
  std::vector<std::string> order;
  Told told{&order, "child"};
  {
    Context parent(set, "parent");
    for (unsigned i = 0; i < 100; ++i) {
      char* memory = parent.allocate(sizeof(Context), alignof(Context));
      ASSERT_NE(memory, nullptr);
      auto* child = new (memory) Context(parent, "inside");
      ASSERT_NE(child->allocate(2000), nullptr);
      if (i == 50) child->on_reset(told.callback);
    }
    EXPECT_EQ(parent.descendants(), 100u);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"child"}));
}

TEST_F(ContextTree, CallbacksAreCalledOnceNewestFirstChildrenFirst) {
  std::vector<std::string> order;
  Told a{&order, "a"}, b{&order, "b"}, inner{&order, "inner"}, innermost{&order, "innermost"};
  Context parent(set, "parent");
  std::optional<Context> child(std::in_place, parent, "child");
  std::optional<Context> grandchild(std::in_place, *child, "grandchild");
  parent.on_reset(a.callback);
  parent.on_reset(b.callback);
  child->on_reset(inner.callback);
  grandchild->on_reset(innermost.callback);
  parent.reset();
  EXPECT_EQ(order, (std::vector<std::string>{"innermost", "inner", "b", "a"}));
  parent.reset();
  grandchild.reset();
  child.reset();
  EXPECT_EQ(order.size(), 4u) << "each is called once";
  child.emplace(parent, "again");
  child->on_reset(inner.callback);
  child.reset();
  EXPECT_EQ(order.back(), "inner") << "the end of a context is a reset";
  parent.on_reset(a.callback);  // may be registered anew
  parent.rest();
  EXPECT_EQ(order.back(), "a");
}

TEST_F(ContextTree, ACallbackMayLieInItsContextAndGivesUpWhatIsElsewhere) {
  const std::size_t before = budget.used(Account::large_objects);
  Context context(set, "owner");
  struct Owner {
    Mapping mapping;
    ResetCallback callback{[](void* self) noexcept { std::destroy_at(static_cast<Owner*>(self)); }, this};
  };
  auto* owner = new (context.allocate(sizeof(Owner))) Owner;
  owner->mapping = provider.map(Account::large_objects, 1 * MiB).value();
  context.on_reset(owner->callback);
  EXPECT_EQ(budget.used(Account::large_objects), before + 1 * MiB);
  context.reset();
  EXPECT_EQ(budget.used(Account::large_objects), before);
}

// A parent's cap is everybody's below: children cannot get past it, whatever they are.
TEST_F(ContextTree, ACapCoversTheSubtree) {
  Context parent(set, "parent", {.cap_bytes = 64 * KiB});
  Context child(parent, "child"), grandchild(child, "grandchild"), other(parent, "other", {.cap_bytes = 1 * MiB});
  EXPECT_EQ(child.allocate(1 * MiB), nullptr);
  EXPECT_EQ(other.allocate(100 * KiB), nullptr) << "a larger cap of its own does not help";
  ASSERT_NE(grandchild.allocate(30 * KiB), nullptr);  // a block of 32 KiB
  EXPECT_EQ(parent.subtree_bytes(), 32 * KiB);
  EXPECT_EQ(child.allocate(33 * KiB), nullptr);
  unsigned n = 0;
  for (bool more = true; more; ++n) {
    more = false;
    for (Context* context : {&parent, &child, &grandchild, &other}) more |= context->allocate(1000) != nullptr;
  }
  EXPECT_GT(n, 5u);
  EXPECT_EQ(parent.subtree_bytes(), 64 * KiB) << "down to the last block";
  EXPECT_EQ(parent.subtree_bytes(), parent.bytes() + child.bytes() + grandchild.bytes() + other.bytes());
  EXPECT_EQ(other.subtree_bytes(), other.bytes());
  grandchild.release();
  EXPECT_NE(other.allocate(20 * KiB), nullptr) << "what one gives back another may have";
  parent.set_cap(0);
  EXPECT_NE(child.allocate(1 * MiB), nullptr);
}

TEST_F(ContextTree, CapsInTheMiddleCoverWhatIsBelowThem) {
  Context root(set, "root");
  Context middle(root, "middle", {.cap_bytes = 16 * KiB});
  Context leaf(middle, "leaf"), beside(root, "beside");
  EXPECT_EQ(leaf.allocate(20 * KiB), nullptr);
  EXPECT_NE(beside.allocate(20 * KiB), nullptr);
  ASSERT_NE(leaf.allocate(10 * KiB), nullptr);
  EXPECT_EQ(middle.subtree_bytes(), 16 * KiB);
  EXPECT_EQ(middle.allocate(8), nullptr);
  middle.set_cap(20 * KiB);
  EXPECT_NE(middle.allocate(8), nullptr);
  EXPECT_EQ(root.subtree_bytes(), 16 * KiB + 4 * KiB + 32 * KiB);
  EXPECT_DEATH(leaf.set_cap(1), "account_ == this");
}

TEST_F(ContextTree, OptionsGiveTheSizesOfBlocks) {
  Context context(set, "sizes", {.keeper_bytes = 16 * KiB, .block_bytes_max = 32 * KiB});
  ASSERT_NE(context.allocate(15 * KiB), nullptr) << "the keeper may be filled by one";
  EXPECT_EQ(context.bytes(), 16 * KiB);
  for (const std::size_t expected : {48 * KiB, 80 * KiB, 112 * KiB}) {
    const std::size_t before = context.bytes();
    while (context.bytes() == before) ASSERT_NE(context.allocate(500), nullptr);
    EXPECT_EQ(context.bytes(), expected);
  }
  context.reset();
  EXPECT_EQ(context.bytes(), 16 * KiB);
  EXPECT_DEATH(Context(set, "too large", {.block_bytes_max = 1 * MiB}), "block_bytes_max");
}

TEST_F(ContextTree, EveryAlignmentIsKept) {
  Context parent(set, "parent");
  Context child(parent, "child");
  for (Context* context : {&parent, &child})
    for (std::size_t alignment = 1; alignment <= 64; alignment *= 2)
      for (std::size_t bytes = 1; bytes < 9000; bytes += bytes / 3 + 1) {
        char* at = context->allocate(bytes, alignment);
        ASSERT_NE(at, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % alignment, 0u) << bytes << " at " << alignment;
        std::memset(at, 1, bytes);
      }
  EXPECT_DEATH(parent.allocate(8, 24), "has_single_bit");
  EXPECT_DEATH(parent.allocate(8, 128), "alignment_max");
}

TEST_F(ContextTree, ExceptionsEndThemOnTheirWay) {
  std::vector<std::string> order;
  Told outer{&order, "outer"}, inner{&order, "inner"};
  const auto fails = [&] {
    Context parent(set, "parent");
    parent.on_reset(outer.callback);
    if (parent.allocate(100'000) == nullptr) throw std::bad_alloc();
    Context child(parent, "child", {.cap_bytes = 64 * KiB});
    child.on_reset(inner.callback);
    std::pmr::vector<std::pmr::string> strings(&child);
    for (;;) strings.emplace_back(1000, 'x');  // until the cap says no
  };
  EXPECT_THROW(fails(), std::bad_alloc);
  EXPECT_EQ(order, (std::vector<std::string>{"inner", "outer"}));
  EXPECT_EQ(pool.live_bytes(), 0u);
  EXPECT_TRUE(set.list().empty());
}

// Deep, wide, and in between; with a recursion the deep one would need more than a stack.
TEST_F(ContextTree, AMillionContextsOfAnyShapeEnd) {
  const std::size_t count = resident_is_exact ? 1'000'000 : 100'000;
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(count * sizeof(Context));
  const auto at = [&](std::size_t i) { return reinterpret_cast<Context*>(memory.get() + i * sizeof(Context)); };
  Random random(11);
  for (const unsigned shape : {0u, 1u, 2u}) {
    Context root(set, "root");
    for (std::size_t i = 0; i < count; ++i) {
      Context& parent = i == 0 || shape == 1 ? root : *at(shape == 0 ? i - 1 : random.below(i));
      new (at(i)) Context(parent, "one");
    }
    EXPECT_EQ(root.descendants(), count);
    root.reset();
    EXPECT_EQ(root.descendants(), 0u);
    for (std::size_t i = 0; i < count; i += 1000) EXPECT_TRUE(at(i)->ended());
  }
}

// Whatever they hold: each callback is called once and before those of the contexts above it, while what the ancestors hold is
// still there, and the sums of capped ones in between come out right.
TEST_F(ContextTree, WhatHoldsSomethingEndsBeforeWhatIsAboveIt) {
  constexpr std::size_t count = 500;
  struct Node {
    std::optional<Context> context;
    std::size_t parent = 0, called_at = 0;
    std::size_t* clock = nullptr;
    const char* above = nullptr;  // what the parent holds
    char* held = nullptr;
    ResetCallback callback{[](void* self) noexcept {
                             auto* node = static_cast<Node*>(self);
                             PLIMSOLL_CHECK(node->called_at == 0 && (node->above == nullptr || *node->above == 'x'));
                             node->called_at = ++*node->clock;
                           },
                           this};
  };
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    std::size_t clock = 0;
    std::vector<Node> nodes(count);
    Context root(set, "root");
    nodes[0].context.emplace(root, "first");
    for (std::size_t i = 1; i < count; ++i) {
      Node& node = nodes[i];
      node.parent = i - 1 - random.below(random.one_in(2) ? i : std::min<std::size_t>(i, 4));
      Node& parent = nodes[node.parent];
      node.context.emplace(*parent.context, "one", ContextOptions{.cap_bytes = random.one_in(4) ? 8 * MiB : 0});
      node.clock = &clock;
      node.above = parent.held;
      if (random.one_in(3)) { ASSERT_NE(node.held = node.context->allocate(1 + random.below(3000)), nullptr); }
      if (node.held != nullptr) *node.held = 'x';
      if (random.one_in(2)) node.context->on_reset(node.callback);
    }
    std::size_t registered = 0;
    nodes[0].context->reset();
    EXPECT_EQ(root.descendants(), 1u);
    EXPECT_EQ(root.subtree_bytes(), 0u);
    EXPECT_EQ(pool.live_bytes(), 0u);
    for (const Node& node : nodes) {
      if (&node != &nodes[0]) { ASSERT_TRUE(node.context->ended()); }
      if (node.called_at == 0) continue;
      ++registered;
      for (std::size_t above = node.parent; above != 0; above = nodes[above].parent)
        if (nodes[above].called_at != 0) { ASSERT_LT(node.called_at, nodes[above].called_at); }
    }
    EXPECT_EQ(registered, clock);
    EXPECT_GT(clock, count / 3);
  }
}

TEST_F(ContextTree, KeepersOfRestingContextsAreTrimmed) {
  Context used(set, "used"), resting(set, "resting"), unused(set, "unused");
  ASSERT_NE(used.allocate(100), nullptr);
  ASSERT_NE(resting.allocate(50'000), nullptr);
  ASSERT_NE(resting.allocate(100), nullptr);
  resting.rest();
  unused.rest();
  EXPECT_EQ(pool.live_bytes(), 8 * KiB);
  EXPECT_EQ(set.trim(), 4 * KiB);
  EXPECT_EQ(pool.live_bytes(), 4 * KiB);
  EXPECT_EQ(set.trim(), 0u);
  resting.begin_use(1, 0);
  EXPECT_EQ(resting.bytes(), 0u);
  char* const before = resting.allocate(100);
  ASSERT_NE(before, nullptr);
  EXPECT_EQ(resting.bytes(), 4 * KiB);
  EXPECT_EQ(set.trim(), 0u) << "in use";
  resting.rest();
  EXPECT_DEATH(resting.allocate(100), "resting_") << "until the next use begins nobody knows whose the keeper is";
  EXPECT_DEATH(resting.free(before, 100), "live_bytes");
  resting.begin_use(2, 0);
  EXPECT_EQ(resting.allocate(100), before) << "not trimmed: the same keeper";
  EXPECT_EQ(pool.live_bytes(), 8 * KiB);
  resting.rest();
  resting.begin_use(3, 0);
  resting.set_cap(1000);
  EXPECT_EQ(resting.allocate(100), nullptr) << "a cap below the keeper holds for one that is there, too";
  EXPECT_EQ(pool.live_bytes(), 4 * KiB);
}

TEST_F(ContextTree, WhoNeedsMemoryGetsTheKeepers) {
  const std::size_t before = budget.used();
  std::deque<Context> contexts;
  for (unsigned i = 0; i < 1000; ++i) {
    ASSERT_NE(contexts.emplace_back(set, "slot").allocate(100), nullptr);
    contexts.back().rest();
  }
  EXPECT_GE(budget.used(), before + 4 * MiB - provider.chunk_bytes());
  const std::size_t all = budget.limit() - before;
  ASSERT_TRUE(budget.charge(Account::frames, all)) << "not even a chunk may stay";
  EXPECT_EQ(pool.live_bytes(), 0u);
  budget.discharge(Account::frames, all);
  for (Context& context : contexts) {
    context.begin_use(1, 0);
    ASSERT_NE(context.allocate(100), nullptr);
  }
}

TEST_F(ContextTree, TheViewShowsWhoHoldsWhat) {
  Context tool(set, "tool");
  Context slot(set, "transaction"), idle(set, "transaction");
  idle.rest();
  slot.begin_use(42, time.monotonic_ns());
  Context cursor(slot, "cursor");
  ASSERT_NE(slot.allocate(1000), nullptr);
  ASSERT_NE(cursor.allocate(100'000), nullptr);
  cursor.release();
  time.advance(250'000'000);
  std::vector<ContextInfo> all = set.list();
  ASSERT_EQ(all.size(), 2u) << "not what is idle and holds nothing";
  const ContextInfo& shown = all[0].label == "tool" ? all[1] : all[0];
  EXPECT_EQ(shown.label, "transaction");
  EXPECT_EQ(shown.owner, TxnId{42});
  EXPECT_EQ(shown.bytes, 4 * KiB);
  EXPECT_EQ(shown.live_bytes, 1000u);
  EXPECT_GE(shown.peak_bytes, 100'000u);
  EXPECT_EQ(shown.children, 1u);
  EXPECT_EQ(shown.age_ms, 250u);
  EXPECT_FALSE(shown.resting);
  slot.rest();
  all = set.list();
  ASSERT_EQ(all.size(), 2u);
  const ContextInfo& rests = all[0].label == "tool" ? all[1] : all[0];
  EXPECT_TRUE(rests.resting);
  EXPECT_EQ(rests.owner, TxnId{});
  EXPECT_EQ(rests.bytes, 4 * KiB) << "the keeper, which trim may take";
  slot.begin_use(43, time.monotonic_ns());
  EXPECT_EQ(set.list()[0].peak_bytes + set.list()[1].peak_bytes, 4 * KiB) << "another use, another peak";
}

// Owners begin, fill, check and rest while others trim and look; roots come and go meanwhile.
TEST_F(ContextTree, OwnersTrimmersAndViewersDoNotDisturbEachOther) {
  constexpr unsigned owners = 3, rounds = 4000;
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> trimmed{0};
  std::vector<std::thread> threads;
  std::deque<Context> slots;
  for (unsigned i = 0; i < owners; ++i) slots.emplace_back(set, "slot");
  for (unsigned i = 0; i < owners; ++i)
    threads.emplace_back([&, i] {
      Random random(i + 1);
      Context& slot = slots[i];
      for (unsigned round = 0; round < rounds; ++round) {
        slot.begin_use(round + 1, round);
        Context child(slot, "child");
        const char fill = static_cast<char>(i * 50 + round % 50);
        std::array<char*, 4> held{};
        const std::size_t bytes = 1 + random.below(1500);
        for (char*& at : held) {
          at = (random.one_in(2) ? slot : child).allocate(bytes);
          ASSERT_NE(at, nullptr);
          std::memset(at, fill, bytes);
        }
        for (const char* at : held) ASSERT_TRUE(all_are(at, bytes, fill));
        slot.rest();
        if (random.one_in(8)) std::this_thread::yield();
        if (random.one_in(16)) Context(set, "tool").allocate(100);
      }
    });
  std::thread trimmer([&] {
    while (!stop) {
      trimmed += set.trim();
      std::this_thread::yield();
    }
  });
  std::thread viewer([&] {
    while (!stop)
      for (const ContextInfo& one : set.list()) {
        EXPECT_LE(one.live_bytes, 64 * KiB);
        EXPECT_LE(one.bytes, 128 * KiB);
      }
  });
  for (std::thread& thread : threads) thread.join();
  while (trimmed == 0) std::this_thread::yield();  // the last keepers are still there
  stop = true;
  trimmer.join();
  viewer.join();
}

#ifndef NDEBUG
TEST_F(ContextTree, ASecondThreadInsideIsFound) {
  const auto share = [this] {
    Context context(set, "shared");
    ResetCallback callback;
    callback.argument = &context;
    callback.call = [](void* self) noexcept { std::thread([self] { static_cast<Context*>(self)->allocate(8); }).join(); };
    context.on_reset(callback);
    context.reset();
  };
  EXPECT_DEATH(share(), "outer_ == nullptr");
}
#endif

}  // namespace
}  // namespace plimsoll::memory
