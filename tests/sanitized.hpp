// Whether this program runs under a sanitizer, which has an allocator of its own and counts differently.
#pragma once

namespace plimsoll {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLIMSOLL_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLIMSOLL_TEST_SANITIZED
#endif
#endif

#ifdef PLIMSOLL_TEST_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace plimsoll
