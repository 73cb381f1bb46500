// What another thread could do at the worst moment, done by the same thread: a test names the moment by its number. Needs a build
// with PLIMSOLL_PERTURB; in others nothing ever happens, and the test skips itself.
#pragma once

#include <functional>
#include <utility>

#include "base/perturb.hpp"

namespace plimsoll {

#ifdef PLIMSOLL_PERTURB
inline constexpr bool can_interfere = true;
#else
inline constexpr bool can_interfere = false;
#endif

// While it lives: at the n-th time (from 0) that this thread comes by the window, `act` is called, once. It answers whether it
// could act; if not, it is asked again the next time.
class Interference {
 public:
  Interference([[maybe_unused]] Window window, [[maybe_unused]] int n, [[maybe_unused]] std::function<bool()> act) {
#ifdef PLIMSOLL_PERTURB
    hook_ = [this, window, n, act = std::move(act)](Window here) mutable {
      if (here != window || happened_ || acting_ || n-- > 0) return;
      acting_ = true;
      happened_ = act();
      acting_ = false;
    };
    outer_ = std::exchange(perturb_hook, &hook_);
#endif
  }
  explicit Interference() : Interference(Window::sampled, 0, [] { return false; }) {}  // none: the thread runs through
  ~Interference() {
#ifdef PLIMSOLL_PERTURB
    perturb_hook = outer_;
#endif
  }
  Interference(const Interference&) = delete;
  Interference& operator=(const Interference&) = delete;

  bool happened() const { return happened_; }

 private:
#ifdef PLIMSOLL_PERTURB
  std::function<void(Window)> hook_;
  const std::function<void(Window)>* outer_ = nullptr;
#endif
  bool happened_ = false, acting_ = false;
};

}  // namespace plimsoll
