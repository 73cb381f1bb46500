#include "memory/block_pool.hpp"

#include <atomic>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/latch.hpp"
#include "memory/buddy.hpp"
#include "memory/poison.hpp"

namespace plimsoll::memory {
namespace {

static_assert(BlockPool::block_bytes_max == Buddy::block_bytes_max && BlockPool::block_bytes_min == Buddy::unit_bytes);

}  // namespace

// Lives in a mapping of its own. A chunk is idle (no memory; its number is in idle_), in use (its blocks are in the buddy lists),
// or on its way between the two, which happens without the mutex because committing may ask reclaimers, this pool among them.
struct BlockPool::Impl final : public Reclaimer {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  Impl(PageProvider& page_provider, const ExtentOptions& extent_options, ChunkArena chunk_arena, Mapping table, Mapping free_units,
       Mapping idle_stack)
      : provider(page_provider),
        extents(page_provider, Account::contexts, extent_options),
        arena(std::move(chunk_arena)),
        buddy(arena.chunk(0), arena.chunk_bytes(), arena.chunks(), std::move(table), std::move(free_units)),
        idle(std::move(idle_stack)) {
    for (std::size_t chunk = arena.chunks(); chunk-- > 0;) push_idle(chunk);
  }

  char* take_carved(unsigned order);
  void give_carved(char* block, unsigned order);
  std::size_t reclaim(std::size_t bytes) override;

  char* take_from_lists(unsigned order) PLIMSOLL_REQUIRES(mutex);
  std::size_t retire_if_empty(std::size_t chunk) PLIMSOLL_REQUIRES(mutex);
  void push_idle(std::size_t chunk) PLIMSOLL_REQUIRES(mutex);
  void give_back(std::size_t chunk);

