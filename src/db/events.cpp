#include "db/events.hpp"

#include <algorithm>

namespace plimsoll::db {

namespace {
constexpr const char* kind_names[] = {"open_phase",       "checkpoint",        "pressure",   "reaped",    "killed",
                                      "slow_transaction", "large_transaction", "corruption", "log_failed"};
}

void Events::keep(const Event& event) {
  {
    MutexLock lock(mutex_);
    ring_[count_++ % kept] = event;
  }
  if (sink_.call != nullptr) sink_.call(sink_.context, event);
}

std::vector<std::string> Events::newest() const {
  std::vector<std::string> lines;
  MutexLock lock(mutex_);
  for (std::uint64_t i = count_ - std::min<std::uint64_t>(count_, kept); i < count_; ++i) {
    const Event& event = ring_[i % kept];
    lines.push_back(fmt::format("{} {} {}", event.wall_ms, kind_names[static_cast<std::size_t>(event.kind)], event.text));
  }
  return lines;
}

}  // namespace plimsoll::db
