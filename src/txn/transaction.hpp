// A transaction's inside: one object a registry slot, made once and used again by the slot's next transaction. Owns the memory
// context, the write set (the first writes, to be stamped at commit), the private lane of a big transaction and the savepoints.
// Cursors and streams have children of that context, so they end with the transaction at the latest, whatever they hold.
//
// Used by one thread at a time (the slot's control word sees to it). State:
//
//   begin -> [writes, reads, savepoints]* -> commit (stamp, finish, release)
//                                         -> abort  (aborted; revert newest first; END; release)
//                                         -> prepare -> commit_prepared | abort_prepared
//   reaped: aborted on the owner's behalf (deadline, kill); the slot and the memory stay until the owner's handle lets go.
//
// I1 last_entry_ heads the chain of exactly those entries that are not reverted.  I2 write_set_[i] describes the i-th entry; later
// ones lie in the private lane.  I3 no latch is held between calls.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "plimsoll/transaction.hpp"
#include "txn/engine.hpp"
#include "txn/large_value.hpp"

namespace plimsoll::txn {

class ExtentWriter;

enum class Change : std::uint8_t { put, insert, update, erase, lock };
class TransactionImpl {
 public:
  static constexpr std::size_t write_set_max = 64;
  static constexpr std::size_t savepoints_max = 64;

  TransactionImpl(Engine& engine, registry::SlotIndex slot)
      : engine_(engine), slot_(slot), context_(engine.contexts, "transaction") {
    context_.set_interrupt({&this->slot().control, registry::killed_bit});
    context_.rest();
  }

  // --- life (begin_end.cpp, commit.cpp) ---
  Result<void> begin(const TransactionOptions& options);
  Result<void> commit(void (*done)(void*, Result<void>), void* done_context);  // done: asynchronous acknowledgement
  Result<void> abort();
  Result<void> take_global_id(Bytes global_id);
  Result<void> prepare();  // after take_global_id
  Result<Timestamp> commit_prepared();
  Result<void> abort_prepared();
  void adopt(std::uint64_t last_entry, Bytes global_id);  // recovery: a prepared transaction, or a loser to be reverted
  Result<bool> revert_loser();  // recovery: a part of the abort, false: the log wants a checkpoint before the next part
  bool release_if_lingering(std::uint64_t oldest);

  // --- reads (read.cpp, cursor.cpp) ---
  Result<std::optional<Value>> get(TreeId tree, Bytes key);
  Result<bool> exists(TreeId tree, Bytes key);
  Result<bool> superseded(TreeId tree, Bytes key);
  Result<void> multi_get(TreeId tree, std::span<const Bytes> keys, std::span<std::optional<Value>> out);
  Result<std::uint64_t> count(TreeId tree, const Range& range);
  Result<CursorImpl*> open_cursor(TreeId tree, const Range& range, Direction direction);

  // --- writes (write.cpp) ---
  Result<bool> write(TreeId tree, Bytes key, Bytes value, Change change);
  Result<std::uint64_t> erase_range(TreeId tree, const Range& range);

  // --- large values (large_value.cpp) ---
  Result<std::optional<ValueReaderImpl*>> open_reader(TreeId tree, Bytes key);
  Result<ValueWriterImpl*> open_writer(TreeId tree, Bytes key);

  // --- savepoints (revert.cpp) ---
  Result<Savepoint> savepoint();
  Result<Savepoint> mark_savepoint();  // one more than a user may have
  Result<void> rollback_to(Savepoint point);
  Result<void> release(Savepoint point);

  Result<std::span<char>> allocate(std::size_t bytes, std::size_t alignment);
  void free_value(const char* data, std::size_t bytes) { context_.free(const_cast<char*>(data), bytes); }
  // Values, cursors and streams that users hold; those that outlive the transaction are the engine's (Engine::stale_handles).
  // Once another thread may end it (it is prepared, or its handle is gone before it was reverted), all of them are.
  bool handed_over() const { return handed_over_.load(std::memory_order_acquire); }
  void handle_made() { ++handles_; }
  void handle_gone() { --handles_; }
  std::size_t memory_bytes() const { return context_.subtree_bytes(); }
  memory::Context& context() { return context_; }
  registry::Slot& slot() { return engine_.registry.slot(slot_); }
  const registry::Slot& slot() const { return engine_.registry.slot(slot_); }
  registry::SlotIndex slot_index() const { return slot_; }
  TxnId id() const { return id_; }
  Timestamp snapshot() const { return Timestamp{view_.snapshot}; }
  Lsn position() const { return follow_from_ ? read_position_ : Lsn{}; }
  Lsn follow_from() const { return follow_from_; }
  std::uint64_t rollbacks() const { return rollbacks_; }  // so many and one
  std::uint64_t last_entry() const { return last_entry_.load(std::memory_order_acquire); }
  Bytes global_id() const { return {global_id_.data(), global_id_bytes_}; }
  Engine& engine() { return engine_; }
  std::uint64_t write_count() const { return write_count_; }
  bool needs_revert() const { return needs_revert_; }
  // It is about to be killed for its memory; and what its owner is told then, or after any other end on its behalf.
  void sacrifice(TxnId id) { sacrificed_.store(id.value, std::memory_order_release); }
  Error why_ended(std::uint64_t id) const;
  void set_lock_deadline(std::uint64_t wait_ns) { lock_wait_ns_ = wait_ns; }
  void revert_and_park();
  void finish_handle(std::uint64_t id);  // the owner's handle is gone
  bool release_if_done();
  bool retry_revert();

