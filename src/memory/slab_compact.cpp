// Compaction of the movable classes: empties the chunks in which the least lives, one after the other, as long as others can hold
// it. A chunk is withheld from the pool, its slabs are withheld from their classes, what magazines hold of them goes home, and each
// object that is still out is moved into a slab elsewhere, the fullest first. Nothing is committed for it.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "memory/slab_heap.hpp"

namespace plimsoll::memory {
namespace {

constexpr std::uint32_t not_movable = std::numeric_limits<std::uint32_t>::max();
constexpr unsigned batch_max = 64;

}  // namespace

// Visits the movable slabs in a chunk. False: something else is in it, too.
template <class Visit>
bool SlabHeap::each_span_of(std::size_t chunk, const Visit& visit) {
  const std::size_t units = pool_.chunk_bytes() / SlabClasses::unit_bytes;
  std::size_t in_spans = 0;
  for (std::size_t unit = chunk * units; unit < (chunk + 1) * units;) {
    const std::uint8_t code = shared_.units[unit].load(std::memory_order_relaxed);
    std::size_t bytes = SlabClasses::unit_bytes;
    if (code > SlabClasses::count) {
      SlabClass& of = classes_[code - 1];
      bytes = SlabClasses::span_bytes(of.size());
      in_spans += bytes;
      visit(of, shared_.base + unit * SlabClasses::unit_bytes);
    }
    unit += bytes / SlabClasses::unit_bytes;
  }
  return in_spans + pool_.free_bytes(chunk) >= pool_.chunk_bytes() && in_spans != 0;
}

std::size_t SlabHeap::live_bytes_of(std::size_t chunk) {
  std::size_t live = 0;
  const bool movable = each_span_of(chunk, [&](SlabClass& of, char* at) { live += of.out_bytes(at); });
  return movable ? live : not_movable;
}

void SlabHeap::rank_chunks() {
  for (std::size_t i = 0; i < pool_.chunks(); ++i) ranking_.as<std::uint32_t>()[i] = static_cast<std::uint32_t>(live_bytes_of(i));
}

// The numbers are of different times: the best one is looked at again.
SlabHeap::Victim SlabHeap::sparsest_chunk() {
  auto* const ranking = ranking_.as<std::uint32_t>();
  for (;;) {
    auto* const least = std::min_element(ranking, ranking + pool_.chunks());
    const auto chunk = static_cast<std::size_t>(least - ranking);
    if (*least == not_movable) return {chunk, not_movable};
    const auto live = static_cast<std::uint32_t>(live_bytes_of(chunk));
    if (live <= *least) return {chunk, live};
    *least = live;
  }
}

// Room in slabs of each movable class and in the free blocks of chunks that are in use, both without the victim's.
bool SlabHeap::others_can_hold(const Victim& victim) {
  std::size_t room = 0, victim_capacity = 0;
  for (unsigned i = SlabClasses::count; i < SlabClasses::count + movable_count_.load(); ++i) {
    const std::size_t capacity = classes_[i].capacity(), out = classes_[i].out();
    room += (capacity - std::min(out, capacity)) * classes_[i].size();
  }
  each_span_of(victim.chunk, [&](SlabClass& of, char*) { victim_capacity += SlabClasses::span_bytes(of.size()); });
  for (std::size_t i = 0; i < pool_.chunks(); ++i) {
    if (i != victim.chunk) room += pool_.free_bytes(i);
  }
  return room >= victim_capacity;  // its own holes are part of `room`, and its live bytes are the rest
}

// Moves what it can. An object whose owner refuses stays, and so does one for which there is no room.
std::size_t SlabHeap::move_objects(SlabClass& of, char* const* from, unsigned count) {
  const unsigned index = static_cast<unsigned>(&of - classes_.data());
  const Movable& movable = movable_[index - SlabClasses::count];
  std::array<char*, batch_max> to, unused;
  unsigned have = of.take(to.data(), count);
  while (have < count && of.add_span(true)) have += of.take(to.data() + have, count - have);
  unsigned moved = 0, kept = 0;
  for (unsigned i = 0; i < have; ++i) {
    hand_out(to[i], of.size());
    char* left = movable.relocate(movable.context, from[i], to[i]) ? from[i] : to[i];
    moved += left == from[i] ? 1 : 0;
    shared_.mark.put(left);
    poison(left, of.size());
    unused[kept++] = left;
  }
  give_to_slabs(index, unused.data(), kept);
  moved_objects_.fetch_add(moved, std::memory_order_relaxed);
  moved_bytes_.fetch_add(moved * of.size(), std::memory_order_relaxed);
  return moved;
}

std::size_t SlabHeap::empty_span(SlabClass& of, SlabSpan* span, std::size_t most) {
  std::size_t moved = 0;
  std::array<char*, batch_max> objects;
  for (unsigned from = 0; moved < most;) {
    const auto wanted = static_cast<unsigned>(std::min<std::size_t>(batch_max, most - moved));
    const unsigned listed = of.list_out(span, from, objects.data(), wanted);
    if (listed == 0) break;
    const std::size_t done = move_objects(of, objects.data(), listed);
    moved += done;
    if (done == 0) break;  // no room, or an owner who refuses
  }
  return moved;
}

std::size_t SlabHeap::empty_chunk(std::size_t chunk, std::size_t most) {
  if (!pool_.withhold(chunk)) return 0;
  std::array<std::pair<SlabClass*, SlabSpan*>, PageProvider::huge_page_bytes / SlabClasses::unit_bytes> spans;
  std::size_t count = 0, moved = 0;
  each_span_of(chunk, [&](SlabClass& of, char* at) {
    if (SlabSpan* span = of.withhold(at)) spans[count++] = {&of, span};
  });
  for (unsigned i = SlabClasses::count; i < SlabClasses::count + movable_count_.load(); ++i) drain_depot(i);
  drain_threads();
  for (std::size_t i = 0; i < count; ++i) {
    auto [of, span] = spans[i];
    if (moved < most) moved += empty_span(*of, span, most - moved);
    if (of->restore(span)) of->release(span);
  }
  pool_.restore(chunk);
  return moved;
}

std::size_t SlabHeap::compact(std::size_t objects) {
  if (movable_count_.load() == 0 || compacting_.exchange(true)) return 0;
  for (unsigned i = SlabClasses::count; i < SlabClasses::count + movable_count_.load(); ++i) drain_depot(i);
  drain_threads();
  rank_chunks();
  std::size_t moved = 0;
  while (moved < objects) {
    const Victim victim = sparsest_chunk();
    if (victim.live_bytes == not_movable || !others_can_hold(victim)) break;
    moved += empty_chunk(victim.chunk, objects - moved);
    ranking_.as<std::uint32_t>()[victim.chunk] = not_movable;  // it is empty, or has been tried
  }
  compacting_.store(false);
  return moved;
}

}  // namespace plimsoll::memory
