// One slab: a span of 64 or 256 KiB that begins with this header and holds objects of one class. Owns the bitmap of the objects
// that are in it; all others are out: with an owner, in a thread's magazine or in the depot. Objects themselves are not touched, so
// that their marks stay. Latches nothing: SlabClass, its only user, does.
//
// Invariants: a set bit is an object in the slab; out() = capacity - number of set bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/slab_mark.hpp"

namespace plimsoll::memory {

class alignas(64) SlabSpan {
 public:
  static constexpr std::size_t capacity_max = 4096;
  static constexpr unsigned fullness_max = 8;

  // Objects of `size` bytes, the first one where all of them are as aligned as their size is.
  SlabSpan(unsigned index, std::size_t span_bytes, std::size_t size);
  SlabSpan(const SlabSpan&) = delete;
  SlabSpan& operator=(const SlabSpan&) = delete;

  unsigned take(char** into, unsigned most, SlabMark mark);  // how many there were
  void give(char* object);                                   // must be out, and of this slab (checked)
  // The objects that are out, from number `from` on, which is moved behind the last one answered.
  unsigned list_out(unsigned& from, char** into, unsigned most) const;
  bool is_object(const char* at) const;  // an object begins there

  unsigned index() const { return index_; }
  unsigned out() const { return out_; }
  unsigned capacity() const { return capacity_; }
  std::size_t size() const { return size_; }
  // 0 .. fullness_max; fullness_max: nothing is in it.
  unsigned fullness() const { return out_ * fullness_max / capacity_; }
  char* begin() { return static_cast<char*>(static_cast<void*>(this)); }

  SlabSpan* before = nullptr;  // SlabClass's
  SlabSpan* after = nullptr;
  unsigned bin = 0;
  bool withheld = false;

 private:
  unsigned number_of(const char* at) const;
  // The bitmap follows this header: as many words as capacity_ needs.
  std::uint64_t* in() { return static_cast<std::uint64_t*>(static_cast<void*>(this + 1)); }
  const std::uint64_t* in() const { return static_cast<const std::uint64_t*>(static_cast<const void*>(this + 1)); }
  char* object(unsigned number) { return begin() + first_ + std::size_t{number} * size_; }

  std::uint32_t index_, size_, first_, capacity_;
  std::uint32_t out_ = 0;
  std::uint32_t touched_ = 0;  // objects from here on have never been out and bear no mark
  std::uint32_t hint_ = 0;     // no bit is set in the words before
};

}  // namespace plimsoll::memory
