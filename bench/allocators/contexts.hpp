// What the benchmark does with memory contexts, and with the arena of the standard library in their place
// (std::pmr::monotonic_buffer_resource over operator new).
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>

#include "allocators/opponent.hpp"
#include "base/random.hpp"
#include "memory/context.hpp"

namespace plimsoll::bench {

// Contexts of one tree over a store's slab allocator, as a transaction's are.
class Contexts {
 public:
  explicit Contexts(Plimsoll& all) : root_(*all.slab, "root") {}
  class Arena {
   public:
    explicit Arena(Contexts& of) : context_(of.root_, "arena") {}
    void* take(std::size_t bytes) { return context_.allocate(bytes); }
    void clear() { context_.reset(); }

   private:
    memory::Context context_;
  };

 private:
  memory::Context root_;
};

class Monotonic {
 public:
  class Arena {
   public:
    explicit Arena(Monotonic&) {}
    void* take(std::size_t bytes) { return all_.allocate(bytes, 8); }
    void clear() { all_.release(); }

   private:
    std::pmr::monotonic_buffer_resource all_{4096, std::pmr::new_delete_resource()};
  };
};

// A thousand small objects, then the arena is emptied and used again.
template <class From>
void bump(benchmark::State& state, From& from, std::size_t bytes) {
  constexpr int objects = 1000;
  typename From::Arena arena(from);
  for (auto _ : state) {
    for (int i = 0; i < objects; ++i) benchmark::DoNotOptimize(arena.take(bytes));
    arena.clear();
  }
  state.SetItemsProcessed(state.iterations() * objects);
}

// An arena comes, gives `objects` objects, and goes.
template <class From>
void come_and_go(benchmark::State& state, From& from, int objects) {
  for (auto _ : state) {
    typename From::Arena arena(from);
    for (int i = 0; i < objects; ++i) benchmark::DoNotOptimize(arena.take(64));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

enum class Shape : std::uint8_t { deep, wide, random };  // children of the one before, of the root, of any one before

// A tree of contexts ends with its root. `objects` is what each holds.
inline void end_of_tree(benchmark::State& state, Plimsoll& all, std::size_t contexts, Shape shape, int objects) {
  using memory::Context;
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(contexts * sizeof(Context) + alignof(Context));
  void* start = memory.get();
  std::size_t left = contexts * sizeof(Context) + alignof(Context);
  auto* const at = static_cast<Context*>(std::align(alignof(Context), contexts * sizeof(Context), start, left));
  for (auto _ : state) {
    Context root(*all.slab, "root");
    Random random(11);
    for (std::size_t i = 0; i < contexts; ++i) {
      Context& parent = i == 0 || shape == Shape::wide ? root : at[shape == Shape::deep ? i - 1 : random.below(i)];
      auto* const one = new (at + i) Context(parent, "one");
      for (int j = 0; j < objects; ++j) PLIMSOLL_CHECK(one->allocate(64) != nullptr);
    }
    const auto from = std::chrono::steady_clock::now();
    root.reset();
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(contexts));
}

}  // namespace plimsoll::bench
