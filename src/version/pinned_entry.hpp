// Keeps the page of a version entry in its frame, so that it can be latched again later, when nothing may fail.
#pragma once

#include "storage/pool.hpp"
#include "version/entry.hpp"

namespace plimsoll::version {

class PinnedEntry {
 public:
  explicit PinnedEntry(storage::Pool& pool) : pool_(pool) {}
  PinnedEntry(const PinnedEntry&) = delete;
  PinnedEntry& operator=(const PinnedEntry&) = delete;
  ~PinnedEntry() { drop(); }

  // Pins the page of `address` instead of the one before; 0: none. False: it is not resident.
  bool hold(std::uint64_t address) {
    drop();
    if (address == 0) return true;
    storage::ExclusivePage page = pool_.latch_resident(page_of(address));
    if (page) hold(page);
    return frame_ != storage::no_frame;
  }
  void hold(const storage::ExclusivePage& page) {
    drop();
    pool_.pin(page);
    frame_ = page.frame();
  }

 private:
  void drop() {
    if (frame_ != storage::no_frame) pool_.unpin(frame_);
    frame_ = storage::no_frame;
  }
  storage::Pool& pool_;
  storage::FrameIndex frame_ = storage::no_frame;
};

}  // namespace plimsoll::version
