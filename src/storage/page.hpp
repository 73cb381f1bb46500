// What every page has in common: its key, the first bytes of its layout, and the version word by which readers are optimistic.
//
// Common header (little-endian, 32 bytes; the rest belongs to the page's kind):
//   0  u64  in memory: version word. On disk: u32 CRC32C over {store salt, page key, bytes 8..end} | u32 page_format
//   8  u64  page key (file << 32 | page number): a misplaced page is found out
//   16 u64  page LSN: end of the newest log record that changed the page
//   24 u8 kind | 25 u8 level (nodes) | 26 u16 flags | 28 u32 tree (nodes) or zero
//
// Version word: bit 0 latched exclusively, bit 1 cooling (set by the evictor, cleared by whoever reads the page), bits 2..63 a
// version that grows with every change. 0: the frame holds no page. Words never restart when a frame is reused or its chunk comes
// back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "base/optimistic.hpp"
#include "base/perturb.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::storage {

// file << 32 | page number. File 0 is the data file, others are version files by incarnation.
using PageKey = StrongId<struct PageKeyTag, std::uint64_t>;
inline constexpr std::uint16_t data_file = 0;
constexpr PageKey page_key(std::uint16_t file, std::uint32_t page) {
  return PageKey{static_cast<std::uint64_t>(file) << 32 | page};
}
constexpr PageKey data_page(std::uint32_t page) { return PageKey{page}; }
constexpr std::uint16_t file_of(PageKey key) { return static_cast<std::uint16_t>(key.value >> 32); }
constexpr std::uint32_t page_of(PageKey key) { return static_cast<std::uint32_t>(key.value); }

enum class PageKind : std::uint8_t { none = 0, node = 1, space_map = 2, version = 3 };

inline constexpr std::size_t page_header_bytes = 32;
inline constexpr std::size_t page_bytes_min = 4096, page_bytes_max = 32768;
inline constexpr std::uint32_t page_format = 1;

namespace at {
inline constexpr std::size_t word = 0, key = 8, lsn = 16, kind = 24, level = 25, flags = 26, tree = 28;
}

inline constexpr std::uint64_t word_latched = 1, word_cooling = 2, word_step = 4;

inline std::atomic_ref<std::uint64_t> word_of(const char* page) {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(const_cast<char*>(page)));  // pages are 4 KiB aligned
}
// Atomic in every build: whoever wants to latch a page looks at its key first.
inline PageKey key_of(const char* page) {
  return PageKey{__atomic_load_n(reinterpret_cast<const std::uint64_t*>(page + at::key), __ATOMIC_RELAXED)};
}
inline void set_key(char* page, PageKey key) {
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(page + at::key), key.value, __ATOMIC_RELAXED);
}
inline Lsn lsn_of(const char* page) { return Lsn{page_load<std::uint64_t>(page + at::lsn)}; }
inline PageKind kind_of(const char* page) { return static_cast<PageKind>(page_load<std::uint8_t>(page + at::kind)); }

using FrameIndex = std::uint32_t;
inline constexpr FrameIndex no_frame = 0xFFFFFFFF;

// A page as a reader sees it: bytes that others may change meanwhile, and the word under which they were first looked at. Nothing
// read through it may be used before still_valid() has said so afterwards. Holds nothing; costs nothing.
struct OptimisticPage {
  const char* bytes = nullptr;
  std::uint64_t word = 0;
  FrameIndex frame = no_frame;

  bool still_valid() const {
    perturb(Window::validating);
    std::atomic_thread_fence(std::memory_order_acquire);
    return (word_of(bytes).load(std::memory_order_relaxed) & ~word_cooling) == word;
  }
};

}  // namespace plimsoll::storage