  PageProvider& provider;
  ExtentCache extents;
  Mapping self{};  // holds this object
  std::atomic<std::size_t> live{0}, returned{0};
  mutable Mutex mutex{LatchRank::memory};
  ChunkArena arena;
  Buddy buddy PLIMSOLL_GUARDED_BY(mutex);
  Mapping idle PLIMSOLL_GUARDED_BY(mutex);  // a stack of chunk numbers
  std::size_t idle_chunks PLIMSOLL_GUARDED_BY(mutex) = 0;
  std::size_t spare PLIMSOLL_GUARDED_BY(mutex) = none;  // the one empty chunk in use
};

void BlockPool::Impl::push_idle(std::size_t chunk) {
  PLIMSOLL_CHECK(idle_chunks < arena.chunks());
  idle.as<std::uint32_t>()[idle_chunks++] = static_cast<std::uint32_t>(chunk);
}

char* BlockPool::Impl::take_from_lists(unsigned order) {
  char* block = buddy.take(order);
  if (block != nullptr && buddy.chunk_of(block) == spare) spare = none;
  return block;
}

// Keeps an empty chunk as the spare; a second one leaves the lists and is the caller's to give back. Answers it, or `none`.
std::size_t BlockPool::Impl::retire_if_empty(std::size_t chunk) {
  if (!buddy.empty(chunk) || chunk == spare) return none;
  if (spare == none && !buddy.withheld(chunk)) {
    spare = chunk;
    buddy.use_chunk_last(chunk);
    return none;
  }
  buddy.remove_chunk(chunk);
  return chunk;
}

void BlockPool::Impl::give_back(std::size_t chunk) {
  if (chunk == none) return;
  arena.decommit(chunk);
  returned.fetch_add(arena.chunk_bytes(), std::memory_order_relaxed);
  const MutexLock lock(mutex);
  push_idle(chunk);
}

char* BlockPool::Impl::take_carved(unsigned order) {
  std::size_t chunk = none;
  {
    const MutexLock lock(mutex);
    if (char* block = take_from_lists(order)) return block;
    if (idle_chunks == 0) return nullptr;
    chunk = idle.as<std::uint32_t>()[--idle_chunks];
  }
  const bool committed = arena.commit(chunk).has_value();
  std::size_t retired = none;
  char* block = nullptr;
  {
    const MutexLock lock(mutex);
    if (committed) {
      buddy.add_chunk(chunk);
    } else {
      push_idle(chunk);
    }
    block = take_from_lists(order);  // also if there was no budget: others may have given blocks back meanwhile
    if (committed) retired = retire_if_empty(chunk);
  }
  give_back(retired);
  return block;
}

void BlockPool::Impl::give_carved(char* block, unsigned order) {
  std::size_t retired = none;
  {
    const MutexLock lock(mutex);
    buddy.give(block, order);
    retired = retire_if_empty(buddy.chunk_of(block));
  }
  give_back(retired);
}

std::size_t BlockPool::Impl::reclaim(std::size_t bytes) {
  const std::size_t of_extents = extents.trim(bytes);
  returned.fetch_add(of_extents, std::memory_order_relaxed);
  if (of_extents >= bytes) return of_extents;
  std::size_t chunk = none;
  {
    const MutexLock lock(mutex);
    if (spare == none) return of_extents;
    chunk = std::exchange(spare, none);
    buddy.remove_chunk(chunk);
  }
  give_back(chunk);
  return of_extents + arena.chunk_bytes();
}

Result<BlockPool> BlockPool::make(PageProvider& provider) {
  return make(provider, {.cached_bytes_max = provider.budget().limit() / 20});
}

Result<BlockPool> BlockPool::make(PageProvider& provider, const ExtentOptions& extents) {
  constexpr Account account = Account::contexts;
  const std::size_t chunk_bytes = provider.chunk_bytes();
  const std::size_t chunks = provider.budget().limit() / chunk_bytes;
  PLIMSOLL_CHECK(chunks <= std::numeric_limits<std::uint32_t>::max());
  PLIMSOLL_ASSIGN(Mapping self, provider.map(account, sizeof(Impl)));
  PLIMSOLL_ASSIGN(Mapping table, provider.map(account, chunks * (chunk_bytes / Buddy::unit_bytes)));
  PLIMSOLL_ASSIGN(Mapping free_units, provider.map(account, chunks * sizeof(std::uint16_t)));
  PLIMSOLL_ASSIGN(Mapping idle, provider.map(account, chunks * sizeof(std::uint32_t)));
  PLIMSOLL_ASSIGN(ChunkArena arena, provider.reserve(account, chunk_bytes, chunks));
  Impl* impl =
      new (self.data()) Impl(provider, extents, std::move(arena), std::move(table), std::move(free_units), std::move(idle));
  impl->self = std::move(self);
  provider.budget().add_reclaimer(*impl);
  return BlockPool(impl);
}

BlockPool::BlockPool(BlockPool&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}

BlockPool& BlockPool::operator=(BlockPool&& other) noexcept {
  if (this == &other) return *this;
  close();
  impl_ = std::exchange(other.impl_, nullptr);
  return *this;
}

BlockPool::~BlockPool() { close(); }

void BlockPool::close() {
  if (impl_ == nullptr) return;
  PLIMSOLL_CHECK(live_bytes() == 0);
  impl_->provider.budget().remove_reclaimer(*impl_);
  trim();
  PLIMSOLL_CHECK(impl_->arena.committed_chunks() == 0);
  const Mapping self = std::move(impl_->self);  // unmapped last
  impl_->~Impl();
  impl_ = nullptr;
}

std::size_t BlockPool::block_bytes(std::size_t bytes) {
  PLIMSOLL_DCHECK(bytes < std::numeric_limits<std::size_t>::max() / 2);
  return bytes <= block_bytes_max ? Buddy::bytes_of(Buddy::order_of(bytes)) : ExtentCache::extent_bytes(bytes);
}

char* BlockPool::take(std::size_t bytes, std::size_t& got) {
  char* block = nullptr;
  if (bytes <= block_bytes_max) {
    got = block_bytes(bytes);
    block = impl_->take_carved(Buddy::order_of(bytes));
  } else {
    block = impl_->extents.take(bytes, got);
  }
  if (block != nullptr) impl_->live.fetch_add(got, std::memory_order_relaxed);
  return block;
}

char* BlockPool::take_resident(std::size_t bytes, std::size_t& got) {
  got = block_bytes(bytes);
  char* block = nullptr;
  {
    const MutexLock lock(impl_->mutex);
    block = impl_->take_from_lists(Buddy::order_of(bytes));
  }
  if (block != nullptr) impl_->live.fetch_add(got, std::memory_order_relaxed);
  return block;
}

void BlockPool::give(char* block, std::size_t got) {
  PLIMSOLL_CHECK(block != nullptr);
  [[maybe_unused]] const std::size_t live = impl_->live.fetch_sub(got, std::memory_order_relaxed);
  PLIMSOLL_DCHECK(got <= live);
  if (got > block_bytes_max) return impl_->extents.give(block, got);
  PLIMSOLL_CHECK(got == block_bytes(got));
  impl_->give_carved(block, Buddy::order_of(got));
}

std::size_t BlockPool::live_bytes() const { return impl_->live.load(std::memory_order_relaxed); }
std::size_t BlockPool::returned_bytes() const { return impl_->returned.load(std::memory_order_relaxed); }
std::size_t BlockPool::trim(std::size_t bytes) { return impl_->reclaim(bytes); }
PageProvider& BlockPool::provider() const { return impl_->provider; }
char* BlockPool::base() const { return impl_->arena.chunk(0); }
std::size_t BlockPool::chunks() const { return impl_->arena.chunks(); }
std::size_t BlockPool::chunk_bytes() const { return impl_->arena.chunk_bytes(); }

std::size_t BlockPool::free_bytes(std::size_t chunk) const {
  const MutexLock lock(impl_->mutex);
  return impl_->buddy.free_bytes(chunk);
}

bool BlockPool::withhold(std::size_t chunk) {
  const MutexLock lock(impl_->mutex);
  if (!impl_->buddy.in_use(chunk) || impl_->buddy.empty(chunk)) return false;
  impl_->buddy.withhold(chunk);
  return true;
}

void BlockPool::restore(std::size_t chunk) {
  const MutexLock lock(impl_->mutex);
  impl_->buddy.restore(chunk);
}

}  // namespace plimsoll::memory
