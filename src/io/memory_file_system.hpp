// Files in memory, for stores that live as long as their handle. Their bytes are chunks of one arena, charged to the budget
// (Account::memory_files); when it has no room, writing answers no_space, as a full disk does. Nothing is reclaimed for them: what
// could be reclaimed (pages of the pool) may have to be written here first. They take ten sixteenths of the budget at most, and
// allocate(), by which a store's data grows, takes eight: what is written without (log, checkpoints) still finds room then.
//
// Nothing survives the FileSystem; syncing does nothing. Names are not ordered into directories, a path is just a name with
// slashes. Thread-safe: one latch guards all files, held while bytes are copied.
#pragma once

#include "io/file.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::io {

// `provider` outlives the file system.
Result<std::unique_ptr<FileSystem>> make_memory_file_system(memory::PageProvider& provider);

}  // namespace plimsoll::io
