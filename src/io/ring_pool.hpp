// A bounded number of io_uring rings, made when first wanted and lent out for one batch at a time. A batch that finds none free, or
// none to be had, is run by plain calls instead: nobody waits for a ring.
//
// Thread-safe; a ring itself is used by its borrower alone. The kernel's side of a ring does not survive a fork: a child must not
// use files of its parent.
#pragma once

#include <liburing.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <span>

#include "io/file.hpp"

namespace plimsoll::io {

class Ring {
 public:
  static constexpr unsigned depth = 64;
  enum class Direction : bool { read, write };

  Ring() = default;
  ~Ring() { close(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Makes the kernel's side unless it is there: 0 or an errno.
  [[nodiscard]] int ready();
  // Runs all transfers and waits for them; every one has its error set. What the ring leaves unfinished (a short transfer, a
  // refused submission) is finished by plain calls.
  void run(int fd, bool direct, Direction direction, std::span<Transfer> transfers);

 private:
  void prepare(int fd, Direction direction, std::span<const Transfer> transfers, std::size_t index);
  std::size_t reap(int fd, bool direct, Direction direction, std::span<Transfer> transfers);
  void give_up(std::size_t submitted, int fd, bool direct, Direction direction, std::span<Transfer> transfers);
  void close();

  io_uring ring_{};
  bool open_ = false;
};

class RingPool {
 public:
  static constexpr std::size_t rings_max = 16;

  // Runs the batch on a free ring. false: there is none, nothing has been done.
  bool run(int fd, bool direct, Ring::Direction direction, std::span<Transfer> transfers);
  // Whether this kernel lets us have a ring that reads and writes: 0 or an errno.
  [[nodiscard]] int probe();

 private:
  struct Place {
    std::atomic<bool> taken{false};
    Ring ring;  // used by who has set `taken`
  };
  std::array<Place, rings_max> places_;
};

}  // namespace plimsoll::io
