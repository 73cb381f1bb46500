// What a caller may choose when a store is opened or a transaction begins. Plain values; 0 durations mean "no deadline".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "plimsoll/types.hpp"

namespace plimsoll {

struct Environment;  // files, clock and randomness, injected by tests (src/db/environment.hpp)

enum class IoBackend : std::uint8_t { automatic, uring, plain };

// read_committed: a snapshot per statement. snapshot: one snapshot, first updater wins. The stronger levels are refused with
// invalid_argument until they exist (docs/limitations.md).
enum class Isolation : std::uint8_t { read_committed, repeatable_read, snapshot, serializable };

// durable: commit returns when the log is on stable storage. relaxed: commit returns when the commit record is in the log's ring,
// which the background writes and syncs every 5 ms, or when somebody commits durably, or when the ring is full: a crash of the
// process or the machine may lose the relaxed commits of the last 5 ms and one sync, always a suffix, never a part of one.
enum class Durability : std::uint8_t { durable, relaxed };

enum class EventKind : std::uint8_t {
  open_phase,
  checkpoint,
  pressure,
  reaped,
  killed,
  slow_transaction,
  large_transaction,
  corruption,
  log_failed
};

struct Event {
  EventKind kind;
  std::uint64_t wall_ms;  // milliseconds since 1970
  char text[112];         // NUL-terminated
};

// Called from any thread, never under a latch; must not call back into the store.
struct EventSink {
  void (*call)(void* context, const Event& event) = nullptr;
  void* context = nullptr;
};

struct Options {
  std::size_t memory_budget = 256_MiB;  // hard limit, bytes; at least 16 MiB
  std::size_t page_size = 8_KiB;        // fixed at creation; a power of two, 4 KiB .. 32 KiB
  bool create_if_missing = true;
  bool error_if_exists = false;
  IoBackend io_backend = IoBackend::automatic;
  // The limit is lowered while the container (cgroup v2 or v1), or the machine, has less room than that: to what the store uses and
  // four fifths of what can still be had; never above memory_budget, never below 16 MiB. Looked at once a second.
  bool follow_container_limit = false;
  std::uint32_t max_transactions = 4096;   // 1 .. 131,072; a slot is charged to the budget
  std::size_t log_bytes_max = 0;           // log kept on disk; at least 4 segments; 0: budget / 4, 128 MiB .. 1 GiB
  std::size_t log_segment_bytes = 16_MiB;  // a power of two, 64 KiB .. 1 GiB; fixed at creation
  std::size_t log_ring_bytes = 0;          // 0: chosen from the budget (1 MiB at 32 MiB, 32 MiB from 4 GiB)
  std::chrono::milliseconds transaction_deadline{3'600'000};
  std::chrono::milliseconds lock_deadline{10'000};
  std::chrono::milliseconds memory_deadline{1'000};  // how long a call waits for memory that others free; 0: not at all
  std::chrono::milliseconds retention{0};            // how far back as_of may go
  bool background_threads = true;                    // false: the caller drives Database::run_background (simulations)
  // Processes of the same user, and the superuser's, may ask an open store through the socket `control` in its folder
  // (plimsoll/control.hpp). Not for stores in memory, nor without background threads.
  bool control_socket = true;
  EventSink events{};
  Environment* environment = nullptr;  // null: the operating system's
};

struct TransactionOptions {
  Isolation isolation = Isolation::snapshot;
  bool read_only = false;
  Durability durability = Durability::durable;
  std::optional<std::chrono::milliseconds> deadline{};       // unset: Options::transaction_deadline
  std::optional<std::chrono::milliseconds> lock_deadline{};  // unset: Options::lock_deadline
  std::optional<Timestamp> as_of{};                          // read at this timestamp: a published point or inside the window
  // read_only, without as_of: the newest snapshot, with the position of the log that it stands at (Transaction::position). What it
  // shows may not be durable yet; commit() waits until it is, as durability says.
  bool with_position = false;
  std::size_t memory_bytes_max = 0;     // cap on the transaction's memory context; 0: the budget
  std::uint64_t written_bytes_max = 0;  // cap on keys + values written; 0: none
  std::string_view label{};             // shown in transaction lists; cut at 31 bytes
};

// A half-open key range [from, to); an absent bound is infinite.
struct Range {
  std::optional<Bytes> from{};
  std::optional<Bytes> to{};
};

enum class Direction : std::uint8_t { forward, backward };

struct TableOptions {
  bool create_if_missing = false;
};

}  // namespace plimsoll
