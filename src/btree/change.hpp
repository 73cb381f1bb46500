// A structure change: several pages changed by one log record of kind `pages`, atomic by its checksum.
//
//   StructureChange change(log, credit, buffer);   // all pages latched afterwards, credit and buffer taken before
//   change.begin(page);                            // for every page, before it is modified
//   ... modify, change.add(page, Action::..., data) ...
//   change.finish();                               // appends, sets the LSNs; the caller unlatches
#pragma once

#include <array>
#include <span>

#include "log/log.hpp"
#include "storage/pool.hpp"
#include "storage/space.hpp"

namespace plimsoll::btree {

class StructureChange {
 public:
  static constexpr std::size_t pages_max = 44;  // a record of a large value and the maps of all its extents

  // `buffer` holds the record's payload: bytes_max(page_bytes) is always enough for a split.
  StructureChange(log::Log& log, log::Credit& credit, std::span<char> buffer) : log_(log), credit_(credit), to_(buffer) {}
  static constexpr std::size_t bytes_max(std::size_t page_bytes) { return 4 * page_bytes + 4096; }

  void begin(storage::ExclusivePage& page);
  void add(storage::ExclusivePage& page, log::Action action, std::string_view data);
  void add_image(storage::ExclusivePage& page);  // of a node as it is now
  // Sets or clears bits on the latched map page and adds the action.
  void set_space(storage::ExclusivePage& map, std::uint32_t first, std::uint32_t count);
  void clear_space(storage::ExclusivePage& map, std::uint32_t first, std::uint32_t count);
  log::Log::Span finish();

 private:
  log::Log& log_;
  log::Credit& credit_;
  log::Writer to_;
  std::array<storage::ExclusivePage*, pages_max> pages_{};
  std::array<std::uint64_t, pages_max> before_{};
  std::size_t count_ = 0;
};

// Redo of one action on a node (image, keep_first, inner_*, leaf_*); the caller has compared LSNs. False: the action does not fit
// the page.
bool redo_action(char* page, std::uint32_t page_bytes, const log::PageAction& action);

}  // namespace plimsoll::btree
