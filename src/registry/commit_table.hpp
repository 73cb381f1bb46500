// id -> commit timestamp of ended transactions whose records may still carry their mark (D5). Of fixed size, eight entries a
// bucket. An entry goes when its timestamp is at or below every admissible snapshot: from then on "not found" means "committed
// before every snapshot". Lookups are lock-free; insert and evict take the latch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::registry {

class CommitTable {
 public:
  // `entries` is rounded up to a power of two.
  static Result<CommitTable> make(memory::PageProvider& provider, std::size_t entries);

  // False: the bucket is full of entries that are still needed.
  bool insert(TxnId id, Timestamp timestamp);
  std::optional<Timestamp> find(TxnId id) const;
  // Drops entries with timestamp <= `horizon`: below or at every admissible snapshot.
  void evict(Timestamp horizon);
  std::size_t size() const { return size_->load(std::memory_order_relaxed); }
  std::size_t capacity() const { return (bucket_mask_ + 1) * ways; }

 private:
  static constexpr std::size_t ways = 8;
  struct Bucket {
    std::atomic<std::uint64_t> id[ways];
    std::atomic<std::uint64_t> timestamp[ways];
  };
  Bucket& bucket_of(TxnId id) const;
  Bucket& bucket_to_change(TxnId id) PLIMSOLL_REQUIRES(*mutex_) { return bucket_of(id); }
  Bucket* buckets_to_change() PLIMSOLL_REQUIRES(*mutex_) { return memory_.as<Bucket>(); }
  memory::Mapping memory_;
  std::size_t bucket_mask_ = 0;
  std::unique_ptr<std::atomic<std::size_t>> size_;
  std::unique_ptr<Mutex> mutex_;
};

}  // namespace plimsoll::registry
