// The allocators that the benchmark compares, behind one small interface by templates, so that no call is slower than its user's
// would be. jemalloc and mimalloc are loaded by name and kept apart from the process's own malloc; one that is not installed is
// left out.
#pragma once

#include <dlfcn.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <memory_resource>
#include <optional>

#include "memory/slab.hpp"

namespace plimsoll::bench {

struct Glibc {
  void* take(std::size_t bytes) { return std::malloc(bytes); }
  void give(void* at, std::size_t) { std::free(at); }
  void purge() { malloc_trim(0); }
};

struct Library {
  Library(const char* file, const char* purge_name) : handle(dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)) {
    if (handle == nullptr) return;
    malloc_ = reinterpret_cast<void* (*)(std::size_t)>(dlsym(handle, "malloc"));
    free_ = reinterpret_cast<void (*)(void*)>(dlsym(handle, "free"));
    purge_ = dlsym(handle, purge_name);
  }
  bool found() const { return malloc_ != nullptr && free_ != nullptr; }
  void* take(std::size_t bytes) { return malloc_(bytes); }
  void give(void* at, std::size_t) { free_(at); }

  void* handle;
  void* (*malloc_)(std::size_t) = nullptr;
  void (*free_)(void*) = nullptr;
  void* purge_ = nullptr;
};

struct Jemalloc : Library {
  Jemalloc() : Library("libjemalloc.so.2", "mallctl") {}
  void purge() {
    using Mallctl = int (*)(const char*, void*, std::size_t*, void*, std::size_t);
    if (purge_ != nullptr) reinterpret_cast<Mallctl>(purge_)("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // all arenas
  }
};

struct Mimalloc : Library {
  Mimalloc() : Library("libmimalloc.so.2", "mi_collect") {}
  void purge() {
    if (purge_ != nullptr) reinterpret_cast<void (*)(bool)>(purge_)(true);
  }
};

// Each thread a pool of its own: objects may not be freed by another thread.
struct UnsynchronizedPool {
  void* take(std::size_t bytes) { return pool().allocate(bytes, 8); }
  void give(void* at, std::size_t bytes) { pool().deallocate(at, bytes, 8); }
  void purge() {}  // there is no such thing: release() would take what lives
  static std::pmr::unsynchronized_pool_resource& pool() {
    thread_local std::pmr::unsynchronized_pool_resource of_thread(std::pmr::new_delete_resource());
    return of_thread;
  }
};

struct SynchronizedPool {
  void* take(std::size_t bytes) { return pool.allocate(bytes, 8); }
  void give(void* at, std::size_t bytes) { pool.deallocate(at, bytes, 8); }
  void purge() {}
  std::pmr::synchronized_pool_resource pool{std::pmr::new_delete_resource()};
};

// As the engine has it: a budget, a pool of blocks, all options at their defaults.
struct Plimsoll {
  Plimsoll()
      : budget(std::size_t{2} << 30),
        provider(budget),
        blocks(std::move(*memory::BlockPool::make(provider))),
        slab(std::move(*memory::SlabAllocator::make(*blocks, {}))) {}
  void* take(std::size_t bytes) { return slab->allocate(bytes, 8); }
  void give(void* at, std::size_t bytes) { slab->free(static_cast<char*>(at), bytes, 8); }
  void purge() { slab->trim(); }

  memory::MemoryBudget budget;
  memory::PageProvider provider;
  std::optional<memory::BlockPool> blocks;
  std::optional<memory::SlabAllocator> slab;
};

// The same object through its virtual functions.
struct PlimsollResource {
  explicit PlimsollResource(Plimsoll& of) : resource(&*of.slab), all(of) {}
  void* take(std::size_t bytes) { return resource->allocate(bytes, 8); }
  void give(void* at, std::size_t bytes) { resource->deallocate(at, bytes, 8); }
  void purge() { all.purge(); }
  std::pmr::memory_resource* resource;
  Plimsoll& all;
};

}  // namespace plimsoll::bench
