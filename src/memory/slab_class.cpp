#include "memory/slab_class.hpp"

#include <new>
#include <utility>

#include "base/check.hpp"

namespace plimsoll::memory {
namespace {

constexpr unsigned no_bin = ~0u;

void raise(std::atomic<std::size_t>& peak, std::size_t now) {
  std::size_t before = peak.load(std::memory_order_relaxed);
  while (before < now && !peak.compare_exchange_weak(before, now, std::memory_order_relaxed)) {}
}

bool reserve(std::atomic<std::size_t>& used, std::size_t bytes, std::size_t most) {
  std::size_t before = used.load(std::memory_order_relaxed);
  do {
    if (before + bytes > most) return false;
  } while (!used.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  return true;
}

}  // namespace

void SlabClass::open(SlabShared& shared, unsigned index, std::size_t size) {
  shared_ = &shared;
  index_ = index;
  size_ = size;
  block_ = SlabClasses::is_block(size) && index < SlabClasses::count;
  rounds_ = SlabClasses::rounds(size);
}

SlabSpan* SlabClass::span_of(char* object) const {
  const auto address = reinterpret_cast<std::uintptr_t>(object);
  const std::size_t into = address & (SlabClasses::span_bytes(size_) - 1);  // spans lie at multiples of their size
  return static_cast<SlabSpan*>(static_cast<void*>(object - into));
}

bool SlabClass::is_object(char* at) const {
  if (block_) return reinterpret_cast<std::uintptr_t>(at) % size_ == 0;
  return shared_->units[shared_->unit_of(at)].load(std::memory_order_relaxed) == code() && span_of(at)->is_object(at);
}

void SlabClass::link(SlabSpan* span) {
  span->bin = span->fullness();
  if (span->withheld || span->out() == span->capacity()) {
    span->bin = no_bin;
    return;
  }
  Ring& ring = bins_[span->bin];
  span->before = nullptr;
  span->after = ring.first;
  if (ring.first != nullptr) ring.first->before = span;
  ring.first = span;
}

void SlabClass::unlink(SlabSpan* span) {
  if (span->bin == no_bin) return;
  if (span->after != nullptr) span->after->before = span->before;
  (span->before != nullptr ? span->before->after : bins_[span->bin].first) = span->after;
  span->bin = no_bin;
}

unsigned SlabClass::take_blocks(char** into, unsigned most) {
  unsigned taken = 0;
  for (std::size_t got = 0; taken < most; ++taken) {
    char* block = shared_->pool->take_resident(size_, got);
    if (block == nullptr) break;
    shared_->mark.put(block);
    poison(block, size_);
    into[taken] = block;
  }
  out_.fetch_add(taken, std::memory_order_relaxed);
  return taken;
}

unsigned SlabClass::take(char** into, unsigned most) {
  if (block_) return take_blocks(into, most);
  const MutexLock lock(mutex_);
  unsigned taken = 0;
  for (unsigned bin = SlabSpan::fullness_max; bin-- > 0 && taken < most;) {
    while (taken < most && bins_[bin].first != nullptr) {
      SlabSpan* span = bins_[bin].first;
      unlink(span);
      const unsigned got = span->take(into + taken, most - taken, shared_->mark);
      PLIMSOLL_CHECK(got != 0);
      taken += got;
      link(span);
      if (span->bin != no_bin && span->bin != bin) break;  // then nothing more was wanted
    }
  }
  out_.fetch_add(taken, std::memory_order_relaxed);
  return taken;
}

// Slabs are found first, so that their headers are on the way when the mutex is held.
SlabSpan* SlabClass::give(char* const* objects, unsigned count) {
  if (block_) {
    for (unsigned i = 0; i < count; ++i) {
      unpoison(objects[i], size_);
      shared_->pool->give(objects[i], size_);
    }
    out_.fetch_sub(count, std::memory_order_relaxed);
    return nullptr;
  }
  for (unsigned i = 0; i < count; ++i) __builtin_prefetch(span_of(objects[i]), 1);
  SlabSpan* emptied = nullptr;
  const MutexLock lock(mutex_);
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t unit = shared_->unit_of(objects[i]);
    PLIMSOLL_CHECK(shared_->units[unit].load(std::memory_order_relaxed) == code());
    SlabSpan* span = span_of(objects[i]);
    span->give(objects[i]);
    if (span->withheld) continue;
    if (span->out() == 0) {
      unlink(span);
      span->after = std::exchange(emptied, span);
      span->bin = no_bin;
      span->withheld = true;  // nobody else's any more
    } else if (span->bin != span->fullness()) {
      unlink(span);
      link(span);
    }
  }
  out_.fetch_sub(count, std::memory_order_relaxed);
  return emptied;
}

SlabSpan* SlabClass::take_unused() {
  SlabSpan* unused = nullptr;
  const MutexLock lock(mutex_);
  for (SlabSpan* span = bins_[0].first; span != nullptr;) {
    SlabSpan* const next = span->after;
    if (span->out() == 0) {
      unlink(span);
      span->after = std::exchange(unused, span);
      span->withheld = true;
    }
    span = next;
  }
  return unused;
}

void SlabClass::release(SlabSpan* emptied) {
  const std::size_t bytes = SlabClasses::span_bytes(size_);
  while (emptied != nullptr) {
    SlabSpan* span = std::exchange(emptied, emptied->after);
    const std::size_t unit = shared_->unit_of(span);
    {
      const MutexLock lock(mutex_);
      PLIMSOLL_CHECK(span->out() == 0 && span->withheld);
      for (std::size_t i = 0; i < bytes / SlabClasses::unit_bytes; ++i)
        shared_->units[unit + i].store(0, std::memory_order_relaxed);
      spans_.fetch_sub(1, std::memory_order_relaxed);
      capacity_.fetch_sub(span->capacity(), std::memory_order_relaxed);
    }
    char* memory = span->begin();
    unpoison(memory, bytes);
    shared_->pool->give(memory, bytes);
    shared_->span_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  }
}

bool SlabClass::add_span(bool resident_only) {
  PLIMSOLL_CHECK(!block_);
  const std::size_t bytes = SlabClasses::span_bytes(size_);
  if (!reserve(shared_->span_bytes, bytes, shared_->span_bytes_max)) return false;
  std::size_t got = 0;
  char* memory = resident_only ? shared_->pool->take_resident(bytes, got) : shared_->pool->take(bytes, got);
  if (memory == nullptr) {
    shared_->span_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  PLIMSOLL_CHECK(got == bytes && reinterpret_cast<std::uintptr_t>(memory) % bytes == 0);
  SlabSpan* span = new (memory) SlabSpan(index_, bytes, size_);
  const std::size_t unit = shared_->unit_of(memory);
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < bytes / SlabClasses::unit_bytes; ++i)
    shared_->units[unit + i].store(code(), std::memory_order_relaxed);
  spans_.fetch_add(1, std::memory_order_relaxed);
  capacity_.fetch_add(span->capacity(), std::memory_order_relaxed);
  link(span);
  return true;
}

SlabMagazine* SlabClass::exchange_empty(SlabMagazine* empty) {
  const MutexLock lock(mutex_);
  if (full_ == nullptr) return nullptr;
  SlabMagazine* full = std::exchange(full_, full_->next);
  depot_objects_ -= full->count;
  shared_->depot_bytes.fetch_sub(full->count * size_, std::memory_order_relaxed);
  if (empty != nullptr) empty->next = std::exchange(empty_, empty);
  return full;
}

SlabMagazine* SlabClass::exchange_full(SlabMagazine* full) {
  const MutexLock lock(mutex_);
  if (empty_ == nullptr || !reserve(shared_->depot_bytes, full->count * size_, shared_->depot_bytes_max)) return nullptr;
  raise(shared_->depot_bytes_peak, shared_->depot_bytes.load(std::memory_order_relaxed));
  depot_objects_ += full->count;
  full->next = std::exchange(full_, full);
  return std::exchange(empty_, empty_->next);
}

bool SlabClass::wants_empty(unsigned count) const {
  const MutexLock lock(mutex_);
  return empty_ == nullptr && shared_->depot_bytes.load(std::memory_order_relaxed) + count * size_ <= shared_->depot_bytes_max;
}

void SlabClass::add_empty(SlabMagazine* empty) {
  const MutexLock lock(mutex_);
  empty->next = std::exchange(empty_, empty);
}

SlabMagazine* SlabClass::remove_empty() {
  const MutexLock lock(mutex_);
  return empty_ == nullptr ? nullptr : std::exchange(empty_, empty_->next);
}

SlabSpan* SlabClass::live_span(char* at) const {
  const std::size_t unit = shared_->unit_of(at);
  if (block_ || shared_->units[unit].load(std::memory_order_relaxed) != code()) return nullptr;
  SlabSpan* span = span_of(at);
  return span->begin() == at && !span->withheld ? span : nullptr;
}

SlabSpan* SlabClass::withhold(char* at) {
  const MutexLock lock(mutex_);
  SlabSpan* span = live_span(at);
  if (span == nullptr) return nullptr;
  unlink(span);
  span->withheld = true;
  return span;
}

bool SlabClass::restore(SlabSpan* span) {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(span->withheld);
  span->after = nullptr;
  if (span->out() == 0) return true;
  span->withheld = false;
  link(span);
  return false;
}

unsigned SlabClass::list_out(SlabSpan* span, unsigned& from, char** into, unsigned most) {
  const MutexLock lock(mutex_);
  return span->list_out(from, into, most);
}

std::size_t SlabClass::out_bytes(char* at) {
  const MutexLock lock(mutex_);
  const SlabSpan* span = live_span(at);
  return span == nullptr ? 0 : span->out() * size_;
}

std::size_t SlabClass::objects_in_depot() const {
  const MutexLock lock(mutex_);
  return depot_objects_;
}

}  // namespace plimsoll::memory
