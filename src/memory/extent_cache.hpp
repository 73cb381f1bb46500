// Large objects: memory mapped for one owner, above what the block pool carves, and a bounded cache of such extents that were given
// back and are used again as they are, still resident (a fresh 16 MiB extent costs a hundred times what a cached one does). Sizes
// that are multiples of 2 MiB, or lose less than an eighth when rounded up to one, are aligned to 2 MiB and get huge pages.
//
// Owns the cached extents; they stay charged until trim(), the destructor, or a newer extent pushes them out. Thread-safe.
// take() may ask reclaimers, so it is called without latches; give() and trim() may be called anywhere.
//
// Invariants: cached bytes <= cached_bytes_max; every extent has its Mapping in the page before it, so that give() finds it and
// notices a wrong size or a wrong address.
#pragma once

#include <array>
#include <cstddef>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::memory {

struct ExtentOptions {
  std::size_t cached_bytes_max = 0;
  bool prefault = true;             // false: resident when it is touched, charged all the same
  bool guard = false;               // an overrun of an extent is a fault, up to the rounding of its size
  bool exclude_from_dumps = false;  // core dumps leave extents out
};

class ExtentCache {
 public:
  ExtentCache(PageProvider& provider, Account account, const ExtentOptions& options)
      : provider_(provider), account_(account), options_(options) {}
  ExtentCache(const ExtentCache&) = delete;
  ExtentCache& operator=(const ExtentCache&) = delete;
  ~ExtentCache() { trim(~std::size_t{0}); }

  // extent_bytes(bytes) bytes, aligned to 4 KiB or 2 MiB, not zeroed. Null: no budget.
  char* take(std::size_t bytes, std::size_t& got);
  void give(char* extent, std::size_t got);
  static std::size_t extent_bytes(std::size_t bytes);

  std::size_t trim(
      std::size_t bytes);  // gives up cached extents, oldest first, until `bytes` are discharged; answers how many were
  std::size_t cached_bytes() const;

 private:
  static constexpr std::size_t places = 32;
  struct Header;
  static Header* header_of(char* extent);
  char* take_cached(std::size_t bytes);
  void keep(Header* header) PLIMSOLL_REQUIRES(mutex_);
  Header* remove(std::size_t place) PLIMSOLL_REQUIRES(mutex_);
  static std::size_t unmap(Header* header);

  PageProvider& provider_;
  Account account_;
  ExtentOptions options_;
  mutable Mutex mutex_{LatchRank::memory};
  std::array<Header*, places> cached_ PLIMSOLL_GUARDED_BY(mutex_){};  // oldest first
  std::size_t count_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  std::size_t cached_bytes_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::memory
