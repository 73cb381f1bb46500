// The hard memory budget (D1): every byte that the engine holds is charged here before it is used. Charged are committed chunks and
// spans, not objects. Accounts name who holds what. The one rule: the sum of all accounts never exceeds the limit.
//
// Thread-safe. charge() may call reclaimers (so never under a latch that a reclaimer takes, and never inside a page latch);
// try_charge does not, and takes no latch. Both are three atomic operations unless they race or refuse.
//
// Invariants, at every instant and in every interleaving:
//   1. used() <= sum of used(a) <= sum of max(used(a), floor(a)) <= claimed_ <= limit()
//   2. no account is ever discharged of more than it holds (checked), hence nothing wraps around.
// So a charge of A is granted if and only if limit - used - sum over the other accounts of max(0, floor - used) can hold it; while
// another thread is in the middle of a charge or discharge, the bytes it handles count as claimed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/latch.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::memory {

// name, meaning
#define PLIMSOLL_ACCOUNTS(X)                                 \
  X(frames, "pages of the buffer pool")                      \
  X(translation, "page table and frame descriptors")         \
  X(log_ring, "log records not yet written")                 \
  X(registry, "transaction slots and commit table")          \
  X(contexts, "values, cursors and buffers of transactions") \
  X(versions, "segment table of the version store")          \
  X(io_buffers, "write-out, doublewrite and log reading")    \
  X(large_objects, "extents of streamed values in flight")   \
  X(recovery, "analysis of an unclean store")                \
  X(tables, "names and roots of the tables")                 \
  X(memory_files, "files of a store that lives in memory")

enum class Account : std::uint8_t {
#define PLIMSOLL_X(name, meaning) name,
  PLIMSOLL_ACCOUNTS(PLIMSOLL_X)
#undef PLIMSOLL_X
      count_
};
std::string_view name(Account account);
std::string_view meaning(Account account);

// Whoever can give memory back on demand. Called without latches, from the thread that wants memory; must not charge.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  // Tries to give back at least `bytes`; answers what it really discharged.
  virtual std::size_t reclaim(std::size_t bytes) = 0;
};

class MemoryBudget {
 public:
  static constexpr std::size_t accounts = static_cast<std::size_t>(Account::count_);
  static constexpr std::size_t least_bytes = 16u << 20;

  explicit MemoryBudget(std::size_t limit_bytes);
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  ~MemoryBudget();  // asserts that every account is at zero and that no reclaimer is left

  // Takes `bytes` if they fit. No reclaiming.
  bool try_charge(Account account, std::size_t bytes);
  // The same, asking the reclaimers (in the order of registration) when it does not fit. memory_budget_exceeded names the account.
  Result<void> charge(Account account, std::size_t bytes);
  void discharge(Account account, std::size_t bytes);

  // What try_charge would grant to this account now.
  std::size_t available(Account account) const;

  // Bytes that only this account may take: others see the limit less the unused part of all floors. Set at open, in sum < limit,
  // when the part not yet used is still free (checked); not while this account is being charged.
  void set_floor(Account account, std::size_t bytes);

  std::size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  std::size_t used(Account account) const;
  std::size_t peak(Account account) const;
  std::size_t floor(Account account) const;
  void reset_peaks();

  // At most 8, registered at open, removed at close. Removing waits until no thread is inside the reclaimer any more, so it must
  // not be called by the reclaimer itself.
  void add_reclaimer(Reclaimer& reclaimer);
  void remove_reclaimer(Reclaimer& reclaimer);

 private:
  struct Cell {
    std::atomic<std::size_t> used{0}, peak{0}, floor{0};
  };
  struct Registered {
    Reclaimer* reclaimer = nullptr;
    unsigned calls = 0;  // threads that are inside reclaim()
  };
  Cell& cell(Account account) { return cell_[static_cast<std::size_t>(account)]; }
  const Cell& cell(Account account) const { return cell_[static_cast<std::size_t>(account)]; }
  bool try_claim(std::size_t bytes);
  bool can_ever_hold(Account account, std::size_t bytes) const;
  Reclaimer* enter_reclaimer(std::size_t index);
  void leave_reclaimer(const Reclaimer& reclaimer);

  std::atomic<std::size_t> limit_;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> claimed_{0};       // used bytes and unused parts of floors
  std::atomic<std::uint64_t> discharged_{0};  // ever; reclaimers are measured by it
  std::array<Cell, accounts> cell_{};
  mutable Mutex reclaim_mutex_{LatchRank::budget};
  CondVar reclaimer_left_;
  std::array<Registered, 8> reclaimers_ PLIMSOLL_GUARDED_BY(reclaim_mutex_){};
};

// A charge that goes back by itself. Move-only.
class Charge {
 public:
  Charge() = default;
  // Takes over bytes that have been charged already.
  Charge(MemoryBudget& budget, Account account, std::size_t bytes) : budget_(&budget), account_(account), bytes_(bytes) {}
  Charge(Charge&& other) noexcept;
  Charge& operator=(Charge&& other) noexcept;
  ~Charge() { release(); }

  static Result<Charge> take(MemoryBudget& budget, Account account, std::size_t bytes);
  void release();
  std::size_t bytes() const { return bytes_; }

 private:
  MemoryBudget* budget_ = nullptr;
  Account account_{};
  std::size_t bytes_ = 0;
};

}  // namespace plimsoll::memory
