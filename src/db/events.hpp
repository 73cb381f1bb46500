// The event sink: what happened that an operator wants to know. The newest events are kept in a ring of fixed size for `stat`; each
// is also handed to the sink of the options, never under a latch that the store needs.
#pragma once

#include <fmt/core.h>

#include <array>
#include <string>
#include <vector>

#include "base/latch.hpp"
#include "base/time.hpp"
#include "plimsoll/options.hpp"

namespace plimsoll::db {

class Events {
 public:
  Events(TimeSource& time, EventSink sink) : time_(time), sink_(sink) {}

  template <class... Args>
  void add(EventKind kind, fmt::format_string<Args...> format, Args&&... args) {
    Event event{kind, time_.wall_ms(), {}};
    const auto end = fmt::format_to_n(event.text, sizeof event.text - 1, format, std::forward<Args>(args)...);
    *end.out = 0;
    keep(event);
  }
  std::vector<std::string> newest() const;  // oldest first

 private:
  static constexpr std::size_t kept = 128;
  void keep(const Event& event);

  TimeSource& time_;
  EventSink sink_;
  mutable Mutex mutex_{LatchRank::events};
  std::array<Event, kept> ring_ PLIMSOLL_GUARDED_BY(mutex_){};
  std::uint64_t count_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::db
