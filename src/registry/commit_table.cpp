#include "registry/commit_table.hpp"

#include <bit>

#include "base/check.hpp"
#include "base/perturb.hpp"

namespace plimsoll::registry {

Result<CommitTable> CommitTable::make(memory::PageProvider& provider, std::size_t entries) {
  CommitTable table;
  const std::size_t buckets = std::bit_ceil((entries + ways - 1) / ways);
  auto memory = provider.map(memory::Account::registry, buckets * sizeof(Bucket));
  if (!memory) return std::unexpected(memory.error());
  table.memory_ = std::move(*memory);  // zeroed: id 0 is a free entry
  table.bucket_mask_ = buckets - 1;
  table.size_ = std::make_unique<std::atomic<std::size_t>>(0);
  table.mutex_ = std::make_unique<Mutex>(LatchRank::slot);
  return table;
}

CommitTable::Bucket& CommitTable::bucket_of(TxnId id) const {
  const std::uint64_t hash = id.value * 0x9E3779B97F4A7C15ull;
  return memory_.as<Bucket>()[(hash >> 32) & bucket_mask_];
}

bool CommitTable::insert(TxnId id, Timestamp timestamp) {
  PLIMSOLL_CHECK(id && timestamp);
  MutexLock lock(*mutex_);
  Bucket& bucket = bucket_to_change(id);
  for (std::size_t i = 0; i < ways; ++i) {
    if (bucket.id[i].load(std::memory_order_relaxed) != 0) continue;
    bucket.timestamp[i].store(timestamp.value, std::memory_order_relaxed);
    bucket.id[i].store(id.value, std::memory_order_release);
    size_->fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

std::optional<Timestamp> CommitTable::find(TxnId id) const {
  const Bucket& bucket = bucket_of(id);
  for (std::size_t i = 0; i < ways; ++i) {
    if (bucket.id[i].load(std::memory_order_acquire) != id.value) continue;
    perturb(Window::resampled);
    const std::uint64_t timestamp = bucket.timestamp[i].load(std::memory_order_acquire);
    if (bucket.id[i].load(std::memory_order_relaxed) == id.value) return Timestamp{timestamp};
  }
  return std::nullopt;
}

void CommitTable::evict(Timestamp horizon) {
  if (size() == 0) return;
  MutexLock lock(*mutex_);
  Bucket* buckets = buckets_to_change();
  for (std::size_t b = 0; b <= bucket_mask_; ++b) {
    for (std::size_t i = 0; i < ways; ++i) {
      auto& id = buckets[b].id[i];
      if (id.load(std::memory_order_relaxed) == 0 || buckets[b].timestamp[i].load(std::memory_order_relaxed) > horizon.value)
        continue;
      id.store(0, std::memory_order_release);
      size_->fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace plimsoll::registry
