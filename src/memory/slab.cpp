#include "memory/slab.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "memory/slab_heap.hpp"

namespace plimsoll::memory {
namespace {

constexpr std::size_t huge_page_bytes = PageProvider::huge_page_bytes;

// What to ask the pool for, so that the block is aligned: carved blocks are to their size, extents to 4 KiB or to 2 MiB.
std::size_t large_bytes(std::size_t bytes, std::size_t alignment) {
  PLIMSOLL_CHECK(std::has_single_bit(alignment) && alignment <= huge_page_bytes);
  bytes = std::max(bytes, alignment <= BlockPool::block_alignment ? bytes : alignment);
  if (bytes <= BlockPool::block_bytes_max || alignment <= BlockPool::block_alignment) return bytes;
  return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

std::ptrdiff_t offset_of(unsigned entry) {
  return static_cast<char*>(static_cast<void*>(&slab_entries[entry])) - static_cast<char*>(__builtin_thread_pointer());
}

unsigned class_of(std::size_t bytes, std::size_t alignment) {
  const bool fits = bytes <= SlabClasses::object_bytes_max && alignment <= SlabClasses::alignment_max;
  return fits ? SlabClasses::of(bytes, alignment) : SlabClasses::count;
}

}  // namespace

Result<SlabAllocator> SlabAllocator::make(BlockPool& pool, const SlabOptions& options) {
  PLIMSOLL_ASSIGN(SlabHeap * heap, SlabHeap::make(pool, options));
  return SlabAllocator(pool, *heap);
}

SlabAllocator::SlabAllocator(BlockPool& pool, SlabHeap& heap)
    : entry_offset_(offset_of(heap.entry())),
      mark_(heap.shared().mark),
      base_(reinterpret_cast<std::uintptr_t>(pool.base())),
      bytes_(pool.chunks() * pool.chunk_bytes()),
      pool_(&pool),
      heap_(&heap) {}

SlabAllocator::SlabAllocator(SlabAllocator&& other) noexcept
    : std::pmr::memory_resource(other), entry_offset_(offset_of(slab_entries_max)) {
  *this = std::move(other);
}

SlabAllocator& SlabAllocator::operator=(SlabAllocator&& other) noexcept {
  if (this == &other) return *this;
  close();
  entry_offset_ = std::exchange(other.entry_offset_, offset_of(slab_entries_max));
  mark_ = other.mark_;
  base_ = other.base_;
  bytes_ = other.bytes_;
  pool_ = other.pool_;
  heap_ = std::exchange(other.heap_, nullptr);
  return *this;
}

SlabAllocator::~SlabAllocator() { close(); }

void SlabAllocator::close() {
  if (heap_ != nullptr) std::exchange(heap_, nullptr)->close();
}

char* SlabAllocator::take_slow(unsigned index, std::size_t bytes, std::size_t alignment) {
  return heap_->take_slow(index, bytes, alignment);
}

void SlabAllocator::give_slow(unsigned index, char* at, std::size_t bytes) { heap_->give_slow(index, at, bytes); }

// What the table of classes does not hold: larger, or more aligned.
char* SlabAllocator::take_other(std::size_t bytes, std::size_t alignment) {
  const unsigned index = class_of(bytes, alignment);
  if (index != SlabClasses::count) return take_of(index, bytes, alignment);
  if (bytes > pool_->provider().budget().limit()) return nullptr;
  std::size_t got = 0;
  return pool_->take(large_bytes(bytes, alignment), got);
}

void SlabAllocator::give_other(char* at, std::size_t bytes, std::size_t alignment) {
  const unsigned index = class_of(bytes, alignment);
  if (index != SlabClasses::count) return give_of(index, at, bytes);
  pool_->give(at, BlockPool::block_bytes(large_bytes(bytes, alignment)));
}

void* SlabAllocator::do_allocate(std::size_t bytes, std::size_t alignment) {
  char* at = allocate(bytes, alignment);
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

void SlabAllocator::do_deallocate(void* at, std::size_t bytes, std::size_t alignment) {
  free(static_cast<char*>(at), bytes, alignment);
}

SlabAllocator::Prefill::~Prefill() {
  if (heap_ != nullptr) heap_->unpin();
}

SlabAllocator::Prefill SlabAllocator::prefill(std::size_t bytes, unsigned objects) {
  return Prefill(heap_->prefill(SlabClasses::of(bytes), objects) ? heap_ : nullptr);
}

void SlabAllocator::sample_next() { heap_->sample_next(); }
std::size_t SlabAllocator::trim(std::size_t bytes) { return heap_->trim(bytes); }

SlabAllocator::MovableClass SlabAllocator::make_movable(std::size_t bytes, SlabRelocate relocate, void* context) {
  return {.index = heap_->make_movable(bytes, relocate, context), .object_bytes = bytes};
}

bool SlabAllocator::is_free(const char* at) const { return heap_->is_free(at); }
std::size_t SlabAllocator::compact(std::size_t objects) { return heap_->compact(objects); }
SlabStatistics SlabAllocator::statistics() const { return heap_->statistics(); }

void SlabAllocator::report(void (*sink)(void* context, const SlabLeak& leak), void* context) const { heap_->report(sink, context); }

}  // namespace plimsoll::memory
