#include "memory/slab_heap.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/random.hpp"

namespace plimsoll::memory {
namespace {

constexpr unsigned magazine_class = SlabClasses::of(sizeof(SlabMagazine));
static_assert(sizeof(SlabThread) <= slab_thread_bytes);
constexpr std::uint32_t never = std::numeric_limits<std::uint32_t>::max();

std::size_t or_share(std::size_t option, std::size_t limit, std::size_t part, std::size_t least, std::size_t most) {
  return option != 0 ? option : std::clamp(limit / part, least, most);
}

std::uint64_t make_key(const void* where) {
  const std::uint64_t seed = system_time().monotonic_ns() ^ reinterpret_cast<std::uintptr_t>(where);
  return Random(seed).next() | 1;  // odd: no aligned address gives the mark 0
}

}  // namespace

Result<SlabHeap*> SlabHeap::make(BlockPool& pool, const SlabOptions& options) {
  constexpr Account account = Account::contexts;
  PageProvider& provider = pool.provider();
  const std::size_t units = pool.chunks() * (pool.chunk_bytes() / SlabClasses::unit_bytes);
  PLIMSOLL_CHECK(options.guard_places <= SlabGuards::places_max);
  PLIMSOLL_ASSIGN(Mapping self, provider.map(account, sizeof(SlabHeap)));
  PLIMSOLL_ASSIGN(Mapping unit_table, provider.map(account, units));
  PLIMSOLL_ASSIGN(Mapping ranking, provider.map(account, pool.chunks() * sizeof(std::uint32_t)));
  Mapping guards;
  if (options.guard_every != 0 && options.guard_places != 0) {
    PLIMSOLL_ASSIGN(guards, SlabGuards::map(provider, account, options.guard_places));
  }
  auto* heap = new (self.data()) SlabHeap(pool, options, std::move(unit_table), std::move(ranking), std::move(guards));
  heap->self_ = std::move(self);
  heap->enlist();
  return heap;
}

SlabHeap::SlabHeap(BlockPool& pool, const SlabOptions& options, Mapping units, Mapping ranking, Mapping guards)
    : pool_(pool),
      options_(options),
      thread_bytes_max_(or_share(options.thread_bytes_max, pool.provider().budget().limit(), 256, 64u << 10, 512u << 10)),
      units_(std::move(units)),
      ranking_(std::move(ranking)),
      unit_count_(pool.chunks() * (pool.chunk_bytes() / SlabClasses::unit_bytes)),
      guards_(std::move(guards)) {
  shared_.pool = &pool;
  shared_.mark = SlabMark(make_key(this));
  shared_.units = units_.as<std::atomic<std::uint8_t>>();
  shared_.base = pool.base();
  shared_.span_bytes_max = options.span_bytes_max != 0 ? options.span_bytes_max : std::numeric_limits<std::size_t>::max() / 2;
  shared_.depot_bytes_max = or_share(options.depot_bytes_max, pool.provider().budget().limit(), 64, 128u << 10, 8u << 20);
  for (unsigned i = 0; i < SlabClasses::count; ++i) classes_[i].open(shared_, i, SlabClasses::size(i));
}

void SlabHeap::close() {
  delist();
  if (options_.on_leak != nullptr) report(options_.on_leak, options_.leak_context);
  {
    const MutexLock lock(threads_mutex_);
    for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) drain(*thread);
  }
  for (unsigned i = slab_classes_max; i-- > 0;) drain_depot(i);
  PLIMSOLL_CHECK(magazines_.load() == 0);
  for (const SlabClass& one : classes_) PLIMSOLL_CHECK(one.out() == 0);  // else there are live objects
  std::array<SlabSample, SlabGuards::places_max> samples;
  PLIMSOLL_CHECK(guards_.list(samples) == 0);
  PLIMSOLL_CHECK(shared_.span_bytes.load() == 0);
  {
    const MutexLock lock(threads_mutex_);
    while (threads_ != nullptr) {
      SlabThread* thread = std::exchange(threads_, threads_->next);
      pool_.give(static_cast<char*>(static_cast<void*>(thread)), slab_thread_bytes);
    }
  }
  const Mapping self = std::move(self_);  // unmapped last
  this->~SlabHeap();
}

// --- threads ---

SlabThread* SlabHeap::find_thread(std::uint64_t id) {
  SlabThread* thread = threads_;
  while (thread != nullptr && thread->owner != id) thread = thread->next;
  return thread;
}

