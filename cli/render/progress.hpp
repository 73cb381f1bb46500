// A progress bar on standard error, shown only if that is a terminal; redrawn at most ten times a second and wiped at the end.
// One object is used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace plimsoll::cli {

// "loading  [#####.....]  50 %  12,000 records"; without a known total the bar and the percentage are left out.
std::string progress_text(std::string_view label, std::uint64_t done, std::uint64_t total, std::uint64_t records);

class Progress {
 public:
  // `total`: 0 if it is not known.
  Progress(std::string label, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t records);  // of each record: mostly does nothing
  void look(std::uint64_t done, std::uint64_t records);    // of who calls rarely

 private:
  void draw(std::uint64_t done, std::uint64_t records);

  std::string label_;
  std::uint64_t total_;
  bool visible_;
  bool drawn_ = false;
  std::uint64_t calls_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace plimsoll::cli
