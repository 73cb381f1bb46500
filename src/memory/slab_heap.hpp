// Behind SlabAllocator: the classes, the magazines of all threads, the sampled guards, and compaction. Owns everything that was
// taken from the pool; lives in a mapping of its own.
//
// Mutexes, all of rank `memory`, in this order: the list of heaps (slab_thread.cpp), threads_mutex_, a class's, the pool's. While a
// thread is inside its entry it takes classes' mutexes and the pool's only, and asks nobody for memory, so that whoever waits for
// it waits for instructions only.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/slab.hpp"

namespace plimsoll::memory {

class SlabHeap final : private SlabThreads {
 public:
  static Result<SlabHeap*> make(BlockPool& pool, const SlabOptions& options);
  void close();  // destroys it

  char* take_slow(unsigned index, std::size_t bytes, std::size_t alignment);
  void give_slow(unsigned index, char* at, std::size_t bytes);
  std::size_t trim(std::size_t bytes);
  bool prefill(unsigned index, unsigned objects);
  void unpin();
  void sample_next();
  unsigned make_movable(std::size_t bytes, SlabRelocate relocate, void* context);
  std::size_t compact(std::size_t objects);
  bool is_free(const char* at) const;
  SlabStatistics statistics();
  void report(void (*sink)(void* context, const SlabLeak& leak), void* context);

  unsigned entry() const { return number(); }
  const SlabShared& shared() const { return shared_; }

 private:
  struct Movable {
    SlabRelocate relocate = nullptr;
    void* context = nullptr;
  };
  struct Counts {  // of objects in magazines
    std::array<std::size_t, slab_classes_max> objects{};
  };
  // What a compaction knows: of the bytes that live in each chunk, none if something in it cannot be moved.
  struct Victim {
    std::size_t chunk;
    std::size_t live_bytes;
  };

  SlabHeap(BlockPool& pool, const SlabOptions& options, Mapping units, Mapping ranking, Mapping guards);
  ~SlabHeap() override = default;
  void thread_ends(std::uint64_t thread) override;
  void forget_threads() override;

  // The thread's magazines; null: it has none. Between enter and leave they are its own.
  SlabThread* enter();
  void leave() { slab_entries[entry()].leave(); }
  bool attach(SlabEntry& entry);
  SlabThread* find_thread(std::uint64_t thread) PLIMSOLL_REQUIRES(threads_mutex_);
  bool equip(unsigned index);
  char* take_once(unsigned index);
  bool refill(SlabThread& thread, unsigned index);
  void make_room(SlabSlot& slot, unsigned index);
  bool put(unsigned index, char* at);
  char* take_new_block(unsigned index);
  bool add_object(unsigned index);
  bool sample_is_due();
  char* hand_out(char* at, std::size_t bytes);
  void check_places(unsigned index, char* const* objects, unsigned count) const;
  void take_back(unsigned index, char* at);
  void give_to_slabs(unsigned index, char* const* objects, unsigned count);

  SlabMagazine* make_magazine();
  void free_magazine(SlabMagazine* magazine);

  bool stop_threads() PLIMSOLL_REQUIRES(threads_mutex_);
  bool is_stopped(const SlabThread& thread, bool barrier) const;
  void drain(SlabThread& thread);
  void drain_threads();
  void drain_depot(unsigned index);
  Counts count_magazines();
  std::size_t live_objects(unsigned index, const Counts& counts) const;

  // Compaction (slab_compact.cpp).
  void rank_chunks();
  std::size_t live_bytes_of(std::size_t chunk);
  Victim sparsest_chunk();
  bool others_can_hold(const Victim& victim);
  std::size_t empty_chunk(std::size_t chunk, std::size_t most);
  std::size_t empty_span(SlabClass& of, SlabSpan* span, std::size_t most);
  std::size_t move_objects(SlabClass& of, char* const* from, unsigned count);
  template <class Visit>
  bool each_span_of(std::size_t chunk, const Visit& visit);

  BlockPool& pool_;
  const SlabOptions options_;
  const std::size_t thread_bytes_max_;
  Mapping self_;
  Mapping units_;    // SlabShared::units
  Mapping ranking_;  // a number per chunk, during a compaction
  const std::size_t unit_count_;
  SlabShared shared_;
  std::array<SlabClass, slab_classes_max> classes_{};
  std::array<Movable, slab_classes_max - SlabClasses::count> movable_{};
  std::atomic<unsigned> movable_count_{0};
  std::atomic<std::size_t> magazines_{0};
  std::atomic<std::uint64_t> moved_objects_{0}, moved_bytes_{0};
  SlabGuards guards_;
  Mutex threads_mutex_{LatchRank::memory};
  SlabThread* threads_ PLIMSOLL_GUARDED_BY(threads_mutex_) = nullptr;
  std::atomic<bool> compacting_{false};
};

}  // namespace plimsoll::memory
