// The files that pages come from, by the file number in page keys. The data file has a place of its own. Lookups take no latch; a
// file is detached only when nobody reads its pages any more.
#pragma once

#include <array>
#include <atomic>

#include "base/check.hpp"
#include "io/file.hpp"
#include "storage/page.hpp"

namespace plimsoll::storage {

class FileTable {
 public:
  static constexpr std::size_t files_max = 64;  // version files that wait for their undecided transactions, and two in use

  io::File* find(std::uint16_t file) const {
    for (const Entry& entry : entries_) {
      if (io::File* handle = entry.handle.load(std::memory_order_acquire);
          handle != nullptr && entry.file.load(std::memory_order_relaxed) == file) {
        return handle;
      }
    }
    return nullptr;
  }
  // By one thread at a time, as detach().
  void attach(std::uint16_t file, io::File& handle) {
    PLIMSOLL_CHECK(find(file) == nullptr);
    for (Entry& entry : entries_) {
      if (entry.handle.load(std::memory_order_relaxed) != nullptr) continue;
      entry.file.store(file, std::memory_order_relaxed);
      entry.handle.store(&handle, std::memory_order_release);
      return;
    }
    PLIMSOLL_CHECK(false && "too many files are attached");
  }
  void detach(std::uint16_t file) {
    for (Entry& entry : entries_) {
      if (entry.file.load(std::memory_order_relaxed) == file) entry.handle.store(nullptr, std::memory_order_release);
    }
  }

 private:
  struct Entry {
    std::atomic<std::uint16_t> file{0};
    std::atomic<io::File*> handle{nullptr};
  };
  std::array<Entry, files_max> entries_;
};

}  // namespace plimsoll::storage
