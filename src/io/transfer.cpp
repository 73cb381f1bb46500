#include "io/transfer.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.hpp"

namespace plimsoll::io {

int read_whole(int fd, bool direct, std::uint64_t offset, std::span<char> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    const auto got = static_cast<std::size_t>(n);
    PLIMSOLL_CHECK(got <= into.size() - done);
    done += got;
    // A direct read stops inside a block at the end of the file only.
    if (got == 0 || (direct && got % block_bytes != 0)) break;
  }
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(done), into.end(), '\0');
  return 0;
}

int write_whole(int fd, bool direct, std::uint64_t offset, std::span<const char> from, int flags) {
  std::size_t done = 0;
  while (done < from.size()) {
    iovec piece{const_cast<char*>(from.data()) + done, from.size() - done};
    const ssize_t n = ::pwritev2(fd, &piece, 1, static_cast<off_t>(offset + done), flags);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    const auto put = static_cast<std::size_t>(n);
    PLIMSOLL_CHECK(put <= from.size() - done);
    if (put == from.size() - done) return 0;
    const std::size_t progress = continue_at(direct, put);
    if (progress == 0) return EIO;  // a device that takes less than a block would be asked for ever
    done += progress;
  }
  return 0;
}

int write_zeroes(int fd, bool direct, std::uint64_t from, std::uint64_t to) {
  PLIMSOLL_DCHECK(from % block_bytes == 0 && to % block_bytes == 0);
  alignas(block_bytes) static constexpr std::array<char, 16 * block_bytes> zeroes{};
  while (from < to) {
    const std::size_t bytes = std::min<std::uint64_t>(zeroes.size(), to - from);
    if (const int error = write_whole(fd, direct, from, {zeroes.data(), bytes}, 0); error != 0) return error;
    from += bytes;
  }
  return 0;
}

}  // namespace plimsoll::io
