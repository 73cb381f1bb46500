// The hard memory budget (D1): every byte that the engine holds is charged here before it is used. Charged are committed chunks and
// spans, not objects. Accounts name who holds what. The one rule: the sum of all accounts never exceeds the limit.
//
// Thread-safe. charge() may call reclaimers and may wait (so never under a latch, and never inside a page latch); try_charge does
// not, and takes no latch that others hold for long. Both are a few atomic operations for each level of the tree unless they race
// or refuse.
//
// Invariants, for every account, at every instant and in every interleaving:
//   1. used <= claimed <= cap, and sum over the children of max(claimed, floor) <= claimed. The root's cap is the limit.
//   2. no account is ever discharged of more than it holds (checked), hence nothing wraps around.
// So a charge of A is granted if and only if every account from A up can hold it besides the unused parts of the others' floors;
// while another thread is in the middle of a charge or discharge, the bytes it handles count as claimed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/latch.hpp"
#include "base/time.hpp"
#include "memory/account.hpp"
#include "memory/failure_point.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::memory {

class PressureManager;

class MemoryBudget {
 public:
  static constexpr std::size_t least_bytes = 16u << 20;
  static constexpr std::size_t no_cap = std::numeric_limits<std::size_t>::max();

  explicit MemoryBudget(std::size_t limit_bytes, TimeSource& time = system_time());
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  ~MemoryBudget();  // asserts that every account is at zero and that no reclaimer is left

  // Takes `bytes` if they fit. No reclaiming, no waiting.
  bool try_charge(Account account, std::size_t bytes, Site site = Site::current());
  // The same; when it does not fit, the pressure manager makes room, and waits as long as that helps (memory/pressure.hpp).
  // memory_budget_exceeded names the account.
  Result<void> charge(Account account, std::size_t bytes, Site site = Site::current());
  void discharge(Account account, std::size_t bytes);

  // What try_charge would grant to this account now.
  std::size_t available(Account account) const;
  // False: even an otherwise empty budget would refuse, so that nobody needs to be asked to empty it.
  bool can_ever_hold(Account account, std::size_t bytes) const;

  // Bytes that only this account may take: others see the limit less the unused part of all floors. Set at open, in sum < limit,
  // when the part not yet used is still free (checked); not while this account is being charged.
  void set_floor(Account account, std::size_t bytes);
  // The most that this account and those below it may hold together. What is held already stays.
  void set_cap(Account account, std::size_t bytes);
  // Bytes that only a thread inside a ReserveScope may take. Set at open, when they are still free (checked).
  void set_reserve(std::size_t bytes);

  // Moves the line: at most to where it was at first. Nobody gets memory above a lower limit from the beginning of the call on; the
  // difference is taken away from everybody, piece by piece, as if somebody had charged it, until the new limit holds.
  // memory_budget_exceeded: not that much can be freed now, and the line is where it was.
  Result<void> set_limit(std::size_t bytes);
  Result<void> try_set_limit(std::size_t bytes);  // busy, at once, while another thread is at it
  std::size_t limit() const { return limit_ - withhold_.load(std::memory_order_relaxed); }
  bool lowering() const { return withhold_.load(std::memory_order_relaxed) > used(Account::withheld); }  // right now
  std::size_t limit_at_first() const { return limit_; }

  std::size_t used() const;        // without what is withheld
  std::size_t obtainable() const;  // the limit, less the reserve and the parts of floors that nobody uses now
  std::size_t used(Account account) const { return cell(account).used.load(std::memory_order_relaxed); }
  std::size_t peak(Account account) const { return cell(account).peak.load(std::memory_order_relaxed); }
  std::size_t floor(Account account) const { return cell(account).floor.load(std::memory_order_relaxed); }
  std::size_t cap(Account account) const { return cell(account).cap.load(std::memory_order_relaxed); }
  std::size_t reserve() const { return reserve_.load(std::memory_order_relaxed); }
  // Ever; what reclaimers achieve is measured by it.
  std::uint64_t discharged() const { return discharged_.load(); }
  void reset_peaks();

  PressureManager& pressure() const { return *pressure_; }
  TimeSource& time() const { return time_; }

 private:
  Result<void> move_limit(std::size_t bytes) PLIMSOLL_REQUIRES(limit_mutex_);

  struct Cell {
    std::atomic<std::size_t> used{0}, claimed{0}, peak{0}, floor{0}, cap{no_cap};
  };
  Cell& cell(Account account) { return cell_[static_cast<std::size_t>(account)]; }
  const Cell& cell(Account account) const { return cell_[static_cast<std::size_t>(account)]; }
  Error refusal(Account account, std::size_t bytes) const;
  std::size_t cap_for_this_thread(Account account) const;
  bool try_claim(Account account, std::size_t bytes);
  void unclaim(Account account, std::size_t bytes);
  bool within_caps(Account account, std::size_t bytes) const;

  const std::size_t limit_;
  TimeSource& time_;
  std::array<Cell, account_count> cell_{};
  std::atomic<std::size_t> reserve_{0};
  std::atomic<std::size_t> withhold_{0};  // what the limit lies below where it was at first; the account follows it
  std::atomic<std::uint64_t> discharged_{0};
  Mutex limit_mutex_{LatchRank::database};  // one change of the limit at a time
  const std::unique_ptr<PressureManager> pressure_;
};

// While one lives, its thread may take the budget's reserve, and its charges never wait: for what must go on so that memory is
// freed at all (abort, log flush, spilling, the background). Of the ladder they ask only the rungs that need nobody. Nests.
class ReserveScope {
 public:
  ReserveScope() { ++depth; }
  ~ReserveScope() { --depth; }
  ReserveScope(const ReserveScope&) = delete;
  ReserveScope& operator=(const ReserveScope&) = delete;
  static bool active() { return depth != 0; }

 private:
  static inline thread_local unsigned depth = 0;
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

  static Result<Charge> take(MemoryBudget& budget, Account account, std::size_t bytes, Site site = Site::current());
  void release();
  std::size_t bytes() const { return bytes_; }

 private:
  MemoryBudget* budget_ = nullptr;
  Account account_{};
  std::size_t bytes_ = 0;
};

}  // namespace plimsoll::memory
