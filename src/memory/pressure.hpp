// The pressure manager: what happens when memory runs short. One per budget.
//
// Levels say how much of the budget is *needed*: used, less what could be given back at any time (pages of the pool above its
// least). They follow the ledger at once, and take in what the operating system and the host report; down they go with hysteresis.
//
// The ladder: whoever has memory to give registers on a rung. When a charge does not fit, the rungs are asked in their order until
// it does; what a rung achieved is read from the ledger, never from its answer. If all of them together cannot help, the caller
// waits for others to free something, and a watchdog sees to it that this is never for nothing: when for a while nothing was freed,
// the last rung is taken, and when that has no effect either, the charge is refused, unless it would fit if the pool gave what it
// can. At raised levels the background takes the cheap rungs without being asked, and new transactions are held back, then refused
// (after WiredTiger's eviction by application threads; that waiting needs a proof of progress is the lesson of RocksDB's
// write-buffer stalls).
//
// Thread-safe. Reclaimers run without latches, in the thread that wants memory, and may not charge anything themselves (refused)
// outside a ReserveScope.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/latch.hpp"
#include "memory/account.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/stats.hpp"

namespace plimsoll::memory {

class MemoryBudget;

// name, level from which the background takes it unasked, meaning; in the order of the ladder
#define PLIMSOLL_RUNGS(X)                                                                        \
  X(caches, warning, "cached blocks, magazines and extents go back")                             \
  X(contexts, warning, "contexts of idle transaction slots give their blocks back")              \
  X(pool, never, "the buffer pool drops clean pages, writes dirty ones, gives chunks back")      \
  X(versions, critical, "versions are collected, compacted and spilled, ahead of their time")    \
  X(admission, never, "new transactions are delayed to the rate of what is freed, then refused") \
  X(victim, never, "the transaction that holds most memory is aborted")

enum class Rung : std::uint8_t {
#define PLIMSOLL_X(name, from, meaning) name,
  PLIMSOLL_RUNGS(PLIMSOLL_X)
#undef PLIMSOLL_X
      count_
};
inline constexpr std::size_t rung_count = static_cast<std::size_t>(Rung::count_);
std::string_view name(Rung rung);

// Whoever can give memory back on demand.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  // Tries to give back at least `bytes`; answers what it really discharged. 0: only tidies up what is its own.
  virtual std::size_t reclaim(std::size_t bytes) = 0;
  // What it could give back at any time without loss to anybody; takes no latch.
  virtual std::size_t reclaimable() const { return 0; }
  // True: it only starts what others finish; its answer is what to expect, and is not held against the ledger.
  virtual bool only_starts() const { return false; }
  // What stands in its way when it gives nothing.
  virtual std::string_view obstacle() const = 0;
};

// Something that may fail for want of memory.
class Attempt {
 public:
  virtual bool succeeds() = 0;

 protected:
  ~Attempt() = default;
};

class PressureManager {
 public:
  static constexpr std::size_t history_max = 256;

  explicit PressureManager(MemoryBudget& budget) : budget_(budget) {}
  PressureManager(const PressureManager&) = delete;
  PressureManager& operator=(const PressureManager&) = delete;
  ~PressureManager();  // asserts that nobody is registered

  // At most 16, registered at open, removed at close. `account` is what it gives back from. Removing waits until no thread is
  // inside the reclaimer any more, so it must not be called by the reclaimer itself.
  void add(Rung rung, Account account, Reclaimer& reclaimer);
  void remove(Reclaimer& reclaimer);

  // How long a charge waits for others, at most; ten times as long if it would fit. 0 (the default): not at all.
  void set_wait(std::uint64_t ns) { wait_ns_ = ns; }
  // For tests: how long nothing may get better until the watchdog bites, and one that waits looks again without being woken.
  void set_watchdog(std::uint64_t ns) { watchdog_ns_ = ns; }
  // What is needed now is fixed and does not count as pressure. Called once, when a store is open.
  void set_baseline();

  // Debug builds: this thread may ask the whole ladder, the collector included, and wait (no latches, or a ReserveScope).
  static void check_may_wait();
  // Until `attempt` succeeds: asks the ladder, then waits. False: it has not succeeded, and nothing more can be done about it now.
  bool make_room(Attempt& attempt, Account account, std::size_t bytes);
  // What can be given back at once; answers how much it was.
  std::size_t release(std::size_t bytes);

  PressureLevel level() const { return level_.load(std::memory_order_relaxed); }
  std::size_t needed() const;
  void set_level_of_system(PressureLevel level);
  void set_level_by_hand(PressureLevel level);  // the level is at least this

  // At the begin of each transaction. memory_budget_exceeded: not now.
  Result<void> admit() {
    if (level() < PressureLevel::critical) [[likely]]
      return {};
    return admit_under_pressure();
  }

  // Before a context that holds `held` bytes takes so many more. False: no.
  bool admit_large(std::size_t held, std::size_t bytes);

  void ledger_moved();            // by the budget, after each charge and discharge
  void freed(std::size_t bytes);  // somebody who waits may find room now: a discharge, or blocks that went back to a cache
  void tick();                    // by the background, every few milliseconds

  void enable(Rung rung, bool on);  // for tests: what is off is not taken
  MemoryPressure statistics() const;
  void reset_statistics();
  // Calls each(event) for what has happened since `seen` events, oldest first; answers how many there were ever.
  template <class Each>
  std::uint64_t events_since(std::uint64_t seen, Each each) const {
    std::array<PressureEvent, history_max> copy;
    const auto [first, count] = copy_history(seen, copy);
    for (std::size_t i = 0; i < count; ++i) each(copy[i]);
    return first + count;
  }

