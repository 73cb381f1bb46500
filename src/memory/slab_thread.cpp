#include "memory/slab_thread.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>

#include "base/check.hpp"

namespace plimsoll::memory {
namespace {

struct Enlisted {
  Mutex mutex{LatchRank::memory};
  SlabThreads* first PLIMSOLL_GUARDED_BY(mutex) = nullptr;
};

// Never destroyed: threads may end after static objects are gone.
Enlisted& enlisted() {
  alignas(Enlisted) static char memory[sizeof(Enlisted)];
  static Enlisted* const all = new (memory) Enlisted;
  return *all;
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
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
}

std::uint64_t slab_thread_id() {
  if (ended) return 0;
  if (this_thread == 0) {
    thread_local const SlabThreadEnd end;
    static_cast<void>(&end);
    this_thread = next_number();
  }
  return this_thread;
}

std::uint64_t slab_heap_id() { return next_number(); }

bool slab_barrier() {
  static const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace plimsoll::memory