SlabThread* SlabHeap::enter() {
  SlabEntry& entry = slab_entries[number()];
  for (;;) {
    SlabThread* thread = entry.enter();
    if (thread != &no_slab_thread) return thread;
    entry.leave();
    if (!attach(entry)) return nullptr;
  }
}

// The thread's own record, one that an ended thread left, or a new one.
bool SlabHeap::attach(SlabEntry& entry) {
  const std::uint64_t id = slab_thread_id();
  if (id == 0 || number() == slab_entries_max || options_.guard_every == 1) return false;
  for (char* fresh = nullptr;;) {
    {
      const MutexLock lock(threads_mutex_);
      SlabThread* thread = find_thread(id);
      if (thread == nullptr) thread = find_thread(0);
      if (thread == nullptr && fresh != nullptr) {
        thread = new (std::exchange(fresh, nullptr)) SlabThread;
        thread->next = std::exchange(threads_, thread);
      }
      if (thread != nullptr) {
        if (thread->owner == 0) thread->until_sample = options_.guard_every != 0 ? options_.guard_every : never;
        thread->owner = id;
        thread->entry = &entry;
        entry.thread.store(thread, std::memory_order_release);
        if (fresh != nullptr) pool_.give(fresh, slab_thread_bytes);
        return true;
      }
    }
    fresh = slab_thread_block(pool_);
    if (fresh == nullptr) return false;
  }
}

void SlabHeap::thread_ends(std::uint64_t id) {
  const MutexLock lock(threads_mutex_);
  SlabThread* thread = find_thread(id);
  if (thread == nullptr) return;
  thread->entry->thread.store(&no_slab_thread);
  PLIMSOLL_CHECK(thread->pinned == 0);
  drain(*thread);
  thread->owner = 0;
  thread->entry = nullptr;
}

void SlabHeap::forget_threads() {
  const MutexLock lock(threads_mutex_);
  for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) {
    if (thread->owner != 0) thread->entry->thread.store(&no_slab_thread);
    thread->owner = 0;
  }
}

// Answers whether a thread that is not inside its entry afterwards is stopped: it will come to threads_mutex_ first.
bool SlabHeap::stop_threads() {
  for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) {
    if (thread->owner != 0) thread->entry->thread.store(&no_slab_thread);
  }
  return slab_barrier();
}

// Waits a little for one that is inside.
bool SlabHeap::is_stopped(const SlabThread& thread, bool barrier) const {
  constexpr unsigned rounds_max = 1000;
  if (thread.owner == 0 || thread.owner == slab_thread_id()) return true;
  if (!barrier) return false;
  for (unsigned round = 0; round < rounds_max; ++round) {
    if (thread.entry->inside.load(std::memory_order_acquire) == 0) return true;
    std::this_thread::yield();
  }
  return false;
}

// Gives back everything that the thread holds, the magazines themselves included.
void SlabHeap::drain(SlabThread& thread) {
  for (unsigned i = slab_classes_max; i-- > 0;) {
    SlabSlot& slot = thread.slots[i];
    if (!slot.has_magazines()) continue;
    give_to_slabs(i, slot.begin, slot.count());
    give_to_slabs(i, slot.previous->objects.data(), slot.previous_count);
    free_magazine(slot.loaded());
    free_magazine(slot.previous);
    slot = {};
  }
  thread.equipped_bytes = 0;
}

void SlabHeap::drain_threads() {
  const MutexLock lock(threads_mutex_);
  const bool barrier = stop_threads();
  for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) {
    if (is_stopped(*thread, barrier) && thread->pinned == 0) drain(*thread);
  }
}

SlabHeap::Counts SlabHeap::count_magazines() {
  Counts counts;
  const MutexLock lock(threads_mutex_);
  const bool barrier = stop_threads();
  for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) {
    if (!is_stopped(*thread, barrier)) continue;
    for (unsigned i = 0; i < slab_classes_max; ++i) counts.objects[i] += thread->slots[i].count() + thread->slots[i].previous_count;
  }
  for (unsigned i = 0; i < slab_classes_max; ++i) {
    if (classes_[i].is_open()) counts.objects[i] += classes_[i].objects_in_depot();
  }
  return counts;
}

// --- magazines ---

