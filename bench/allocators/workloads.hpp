// What the benchmark does with each allocator. An iteration of the first three is one allocation and one free, or counts as many
// items.
#pragma once

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory_resource>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"

namespace plimsoll::bench {

// One object at a time: the same one, over and over.
template <class Allocator>
void pair(benchmark::State& state, Allocator& from, std::size_t bytes) {
  for (auto _ : state) {
    void* at = from.take(bytes);
    benchmark::DoNotOptimize(at);
    from.give(at, bytes);
  }
  state.SetItemsProcessed(state.iterations());
}

// A random one of 4,096 objects goes, a new one comes.
template <class Allocator>
void churn(benchmark::State& state, Allocator& from, std::size_t bytes) {
  std::vector<void*> live(4096);
  for (void*& one : live) one = from.take(bytes);
  std::vector<std::uint16_t> order(65536);
  Random random(7 + static_cast<std::uint64_t>(state.thread_index()));
  for (std::uint16_t& one : order) one = static_cast<std::uint16_t>(random.below(live.size()));
  std::size_t i = 0;
  for (auto _ : state) {
    void*& one = live[order[i++ % order.size()]];
    from.give(one, bytes);
    one = from.take(bytes);
    benchmark::DoNotOptimize(one);
  }
  for (void* one : live) from.give(one, bytes);
  state.SetItemsProcessed(state.iterations());
}

// A thousand objects come, then go in the same order.
template <class Allocator>
void batch(benchmark::State& state, Allocator& from, std::size_t bytes) {
  std::vector<void*> live(1000);
  for (auto _ : state) {
    for (void*& one : live) one = from.take(bytes);
    benchmark::ClobberMemory();
    for (void* one : live) from.give(one, bytes);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(live.size()));
}

// A ring between one thread that allocates and one that frees.
class Ring {
 public:
  void push(void* one) {
    while (head_ - tail_seen_ == slots_.size()) tail_seen_ = look_again(tail_);
    slots_[head_++ % slots_.size()] = one;
    if (head_ % batch == 0) published_.store(head_, std::memory_order_release);
  }
  void* pop() {
    while (published_seen_ == next_) published_seen_ = look_again(published_);
    void* one = slots_[next_++ % slots_.size()];
    if (next_ % batch == 0) tail_.store(next_, std::memory_order_release);
    return one;
  }
  static constexpr std::size_t batch = 64;

 private:
  static std::size_t look_again(const std::atomic<std::size_t>& counter) {
    std::this_thread::yield();  // the other thread may need this processor
    return counter.load(std::memory_order_acquire);
  }

  std::array<void*, 4096> slots_{};
  alignas(64) std::size_t head_ = 0, tail_seen_ = 0;
  alignas(64) std::size_t next_ = 0, published_seen_ = 0;
  alignas(64) std::atomic<std::size_t> published_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

// Two threads: what one allocates the other frees. Both run the same number of iterations, a multiple of the ring's batch.
template <class Allocator>
void remote(benchmark::State& state, Allocator& from, std::size_t bytes, Ring& ring) {
  for (auto _ : state) {
    for (std::size_t i = 0; i < Ring::batch; ++i) {
      if (state.thread_index() == 0) {
        void* at = from.take(bytes);
        std::memset(at, 1, 8);
        ring.push(at);
      } else {
        from.give(ring.pop(), bytes);
      }
    }
  }
  if (state.thread_index() == 0) state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(Ring::batch));
}

// A thousand small objects in an arena over the allocator, then the arena goes.
template <class Allocator>
void arena(benchmark::State& state, Allocator& from, std::size_t bytes) {
  struct Upstream final : std::pmr::memory_resource {
    explicit Upstream(Allocator& of) : allocator(of) {}
    void* do_allocate(std::size_t n, std::size_t) override { return allocator.take(n); }
    void do_deallocate(void* at, std::size_t n, std::size_t) override { allocator.give(at, n); }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
    Allocator& allocator;
  } upstream(from);
  constexpr int objects = 1000;
  for (auto _ : state) {
    std::pmr::monotonic_buffer_resource all(4096, &upstream);
    for (int i = 0; i < objects; ++i) benchmark::DoNotOptimize(all.allocate(bytes, 8));
  }
  state.SetItemsProcessed(state.iterations() * objects);
}

// A large object comes, each of its pages is touched, it goes.
template <class Allocator>
void large(benchmark::State& state, Allocator& from, std::size_t bytes) {
  for (auto _ : state) {
    char* at = static_cast<char*>(from.take(bytes));
    PLIMSOLL_CHECK(at != nullptr);
    for (std::size_t i = 0; i < bytes; i += 4096) *static_cast<volatile char*>(at + i) = 1;
    from.give(at, bytes);
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace plimsoll::bench
