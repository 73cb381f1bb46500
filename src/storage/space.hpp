// Which pages of the data file are in use: a bit a page in space map pages, one map page per group of pages. A change of bits is
// part of the log record that needs the pages (actions space_set, space_clear), so it is atomic with it. Reservations are volatile:
// they keep two threads from taking the same page before the bit is set.
//
// A map page comes into being with the first change of its bits: before, its place in the file was never written, and format_map()
// makes of nothing the same page in do and redo alike, so that needs no log record.
//
// Space map page: common header | bytes 64.. : bit i of the group's pages (little-endian bit order), 1 = in use. Group g holds
// pages [g * pages_per_map, (g + 1) * pages_per_map); its map page is the group's first page and has its own bit set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "io/file.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/error.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {

class Space;

inline constexpr std::size_t space_bits_at = 64;
// The initial state of the map page of a group, over a zeroed page: nothing in use but itself.
void format_map(char* map_page, PageKey key);

// Pages [first, first + count) that nobody else will get while this lives. Its map page is resident and stays so. Move-only.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&&) noexcept;
  Reservation& operator=(Reservation&&) noexcept;
  ~Reservation();  // whether or not the bits were set meanwhile
  std::uint32_t first() const { return first_; }
  std::uint32_t count() const { return count_; }

 private:
  friend class Space;
  Space* space_ = nullptr;
  std::uint32_t first_ = 0, count_ = 0;
  FrameIndex map_frame_ = no_frame;
};

class Space {
 public:
  // An empty file is fine: it grows with the first reservation.
  static Result<std::unique_ptr<Space>> open(Pool& pool, io::File& data, memory::PageProvider& provider);
  ~Space();

  std::uint32_t pages_per_map() const;
  PageKey map_of(std::uint32_t page) const { return data_page(page / pages_per_map() * pages_per_map()); }

  // `count` adjacent pages of one group; extends the data file (blocks allocated, so that writing them back cannot meet a full
  // disk). no_space, or invalid_argument if no group can hold as many. No latch may be held.
  Result<Reservation> reserve(std::uint32_t count);
  // The first free pages from `from` on that are adjacent, at most `most` of them; count() is 0 if there are none. No latch may be
  // held.
  Result<Reservation> reserve_free(std::uint32_t from, std::uint32_t most);
  // The blocks of reserved pages go back to the file system; reserve() takes new ones before it hands the pages out. The log is
  // durable up to newest_free(), and no write to the pages is under way (Pool::settle_writes).
  Result<void> give_back_blocks(const Reservation& reserved);
  // Makes the map page of `page` resident and pinned, before latches, for freeing.
  Result<Reservation> prepare_free(std::uint32_t page);

  // The latched map page of a reservation: for building a structure change. Never fails (it is pinned).
  ExclusivePage latch_map(const Reservation& reservation);

  // The actions, for do and redo alike: the bits must be clear (set) before; redo comes here only after comparing LSNs. `first` is
  // a page number of the file. A map page that redo found never written (zeroed, LSN 0) is formatted first.
  static void set_bits(char* map_page, std::uint32_t first, std::uint32_t count);
  static void clear_bits(char* map_page, std::uint32_t first, std::uint32_t count);
  static bool test_bit(const char* map_page, std::uint32_t page_in_group);
  // Pages from `page` on may be handed out again. Called after the record that freed them was appended (it ends at `end`), with
  // their map page still latched: whoever is given one of them finds newest_free() to be at least `end`.
  void note_freed(std::uint32_t page, Lsn end);
  // The log must be durable up to here before anything but the pool writes into pages that were reserved before this call: a crash
  // that loses the record brings their former content back to life.
  Lsn newest_free() const;

  std::uint32_t file_pages() const;    // length of the data file in pages
  Result<std::uint64_t> used_pages();  // counts bits: O(groups)
  // Calls each(page) for every page in use (verify).
  Result<void> for_each_used(const std::function<void(std::uint32_t)>& each);

 private:
  friend class Reservation;
  Space();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::storage
