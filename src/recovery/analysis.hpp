// First pass over the log after a crash: where it ends, who was unfinished, and from where pages must be redone. Nothing is
// changed.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "log/log.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/stats.hpp"
#include "recovery/distinct.hpp"

namespace plimsoll::recovery {

// The last transaction that a slot held, as far as the log tells.
struct Recovered {
  TxnId id{};  // 0: it ended, or there was none
  std::uint64_t last_entry = 0;
  TransactionState state = TransactionState::active;
};

struct Analysis {
  Lsn redo_start{}, end{};
  std::string end_reason;
  std::uint64_t clock_ceiling = 0;  // no larger timestamp was ever issued
  std::uint64_t next_sequence = 1;
  std::uint64_t records = 0;
  std::vector<Recovered> slots;                               // by slot; only as long as the highest slot seen
  std::unordered_map<std::uint64_t, std::string> global_ids;  // of prepared ones, by slot
  // Pages that were given back, and where: what was logged for them before is not redone (the space may hold other bytes by now).
  std::unordered_map<std::uint32_t, std::uint64_t> freed;
  memory::Charge charge;
  DistinctEstimate pages_named;  // by the records to be redone

  bool has_entries(TxnId id) const;  // unfinished, and not all of it has been reverted
  bool is_freed(std::uint64_t page_key, Lsn record_end) const;
};

// `checkpoint`: position of the checkpoint record that the superblock names.
Result<Analysis> analyse(io::FileSystem& files, memory::PageProvider& provider, const log::LogOptions& options, Lsn checkpoint);

}  // namespace plimsoll::recovery
