// The mark that a free object of the slab allocator carries in its first word: its own address, scrambled with a key of the
// allocator. An object that is given back with its mark on is given back twice; one that is handed out without it was written to
// while it was free. Both are noticed at once, in every build, for the price of one word in a line that is about to be used anyway.
// (Why not a bit in the slab: threads that share a slab would share the line.)
#pragma once

#include <cstdint>

#include "memory/poison.hpp"

#ifdef PLIMSOLL_ASAN
#define PLIMSOLL_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define PLIMSOLL_NO_ASAN
#endif

namespace plimsoll::memory {

class SlabMark {
 public:
  explicit SlabMark(std::uint64_t key) : key_(key) {}

  PLIMSOLL_NO_ASAN bool is_on(const char* object) const { return *word(object) == of(object); }
  PLIMSOLL_NO_ASAN void put(char* object) const { *word(object) = of(object); }
  PLIMSOLL_NO_ASAN void remove(char* object) const { *word(object) = 0; }

 private:
  // Objects are aligned to 16 bytes; their owners may see any type there.
  using Word = std::uint64_t __attribute__((may_alias));
  static Word* word(char* object) { return static_cast<Word*>(static_cast<void*>(object)); }
  static const Word* word(const char* object) { return static_cast<const Word*>(static_cast<const void*>(object)); }
  std::uint64_t of(const char* object) const { return reinterpret_cast<std::uintptr_t>(object) ^ key_; }

  std::uint64_t key_;
};

}  // namespace plimsoll::memory
