// Values that do not fit into a leaf record live in extents of the data file, outside the buffer pool: copy-on-write, written and
// synced before the log record that refers to them is (Log::set_before_flush), read with direct I/O in pieces. The leaf record
// keeps a descriptor.
//
// Descriptor (the record's value, flag_large): u64 bytes | u32 CRC32C of the value | u32 n, top bit: shared | n x {u32 first page,
// u32 pages}. Shared: the version below has the same extents (get_for_update writes the value again): they are not freed with this
// version's revert, and when it is superseded, no snapshot however old may still need them. The allocation bits of its extents are
// set with the LSN of the very update record (redo derives them from the descriptor), and cleared by its revert. A superseded large
// value leaves a record per extent in the garbage tree, in the same transaction: key u32 first page (big-endian), value u32 pages |
// u64 stamp of the superseded version. The extent is freed, with that record, when no snapshot can see it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "plimsoll/types.hpp"
#include "storage/space.hpp"

namespace plimsoll::txn {

inline constexpr std::uint64_t value_bytes_max = std::uint64_t{1} << 30;
inline constexpr std::size_t extents_max = 40;
inline constexpr std::size_t piece_bytes = 256u << 10;  // of I/O

struct Extent {
  std::uint32_t first = 0, pages = 0;
};

struct LargeValue {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  std::uint32_t count = 0;
  bool shared = false;
  std::array<Extent, extents_max> extent{};

  static constexpr std::size_t descriptor_max = 16 + extents_max * 8;
  Bytes encode(std::array<char, descriptor_max>& into) const;
  static bool decode(Bytes from, LargeValue& value);
};

// Extents whose allocation bits change with a log record, and the reservations that keep their map pages resident.
struct Runs {
  std::span<const Extent> extents{};
  std::span<const storage::Reservation> pinned{};  // one an extent
};

// The space map pages of some extents, latched in ascending order: begin() before the log position is claimed, then one of the
// others.
class MapPages {
 public:
  MapPages(storage::Space& space, const Runs& runs) : space_(space), runs_(runs) {}
  void begin(Lsn lower_bound);
  void set_bits(Lsn end);
  void clear_bits(Lsn end);

 private:
  template <class Each>
  void for_each(Lsn end, Each each);
  storage::Space& space_;
  Runs runs_;
  std::array<storage::ExclusivePage, extents_max> pages_;
  std::size_t count_ = 0;
};

}  // namespace plimsoll::txn
