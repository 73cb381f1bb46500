// Compaction: sparse slabs are emptied into others while owners move their objects, refuse to, or free them.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "memory/slab_class.hpp"
#include "unit/slab_support.hpp"

namespace plimsoll::memory {
namespace {

// An owner that keeps its objects in a table and finds an object's place by the number in it.
class Owner {
 public:
  Owner(SlabAllocator& slab, std::size_t bytes)
      : slab_(slab), bytes_(bytes), movable_(slab.make_movable(bytes, &Owner::relocate, this)) {}

  bool add() {
    char* at = slab_.take(movable_);
    if (at == nullptr) return false;
    const std::lock_guard lock(mutex_);
    std::memset(at, static_cast<int>(table_.size()), bytes_);
    const std::uint64_t number = table_.size();
    std::memcpy(at + 8, &number, sizeof number);
    table_.push_back(at);
    return true;
  }
  void remove(std::size_t number) {
    const std::lock_guard lock(mutex_);
    if (table_[number] != nullptr) slab_.give(movable_, std::exchange(table_[number], nullptr));
  }
  void check() {
    const std::lock_guard lock(mutex_);
    for (std::uint64_t i = 0; i < table_.size(); ++i) {
      if (table_[i] == nullptr) continue;
      ASSERT_EQ(std::memcmp(table_[i] + 8, &i, sizeof i), 0);
      ASSERT_TRUE(all_are(table_[i] + 16, bytes_ - 16, static_cast<char>(i)));
    }
  }
  void clear() {
    for (std::size_t i = 0; i < table_.size(); ++i) remove(i);
    table_.clear();
  }
  std::size_t size() const { return table_.size(); }
  int refuse_every = 0;

 private:
  static bool relocate(void* context, char* from, char* to) {
    Owner& self = *static_cast<Owner*>(context);
    const std::lock_guard lock(self.mutex_);
    if (self.slab_.is_free(from)) return false;
    if (self.refuse_every != 0 && ++self.asked_ % self.refuse_every == 0) return false;
    std::uint64_t number = 0;
    std::memcpy(&number, from + 8, sizeof number);
    EXPECT_EQ(self.table_[number], from);
    std::memcpy(to, from, self.bytes_);
    self.table_[number] = to;
    return true;
  }

  SlabAllocator& slab_;
  std::size_t bytes_;
  SlabAllocator::MovableClass movable_;
  std::mutex mutex_;
  std::vector<char*> table_;
  int asked_ = 0;
};

TEST_F(Slab, CompactionGivesBackWhatIsNotUsed) {
  make({.guard_every = 0});
  Owner owner(*slab, 64);
  for (int i = 0; i < 400'000; ++i) ASSERT_TRUE(owner.add());
  Random random(5);
  std::size_t live = 0;
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (random.one_in(10)) {
      ++live;
    } else {
      owner.remove(i);
    }
  }
  slab->trim();
  EXPECT_GT(slab->statistics().slab_bytes, live * 64 * 5);
  while (slab->compact(10'000) != 0) owner.check();
  owner.check();
  slab->trim();
  const SlabStatistics now = slab->statistics();
  EXPECT_EQ(now.live_objects, live);
  EXPECT_GT(now.moved_objects, live / 2);
  EXPECT_LE(budget.used(), live * 64 + 2 * provider.chunk_bytes() + 512 * KiB);
  owner.clear();
}

// A slab is made when there is no object; when others give some back before one is taken from it, nothing in it is ever out.
TEST_F(Slab, ASlabThatNobodyTookFromGoes) {
  SlabShared shared;
  std::vector<std::atomic<std::uint8_t>> units(pool->chunks() * pool->chunk_bytes() / SlabClasses::unit_bytes);
  shared.pool = &*pool;
  shared.units = units.data();
  shared.base = pool->base();
  shared.span_bytes_max = MiB;
  SlabClass of;
  of.open(shared, 5, SlabClasses::size(5));
  ASSERT_TRUE(of.add_span(false));
  char* object = nullptr;
  ASSERT_EQ(of.take(&object, 1), 1u);
  EXPECT_EQ(of.take_unused(), nullptr);
  ASSERT_TRUE(of.add_span(false));
  of.release(of.take_unused());
  EXPECT_EQ(of.spans(), 1u);
  of.release(of.give(&object, 1));
  EXPECT_EQ(of.spans(), 0u);
  EXPECT_EQ(shared.span_bytes.load(), 0u);
}

TEST_F(Slab, OwnersMayRefuseAndOthersMayUseTheChunk) {
  make({.guard_every = 0});
  Owner owner(*slab, 200), other(*slab, 1000);
  owner.refuse_every = 3;
  std::vector<Object> fixed;
  for (int i = 0; i < 30'000; ++i) {
    ASSERT_TRUE(owner.add());
    if (i % 4 == 0) { ASSERT_TRUE(other.add()); }
    if (i % 1000 == 0) fixed.push_back({slab->allocate(100, 8), 100});
  }
  Random random(6);
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (!random.one_in(8)) owner.remove(i);
    if (i < other.size() && !random.one_in(8)) other.remove(i);
  }
  for (int i = 0; i < 5; ++i) slab->compact();
  owner.check();
  other.check();
  owner.clear();
  other.clear();
  for (const Object& one : fixed) slab->free(one.at, one.bytes, 8);
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

TEST_F(Slab, CompactsWhileOthersAllocateAndFree) {
  make({.guard_every = 0});
  Owner owner(*slab, 96);
  for (int i = 0; i < 60'000; ++i) ASSERT_TRUE(owner.add());
  std::atomic<bool> done{false};
  std::thread compactor([&] {
    while (!done) slab->compact(2000);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<std::uint64_t>(t) + 9);
      for (int i = 0; i < 30'000; ++i) {
        owner.remove(random.below(60'000));
        if (i % 10 == 0) {
          char* at = slab->allocate(96, 8);
          std::memset(at, 1, 96);
          slab->free(at, 96, 8);
        }
      }
    });
  }
  for (std::thread& one : threads) one.join();
  done = true;
  compactor.join();
  owner.check();
  owner.clear();
  slab->trim();
  EXPECT_EQ(slab->statistics().slabs, 0u);
}

}  // namespace
}  // namespace plimsoll::memory
