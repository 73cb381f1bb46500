// Second pass: repeats history on the pages that were not written. Each change is applied only if the page's LSN is older than the
// record; the LSN that the page had before the change must then agree, which finds out stale pages. Version pages are rebuilt for
// unfinished transactions only: those of others are scratch. Pages are read ahead, in batches. When more pages are concerned than
// the pool holds, the log is read several times, for a part of the pages each time.
#pragma once

#include "btree/change.hpp"
#include "log/log.hpp"
#include "recovery/analysis.hpp"
#include "storage/pool.hpp"
#include "storage/space.hpp"

namespace plimsoll::recovery {

struct RedoTarget {
  storage::Pool& pool;
  std::uint32_t pages_per_map;
  Metrics& metrics;
  std::uint32_t frames;  // of the pool
};

// Redoes everything from analysis.redo_start; the version files of unfinished transactions are attached to the pool. Answers how
// many records changed a page.
Result<std::uint64_t> redo(io::FileSystem& files, memory::PageProvider& provider, const log::LogOptions& options,
                           const Analysis& analysis, RedoTarget target);

}  // namespace plimsoll::recovery
