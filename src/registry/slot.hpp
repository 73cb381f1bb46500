// A transaction slot: everything that others may ask about a running transaction. Slots are fixed in number; one is taken at begin
// and free again when the transaction has ended and nobody needs to look its id up any more.
//
// Control word (protocols.md rule 22): generation << 8 | handle gone | killed | status. Every transition is a
// compare-and-swap on it; whoever makes one owns what follows:
//   free -> in_operation             begin
//   idle <-> in_operation            each call of the owner
//   in_operation -> committing       nobody kills any more; also the last step before every free
//   idle -> reverting                a killer took it and aborts it on the owner's behalf; in_operation -> reverting: its owner,
//   killed meanwhile reverting -> parked              reverted, or to be tried again by the background (parked -> reverting) parked
//   -> committing -> free     reverted and the owner's handle is gone: whoever sees both first in_operation | committing -> free
//   the end; the generation grows
// What readers look up (rule 2): id, state, timestamp, id again. Freeing stores id = 0 first; reuse stores the new id last; the
// timestamp is stored before the state.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/latch.hpp"
#include "plimsoll/stats.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::registry {

using SlotIndex = std::uint32_t;
inline constexpr SlotIndex no_slot = 0xFFFFFFFF;

// Transaction id: sequence << 17 | slot. A stamp in a record is a commit timestamp, or with the top bit set the mark of a
// transaction.
inline constexpr unsigned slot_bits = 17;
inline constexpr std::uint64_t mark_bit = std::uint64_t{1} << 63;
constexpr SlotIndex slot_of(TxnId id) { return static_cast<SlotIndex>(id.value & ((1u << slot_bits) - 1)); }
constexpr std::uint64_t sequence_of(TxnId id) { return id.value >> slot_bits; }
constexpr TxnId make_id(std::uint64_t sequence, SlotIndex slot) { return TxnId{sequence << slot_bits | slot}; }
constexpr bool is_mark(std::uint64_t stamp) { return (stamp & mark_bit) != 0; }
constexpr std::uint64_t mark_of(TxnId id) { return id.value | mark_bit; }
constexpr TxnId id_of_mark(std::uint64_t stamp) { return TxnId{stamp & ~mark_bit}; }

enum class Status : std::uint8_t { free = 0, idle, in_operation, committing, reverting, parked };
inline constexpr std::uint64_t status_mask = 7, killed_bit = 8, handle_gone_bit = 32, generation_step = 256;
constexpr Status status_of(std::uint64_t control) { return static_cast<Status>(control & status_mask); }
constexpr std::uint64_t with_status(std::uint64_t control, Status status) {
  return (control & ~status_mask) | static_cast<std::uint64_t>(status);
}

// Snapshot values that are no timestamps.
inline constexpr std::uint64_t snapshot_none = ~std::uint64_t{0}, snapshot_acquiring = ~std::uint64_t{0} - 1;

struct alignas(64) Slot {
  // first line: what readers and the collector load
  std::atomic<std::uint64_t> id{0};
  std::atomic<std::uint64_t> timestamp{0};
  std::atomic<std::uint64_t> snapshot{snapshot_none};
  std::atomic<std::uint64_t> control{0};
  std::atomic<TransactionState> state{TransactionState::active};
  std::atomic<bool> read_only{false};  // set before the snapshot is taken
  std::atomic<bool> has_waiters{false};
  std::atomic<bool> woken{false};
  std::atomic<std::uint32_t> label_bytes{0};
  // the owner's, read by lists and for messages
  std::atomic<std::uint64_t> sequence{0};  // of the next transaction
  std::atomic<std::uint64_t> begun_ns{0};
  std::atomic<std::uint64_t> first_lsn{0};  // at or below all of its log records; 0: it has none
  // second line: waiting (guarded by the registry's wait mutex) and deadlines
  std::atomic<std::uint64_t> deadline_ns{0};  // 0: none
  std::atomic<std::uint64_t> written_bytes{0};
  std::uint64_t waits_for = 0;  // id, 0: nobody
  std::uint64_t wait_number = 0;
  SlotIndex next_waiter = no_slot, first_waiter = no_slot;
  CondVar wake;
  char label[32] = {};
};

}  // namespace plimsoll::registry
