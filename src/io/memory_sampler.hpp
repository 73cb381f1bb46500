// How much memory the operating system lets this process have, and how scarce it is: the limits of its container (cgroup v2, else
// v1), the machine's free memory (/proc/meminfo) and the pressure (PSI). Reads small files with plain system calls into fixed
// buffers: no heap allocation, a few microseconds a sample.
//
//   MemorySampler sampler("/");       // tests give a folder that holds a proc and a sys/fs/cgroup of their own
//   const MemorySample now = sampler.sample();
//
// Where it looks: /proc/self/cgroup names the process's group in each hierarchy. v2 is looked for at /sys/fs/cgroup and
// /sys/fs/cgroup/unified, v1 at /sys/fs/cgroup/memory; other mount points are not found. A limit of any group on the way up binds,
// so all of them are read. Inside a container the path may be the host's, and then does not exist here; the groups that do exist
// are read, at least the topmost, which is the container's own.
//
// What is absent (no such file, no permission, no PSI in the kernel) is an absent value. What is there and cannot be understood is
// one, too, and `problem` says which file and why. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plimsoll/error.hpp"

namespace plimsoll::io {

struct MemorySample {
  enum class Source : std::uint8_t { none, system, cgroup_v1, cgroup_v2 };
  Source source = Source::none;  // of limit and usage: the group whose limit binds, or the machine
  // The least of memory.max, memory.high, memory.limit_in_bytes on the way up; the machine's memory if none is less.
  std::optional<std::uint64_t> limit_bytes{};
  std::optional<std::uint64_t> usage_bytes{};  // of what the limit is of: a group's counts its page cache, a machine's does not
  // What can still be had: the least over the machine and all groups with a limit; page cache that is not in use counts as free.
  std::optional<std::uint64_t> available_bytes{};
  std::optional<double>
      psi_some_avg10{};            // percent of the last 10 s in which something waited for memory; the group's or the machine's
  std::optional<Error> problem{};  // the first file that was there and could not be read or understood
};

std::string_view name(MemorySample::Source source);

class MemorySampler {
 public:
  explicit MemorySampler(std::string_view root = "/");
  MemorySample sample() const noexcept;

 private:
  std::string root_;  // without a slash at its end
};

}  // namespace plimsoll::io