SlabMagazine* SlabHeap::make_magazine() {
  SlabClass& of = classes_[magazine_class];
  char* at = nullptr;
  while (of.take(&at, 1) == 0) {
    if (!of.add_span(false)) return nullptr;
  }
  unpoison(at, sizeof(SlabMagazine));
  magazines_.fetch_add(1, std::memory_order_relaxed);
  return new (at) SlabMagazine;
}

void SlabHeap::free_magazine(SlabMagazine* magazine) {
  char* at = static_cast<char*>(static_cast<void*>(magazine));
  shared_.mark.put(at);
  poison(at, sizeof(SlabMagazine));
  magazines_.fetch_sub(1, std::memory_order_relaxed);
  give_to_slabs(magazine_class, &at, 1);
}

void SlabHeap::give_to_slabs(unsigned index, char* const* objects, unsigned count) {
  check_places(index, objects, count);
  if (count != 0) classes_[index].release(classes_[index].give(objects, count));
}

// Gives the thread two magazines of this class, taking all others away when it holds too much.
bool SlabHeap::equip(unsigned index) {
  const SlabClass& of = classes_[index];
  const std::size_t bytes = 2 * of.rounds() * of.size();
  std::array<SlabMagazine*, 2> magazines = {make_magazine(), make_magazine()};
  const bool made = magazines[0] != nullptr && magazines[1] != nullptr;  // one may be there without the other, either way
  SlabThread* thread = made ? enter() : nullptr;
  if (thread != nullptr) {
    SlabSlot& slot = thread->slots[index];
    if (!slot.has_magazines()) {
      if (thread->equipped_bytes + bytes > thread_bytes_max_ && thread->pinned == 0) drain(*thread);
      thread->equipped_bytes += bytes;
      slot.load(std::exchange(magazines[0], nullptr), 0, of.rounds());
      slot.previous = std::exchange(magazines[1], nullptr);
      slot.code = of.code();
    }
    leave();
  }
  for (SlabMagazine* unused : magazines) {
    if (unused != nullptr) free_magazine(unused);
  }
  return thread != nullptr;
}

// --- allocation ---

bool SlabHeap::refill(SlabThread& thread, unsigned index) {
  SlabSlot& slot = thread.slots[index];
  if (slot.count() != 0) return true;
  if (slot.previous_count != 0) {
    slot.swap();
    return true;
  }
  if (SlabMagazine* full = classes_[index].exchange_empty(slot.previous)) {
    slot.previous = slot.loaded();
    slot.load(full, full->count, slot.capacity());
  } else {
    slot.top += classes_[index].take(slot.begin, slot.capacity());
  }
  thread.until_sample -= std::min(thread.until_sample, slot.count());
  return slot.count() != 0;
}

// Null: all that there is, is in use.
char* SlabHeap::take_once(unsigned index) {
  for (bool equipped = false;; equipped = true) {
    SlabThread* thread = enter();
    if (thread == nullptr) break;
    SlabSlot& slot = thread->slots[index];
    const bool has_magazines = slot.has_magazines();
    char* at = has_magazines && refill(*thread, index) ? *--slot.top : nullptr;
    leave();
    if (has_magazines) return at;
    if (equipped || !equip(index)) break;
  }
  char* at = nullptr;
  classes_[index].take(&at, 1);
  return at;
}

char* SlabHeap::hand_out(char* at, std::size_t bytes) {
  unpoison(at, bytes);
  PLIMSOLL_CHECK(shared_.mark.is_on(at));  // else written to after it was freed
  shared_.mark.remove(at);
  return at;
}

bool SlabHeap::sample_is_due() {
  if (!guards_ || options_.guard_every == 1) return static_cast<bool>(guards_);
  SlabThread* thread = enter();
  if (thread == nullptr) return false;
  const bool due = thread->until_sample == 0;
  if (due) thread->until_sample = options_.guard_every;
  leave();
  return due;
}

char* SlabHeap::take_slow(unsigned index, std::size_t bytes, std::size_t alignment) {
  if (sample_is_due()) {
    TimeSource& time = options_.time != nullptr ? *options_.time : system_time();
    if (char* at = guards_.take(bytes, alignment, time.monotonic_ns())) return at;
  }
  SlabClass& of = classes_[index];
  for (bool trimmed = false;;) {
    if (char* at = take_once(index)) return hand_out(at, bytes);
    if (of.is_block()) {
      if (char* at = take_new_block(index)) return at;
    } else if (of.add_span(false)) {
      continue;
    }
    if (std::exchange(trimmed, true)) return nullptr;
    trim(std::numeric_limits<std::size_t>::max());
  }
}

