#include "memory/slab_thread.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>

#include "base/check.hpp"
#include "memory/block_pool.hpp"

namespace plimsoll::memory {
namespace {

struct Enlisted {
  Mutex mutex{LatchRank::memory};
  SlabThreads* first PLIMSOLL_GUARDED_BY(mutex) = nullptr;
  std::array<bool, slab_entries_max> numbers PLIMSOLL_GUARDED_BY(mutex){};  // that are in use
};

// Never destroyed: threads may end after static objects are gone.
Enlisted& enlisted() {
  alignas(Enlisted) static char memory[sizeof(Enlisted)];
  static Enlisted* const all = new (memory) Enlisted;
  return *all;
}

constinit thread_local std::uint64_t this_thread = 0;
constinit thread_local bool ended = false;

}  // namespace

struct SlabThreadEnd {
  ~SlabThreadEnd() {
    ended = true;
    Enlisted& all = enlisted();
    const MutexLock lock(all.mutex);
    for (SlabThreads* heap = all.first; heap != nullptr; heap = heap->next_) heap->thread_ends(this_thread);
  }
};

void SlabThreads::enlist() {
  Enlisted& all = enlisted();
  const MutexLock lock(all.mutex);
  next_ = all.first;
  all.first = this;
  number_ = 0;
  while (number_ < slab_entries_max && all.numbers[number_]) ++number_;
  if (number_ < slab_entries_max) all.numbers[number_] = true;
}

void SlabThreads::delist() {
  Enlisted& all = enlisted();
  const MutexLock lock(all.mutex);
  SlabThreads** at = &all.first;
  while (*at != this) {
    PLIMSOLL_CHECK(*at != nullptr);
    at = &(*at)->next_;
  }
  *at = next_;
  forget_threads();
  if (number_ < slab_entries_max) all.numbers[number_] = false;
}

std::uint64_t slab_thread_id() {
  if (ended) return 0;
  if (this_thread == 0) {
    thread_local const SlabThreadEnd end;
    static_cast<void>(&end);
    static std::atomic<std::uint64_t> last{0};
    this_thread = last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return this_thread;
}

bool slab_barrier() {
  static const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

char* slab_thread_block(BlockPool& pool) {
  std::size_t got = 0;
  char* block = pool.take(slab_thread_bytes, got);
  PLIMSOLL_CHECK(block == nullptr || got == slab_thread_bytes);
  return block;
}

}  // namespace plimsoll::memory
