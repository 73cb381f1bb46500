#include "registry/snapshot_set.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/perturb.hpp"

namespace plimsoll::registry {

Result<SnapshotSet> SnapshotSet::make(memory::PageProvider& provider, std::size_t points_max) {
  SnapshotSet set;
  auto memory = provider.map(memory::Account::registry, 3 * points_max * sizeof(std::uint64_t));
  if (!memory) return std::unexpected(memory.error());
  set.memory_ = std::move(*memory);
  set.capacity_ = points_max;
  set.shared_ = std::make_unique<Shared>();
  set.sequence_ = &set.shared_->sequence;
  set.oldest_ = &set.shared_->oldest;
  set.oldest_writer_ = &set.shared_->oldest_writer;
  set.horizon_ = &set.shared_->horizon;
  return set;
}

// The sequence is even while the buffer of sequence / 2 is the current one; it is odd for the moment of the switch.
void SnapshotSet::publish(std::size_t count, Timestamp horizon, std::uint64_t oldest_writer) {
  PLIMSOLL_CHECK(count <= capacity_);
  const std::uint64_t sequence = sequence_->load(std::memory_order_relaxed);
  const std::uint64_t next = (sequence / 2 + 1) % 2;
  const std::uint64_t* sorted = points();
  PLIMSOLL_DCHECK(std::is_sorted(sorted, sorted + count));
  // Released: a reader who was overtaken twice and sees one of these also sees that the sequence has moved on.
  for (std::size_t i = 0; i < count; ++i) std::atomic_ref(buffer(next)[i]).store(sorted[i], std::memory_order_release);
  shared_->count[next].store(count, std::memory_order_relaxed);
  sequence_->store(sequence + 1, std::memory_order_seq_cst);
  horizon_->store(horizon.value, std::memory_order_seq_cst);
  oldest_writer_->store(std::min(oldest_writer, horizon.value), std::memory_order_seq_cst);
  oldest_->store(count == 0 ? horizon.value : std::min(sorted[0], horizon.value), std::memory_order_seq_cst);
  sequence_->store(sequence + 2, std::memory_order_seq_cst);
}

bool SnapshotSet::garbage(std::uint64_t from, std::uint64_t until) const {
  const std::uint64_t sequence = sequence_->load(std::memory_order_acquire);
  if ((sequence & 1) != 0 || until > horizon()) return false;
  const std::uint64_t which = sequence / 2 % 2;
  const std::uint64_t* points = buffer(which);
  std::size_t low = 0, high = shared_->count[which].load(std::memory_order_relaxed);
  while (low < high) {  // the first point >= from
    const std::size_t middle = (low + high) / 2;
    if (std::atomic_ref(const_cast<std::uint64_t&>(points[middle])).load(std::memory_order_relaxed) < from) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  perturb(Window::resampled);
  const std::size_t count = shared_->count[which].load(std::memory_order_relaxed);
  const bool seen = low < count && std::atomic_ref(const_cast<std::uint64_t&>(points[low])).load(std::memory_order_relaxed) < until;
  std::atomic_thread_fence(std::memory_order_acquire);
  return !seen && sequence_->load(std::memory_order_relaxed) == sequence;
}

std::size_t SnapshotSet::size() const {
  const std::uint64_t which = sequence_->load(std::memory_order_acquire) / 2 % 2;
  return shared_->count[which].load(std::memory_order_relaxed);
}

}  // namespace plimsoll::registry
