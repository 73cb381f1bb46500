// What a store reports about itself. Copies; reading them is thread-safe and takes no latch that a transaction needs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plimsoll/types.hpp"

namespace plimsoll {

struct AccountStats {
  std::string name;
  std::string parent;            // accounts are a tree; an inner one is the sum of its children; empty: the root
  std::uint64_t used_bytes = 0;  // committed chunks and spans, not objects
  std::uint64_t peak_bytes = 0;
  std::uint64_t floor_bytes = 0;  // that only this account may take
  std::uint64_t cap_bytes = 0;    // the most that it may hold; 0: the budget
  bool leaf = false;              // nothing is below it; these add up to what is used
};

// How much of the budget is needed: used, less what could be given back at any time, as a share of what was free when the store had
// been opened. warning from 70 %, critical from 85 %, emergency from 95 %; a level ends 5 points below. What the operating system
// and the host report can raise it.
enum class PressureLevel : std::uint8_t { normal, warning, critical, emergency };
std::string_view name(PressureLevel level) noexcept;

// Something that memory pressure caused. `what`: "level", or the rung that was taken.
struct PressureEvent {
  std::uint64_t wall_ms = 0;
  PressureLevel level{};  // after it
  std::string_view what;  // static text, as the next
  std::string_view why;
  std::uint64_t needed_bytes = 0, asked_bytes = 0, freed_bytes = 0, busy_ns = 0;
};

struct RungStats {
  std::string name, meaning;
  std::uint64_t fired = 0;         // how often it was taken
  std::uint64_t freed_bytes = 0;   // by the ledger, not by its own account
  std::uint64_t in_vain = 0;       // how often nothing was freed
  std::uint64_t false_claims = 0;  // how often it claimed more than the ledger saw
  std::uint64_t busy_ns = 0;
};

struct MemoryPressure {
  PressureLevel level{};
  std::uint64_t needed_bytes = 0;
  std::uint64_t baseline_bytes = 0;     // of it, fixed since the store was opened
  std::uint64_t reserve_bytes = 0;      // that only abort, log and spilling may take
  std::uint64_t waits = 0;              // charges that waited for others
  std::uint64_t refusals = 0;           // charges and transactions refused in the end
  std::uint64_t refused_with_room = 0;  // of them, when 20 % of the budget were neither needed nor asked for: there should be none
  std::uint64_t watchdog = 0;           // waits during which the need for memory did not fall, so that the last rung was taken
  std::vector<RungStats> rungs;         // in the order in which they are taken
  std::vector<PressureEvent> events;    // the newest, oldest first
};

struct NamedValue {
  std::string name;  // as in docs/metrics.md
  std::string unit;
  std::string help;
  std::uint64_t value = 0;
};

struct Statistics {
  std::uint64_t memory_budget = 0;
  std::uint64_t memory_used = 0;
  std::vector<AccountStats> accounts;
  MemoryPressure pressure;
  std::vector<NamedValue> counters;  // monotone since open or reset
  std::vector<NamedValue> gauges;    // the value now
  std::vector<std::string> events;   // the newest events, oldest first
};

// A memory context: that of a transaction (with its cursors and streams, which are its children), or of work on the store itself.
struct ContextInfo {
  std::string label;             // what it is for: "transaction", "catalogue"
  TxnId owner{};                 // the transaction that uses it now; 0: none, or not a transaction's
  std::uint64_t bytes = 0;       // blocks held, with its descendants'
  std::uint64_t live_bytes = 0;  // of its own blocks: what is allocated and not freed
  std::uint64_t peak_bytes = 0;  // of `bytes`, since this use began
  std::uint64_t children = 0;    // contexts below it: cursors and streams that are open
  std::uint64_t age_ms = 0;      // since this use began
  bool resting = false;          // in nobody's use: `bytes` are kept for the next one, and go when somebody needs them
};

enum class TransactionState : std::uint8_t { active, pending, preparing, prepared, committing, committed, aborted };

struct TransactionInfo {
  TxnId id{};
  TransactionState state{};
  Timestamp snapshot{};
  std::uint64_t age_ms = 0;
  std::uint64_t written_bytes = 0;
  TxnId waits_for{};  // 0: waits for nobody
  std::string label;
  std::string global_id;  // of a prepared one
};

struct WaitEdge {
  TxnId waiter{};
  TxnId holder{};
  std::uint64_t number = 0;  // stable for as long as this wait lasts
};

struct TableInfo {
  std::string name;
  TreeId tree{};
  friend bool operator==(const TableInfo&, const TableInfo&) = default;
};

struct VerifyProblem {
  std::string file;
  std::uint64_t page = 0;
  std::string table;
  std::string what;
};

struct VerifyReport {
  std::uint64_t pages = 0;
  std::uint64_t records = 0;
  std::uint64_t tables = 0;
  std::uint64_t free_pages = 0;
  std::uint64_t chains = 0;             // records with older versions, which were read by a snapshot; 0 without a slot for it
  bool space_compared = false;          // false: pages were freed meanwhile, so that pages in use could not be compared
  std::vector<VerifyProblem> problems;  // empty: the store is sound
};
using VerifyWatcher = std::function<bool(const VerifyReport&)>;

struct CompactReport {
  std::uint64_t free_pages = 0;                     // pages of the data file that nothing uses, and whose blocks it gave back
  std::uint64_t before_bytes = 0, after_bytes = 0;  // blocks of the data file on disk
};
using CompactWatcher = std::function<bool(const CompactReport&)>;

struct RecoveryReport {
  bool was_clean = true;
  std::uint64_t log_bytes = 0;
  std::uint64_t records_redone = 0;
  std::uint64_t losers = 0;
  std::uint64_t prepared = 0;
  std::uint64_t torn_pages = 0;
  double seconds = 0;
};

}  // namespace plimsoll