 private:
  friend class CursorImpl;
  friend class ValueWriterImpl;
  friend class ValueReaderImpl;

  struct Written {
    std::uint64_t entry = 0;
    std::uint32_t tree = 0, leaf = 0;
    storage::FrameIndex frame = storage::no_frame;
    std::uint16_t key_bytes = 0;
    bool tombstone = false;
    char* key = nullptr;  // in the context
  };
  struct SavepointMark {
    std::uint64_t last_entry = 0, entries = 0;
    std::uint32_t number = 0;
  };
  struct Found {                      // what a read came to
    memory::Context* into = nullptr;  // where the value's bytes are
    bool present = false, large = false, own = false;
    char* data = nullptr;
    std::size_t bytes = 0;
  };
  enum class Want : std::uint8_t { existence, value };

  // begin_end.cpp
  Result<void> take_snapshot(const TransactionOptions& options);
  void disown_handles();
  void hand_over();
  void end(bool committed);
  Result<void> check_writable(Bytes key) const;
  // read.cpp
  Result<Found> read(TreeId tree, Bytes key, Want want, memory::Context& into);
  enum class Attempt : std::uint8_t { done, again, no_memory };
  Result<Attempt> read_chain(const btree::LeafPosition& position, std::uint64_t address, Want want, Found& found);
  Result<Found> read_latched(TreeId tree, Bytes key, Want want, memory::Context& into);
  Result<Attempt> read_position(const btree::LeafPosition& position, Want want, Found& found);
  static Attempt copy_out(Bytes from, Want want, Found& found);
  static void drop(Found& found);
  static bool make_room(Found& found, std::size_t bytes);
  Result<void> read_whole(Found& found);  // large_value.cpp: replaces the descriptor by the value
  std::unexpected<Error> no_memory() const;
  Result<std::optional<Value>> to_value(Found found);
  void statement_snapshot();
  // write.cpp
  struct Verdict {
    enum class Kind : std::uint8_t { go, wait, conflict, stale_snapshot, refused } kind = Kind::go;
    TxnId holder{};           // whom to wait for, or who committed first, if the record says so
    bool own = false;         // the record carries this transaction's mark
    std::uint64_t stamp = 0;  // resolved stamp of what is superseded
    ErrorCode refusal{};
    bool nothing_to_do = false;  // erase of an absent record
  };
  Verdict judge(const btree::RecordView& record, Change change) const;
  Result<void> wait_for(TxnId holder, TreeId tree, Bytes key, std::uint64_t& deadline_ns);
  Result<bool> write_record(TreeId tree, Bytes key, Bytes value, std::uint8_t flags, Change change, const Runs& extents = {});
  struct After {
    Bytes value;
    std::uint8_t flags = 0;
    bool lock_only = false;  // the record keeps its value
    Runs extents{};          // of a large value: their bits are set with this change
  };
  bool needs_entry(const btree::RecordView& own_record, Change change) const;
  struct Expected {  // by an optimistic look at what is to be changed
    std::size_t value_bytes = 0;
    bool own = false, with_entry = false, supersedes_new = false;
  };
  std::optional<Expected> expect(const btree::LeafPosition& position, Change change) const;
  std::uint64_t wait_deadline() const;
  Result<version::Reserved> reserve_entry(std::uint16_t bytes);
  Result<log::Credit> take_credit(std::uint64_t bytes);
  void apply(btree::LatchedLeaf& leaf, TreeId tree, Bytes key, const After& after, const Verdict& verdict,
             const version::Reserved& room, log::Credit& credit);
  Result<bool> write_large(TreeId tree, Bytes key, Bytes value, Change change);
  Result<bool> write_extents(TreeId tree, Bytes key, const ExtentWriter& writer, Change change);
  Result<void> put_extents(TreeId tree, Bytes key, const ExtentWriter& writer);
  struct Statement {
    std::uint64_t entry_before = 0, entries_before = 0, bytes = 0;
  };
  Result<Statement> begin_statement(Bytes key, std::uint64_t value_bytes);  // what every change of one key begins and ends with
  Result<bool> end_statement(const Statement& statement, Result<bool> written);
  Result<void> note_garbage();
  void remember(TreeId tree, btree::LatchedLeaf& leaf, Bytes key, const version::Reserved& room, bool tombstone);
  Result<void> prepare_to_remember(Bytes key);
  // record_errors.cpp
  std::unexpected<Error> fail_at(ErrorCode code, TreeId tree, Bytes key, std::string_view why = {}) const;
  std::unexpected<Error> conflict(TreeId tree, Bytes key, const Verdict& verdict) const;
  // commit.cpp
  Result<void> commit_writes(Timestamp& timestamp, Lsn& end);
  void finish_writes(Timestamp timestamp, Lsn commit_end);
  Result<void> reserve_outcome();
  void release_committed();
  bool stamp(const Written& written, Timestamp timestamp, Lsn commit_end, bool force);
  void stamp_record(btree::LatchedLeaf& leaf, Timestamp timestamp, Lsn commit_end);
  bool stamp_all(Timestamp timestamp, Lsn commit_end);
  // revert.cpp
  // How a revert goes on when the log is nearly full: the owner waits until a checkpoint has made room; who may have to make that
  // checkpoint itself leaves off and comes back.
  enum class Pace : std::uint8_t { wait, leave_off };
  Result<bool> revert_all(Pace pace);  // aborted: restores every record; false: left off. Goes on after an error, too
  Result<bool> revert_to(std::uint64_t target, Pace pace);
  void end_aborted();
  void finish_reverted(std::uint64_t kept);
  Result<void> roll_back(std::uint64_t target, std::uint64_t entries_kept);
  Result<void> undo_statement(std::uint64_t target, std::uint64_t entries_kept);
  Result<std::uint64_t> revert_entry(std::uint64_t address, std::uint64_t deadline_ns);
  std::uint64_t retire_entry(std::uint64_t address);
  Result<LargeValue> doomed_extents(const version::Entry& entry, std::uint64_t address,
                                    std::array<storage::Reservation, extents_max>& pinned);

