#include "base/metrics.hpp"

namespace plimsoll {

std::uint64_t Metrics::sum(Counter counter) const {
  const auto index = static_cast<std::size_t>(counter);
  std::uint64_t total = 0;
  for (const Shard& shard : shard_) total += shard.value[index].load(std::memory_order_relaxed);
  return total - base_[index].load(std::memory_order_relaxed);
}

void Metrics::reset() {
  for (std::size_t i = 0; i < counters; ++i) {
    std::uint64_t total = 0;
    for (const Shard& shard : shard_) total += shard.value[i].load(std::memory_order_relaxed);
    base_[i].store(total, std::memory_order_relaxed);
  }
}

}  // namespace plimsoll
