// Fragmentation: how much memory an allocator keeps for what lives, after nine tenths of the objects have gone at random, and after
// sizes have drifted. Measured in committed bytes for Plimsoll (its ledger) and in resident bytes for the others.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "allocators/opponent.hpp"
#include "base/check.hpp"
#include "base/random.hpp"

namespace plimsoll::bench {

struct DriftResult {
  double after_delete = 0;  // held / live once nine tenths of the 64-byte objects are gone
  double delete_ms = 0;     // from then until that was reached
  double after_drift = 0;   // after three rounds of: nine tenths go, larger ones come
};

inline std::size_t resident_bytes() {
  unsigned long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%lu %lu", &pages, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * 4096;
}

// What an object holds: its number, eight bytes from its begin.
inline char* fill(char* at, std::size_t bytes, std::size_t number) {
  PLIMSOLL_CHECK(at != nullptr);
  std::memset(at, 1, bytes);
  std::memcpy(at + 8, &number, sizeof number);
  return at;
}
inline std::size_t number_in(const char* at) {
  std::size_t number = 0;
  std::memcpy(&number, at + 8, sizeof number);
  return number;
}

// Objects of one allocator, with the place of each known by its number, which the object holds.
template <class Heap>
class Population {
 public:
  explicit Population(Heap& heap) : heap_(heap) {}
  void fill(std::size_t bytes, std::size_t total) {
    for (std::size_t filled = 0; filled < total; filled += bytes) {
      places_.push_back({heap_.add(bytes, places_.size()), bytes});
      live_ += bytes;
    }
  }
  void thin(Random& random) {  // nine tenths go
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].at == nullptr || random.one_in(10)) continue;
      heap_.remove(places_[i].at, places_[i].bytes);
      places_[i].at = nullptr;
      live_ -= places_[i].bytes;
    }
  }
  void clear() {
    for (Place& one : places_) {
      if (one.at != nullptr) heap_.remove(one.at, one.bytes);
    }
    places_.clear();
    live_ = 0;
  }
  char*& place(std::size_t number) { return places_[number].at; }
  std::size_t live() const { return live_; }
  void reserve(std::size_t count) {  // and touch, so that the book does not count as what the allocator holds
    places_.resize(count);
    places_.clear();
  }

 private:
  struct Place {
    char* at;
    std::size_t bytes;
  };
  Heap& heap_;
  std::vector<Place> places_;
  std::size_t live_ = 0;
};

// Plimsoll's movable classes, one a size, at most eight.
class MovableHeap {
 public:
  MovableHeap(Plimsoll& all, const std::vector<std::size_t>& sizes) : all_(all) {
    for (const std::size_t bytes : sizes) {
      Kind& kind = kinds_[count_++];
      kind = {.heap = this, .of = {}};
      kind.of = all.slab->make_movable(bytes, &MovableHeap::relocate, &kind);
    }
  }
  char* add(std::size_t bytes, std::size_t number) { return fill(all_.slab->take(of(bytes)), bytes, number); }
  void remove(char* at, std::size_t bytes) { all_.slab->give(of(bytes), at); }
  void purge() {
    all_.slab->compact();
    all_.slab->trim();
  }
  std::size_t held() const { return all_.budget.used(); }
  void belongs_to(Population<MovableHeap>& population) { population_ = &population; }

 private:
  struct Kind {
    MovableHeap* heap;
    memory::SlabAllocator::MovableClass of;
  };
  memory::SlabAllocator::MovableClass of(std::size_t bytes) const {
    std::size_t i = 0;
    while (kinds_[i].of.object_bytes != bytes) PLIMSOLL_CHECK(++i < count_);
    return kinds_[i].of;
  }
  static bool relocate(void* context, char* from, char* to) {
    const Kind& kind = *static_cast<Kind*>(context);
    if (kind.heap->all_.slab->is_free(from)) return false;
    std::memcpy(to, from, kind.of.object_bytes);
    kind.heap->population_->place(number_in(to)) = to;
    return true;
  }

  Plimsoll& all_;
  std::array<Kind, 8> kinds_{};
  std::size_t count_ = 0;
  Population<MovableHeap>* population_ = nullptr;
};

template <class Allocator>
class PlainHeap {
 public:
  explicit PlainHeap(Allocator& from) : from_(from) {}
  char* add(std::size_t bytes, std::size_t number) { return fill(static_cast<char*>(from_.take(bytes)), bytes, number); }
  void remove(char* at, std::size_t bytes) { from_.give(at, bytes); }
  void purge() { from_.purge(); }
  std::size_t held() const { return resident_bytes() - before_; }
  void belongs_to(Population<PlainHeap>&) { before_ = resident_bytes(); }

 private:
  Allocator& from_;
  std::size_t before_ = 0;
};

inline const std::vector<std::size_t> drift_sizes = {64, 112, 192, 336};

// `total` bytes live at the peaks.
template <class Heap>
DriftResult drift(Heap& heap, std::size_t total) {
  using Clock = std::chrono::steady_clock;
  Population<Heap> population(heap);
  population.reserve(total / drift_sizes[0] * 2);
  heap.belongs_to(population);
  const auto ratio = [&] { return static_cast<double>(heap.held()) / static_cast<double>(population.live()); };
  Random random(11);
  DriftResult result;
  population.fill(drift_sizes[0], total);
  population.thin(random);
  const auto begin = Clock::now();
  heap.purge();
  result.delete_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  result.after_delete = ratio();
  for (std::size_t round = 1; round < drift_sizes.size(); ++round) {
    population.fill(drift_sizes[round], total - population.live());
    if (round + 1 < drift_sizes.size()) population.thin(random);
    heap.purge();
  }
  result.after_drift = ratio();
  population.clear();
  return result;
}

}  // namespace plimsoll::bench
