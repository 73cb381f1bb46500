#include "io/ring_pool.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "io/transfer.hpp"

namespace plimsoll::io {

namespace {

// A transfer's error until it has an answer.
constexpr int no_answer = -1;

// One request's length is 32 bits wide; what is longer goes on as a short transfer does.
constexpr std::size_t request_bytes_max = std::size_t{1} << 30;

int finish(int fd, bool direct, Ring::Direction direction, const Transfer& transfer, std::size_t done) {
  const std::uint64_t offset = transfer.offset + done;
  const std::span<char> rest(transfer.data + done, transfer.bytes - done);
  return direction == Ring::Direction::read ? read_whole(fd, direct, offset, rest) : write_whole(fd, direct, offset, rest, 0);
}

// The errno of a transfer of which the kernel said `answer`, after doing what is left of it.
int complete(int fd, bool direct, Ring::Direction direction, const Transfer& transfer, int answer) {
  if (answer == -EINTR || answer == -EAGAIN) return finish(fd, direct, direction, transfer, 0);
  if (answer < 0) return -answer;
  const auto done = static_cast<std::size_t>(answer);
  PLIMSOLL_CHECK(done <= transfer.bytes);
  return done == transfer.bytes ? 0 : finish(fd, direct, direction, transfer, continue_at(direct, done));
}

}  // namespace

int Ring::ready() {
  if (open_) return 0;
  const int answer = io_uring_queue_init(depth, &ring_, 0);
  if (answer < 0) return -answer;
  open_ = true;
  return 0;
}

void Ring::close() {
  if (!open_) return;
  io_uring_queue_exit(&ring_);
  open_ = false;
}

void Ring::prepare(int fd, Direction direction, std::span<const Transfer> transfers, std::size_t index) {
  const Transfer& transfer = transfers[index];
  io_uring_sqe* request = io_uring_get_sqe(&ring_);
  PLIMSOLL_CHECK(request != nullptr);  // the queue has room for all that may be in flight
  const auto bytes = static_cast<unsigned>(std::min(transfer.bytes, request_bytes_max));
  if (direction == Direction::read) {
    io_uring_prep_read(request, fd, transfer.data, bytes, transfer.offset);
  } else {
    io_uring_prep_write(request, fd, transfer.data, bytes, transfer.offset);
  }
  io_uring_sqe_set_data64(request, index);
}

// Takes all answers that are there; their number.
std::size_t Ring::reap(int fd, bool direct, Direction direction, std::span<Transfer> transfers) {
  std::size_t count = 0;
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    const auto index = static_cast<std::size_t>(io_uring_cqe_get_data64(completion));
    const int answer = completion->res;
    io_uring_cqe_seen(&ring_, completion);
    PLIMSOLL_CHECK(index < transfers.size());
    PLIMSOLL_CHECK(transfers[index].error == no_answer);
    transfers[index].error = complete(fd, direct, direction, transfers[index], answer);
    ++count;
  }
  return count;
}

// The kernel takes no more requests: the `submitted` ones are waited for, because they use the callers' buffers, and the ring is
// closed with the requests that it still holds. Plain calls do the rest.
void Ring::give_up(std::size_t submitted, int fd, bool direct, Direction direction, std::span<Transfer> transfers) {
  while (submitted > 0) {
    io_uring_cqe* completion = nullptr;
    const int answer = io_uring_wait_cqe(&ring_, &completion);
    PLIMSOLL_CHECK(answer == 0 || answer == -EINTR || answer == -EAGAIN);
    const std::size_t count = reap(fd, direct, direction, transfers);
    PLIMSOLL_CHECK(count <= submitted);
    submitted -= count;
  }
  close();
  for (Transfer& transfer : transfers) {
    if (transfer.error == no_answer) transfer.error = finish(fd, direct, direction, transfer, 0);
  }
}

void Ring::run(int fd, bool direct, Direction direction, std::span<Transfer> transfers) {
  PLIMSOLL_DCHECK(open_);
  for (Transfer& transfer : transfers) transfer.error = no_answer;
  std::size_t next = 0;
  std::size_t in_flight = 0;  // handed to the ring, answer not taken
  while (next < transfers.size() || in_flight > 0) {
    for (; next < transfers.size() && in_flight < depth; ++next, ++in_flight) prepare(fd, direction, transfers, next);
    // While more requests wait, go on when a part of those in flight is done; at the end wait for all.
    const std::size_t wanted = next < transfers.size() ? depth / 4 : in_flight;
    const int answer = io_uring_submit_and_wait(&ring_, static_cast<unsigned>(wanted));
    if (answer < 0 && answer != -EINTR) [[unlikely]] {
      return give_up(in_flight - io_uring_sq_ready(&ring_), fd, direct, direction, transfers);
    }
    const std::size_t count = reap(fd, direct, direction, transfers);
    PLIMSOLL_CHECK(count <= in_flight);
    in_flight -= count;
  }
  PLIMSOLL_DCHECK(io_uring_sq_ready(&ring_) == 0);
}

bool RingPool::run(int fd, bool direct, Ring::Direction direction, std::span<Transfer> transfers) {
  // Threads begin at different places, so that each mostly finds the ring that it had before.
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t first = threads.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < rings_max; ++i) {
    Place& place = places_[(first + i) % rings_max];
    if (place.taken.load(std::memory_order_relaxed) || place.taken.exchange(true, std::memory_order_acquire)) continue;
    const bool usable = place.ring.ready() == 0;
    if (usable) place.ring.run(fd, direct, direction, transfers);
    place.taken.store(false, std::memory_order_release);
    return usable;
  }
  return false;
}

int RingPool::probe() {
  Place& place = places_.front();
  PLIMSOLL_CHECK(!place.taken.exchange(true, std::memory_order_acquire));
  int error = place.ring.ready();
  if (error == 0) {
    io_uring_probe* known = io_uring_get_probe();
    const bool both = known != nullptr && io_uring_opcode_supported(known, IORING_OP_READ) != 0 &&
                      io_uring_opcode_supported(known, IORING_OP_WRITE) != 0;
    if (known != nullptr) io_uring_free_probe(known);
    if (!both) error = EOPNOTSUPP;
  }
  place.taken.store(false, std::memory_order_release);
  return error;
}

}  // namespace plimsoll::io
