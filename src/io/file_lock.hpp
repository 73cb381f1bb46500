// The exclusive lock of a store: an open-file-description lock on a lock file whose first line is the holder's pid.
// The kernel gives it up when the last copy of the descriptor is closed, a crash included. It excludes other processes and other
// handles of this process alike.
//
// Forks: a child's copy of the lock object only closes its descriptor, which changes nothing for the parent. Releasing in the
// parent releases for the children too. If the parent is killed while a forked child lives on (without exec), the store stays
// locked until that child ends.
#pragma once

#include <string_view>

#include "io/file.hpp"

namespace plimsoll::io {

Result<std::unique_ptr<FileSystem::Lock>> take_file_lock(std::string_view path);
Result<std::uint64_t> file_lock_holder(std::string_view path);

}  // namespace plimsoll::io
