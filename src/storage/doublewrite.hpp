// The doublewrite area against torn pages: a batch of up to 128 pages is written here, synced, and only then written in place.
// After a crash, repair() puts back whatever is torn in place. Layout of the file: block 0 (4 KiB): magic, page size, count, CRC,
// page keys; then the pages.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "base/latch.hpp"
#include "io/file.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/error.hpp"
#include "storage/page.hpp"

namespace plimsoll::storage {

inline constexpr std::size_t doublewrite_batch = 128;

// Checks the checksum, key and format of a page image read from disk, and fills its first 8 bytes for disk.
enum class PageState : std::uint8_t { good, never_written, damaged, misplaced };
PageState check_image(const char* image, std::uint32_t page_bytes, std::uint64_t salt, PageKey key);
void seal_image(char* image, std::uint32_t page_bytes, std::uint64_t salt);

// Of which pages an image lies in the area, or is on its way to its place. Whoever writes a page out adds it with the page latched,
// so that nobody who was given the page's place in the file later can miss it. Thread-safe; changed by who has the writer's turn.
class DoublewritePages {
 public:
  void begin_batch();
  void add(PageKey key);  // of the batch
  void replaced();        // the area holds the batch
  void unsure();          // it may hold the batch or what it held before
  void cleared();         // the area holds nothing
  bool may_hold(PageKey from, PageKey to) const;
  using Keys = std::array<PageKey, doublewrite_batch>;
  std::span<const PageKey> in_area(Keys& keys) const;  // in their order there

 private:
  mutable Mutex mutex_{LatchRank::writer};
  Keys in_area_ PLIMSOLL_GUARDED_BY(mutex_), in_batch_ PLIMSOLL_GUARDED_BY(mutex_);
  std::size_t in_area_count_ PLIMSOLL_GUARDED_BY(mutex_) = 0, in_batch_count_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  bool unknown_ PLIMSOLL_GUARDED_BY(mutex_) = true;  // the area may hold anything
};

// Writes one batch of sealed images (adjacent in memory, `images`), synced when it returns.
Result<void> write_doublewrite(io::File& area, std::uint32_t page_bytes, std::span<const PageKey> keys, const char* images);

// The images of the batch that the area holds, which are these, adjacent. corruption: one of them is not whole.
Result<void> read_doublewrite(io::File& area, std::uint32_t page_bytes, std::uint64_t salt, std::span<const PageKey> keys,
                              char* images);

// Forgets the last batch: repair() finds nothing. Synced when it returns.
Result<void> clear_doublewrite(io::File& area);

// After a crash, before any page is read: every page of the batch whose place holds a damaged image gets its copy back. `file_of`
// answers the file of a key, or null if it is gone. Answers how many pages were repaired.
Result<std::uint64_t> repair(io::File& area, memory::PageProvider& provider, std::uint32_t page_bytes, std::uint64_t salt,
                             const std::function<io::File*(std::uint16_t)>& file);

}  // namespace plimsoll::storage
