// Access to page bytes that others may change meanwhile. A reader loads through these functions, uses nothing before it has
// validated the page's version word, and bounds-checks every offset that it follows before validation. Writers, who hold the page
// latched, store through them too. In normal builds they are plain copies of single words or memcpy; with PLIMSOLL_ATOMIC_PAGES
// each word goes through a relaxed atomic reference, so that ThreadSanitizer sees the protocol and not the benign race.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace plimsoll {

template <class T>
inline T page_load(const void* at) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
#ifdef PLIMSOLL_ATOMIC_PAGES
  T value;
  auto* to = reinterpret_cast<unsigned char*>(&value);
  auto* from = static_cast<const unsigned char*>(at);
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  return value;
#else
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
#endif
}

template <class T>
inline void page_store(void* at, std::type_identity_t<T> value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
#ifdef PLIMSOLL_ATOMIC_PAGES
  auto* from = reinterpret_cast<const unsigned char*>(&value);
  auto* to = static_cast<unsigned char*>(at);
  for (std::size_t i = 0; i < sizeof(T); ++i) __atomic_store_n(to + i, from[i], __ATOMIC_RELAXED);
#else
  std::memcpy(at, &value, sizeof(T));
#endif
}

#ifdef PLIMSOLL_ATOMIC_PAGES
// step(offset, piece) for each piece of these bytes of a page: words, and single bytes before and behind them.
template <class Step>
inline void each_piece(const void* page_bytes, std::size_t bytes, Step step) {
  const auto at = reinterpret_cast<std::uintptr_t>(page_bytes);
  for (std::size_t i = 0; i < bytes;) {
    if ((at + i) % sizeof(std::uint64_t) == 0 && bytes - i >= sizeof(std::uint64_t)) {
      step(i, std::uint64_t{});
      i += sizeof(std::uint64_t);
    } else {
      step(i++, std::uint8_t{});
    }
  }
}
#endif

// From a page into private memory.
inline void page_read(void* to, const void* page_bytes, std::size_t bytes) {
#ifdef PLIMSOLL_ATOMIC_PAGES
  each_piece(page_bytes, bytes, [=](std::size_t i, auto piece) {
    piece = __atomic_load_n(reinterpret_cast<const decltype(piece)*>(static_cast<const char*>(page_bytes) + i), __ATOMIC_RELAXED);
    std::memcpy(static_cast<char*>(to) + i, &piece, sizeof piece);
  });
#else
  if (bytes != 0) std::memcpy(to, page_bytes, bytes);  // empty views may be null
#endif
}

// From private memory into a page.
inline void page_write(void* page_bytes, const void* from, std::size_t bytes) {
#ifdef PLIMSOLL_ATOMIC_PAGES
  each_piece(page_bytes, bytes, [=](std::size_t i, auto piece) {
    std::memcpy(&piece, static_cast<const char*>(from) + i, sizeof piece);
    __atomic_store_n(reinterpret_cast<decltype(piece)*>(static_cast<char*>(page_bytes) + i), piece, __ATOMIC_RELAXED);
  });
#else
  if (bytes != 0) std::memcpy(page_bytes, from, bytes);
#endif
}

inline void page_zero(void* page_bytes, std::size_t bytes) {
#ifdef PLIMSOLL_ATOMIC_PAGES
  each_piece(page_bytes, bytes, [=](std::size_t i, auto zero) {
    __atomic_store_n(reinterpret_cast<decltype(zero)*>(static_cast<char*>(page_bytes) + i), zero, __ATOMIC_RELAXED);
  });
#else
  std::memset(page_bytes, 0, bytes);
#endif
}

// Within or between pages that the caller holds latched; may overlap.
inline void page_move(void* to, const void* from, std::size_t bytes) {
#ifdef PLIMSOLL_ATOMIC_PAGES
  auto* t = static_cast<unsigned char*>(to);
  auto* f = static_cast<const unsigned char*>(from);
  if (t < f) {
    for (std::size_t i = 0; i < bytes; ++i) __atomic_store_n(t + i, __atomic_load_n(f + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
  } else {
    for (std::size_t i = bytes; i-- > 0;) __atomic_store_n(t + i, __atomic_load_n(f + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
  }
#else
  if (bytes != 0) std::memmove(to, from, bytes);
#endif
}

// memcmp of page bytes with private bytes.
inline int page_compare(const void* page_bytes, const void* with, std::size_t bytes) {
#ifdef PLIMSOLL_ATOMIC_PAGES
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto a = __atomic_load_n(static_cast<const unsigned char*>(page_bytes) + i, __ATOMIC_RELAXED);
    const auto b = static_cast<const unsigned char*>(with)[i];
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
#else
  return bytes == 0 ? 0 : std::memcmp(page_bytes, with, bytes);
#endif
}

// g++ 12 drops calls to a function that only prefetches unless it is inlined; the asm cannot be dropped.
[[gnu::always_inline]] inline void prefetch(const void* at) { asm volatile("prefetcht0 %0" ::"m"(*static_cast<const char*>(at))); }

}  // namespace plimsoll