  Engine& engine_;
  const registry::SlotIndex slot_;
  memory::Context context_;
  TxnId id_{};
  version::View view_;
  Isolation isolation_ = Isolation::snapshot;
  bool read_only_ = false, durable_ = true;
  std::atomic<bool> needs_revert_{false}, lingering_{false};
  std::atomic<std::uint64_t> sacrificed_{0};  // the id of the last one
  bool keeps_marks_ = false;                  // committed, but some marks are looked up in this slot
  Lsn follow_from_{};                         // of a reader with a position: the records of whoever commits behind it begin here
  Lsn read_position_{};  // everything read was committed by records below (rule 15); readers have one only if they ask for it
  std::atomic<std::uint64_t> last_entry_{0};
  std::uint64_t entries_ = 0;      // entries in the chain
  std::uint64_t write_count_ = 0;  // grows with every write: cursors notice
  std::uint64_t written_bytes_ = 0, written_bytes_max_ = 0;
  std::uint64_t lock_wait_ns_ = 0;
  std::uint64_t handles_ = 0, rollbacks_ = 1;
  std::atomic<bool> handed_over_{false};
  bool recovered_ = false;  // there are log records of it that this run of the store did not write
  version::PrivateLane lane_;
  std::uint64_t discards_ = 0;    // Pool::data_discards() before the first write
  char* key_memory_ = nullptr;    // for the key of the write in progress
  Written* write_set_ = nullptr;  // write_set_max of them, in the context
  std::uint32_t savepoint_count_ = 0, savepoint_number_ = 0;
  SavepointMark* savepoints_ = nullptr;
  std::size_t key_memory_bytes_ = 0;
  std::uint64_t superseded_stamp_ = 0;
  LargeValue superseded_;  // extents that the change in progress makes garbage
  std::array<char, 64> global_id_{};
  std::atomic<std::size_t> global_id_bytes_{0};  // the text is written under the manager's prepare mutex only
};

}  // namespace plimsoll::txn
