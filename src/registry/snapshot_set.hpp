// The admissible snapshots, as the collector and pruning writers see them: the live points, sorted, and the horizon, the smallest
// timestamp that any newcomer may get. A version visible in [from, until) is garbage if no point lies in it and until <= horizon
// (complete pruning: vDriver, SIGMOD 2020, theorem 3.5). A stale set is safe: points only end, and newcomers are at or above the
// horizon.
//
// Collected in a private buffer, and published by copying it into one of two others under a sequence number: readers notice when a
// publication overtook them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::registry {

class SnapshotSet {
 public:
  static Result<SnapshotSet> make(memory::PageProvider& provider, std::size_t points_max);

  // The publisher (one at a time): fill points() ascending without repeats, then publish.
  std::uint64_t* points() const { return buffer(2); }
  void publish(std::size_t count, Timestamp horizon, std::uint64_t oldest_writer);

  // False: some admissible snapshot may see the version that was visible in [from, until).
  bool garbage(std::uint64_t from, std::uint64_t until) const;
  // The smallest admissible snapshot: min(first point, horizon).
  std::uint64_t oldest() const { return oldest_->load(std::memory_order_seq_cst); }
  std::uint64_t horizon() const { return horizon_->load(std::memory_order_acquire); }
  // The smallest snapshot of a transaction that may write (or the horizon).
  std::uint64_t oldest_writer() const { return oldest_writer_->load(std::memory_order_seq_cst); }
  std::size_t size() const;

 private:
  std::uint64_t* buffer(std::uint64_t which) const { return memory_.as<std::uint64_t>() + which * capacity_; }
  memory::Mapping memory_;
  std::size_t capacity_ = 0;
  struct Shared {
    std::atomic<std::uint64_t> sequence{0}, count[2]{}, oldest{0}, oldest_writer{0}, horizon{0};
  };
  std::unique_ptr<Shared> shared_;
  std::atomic<std::uint64_t>*sequence_ = nullptr, *oldest_ = nullptr, *oldest_writer_ = nullptr, *horizon_ = nullptr;
};

}  // namespace plimsoll::registry
