// Widens the windows in which one thread overtakes another, in builds with PLIMSOLL_PERTURB (the sanitizers' and those of
// tests/mutants): now and then a thread that comes by gives the processor away. A test may do something of its own there instead:
// what another thread could have done at this very moment, but every time. Nothing in other builds.
#pragma once

#ifdef PLIMSOLL_PERTURB
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#endif

namespace plimsoll {

enum class Window : unsigned char {
  sampled,     // a reader is about to sample a page that another has led it to, or has just loaded its word
  validating,  // it has read the page and is about to see whether the word has changed
  resampled,   // a reader of a slot, table or set is in the middle of what it will see confirmed or not
  changing,    // a writer is about to change a page, or has done so and is about to unlatch it
  deciding,    // a commit has its position in the log, and draws its timestamp: it holds the commit latch
};

#ifdef PLIMSOLL_PERTURB
// The thread's own.
inline thread_local const std::function<void(Window)>* perturb_hook = nullptr;

inline void perturb(Window window) {
  if (perturb_hook != nullptr) {
    (*perturb_hook)(window);
    return;
  }
  thread_local std::uint64_t state = 0x9E3779B97F4A7C15ull ^ reinterpret_cast<std::uintptr_t>(&state);
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  if (state % 256 == 0) std::this_thread::yield();
  if (state % 8192 == 1) std::this_thread::sleep_for(std::chrono::microseconds(state >> 32 & 31));
}
#else
inline void perturb(Window) {}
#endif

}  // namespace plimsoll
