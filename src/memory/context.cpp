#include "memory/context.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <new>

#include "base/check.hpp"
#include "memory/poison.hpp"
#include "memory/pressure.hpp"

namespace plimsoll::memory {

// Stands at the begin of each block.
struct Context::Block {
  Block* older;  // next of its list
  Block* newer;
  std::size_t bytes;  // of the block, header included
  std::size_t live;   // allocated in it less freed
  char* cursor;       // of shared blocks: where the free bytes begin

  char* begin() { return static_cast<char*>(static_cast<void*>(this)); }
  char* end() { return begin() + bytes; }
  bool holds(const char* at) { return at >= begin() && at < end(); }
};

namespace {

constexpr std::size_t header_bytes = 64;
constexpr std::size_t alignment_max = 64;
constexpr std::size_t granule = 8;
constexpr std::size_t request_max = std::numeric_limits<std::size_t>::max() / 4;

std::size_t size_of(std::size_t bytes) { return (std::max<std::size_t>(bytes, 1) + granule - 1) & ~(granule - 1); }

// Blocks begin at multiples of 4 KiB, so an allocation with a block of its own lies at 64 above one. Shared blocks never hand out
// such an address: by it free() tells the two apart.
bool is_place_of_own(std::uintptr_t address) { return address % BlockPool::block_alignment == header_bytes; }

}  // namespace

Context::~Context() { release(); }

char* Context::bump(Block& block, std::size_t size, std::size_t alignment) {
  const auto cursor = reinterpret_cast<std::uintptr_t>(block.cursor);
  std::uintptr_t address = (cursor + alignment - 1) & ~(alignment - 1);
  if (is_place_of_own(address)) address += alignment;
  const std::size_t skip = address - cursor;
  const auto room = static_cast<std::size_t>(block.end() - block.cursor);
  if (skip > room || size > room - skip) return nullptr;
  char* at = block.cursor + skip;
  block.cursor = at + size;
  block.live += size;
  return at;
}

char* Context::allocate(std::size_t bytes, std::size_t alignment) {
  PLIMSOLL_CHECK(std::has_single_bit(alignment) && alignment <= alignment_max);
  if (bytes > request_max) return nullptr;
  const std::size_t size = size_of(bytes);
  alignment = std::max(alignment, granule);
  char* at = newest_ != nullptr ? bump(*newest_, size, alignment) : nullptr;
  if (at == nullptr) at = allocate_from_pool(size, alignment);
  if (at == nullptr) return nullptr;
  live_ += size;
  PLIMSOLL_DCHECK(live_ <= block_bytes_);
  unpoison(at, bytes);
  return at;
}

// Twice the newest one, but not above what the cap leaves.
std::size_t Context::next_block_bytes() const {
  std::size_t next = newest_ == nullptr ? BlockPool::block_bytes_min : std::min(newest_->bytes * 2, BlockPool::block_bytes_max);
  if (cap_ == 0) return next;
  while (next > BlockPool::block_bytes_min && block_bytes_ + next > cap_) next /= 2;
  return next;
}

char* Context::allocate_from_pool(std::size_t size, std::size_t alignment) {
  const std::size_t next = next_block_bytes();
  if (size + alignment <= next / 2) {
    if (Block* block = add_block(next)) {
      block->older = newest_;
      if (newest_ != nullptr) newest_->newer = block;
      newest_ = block;
      char* at = bump(*block, size, alignment);
      PLIMSOLL_CHECK(at != nullptr);
      return at;
    }
  }
  Block* block = add_block(size + header_bytes);  // also when there is no room for a shared block, but perhaps for a smaller one
  if (block == nullptr) return nullptr;
  block->live = size;
  block->older = own_;
  if (own_ != nullptr) own_->newer = block;
  own_ = block;
  return block->begin() + header_bytes;
}

Context::Block* Context::add_block(std::size_t bytes) {
  static_assert(sizeof(Block) <= header_bytes && header_bytes % alignment_max == 0);
  if (cap_ != 0) {
    const std::size_t expected = BlockPool::block_bytes(bytes);
    if (expected > cap_ || block_bytes_ > cap_ - expected) return nullptr;
  }
  if (!pool_.pressure().admit_large(block_bytes_, bytes)) return nullptr;
  std::size_t got = 0;
  char* start = pool_.take(bytes, got);
  if (start == nullptr) return nullptr;
  PLIMSOLL_CHECK(got >= bytes && reinterpret_cast<std::uintptr_t>(start) % BlockPool::block_alignment == 0);
  block_bytes_ += got;
  poison(start + header_bytes, got - header_bytes);
  return new (start) Block{.older = nullptr, .newer = nullptr, .bytes = got, .live = 0, .cursor = start + header_bytes};
}

void Context::give_block(Block* block) {
  PLIMSOLL_CHECK(block->bytes <= block_bytes_);
  block_bytes_ -= block->bytes;
  unpoison(block, block->bytes);
  pool_.give(block->begin(), block->bytes);
}

Context::Block* Context::block_of_own(char* at) {
  return is_place_of_own(reinterpret_cast<std::uintptr_t>(at)) ? static_cast<Block*>(static_cast<void*>(at - header_bytes))
                                                               : nullptr;
}

void Context::free(char* at, std::size_t bytes) {
  if (at == nullptr) return;
  const std::size_t size = size_of(bytes);
  PLIMSOLL_CHECK(size <= live_);
  live_ -= size;
  if (Block* block = block_of_own(at)) {
    PLIMSOLL_CHECK(block->live == size);
    if (block->older != nullptr) block->older->newer = block->newer;
    (block->newer != nullptr ? block->newer->older : own_) = block->older;
    give_block(block);
  } else {
    poison(at, size);
    free_shared(at, size);
  }
  if (live_ == 0) reset();
}

// What is freed in another order than the reverse must not pile up behind something that lives long: a block in which nothing is
// left is used again, or goes back. Frees come in runs, mostly: the block of the last one is looked at first.
void Context::free_shared(char* at, std::size_t size) {
  Block* block = freed_in_ != nullptr && freed_in_->holds(at) ? freed_in_ : newest_;
  while (block != nullptr && !block->holds(at)) block = block->older;
  PLIMSOLL_CHECK(block != nullptr && size <= block->live);
  freed_in_ = block;
  block->live -= size;
  if (at + size == block->cursor) block->cursor = at;
  if (block->live != 0) return;
  block->cursor = block->begin() + header_bytes;
  if (block == newest_ || block->older == nullptr) return;  // the first one stays, as after a reset
  block->older->newer = block->newer;
  block->newer->older = block->older;
  freed_in_ = nullptr;
  give_block(block);
}

void Context::reset() {
  while (own_ != nullptr) {
    Block* block = own_;
    own_ = block->older;
    give_block(block);
  }
  while (newest_ != nullptr && newest_->older != nullptr) {
    Block* block = newest_;
    newest_ = block->older;
    give_block(block);
  }
  live_ = 0;
  freed_in_ = nullptr;
  if (newest_ == nullptr) return;
  newest_->newer = nullptr;
  newest_->live = 0;
  newest_->cursor = newest_->begin() + header_bytes;
  poison(newest_->cursor, newest_->bytes - header_bytes);
}

void Context::release() {
  reset();
  if (newest_ != nullptr) give_block(newest_);
  newest_ = nullptr;
  PLIMSOLL_CHECK(block_bytes_ == 0);
}

void* Context::do_allocate(std::size_t bytes, std::size_t alignment) {
  void* at = allocate(bytes, alignment);
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

void Context::do_deallocate(void* at, std::size_t bytes, std::size_t) { free(static_cast<char*>(at), bytes); }

}  // namespace plimsoll::memory
