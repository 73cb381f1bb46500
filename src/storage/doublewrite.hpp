// The doublewrite area against torn pages: a batch of up to 64 pages is written here, synced, and only then written in place. After
// a crash, repair() puts back whatever is torn in place. Layout of the file: block 0 (4 KiB): magic, page size, count, CRC, page
// keys; then the pages.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "io/file.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/error.hpp"
#include "storage/page.hpp"

namespace plimsoll::storage {

inline constexpr std::size_t doublewrite_batch = 64;

// Checks the checksum, key and format of a page image read from disk, and fills its first 8 bytes for disk.
enum class PageState : std::uint8_t { good, never_written, damaged, misplaced };
PageState check_image(const char* image, std::uint32_t page_bytes, std::uint64_t salt, PageKey key);
void seal_image(char* image, std::uint32_t page_bytes, std::uint64_t salt);

// Which pages a batch in the area may hold.
struct DoublewriteBatch {
  std::array<PageKey, doublewrite_batch> keys;
  std::size_t count = 0;
  bool unknown = true;  // it may be another one
  std::span<const PageKey> pages() const { return {keys.data(), count}; }
};

// Writes one batch of sealed images (adjacent in memory, `images`), synced when it returns.
Result<void> write_doublewrite(io::File& area, std::uint32_t page_bytes, std::span<const PageKey> keys, const char* images);

// Forgets the last batch: repair() finds nothing. Synced when it returns.
Result<void> clear_doublewrite(io::File& area);

// After a crash, before any page is read: every page of the batch whose place holds a damaged image gets its copy back. `file_of`
// answers the file of a key, or null if it is gone. Answers how many pages were repaired.
Result<std::uint64_t> repair(io::File& area, memory::PageProvider& provider, std::uint32_t page_bytes, std::uint64_t salt,
                             const std::function<io::File*(std::uint16_t)>& file);

}  // namespace plimsoll::storage
