// The transaction manager: makes, ends, lists and reaps transactions. Owns one TransactionImpl a slot. Its background work:
// deadlines and kills, reverting what could not be reverted at once, releasing slots that linger until nobody asks for their
// commit, freeing the extents of superseded large values.
#pragma once

#include <functional>
#include <memory>

#include "txn/async_commits.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

class TransactionManager final : public memory::Reclaimer {
 public:
  static Result<std::unique_ptr<TransactionManager>> make(Engine& engine);
  ~TransactionManager() override;  // every transaction has ended

  Result<TransactionImpl*> begin(const TransactionOptions& options);
  TransactionImpl& transaction(registry::SlotIndex slot) const { return transactions()[slot]; }
  AsyncCommits& async_commits() { return *async_; }

  // Called by handles around each operation: takes the slot's control word to in_operation. Errors: the transaction has ended,
  // another thread is inside, or it was reaped (with the reason).
  static Result<void> enter(TransactionImpl& transaction, std::uint64_t id);
  // Back to idle; aborts the transaction if it was killed meanwhile.
  static void leave(TransactionImpl& transaction, std::uint64_t id);

  // Sets the kill flag; an idle victim is aborted at once, one inside an operation at its next safe point.
  Result<void> kill(TxnId id);
  // Aborts everything that is idle or abandoned (close). What is inside an operation ends itself; false: something still runs.
  bool abort_all();
  Result<void> prepare(TransactionImpl& transaction, Bytes global_id);
  Result<TransactionImpl*> take_prepared(Bytes global_id);
  std::vector<TransactionInfo> list() const;

  // memory::Reclaimer, the ladder's last rung: aborts the transaction whose context holds most; of equals, the oldest.
  std::size_t reclaim(std::size_t bytes) override;
  bool only_starts() const override { return true; }
  std::string_view obstacle() const override { return "no other transaction holds more than who asks, or as much as 64 KiB"; }

  // One round of background work; true if something was done. `reaped` hears of each transaction that was ended.
  bool run_background(const std::function<void(TxnId, const char* why)>& reaped);

 private:
  explicit TransactionManager(Engine& engine)
      : engine_(engine),
        registration_(engine.provider.budget().pressure(), memory::Rung::victim, memory::Account::contexts, *this) {}
  TransactionImpl* transactions() const { return memory_.as<TransactionImpl>(); }
  Bytes global_id_of(registry::SlotIndex slot) const PLIMSOLL_REQUIRES(prepare_mutex_) { return transactions()[slot].global_id(); }
  bool reap(TxnId id);
  bool free_garbage();
  bool free_some_garbage();
  bool is_garbage(const btree::RecordView& record) const;
  bool free_extent(const Extent& extent, Bytes key);

  Engine& engine_;
  memory::Mapping memory_;
  std::unique_ptr<AsyncCommits> async_;
  mutable Mutex prepare_mutex_{LatchRank::catalogue};  // global ids: held to take one, and to look at those of others
  Mutex victim_mutex_{LatchRank::database};
  TxnId victim_ PLIMSOLL_GUARDED_BY(victim_mutex_){};
  std::uint64_t victim_since_ns_ PLIMSOLL_GUARDED_BY(victim_mutex_) = 0;
  std::size_t victim_bytes_ PLIMSOLL_GUARDED_BY(victim_mutex_) = 0;
  std::uint32_t garbage_at_ = 0;  // where the background goes on in the garbage tree
  memory::Registration registration_;
};

}  // namespace plimsoll::txn
