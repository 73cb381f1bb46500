#include "memory/block_pool.hpp"

#include <algorithm>
#include <array>
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
#include "memory/pressure.hpp"

namespace plimsoll::memory {
namespace {

constinit thread_local std::size_t returned = 0;

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

  char* try_take_carved(unsigned order);
  char* take_carved(unsigned order);
  void give_carved(char* block, unsigned order);
  std::size_t reclaim(std::size_t bytes) override;
  std::size_t reclaimable() const override { return spare_count.load(std::memory_order_relaxed) * arena.chunk_bytes(); }
  std::string_view obstacle() const override { return "every chunk has blocks in use"; }

  char* take_from_lists(unsigned order) PLIMSOLL_REQUIRES(mutex);
  std::size_t retire_if_empty(std::size_t chunk) PLIMSOLL_REQUIRES(mutex);
  void drop_spare(std::size_t chunk) PLIMSOLL_REQUIRES(mutex);
  std::size_t retire_spare();
  enum class Keep : std::uint8_t { floor, nothing };
  std::size_t give_spares(std::size_t bytes, Keep keep);
  std::size_t give(std::size_t bytes, Keep keep);
  bool below_floor() const;
  void push_idle(std::size_t chunk) PLIMSOLL_REQUIRES(mutex);
  void give_back(std::size_t chunk);

  PageProvider& provider;
  ExtentCache extents;
  Mapping self{};  // holds this object
  std::atomic<std::size_t> live{0};
  mutable Mutex mutex{LatchRank::memory};
  ChunkArena arena;
  Buddy buddy PLIMSOLL_GUARDED_BY(mutex);
  Mapping idle PLIMSOLL_GUARDED_BY(mutex);  // a stack of chunk numbers
  std::size_t idle_chunks PLIMSOLL_GUARDED_BY(mutex) = 0;
  // Empty chunks in use: as many as lie below the account's floor, where nobody else may have the memory, and one more.
  std::array<std::size_t, 16> spares PLIMSOLL_GUARDED_BY(mutex){};
  std::atomic<std::size_t> spare_count{0};  // changed with the mutex held
};

void BlockPool::Impl::push_idle(std::size_t chunk) {
  PLIMSOLL_CHECK(idle_chunks < arena.chunks());
  idle.as<std::uint32_t>()[idle_chunks++] = static_cast<std::uint32_t>(chunk);
}

char* BlockPool::Impl::take_from_lists(unsigned order) {
  char* block = buddy.take(order);
  if (block != nullptr) drop_spare(buddy.chunk_of(block));
  return block;
}

bool BlockPool::Impl::below_floor() const {
  return provider.budget().used(Account::contexts) <= provider.budget().floor(Account::contexts);
}

void BlockPool::Impl::drop_spare(std::size_t chunk) {
  const auto end = spares.begin() + spare_count, at = std::find(spares.begin(), end, chunk);
  if (at == end) return;
  *at = *(end - 1);
  --spare_count;
}

// Keeps an empty chunk as a spare; one too many leaves the lists and is the caller's to give back. Answers it, or `none`.
std::size_t BlockPool::Impl::retire_if_empty(std::size_t chunk) {
  const auto end = spares.begin() + spare_count;
  if (!buddy.empty(chunk) || std::find(spares.begin(), end, chunk) != end) return none;
  if (!buddy.withheld(chunk) && (spare_count == 0 || (spare_count < spares.size() && below_floor()))) {
    spares[spare_count++] = chunk;
    buddy.use_chunk_last(chunk);
    return none;
  }
  buddy.remove_chunk(chunk);
  return chunk;
}

// A spare chunk that has left the lists, for the caller to give back, or `none`.
std::size_t BlockPool::Impl::retire_spare() {
  const MutexLock lock(mutex);
  if (spare_count == 0) return none;
  const std::size_t chunk = spares[--spare_count];
  buddy.remove_chunk(chunk);
  return chunk;
}

void BlockPool::Impl::give_back(std::size_t chunk) {
  if (chunk == none) return;
  arena.decommit(chunk);
  returned += arena.chunk_bytes();
  const MutexLock lock(mutex);
  push_idle(chunk);
}

char* BlockPool::Impl::try_take_carved(unsigned order) {
  std::size_t chunk = none;
  {
    const MutexLock lock(mutex);
    if (char* block = take_from_lists(order)) return block;
    if (idle_chunks == 0) return nullptr;
    chunk = idle.as<std::uint32_t>()[--idle_chunks];
  }
  const bool committed = arena.try_commit(chunk);
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

// Blocks that others give back meanwhile serve as well as a new chunk.
char* BlockPool::Impl::take_carved(unsigned order) {
  PressureManager::check_may_wait();
  struct Take final : Attempt {
    Take(Impl& of, unsigned size) : pool(of), order(size) {}
    bool succeeds() override { return (block = pool.try_take_carved(order)) != nullptr; }
    Impl& pool;
    unsigned order;
    char* block = nullptr;
  } take(*this, order);
  if (!take.succeeds()) provider.budget().pressure().make_room(take, Account::contexts, arena.chunk_bytes());
  return take.block;
}

void BlockPool::Impl::give_carved(char* block, unsigned order) {
  std::size_t retired = none;
  {
    const MutexLock lock(mutex);
    buddy.give(block, order);
    retired = retire_if_empty(buddy.chunk_of(block));
  }
  give_back(retired);
  provider.budget().pressure().freed(Buddy::unit_bytes << order);
}

std::size_t BlockPool::Impl::give_spares(std::size_t bytes, Keep keep) {
  std::size_t given = 0;
  while (given < bytes && !(keep == Keep::floor && below_floor())) {
    const std::size_t chunk = retire_spare();
    if (chunk == none) break;
    give_back(chunk);
    given += arena.chunk_bytes();
  }
  return given;
}

std::size_t BlockPool::Impl::give(std::size_t bytes, Keep keep) {
  const std::size_t of_extents = extents.trim(bytes);
  returned += of_extents;
  return of_extents >= bytes ? of_extents : of_extents + give_spares(bytes - of_extents, keep);
}

// What lies below the floor would be of no use to others.
std::size_t BlockPool::Impl::reclaim(std::size_t bytes) { return give(bytes, Keep::floor); }

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
  provider.budget().pressure().add(Rung::caches, account, *impl);
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
  impl_->provider.budget().pressure().remove(*impl_);
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

char* BlockPool::take(std::size_t bytes, std::size_t& got, Site site) {
  if (refused(site)) return nullptr;
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
PressureManager& BlockPool::pressure() const { return impl_->provider.budget().pressure(); }
std::size_t BlockPool::returned_bytes() { return returned; }

std::size_t BlockPool::trim(std::size_t bytes) {
  return impl_->give(bytes, bytes == std::numeric_limits<std::size_t>::max() ? Impl::Keep::nothing : Impl::Keep::floor);
}

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
