// What a store reports about itself. Copies; reading them is thread-safe and takes no latch that a transaction needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plimsoll/types.hpp"

namespace plimsoll {

struct AccountStats {
  std::string name;
  std::uint64_t used_bytes = 0;  // committed chunks and spans, not objects
  std::uint64_t peak_bytes = 0;
  std::uint64_t floor_bytes = 0;
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
  std::vector<VerifyProblem> problems;  // empty: the store is sound
};

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