char* SlabHeap::take_new_block(unsigned index) {
  std::size_t got = 0;
  char* at = pool_.take(classes_[index].size(), got);
  if (at != nullptr) classes_[index].count_block();
  return at;
}

// --- freeing ---

// The loaded magazine is full.
void SlabHeap::make_room(SlabSlot& slot, unsigned index) {
  if (slot.previous_count != 0) {
    check_places(index, slot.previous->objects.data(), slot.previous_count);
    slot.previous->count = slot.previous_count;
    if (SlabMagazine* empty = classes_[index].exchange_full(slot.previous)) {
      slot.previous = empty;
    } else {
      give_to_slabs(index, slot.previous->objects.data(), slot.previous_count);
    }
    slot.previous_count = 0;
  }
  slot.swap();
}

// Into the thread's magazine. False: it has none.
bool SlabHeap::put(unsigned index, char* at) {
  SlabClass& of = classes_[index];
  for (bool equipped = false, asked = false;;) {
    SlabThread* thread = enter();
    if (thread == nullptr) return false;
    SlabSlot& slot = thread->slots[index];
    if (!slot.has_magazines()) {
      leave();
      if (std::exchange(equipped, true) || !equip(index)) return false;
      continue;
    }
    if (slot.top == slot.end) {
      if (slot.previous_count != 0 && !std::exchange(asked, true) && of.wants_empty(slot.capacity())) {
        leave();
        if (SlabMagazine* empty = make_magazine()) of.add_empty(empty);
        continue;
      }
      make_room(slot, index);
    }
    *slot.top++ = at;
    leave();
    return true;
  }
}

bool SlabHeap::is_free(const char* at) const { return shared_.mark.is_on(at); }

// Before other threads can get them.
void SlabHeap::check_places(unsigned index, char* const* objects, unsigned count) const {
  const std::uint8_t code = classes_[index].code();
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t unit = shared_.unit_of(objects[i]);
    PLIMSOLL_CHECK(unit < unit_count_);                                           // else not of this allocator
    PLIMSOLL_CHECK(shared_.units[unit].load(std::memory_order_relaxed) == code);  // else of another class
    PLIMSOLL_CHECK(reinterpret_cast<std::uintptr_t>(objects[i]) % SlabClasses::granule == 0);
  }
}

void SlabHeap::take_back(unsigned index, char* at) {
  check_places(index, &at, 1);
  PLIMSOLL_CHECK(!is_free(at));  // else given back twice
  PLIMSOLL_DCHECK(classes_[index].is_object(at));
  shared_.mark.put(at);
  poison(at, classes_[index].size());
}

void SlabHeap::give_slow(unsigned index, char* at, std::size_t bytes) {
  if (guards_ && guards_.owns(at)) return guards_.give(at, bytes);
  take_back(index, at);
  if (!put(index, at)) give_to_slabs(index, &at, 1);
}

// --- whole heap ---

void SlabHeap::drain_depot(unsigned index) {
  SlabClass& of = classes_[index];
  if (!of.is_open()) return;
  while (SlabMagazine* full = of.exchange_empty(nullptr)) {
    give_to_slabs(index, full->objects.data(), full->count);
    free_magazine(full);
  }
  while (SlabMagazine* empty = of.remove_empty()) free_magazine(empty);
  of.release(of.take_unused());
}

std::size_t SlabHeap::trim(std::size_t bytes) {
  const std::size_t before = pool_.returned_bytes();
  const auto returned = [&] { return pool_.returned_bytes() - before; };
  for (unsigned i = slab_classes_max; i-- > 0 && returned() < bytes;) drain_depot(i);
  if (returned() < bytes) drain_threads();
  if (returned() < bytes) pool_.trim(bytes - returned());
  return returned();
}

bool SlabHeap::prefill(unsigned index, unsigned objects) {
  SlabClass& of = classes_[index];
  PLIMSOLL_CHECK(objects <= of.rounds());
  for (bool trimmed = false;;) {
    SlabThread* thread = enter();
    if (thread == nullptr) return false;
    SlabSlot& slot = thread->slots[index];
    const bool has_magazines = slot.has_magazines();
    if (has_magazines) {
      if (slot.previous_count > slot.count()) slot.swap();
      slot.top += of.take(slot.top, slot.capacity() - slot.count());
    }
    const bool enough = has_magazines && slot.count() >= objects;
    if (enough) ++thread->pinned;
    leave();
    if (enough) return true;
    if (!has_magazines ? equip(index) : add_object(index)) continue;
    if (std::exchange(trimmed, true)) return false;
    trim(std::numeric_limits<std::size_t>::max());
  }
}

