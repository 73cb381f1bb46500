#include "memory/context_set.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"

namespace plimsoll::memory {

ContextSet::ContextSet(BlockSource& pool, PressureManager& pressure, TimeSource& time)
    : pool_(pool), time_(time), registration_(pressure, Rung::contexts, Account::contexts, *this) {}

ContextSet::~ContextSet() {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(first_ == nullptr);
}

void ContextSet::add(Context& root) {
  root.since_ns_.store(time_.coarse_ns(), std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  root.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &root;
  first_ = &root;
}

void ContextSet::remove(Context& root) {
  const MutexLock lock(mutex_);
  (root.previous_ == nullptr ? first_ : root.previous_->next_) = root.next_;
  if (root.next_ != nullptr) root.next_->previous_ = root.previous_;
  root.next_ = root.previous_ = nullptr;
}

// The pool is called without the mutex: it has one of the same rank.
std::size_t ContextSet::trim() {
  Context::Block* taken = nullptr;
  {
    const MutexLock lock(mutex_);
    for (Context* root = first_; root != nullptr; root = root->next_) {
      Context::Block* const keeper = root->unpark();
      if (keeper == nullptr) continue;
      keeper->older = taken;
      taken = keeper;
    }
  }
  std::size_t bytes = 0;
  while (taken != nullptr) {
    Context::Block* const block = taken;
    taken = block->older;
    bytes += block->bytes;
    Context::give_to(pool_, block);
  }
  return bytes;
}

// What their blocks come to is discharged when a whole chunk is free.
std::size_t ContextSet::reclaim(std::size_t bytes) {
  trim();
  return pool_.trim(bytes);
}

std::vector<ContextInfo> ContextSet::list() const {
  constexpr std::uint64_t ns_per_ms = 1'000'000;
  std::vector<ContextInfo> all;
  const std::uint64_t now = time_.monotonic_ns();
  const MutexLock lock(mutex_);
  for (const Context* root = first_; root != nullptr; root = root->next_) {
    ContextInfo info;
    info.label = root->label_;
    info.owner = TxnId{root->owner_.load(std::memory_order_relaxed)};
    info.bytes = root->subtree_bytes();
    info.live_bytes = std::min<std::uint64_t>(root->live_bytes(), root->bytes());
    info.peak_bytes = std::max<std::uint64_t>(root->peak_.load(std::memory_order_relaxed), info.bytes);
    info.children = root->descendants();
    const std::uint64_t since = root->since_ns_.load(std::memory_order_relaxed);
    info.resting = root->resting_.load(std::memory_order_relaxed);
    if (info.resting && root->parked_.load(std::memory_order_relaxed) == nullptr) info.bytes = 0;  // trimmed; it does not know yet
    if (since != 0 && since < now) info.age_ms = (now - since) / ns_per_ms;
    if (!info.resting || info.bytes != 0) all.push_back(std::move(info));
  }
  return all;
}

}  // namespace plimsoll::memory
