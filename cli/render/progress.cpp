#include "render/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/check.hpp"
#include "render/quantity.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::size_t bar_cells = 30;
constexpr std::uint64_t calls_per_look = 64;  // the clock is asked once in so many calls
constexpr auto redraw_every = std::chrono::milliseconds(100);
constexpr std::string_view wipe_line = "\r\x1b[K";

}  // namespace

std::string progress_text(std::string_view label, std::uint64_t done, std::uint64_t total, std::uint64_t records) {
  if (total == 0) return fmt::format("{}  {} records", label, render_count(records));
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(share * bar_cells);
  PLIMSOLL_DCHECK(filled <= bar_cells);
  return fmt::format("{}  [{}{}]  {:.0f} %  {} records", label, std::string(filled, '#'), std::string(bar_cells - filled, '.'),
                     share * 100, render_count(records));
}

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)), total_(total), visible_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "{}", wipe_line);
}

void Progress::update(std::uint64_t done, std::uint64_t records) {
  if (visible_ && calls_++ % calls_per_look == 0) look(done, records);
}

void Progress::look(std::uint64_t done, std::uint64_t records) {
  if (!visible_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + redraw_every;
  draw(done, records);
}

void Progress::draw(std::uint64_t done, std::uint64_t records) {
  PLIMSOLL_DCHECK(visible_);
  fmt::print(stderr, "{}{}", wipe_line, progress_text(label_, done, total_, records));
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace plimsoll::cli
