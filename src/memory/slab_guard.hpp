// Sampled guards: a few objects are not in slabs but each at the end of a page of its own, before a page that cannot be touched, so
// that an overrun is a fault at the very instruction (after GWP-ASan, Serebryany 2019). What is freed cannot be touched either
// until its place is used again, the longest free one first. What an object leaves of its page holds a pattern, checked when it is
// freed.
//
// Owns the places: a fixed number, charged from the start. Each sampled object is remembered with its label and time, which makes
// the samples a report of what lives long. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::memory {

// Names what this thread allocates while it lives; for reports. The text must outlive the allocations.
class SlabLabel {
 public:
  explicit SlabLabel(const char* text) : outer_(current) { current = text; }
  ~SlabLabel() { current = outer_; }
  SlabLabel(const SlabLabel&) = delete;
  SlabLabel& operator=(const SlabLabel&) = delete;
  static const char* now() { return current; }

 private:
  inline static constinit thread_local const char* current = "";
  const char* outer_;
};

struct SlabSample {
  char* at = nullptr;  // null: the place is free
  const char* label = "";
  std::size_t bytes = 0;
  std::uint64_t taken_ns = 0;
};

class SlabGuards {
 public:
  static constexpr std::size_t places_max = 64;
  static constexpr std::size_t object_bytes_max = PageProvider::page_bytes;

  static Result<Mapping> map(PageProvider& provider, Account account, std::size_t places);
  SlabGuards() = default;
  explicit SlabGuards(Mapping memory);  // of map(); an empty one: no places
  SlabGuards(SlabGuards&&) = delete;
  explicit operator bool() const { return places_ != 0; }

  char* take(std::size_t bytes, std::size_t alignment, std::uint64_t now_ns);  // null: too large, or no place is free
  bool owns(const char* at) const { return at >= memory_.data() && at < memory_.data() + memory_.bytes(); }
  void give(char* at, std::size_t bytes);
  std::uint64_t taken() const;  // ever
  // The objects that live.
  std::size_t list(std::array<SlabSample, places_max>& into) const;

 private:
  char* page_of(std::size_t place) const { return memory_.data() + (2 * place + 1) * PageProvider::page_bytes; }
  std::size_t place_of(const char* at) const;

  Mapping memory_;  // a page that cannot be touched before each place's page, and behind the last one
  std::size_t places_ = 0;
  mutable Mutex mutex_{LatchRank::memory};
  std::array<SlabSample, places_max> samples_ PLIMSOLL_GUARDED_BY(mutex_){};
  std::size_t next_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::memory
