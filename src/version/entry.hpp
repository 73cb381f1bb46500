// A version entry: what a record was before a transaction changed it. It is the undo of that transaction and the older version for
// readers.
//
// Version page: common page header (32 bytes, kind version) | entries, 8-aligned, one behind the other. Entry:
//   0  u64 writer (transaction id)            8  u64 previous entry of that transaction (address)
//   16 u64 stamp of the before-image          24 u64 address of the version before it
//   32 u32 tree | 36 u16 key bytes | 38 u16 value bytes | 40 u16 entry bytes | 42 u8 record flags | 43 u8 entry flags | 44 u32 leaf
//   page 48 key | value
// An address is page key << 16 | offset in the page; the page key's file is the incarnation, so an address names the open that made
// it. 0: none. The stamp is a resolved commit timestamp, or the writer's own mark: then the version was overwritten by its own
// transaction (an intermediate) and nobody ever sees it (protocols.md rule 1).
#pragma once

#include <cstdint>

#include "base/optimistic.hpp"
#include "plimsoll/types.hpp"
#include "storage/page.hpp"

namespace plimsoll::version {

inline constexpr std::uint8_t flag_absent = 4;          // record flags: there was no record (an insert)
inline constexpr std::uint8_t entry_dead = 1;           // entry flags: no longer counted as live
inline constexpr std::uint8_t entry_after_deleted = 2;  // the change was an erase: a tombstone to purge later
inline constexpr std::uint8_t entry_forgotten = 8;      // nobody looks at its key: its tree was dropped, or it has moved
inline constexpr std::uint8_t entry_filled = 4;         // not filled: a hole
inline constexpr std::size_t entry_header_bytes = 48;

constexpr std::size_t entry_bytes(std::size_t key, std::size_t value) {
  return (entry_header_bytes + key + value + 7) & ~std::size_t{7};
}
constexpr std::uint64_t make_address(storage::PageKey page, std::uint32_t offset) { return page.value << 16 | offset; }
constexpr storage::PageKey page_of(std::uint64_t address) { return storage::PageKey{address >> 16}; }
constexpr std::uint32_t offset_of(std::uint64_t address) { return static_cast<std::uint32_t>(address & 0xFFFF); }
constexpr std::uint16_t incarnation_of(std::uint64_t address) { return static_cast<std::uint16_t>(address >> 48); }

struct Entry {
  TxnId writer{};
  std::uint64_t previous_entry = 0;
  std::uint64_t stamp = 0, previous = 0;
  std::uint32_t tree = 0, leaf = 0;
  std::uint16_t bytes = 0;  // of the entry; 0: the page's bytes make no sense (a torn read)
  std::uint8_t flags = 0, entry_flags = 0;
  Bytes key{}, value{};  // point into the page

  bool absent() const { return (flags & flag_absent) != 0; }
};

namespace at_entry {
inline constexpr std::size_t writer = 0, previous_entry = 8, stamp = 16, previous = 24, tree = 32, key_bytes = 36, value_bytes = 38,
                             bytes = 40, flags = 42, entry_flags = 43, leaf = 44;
}

// Bounds-checked: with bytes == 0 nothing else may be used. For optimistic readers the page must be validated before anything
// counts.
Entry read_entry(const char* page, std::uint32_t page_bytes, std::uint32_t offset);
void write_entry(char* page, std::uint32_t offset, const Entry& entry);
inline void set_previous(char* page, std::uint32_t offset, std::uint64_t previous) {
  page_store<std::uint64_t>(page + offset + at_entry::previous, previous);
}
inline void add_flags(char* page, std::uint32_t offset, std::uint8_t flags) {
  char* at = page + offset + at_entry::entry_flags;
  page_store<std::uint8_t>(at, static_cast<std::uint8_t>(page_load<std::uint8_t>(at) | flags));
}

}  // namespace plimsoll::version