// Makes it possible to take one more object of this class.
bool SlabHeap::add_object(unsigned index) {
  if (!classes_[index].is_block()) return classes_[index].add_span(false);
  char* at = take_new_block(index);
  if (at == nullptr) return false;
  take_back(index, at);
  return put(index, at);
}

void SlabHeap::sample_next() {
  const MutexLock lock(threads_mutex_);
  const bool barrier = stop_threads();
  for (SlabThread* thread = threads_; thread != nullptr; thread = thread->next) {
    if (thread->owner != 0 && is_stopped(*thread, barrier)) thread->until_sample = 0;
  }
}

void SlabHeap::unpin() {
  SlabThread* thread = enter();
  PLIMSOLL_CHECK(thread != nullptr && thread->pinned != 0);
  --thread->pinned;
  leave();
}

unsigned SlabHeap::make_movable(std::size_t bytes, SlabRelocate relocate, void* context) {
  const unsigned number = movable_count_.load();
  PLIMSOLL_CHECK(number < movable_.size() && relocate != nullptr && bytes != 0 && bytes <= SlabClasses::object_bytes_max);
  movable_[number] = {relocate, context};
  const unsigned index = SlabClasses::count + number;
  classes_[index].open(shared_, index, (bytes + SlabClasses::granule - 1) / SlabClasses::granule * SlabClasses::granule);
  movable_count_.store(number + 1);
  return index;
}

std::size_t SlabHeap::live_objects(unsigned index, const Counts& counts) const {
  const std::size_t out = classes_[index].out();
  const std::size_t idle = counts.objects[index] + (index == magazine_class ? magazines_.load() : 0);
  return out > idle ? out - idle : 0;  // while others allocate the two are not of one moment
}

SlabStatistics SlabHeap::statistics() {
  const Counts counts = count_magazines();
  SlabStatistics all;
  std::array<SlabSample, SlabGuards::places_max> samples;
  const std::size_t sampled = guards_.list(samples);
  for (std::size_t i = 0; i < sampled; ++i) all.live_bytes += samples[i].bytes;
  all.live_objects = sampled;
  for (unsigned i = 0; i < slab_classes_max; ++i) {
    const SlabClass& of = classes_[i];
    if (!of.is_open()) continue;
    const std::size_t live = live_objects(i, counts), in_depot = of.objects_in_depot();
    all.live_objects += live;
    all.live_bytes += live * of.size();
    all.depot_bytes += in_depot * of.size();
    all.magazine_bytes += (counts.objects[i] - std::min(in_depot, counts.objects[i])) * of.size();
    all.slabs += of.spans();
  }
  all.slab_bytes = shared_.span_bytes.load(std::memory_order_relaxed);
  all.depot_bytes_peak = shared_.depot_bytes_peak.load(std::memory_order_relaxed);
  all.moved_objects = moved_objects_.load(std::memory_order_relaxed);
  all.moved_bytes = moved_bytes_.load(std::memory_order_relaxed);
  all.guarded_objects = guards_.taken();
  return all;
}

void SlabHeap::report(void (*sink)(void* context, const SlabLeak& leak), void* context) {
  const Counts counts = count_magazines();
  for (unsigned i = 0; i < slab_classes_max; ++i) {
    if (!classes_[i].is_open()) continue;
    const std::size_t live = live_objects(i, counts);
    if (live != 0) sink(context, {.label = options_.label, .object_bytes = classes_[i].size(), .objects = live, .age = {}});
  }
  std::array<SlabSample, SlabGuards::places_max> samples;
  const std::size_t sampled = guards_.list(samples);
  TimeSource& time = options_.time != nullptr ? *options_.time : system_time();
  const std::uint64_t now = time.monotonic_ns();
  for (std::size_t i = 0; i < sampled; ++i) {
    const auto age = std::chrono::nanoseconds(now - std::min(now, samples[i].taken_ns));
    sink(context, {.label = samples[i].label, .object_bytes = samples[i].bytes, .objects = 1, .age = age});
  }
}

}  // namespace plimsoll::memory
