// Marks memory that nobody may touch, for AddressSanitizer; free of cost, because empty, in other builds.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define PLIMSOLL_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLIMSOLL_ASAN
#endif
#endif

#ifdef PLIMSOLL_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace plimsoll::memory {

inline void poison([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t bytes) {
#ifdef PLIMSOLL_ASAN
  __asan_poison_memory_region(at, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t bytes) {
#ifdef PLIMSOLL_ASAN
  __asan_unpoison_memory_region(at, bytes);
#endif
}

}  // namespace plimsoll::memory