 private:
  struct Registered {
    Reclaimer* reclaimer = nullptr;
    Rung rung{};
    Account account{};
    unsigned calls = 0;  // threads that are inside
  };
  struct RungCounts {
    std::atomic<std::uint64_t> fired{0}, freed_bytes{0}, in_vain{0}, busy_ns{0}, false_claims{0}, rests_until_ns{0}, told_ns{0};
    std::atomic<bool> enabled{true};
  };
  struct Span {
    std::uint64_t first = 0;
    std::size_t count = 0;
  };
  class InCallback;
  class Waiting;

  RungCounts& counts(Rung rung) { return rungs_[static_cast<std::size_t>(rung)]; }
  const RungCounts& counts(Rung rung) const { return rungs_[static_cast<std::size_t>(rung)]; }
  using Rungs = std::span<const Rung>;
  bool make_room_by(Rungs rungs, Attempt& attempt, Account account, std::size_t bytes);
  bool climb(Rungs rungs, Attempt* attempt, Account account, std::size_t bytes);
  bool ask_all(Rungs rungs, Attempt* attempt, Account account, std::size_t bytes);
  bool take_turn(Attempt* attempt);
  void give_turn();
  bool ask(Rung rung, Attempt* attempt, Account account, std::size_t bytes, std::size_t& expected);
  bool wait_for_room(Rungs rungs, Attempt& attempt, Account account, std::size_t bytes);
  void refused(std::size_t bytes);
  bool has_room(std::size_t bytes) const;
  bool last_resort(Account account, std::size_t bytes);
  std::size_t call(Rung rung, Reclaimer& reclaimer, std::size_t bytes);
  Reclaimer* enter_next(Rung rung, std::uint32_t& asked);
  void leave(const Reclaimer& reclaimer);
  void tell(Rung rung, std::uint64_t now, PressureEvent event);
  Result<void> admit_under_pressure();
  bool take_credit();
  struct Progress {  // of somebody who waits
    std::uint64_t frees = 0;
    std::size_t needed = 0;
  };
  bool pause(CondVar& on, std::uint64_t ns, Progress& progress);
  void update_level() PLIMSOLL_REQUIRES(mutex_);
  void add_event(PressureEvent event) PLIMSOLL_REQUIRES(mutex_);
  std::size_t needed_now() const PLIMSOLL_REQUIRES(mutex_);
  std::size_t line(PressureLevel level, bool down) const;
  Span copy_history(std::uint64_t seen, std::array<PressureEvent, history_max>& into) const;

  MemoryBudget& budget_;
  std::uint64_t wait_ns_ = 0, watchdog_ns_ = 25'000'000;
  std::atomic<std::size_t> baseline_{0};
  std::atomic<PressureLevel> level_{PressureLevel::normal};
  std::atomic<unsigned> waiters_{0};
  std::atomic<std::uint64_t> waits_{0}, refusals_{0}, refused_with_room_{0}, watchdog_{0};
  std::atomic<std::size_t> credit_{0};  // bytes freed since a newcomer was let in under pressure
  std::atomic<std::uint64_t> next_tick_ns_{0}, pool_gave_ns_{0};
  std::array<RungCounts, rung_count> rungs_{};

  mutable Mutex mutex_{LatchRank::budget};
  CondVar left_, turn_, freed_, newcomers_;  // who waits for a reclaimer to be left, to climb, for memory, to be let in
  bool climbing_ PLIMSOLL_GUARDED_BY(mutex_) = false;
  std::uint64_t frees_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // counted while somebody waits
  PressureLevel of_ledger_ PLIMSOLL_GUARDED_BY(mutex_) = PressureLevel::normal;
  PressureLevel of_system_ PLIMSOLL_GUARDED_BY(mutex_) = PressureLevel::normal;
  PressureLevel by_hand_ PLIMSOLL_GUARDED_BY(mutex_) = PressureLevel::normal;
  std::array<Registered, 16> registered_ PLIMSOLL_GUARDED_BY(mutex_){};
  std::array<PressureEvent, history_max> history_ PLIMSOLL_GUARDED_BY(mutex_){};
  std::uint64_t events_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // ever
};

// How the work that a thread does can be called off by others: when one of `bits` is set in `word`, its charges wait no longer.
struct Interrupt {
  const std::atomic<std::uint64_t>* word = nullptr;
  std::uint64_t bits = 0;
  bool raised() const { return word != nullptr && (word->load(std::memory_order_acquire) & bits) != 0; }
};
inline constinit thread_local Interrupt interrupt;  // of what this thread does now

// For as long as one lives, what its thread waits for can be called off by `by`. Nests.
class InterruptScope {
 public:
  explicit InterruptScope(Interrupt by) : outer_(std::exchange(interrupt, by)) {}
  ~InterruptScope() { interrupt = outer_; }
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  Interrupt outer_;
};

// Keeps a reclaimer registered for as long as it lives: the last member of whoever is one.
class Registration {
 public:
  Registration(PressureManager& manager, Rung rung, Account account, Reclaimer& reclaimer)
      : manager_(manager), reclaimer_(reclaimer) {
    manager_.add(rung, account, reclaimer);
  }
  ~Registration() { manager_.remove(reclaimer_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  PressureManager& manager_;
  Reclaimer& reclaimer_;
};

}  // namespace plimsoll::memory
