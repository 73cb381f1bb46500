// Whole transfers through pread and pwrite: continued where the kernel stops short or is interrupted. Stateless, used by the plain
// back end for everything and by io_uring for what a ring leaves unfinished. Each function answers 0 or an errno.
//
// With `direct`, a transfer is only ever continued at a multiple of block_bytes, as O_DIRECT demands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/file.hpp"

namespace plimsoll::io {

// Bytes past the end of the file are zeroed.
[[nodiscard]] int read_whole(int fd, bool direct, std::uint64_t offset, std::span<char> into);
// `flags` as for pwritev2 (0 or RWF_DSYNC); EOPNOTSUPP if the kernel does not know them, then nothing was written.
[[nodiscard]] int write_whole(int fd, bool direct, std::uint64_t offset, std::span<const char> from, int flags);
// Writes zeroes over [from, to), both multiples of block_bytes: what remains where the file system cannot reserve blocks.
[[nodiscard]] int write_zeroes(int fd, bool direct, std::uint64_t from, std::uint64_t to);

// What a transfer of which the kernel did `done` of `bytes` has to be continued from: `done` itself, or with `direct` the last
// block boundary before it.
constexpr std::size_t continue_at(bool direct, std::size_t done) { return direct ? done - done % block_bytes : done; }

}  // namespace plimsoll::io
