// What a reader holds while it looks at the bytes of an optimistically sampled page: nothing; in builds with
// PLIMSOLL_LATCHED_READS, which exist for ThreadSanitizer, the page's latch. False: the page has changed since it was sampled, or
// is latched.
#pragma once

#include "storage/pool.hpp"

namespace plimsoll::btree {

class ReadLatch {
 public:
#ifdef PLIMSOLL_LATCHED_READS
  ReadLatch(storage::Pool& pool, const storage::OptimisticPage& page) : held_(pool.try_upgrade(page, latch_)) {}
  explicit operator bool() const { return held_; }

 private:
  storage::ExclusivePage latch_;
  bool held_;
#else
  ReadLatch(storage::Pool&, const storage::OptimisticPage&) {}
  explicit operator bool() const { return true; }
#endif
};

}  // namespace plimsoll::btree
