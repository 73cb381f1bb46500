#include "memory/pressure.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "memory/budget.hpp"

namespace plimsoll {

std::string_view name(PressureLevel level) noexcept {
  constexpr std::string_view names[] = {"normal", "warning", "critical", "emergency"};
  return names[static_cast<std::size_t>(level)];
}

}  // namespace plimsoll

namespace plimsoll::memory {
namespace {

// Those who wait ask again and again: a rung that had nothing to give is left alone for a while.
constexpr std::uint64_t rest_ns[] = {1'000'000, 5'000'000, 1'000'000, 20'000'000, 0, 0};
static_assert(std::size(rest_ns) == rung_count);

struct RungFacts {
  std::string_view name;
  PressureLevel from;  // the background takes it unasked
  std::string_view meaning;
};
constexpr auto warning = PressureLevel::warning, critical = PressureLevel::critical;
constexpr auto never = static_cast<PressureLevel>(static_cast<int>(PressureLevel::emergency) + 1);
constexpr RungFacts rung_facts[] = {
#define PLIMSOLL_X(name, from, meaning) {#name, from, meaning},
    PLIMSOLL_RUNGS(PLIMSOLL_X)
#undef PLIMSOLL_X
};
// What frees memory without harm to anybody, in order.
constexpr Rung harmless[] = {Rung::caches, Rung::contexts, Rung::pool, Rung::versions};
constexpr auto all_harmless = std::span<const Rung>(harmless), of_contexts = all_harmless.first(2);
// Who may be at work for a rung itself, or hold what it needs, asks only those that need nobody.
bool may_ask(Rung rung) { return !ReserveScope::active() || rung == Rung::caches || rung == Rung::pool; }

constexpr std::size_t percent_to_enter[] = {0, 70, 85, 95}, percent_of_hysteresis = 5;

// What a thread took from others after a reclaimer freed it can be asked for again, but not for ever.
constexpr unsigned climbs_max = 16;
// A victim needs a moment until it has noticed, and its owner has let go.
constexpr unsigned barren_waits_max = 40;
// What would fit is waited for longer. As long as the pool goes on to give, nobody is made a victim for it.
constexpr std::uint64_t patience = 10, pool_is_done_ns = 2'000'000'000;

constexpr std::uint64_t tick_ns = 20'000'000;
constexpr std::uint64_t newcomer_delay_max_ns = 20'000'000, newcomer_pause_ns = 5'000'000;
constexpr std::size_t newcomer_bytes = 4u << 10;  // a context's first block: about what a small transaction gives back at its end
constexpr std::size_t credit_share = 16;          // of the limit, at most, may be saved up for newcomers
constexpr std::uint64_t told_again_ns = 1'000'000'000;  // how often one rung is in the history: the ring is for what changes

thread_local bool inside_callback = false;

}  // namespace

std::string_view name(Rung rung) { return rung_facts[static_cast<std::size_t>(rung)].name; }

class PressureManager::InCallback {
 public:
  InCallback() { inside_callback = true; }
  ~InCallback() { inside_callback = false; }
  InCallback(const InCallback&) = delete;
  InCallback& operator=(const InCallback&) = delete;
};

class PressureManager::Waiting {
 public:
  explicit Waiting(std::atomic<unsigned>& count) : count_(count) { count_.fetch_add(1); }
  ~Waiting() { count_.fetch_sub(1); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::atomic<unsigned>& count_;
};

PressureManager::~PressureManager() {
  const MutexLock lock(mutex_);
  for (const Registered& r : registered_) PLIMSOLL_CHECK(r.reclaimer == nullptr);
}

void PressureManager::add(Rung rung, Account account, Reclaimer& reclaimer) {
  const MutexLock lock(mutex_);
  for (Registered& r : registered_) {
    PLIMSOLL_CHECK(r.reclaimer != &reclaimer);
    if (r.reclaimer != nullptr) continue;
    r = {&reclaimer, rung, account, 0};
    return;
  }
  PLIMSOLL_CHECK(!"more reclaimers than places");
}

void PressureManager::remove(Reclaimer& reclaimer) {
  const MutexLock lock(mutex_);
  const auto find = [&]() PLIMSOLL_NO_ANALYSIS {
    return std::find_if(registered_.begin(), registered_.end(), [&](const Registered& r) { return r.reclaimer == &reclaimer; });
  };
  auto place = find();
  PLIMSOLL_CHECK(place != registered_.end());
  while (place->calls != 0) {
    left_.wait(mutex_);
    place = find();
    PLIMSOLL_CHECK(place != registered_.end());
  }
  *place = {};
}

// --- levels ---

// What the pool and the caches could give back does not count: a pool fills whatever is free.
std::size_t PressureManager::needed_now() const {
  std::size_t could_go = 0;
  for (const Registered& r : registered_)
    if (r.reclaimer != nullptr) could_go += r.reclaimer->reclaimable();
  const std::size_t used = budget_.used();
  return used - std::min(used, could_go);
}

std::size_t PressureManager::needed() const {
  const MutexLock lock(mutex_);
  return needed_now();
}

// Needed bytes at which a level begins, or, on the way down, ends.
std::size_t PressureManager::line(PressureLevel level, bool down) const {
  const std::size_t percent = percent_to_enter[static_cast<std::size_t>(level)] - (down ? percent_of_hysteresis : 0);
  const std::size_t limit = budget_.obtainable(), baseline = std::min(baseline_.load(std::memory_order_relaxed), limit);
  return baseline + (limit - baseline) / 100 * percent;
}

void PressureManager::update_level() {
  const std::size_t needed = needed_now();
  PressureLevel reached = PressureLevel::normal;
  for (const PressureLevel level : {PressureLevel::warning, PressureLevel::critical, PressureLevel::emergency})
    if (needed >= line(level, level <= of_ledger_)) reached = level;
  of_ledger_ = reached;
  const PressureLevel before = level_.load(std::memory_order_relaxed), after = std::max({of_ledger_, of_system_, by_hand_});
  if (before == after) return;
  level_.store(after, std::memory_order_relaxed);
  const std::string_view why = after == of_ledger_   ? "by the ledger"
                               : after == of_system_ ? "by the operating system's figures"
                                                     : "by the host";
  add_event({.level = after, .what = "level", .why = why, .needed_bytes = needed});
  newcomers_.notify_all();
}

void PressureManager::ledger_moved() {
  const MutexLock lock(mutex_);
  update_level();
}

void PressureManager::set_level_of_system(PressureLevel level) {
  const MutexLock lock(mutex_);
  of_system_ = level;
  update_level();
}

void PressureManager::set_level_by_hand(PressureLevel level) {
  const MutexLock lock(mutex_);
  by_hand_ = level;
  update_level();
}

void PressureManager::set_baseline() {
  const MutexLock lock(mutex_);
  baseline_.store(needed_now(), std::memory_order_relaxed);
  update_level();
}

// --- the ladder ---

// The reclaimer of this rung that holds most for its weight, of those not asked yet.
Reclaimer* PressureManager::enter_next(Rung rung, std::uint32_t& asked) {
  const MutexLock lock(mutex_);
  std::size_t best = registered_.size(), most = 0;
  for (std::size_t i = 0; i < registered_.size(); ++i) {
    const Registered& r = registered_[i];
    if (r.reclaimer == nullptr || r.rung != rung || (asked >> i & 1) != 0) continue;
    const std::size_t share = budget_.used(r.account) / facts_of(r.account).weight;
    if (best != registered_.size() && share <= most) continue;
    best = i;
    most = share;
  }
  if (best == registered_.size()) return nullptr;
  asked |= std::uint32_t{1} << best;
  ++registered_[best].calls;
  return registered_[best].reclaimer;
}

void PressureManager::leave(const Reclaimer& reclaimer) {
  const MutexLock lock(mutex_);
  for (Registered& r : registered_) {
    if (r.reclaimer != &reclaimer) continue;
    PLIMSOLL_CHECK(r.calls != 0);
    --r.calls;
    left_.notify_all();
    return;
  }
  PLIMSOLL_CHECK(!"a reclaimer was removed while it worked");
}

// Called without the mutex, because reclaimers take latches of lower ranks.
std::size_t PressureManager::call(Rung rung, Reclaimer& reclaimer, std::size_t bytes) {
  RungCounts& count = counts(rung);
  const std::uint64_t discharged = budget_.discharged(), begun = budget_.time().monotonic_ns();
  std::size_t answer = 0;
  {
    const InCallback here;
    answer = reclaimer.reclaim(bytes);
  }
  const std::uint64_t freed = budget_.discharged() - discharged, busy = budget_.time().monotonic_ns() - begun;
  count.fired.fetch_add(1, std::memory_order_relaxed);
  count.busy_ns.fetch_add(busy, std::memory_order_relaxed);
  if (!reclaimer.only_starts()) {
    if (answer > freed) count.false_claims.fetch_add(1, std::memory_order_relaxed);
    PLIMSOLL_DCHECK(answer <= freed);
    answer = std::min<std::size_t>(answer, freed);
    count.freed_bytes.fetch_add(answer, std::memory_order_relaxed);
    if (rung == Rung::pool && answer != 0) pool_gave_ns_.store(begun + busy, std::memory_order_relaxed);
  }
  if (bytes == 0 || (answer != 0 && !reclaimer.only_starts())) return answer;
  if (answer == 0) {
    count.in_vain.fetch_add(1, std::memory_order_relaxed);
    count.rests_until_ns.store(begun + busy + rest_ns[static_cast<std::size_t>(rung)], std::memory_order_relaxed);
  }
  tell(rung, begun,
       {.what = name(rung),
        .why = answer == 0 ? reclaimer.obstacle() : std::string_view("under way"),
        .asked_bytes = bytes,
        .freed_bytes = reclaimer.only_starts() ? 0 : answer,
        .busy_ns = busy});
  return answer;
}

// Why a rung does not help, or not yet.
void PressureManager::tell(Rung rung, std::uint64_t now, PressureEvent event) {
  std::uint64_t told = counts(rung).told_ns.load(std::memory_order_relaxed);
  if (told != 0 && now - told < told_again_ns) return;
  if (!counts(rung).told_ns.compare_exchange_strong(told, now)) return;
  const MutexLock lock(mutex_);
  event.level = level();
  event.needed_bytes = needed_now();
  add_event(event);
}

// True: the attempt has succeeded (without one: never). `expected` grows by what was freed, or will be.
bool PressureManager::ask(Rung rung, Attempt* attempt, Account account, std::size_t bytes, std::size_t& expected) {
  if (!counts(rung).enabled.load(std::memory_order_relaxed) || !may_ask(rung)) return false;
  const bool rests = counts(rung).rests_until_ns.load(std::memory_order_relaxed) > budget_.time().monotonic_ns();
  if (rests && attempt != nullptr && wait_ns_ != 0) return false;
  std::uint32_t asked = 0;
  while (Reclaimer* reclaimer = enter_next(rung, asked)) {
    const std::size_t room = budget_.available(account);
    const std::size_t answer = call(rung, *reclaimer, attempt == nullptr ? bytes : bytes > room ? bytes - room : 1);
    leave(*reclaimer);
    expected += answer;
    if (attempt != nullptr && attempt->succeeds()) return true;
  }
  return false;
}

// One climbs at a time: what it frees serves those who come meanwhile, too, and they look before they ask for more. Those in a
// ReserveScope do not wait for anybody. False: the attempt has succeeded while it waited for its turn.
bool PressureManager::take_turn(Attempt* attempt) {
  constexpr std::chrono::milliseconds look_again{10};
  if (ReserveScope::active()) return true;
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (!climbing_) return climbing_ = true;
      turn_.wait_for(mutex_, look_again);
    }
    if (attempt != nullptr && attempt->succeeds()) return false;
  }
}

void PressureManager::give_turn() {
  if (ReserveScope::active()) return;
  const MutexLock lock(mutex_);
  climbing_ = false;
  turn_.notify_one();
}

bool PressureManager::ask_all(Rungs rungs, Attempt* attempt, Account account, std::size_t bytes) {
  std::size_t freed = 0;
  for (const Rung rung : rungs)
    if (ask(rung, attempt, account, bytes - std::min(bytes, attempt == nullptr ? freed : 0), freed)) return true;
  return false;
}

bool PressureManager::climb(Rungs rungs, Attempt* attempt, Account account, std::size_t bytes) {
  for (unsigned round = 0; round < climbs_max; ++round) {
    const std::uint64_t discharged = budget_.discharged();
    if (!take_turn(attempt)) return true;
    const bool succeeded = ask_all(rungs, attempt, account, bytes);
    give_turn();
    if (succeeded) return true;
    if (attempt == nullptr || budget_.discharged() == discharged) return false;  // nobody has anything left to give
  }
  return false;
}

void PressureManager::check_may_wait() {
  if (!ReserveScope::active()) detail::rank_check(LatchRank::collector);
}

bool PressureManager::make_room(Attempt& attempt, Account account, std::size_t bytes) {
  if (budget_.can_ever_hold(account, bytes) && !inside_callback && make_room_by(all_harmless, attempt, account, bytes)) return true;
  // In a scope it is tried again; one that is called off has been refused for another reason.
  if (!ReserveScope::active() && !inside_callback && !interrupt.raised()) refused(bytes);
  return false;
}

bool PressureManager::make_room_by(Rungs rungs, Attempt& attempt, Account account, std::size_t bytes) {
  if (climb(rungs, &attempt, account, bytes)) return true;
  return wait_ns_ != 0 && !ReserveScope::active() && wait_for_room(rungs, attempt, account, bytes);
}

void PressureManager::refused(std::size_t bytes) {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  if (has_room(bytes)) refused_with_room_.fetch_add(1, std::memory_order_relaxed);
}

// Until something is freed, or the time is over. True: less is needed than before, so that waiting was not for nothing.
bool PressureManager::pause(CondVar& on, std::uint64_t ns, Progress& progress) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
  const MutexLock lock(mutex_);
  while (frees_ == progress.frees) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) break;
    on.wait_for(mutex_, left);
  }
  progress.frees = frees_;
  const std::size_t needed = needed_now();
  return std::exchange(progress.needed, needed) > needed;
}

bool PressureManager::last_resort(Account account, std::size_t bytes) {
  watchdog_.fetch_add(1, std::memory_order_relaxed);
  std::size_t expected = 0;
  ask(Rung::victim, nullptr, account, bytes, expected);
  return expected != 0;
}

bool PressureManager::wait_for_room(Rungs rungs, Attempt& attempt, Account account, std::size_t bytes) {
  const Waiting waiting(waiters_);
  waits_.fetch_add(1, std::memory_order_relaxed);
  Progress progress;
  pause(freed_, 0, progress);
  const std::uint64_t begun = budget_.time().monotonic_ns();
  std::uint64_t quiet_since = begun;
  for (unsigned barren = 0;;) {
    if (attempt.succeeds()) return true;
    const bool moved = pause(freed_, watchdog_ns_, progress);
    if (attempt.succeeds() || climb(rungs, &attempt, account, bytes)) return true;
    const std::uint64_t now = budget_.time().monotonic_ns(), waited = now - begun;
    const bool fits = has_room(bytes), pool_is_slow = fits && (budget_.lowering() || now < pool_gave_ns_.load() + pool_is_done_ns);
    if (interrupt.raised() || waited >= (fits ? patience : 1) * wait_ns_) return false;
    if (moved) quiet_since = now;
    if (pool_is_slow || now - quiet_since < watchdog_ns_) continue;
    quiet_since = now;
    if (barren++ < barren_waits_max && last_resort(account, bytes)) continue;
    if (!has_room(bytes)) return false;
  }
}

// A fifth of the budget would be neither needed nor asked for.
bool PressureManager::has_room(std::size_t bytes) const {
  const std::size_t most = budget_.limit() / 5 * 4;
  return bytes < most && needed() < most - bytes;
}

std::size_t PressureManager::release(std::size_t bytes) {
  const std::uint64_t before = budget_.discharged();
  climb(all_harmless, nullptr, Account::frames, bytes);
  return budget_.discharged() - before;
}

void PressureManager::freed(std::size_t bytes) {
  const bool by_housekeeping = ReserveScope::active() || inside_callback;  // it takes and gives all the time
  if (level() >= critical && !by_housekeeping) {
    const std::size_t most = budget_.limit() / credit_share;
    std::size_t credit = credit_.load(std::memory_order_relaxed);
    while (credit < most && !credit_.compare_exchange_weak(credit, std::min(credit + bytes, most))) {}
  }
  if (waiters_.load() == 0) return;
  const MutexLock lock(mutex_);
  ++frees_;
  freed_.notify_one();  // the others look in a while, too
  newcomers_.notify_one();
}

void PressureManager::tick() {
  const std::uint64_t now = budget_.time().monotonic_ns();
  if (now < next_tick_ns_.load(std::memory_order_relaxed)) return;
  next_tick_ns_.store(now + tick_ns, std::memory_order_relaxed);
  ledger_moved();
  if (level() == PressureLevel::normal) return;
  std::size_t freed = 0;
  for (std::size_t i = 0; i < rung_count; ++i) {
    const auto rung = static_cast<Rung>(i);
    const std::size_t bytes = rung == Rung::versions ? 0 : budget_.limit() / 16;  // the pool is to keep what collecting frees in it
    if (level() >= rung_facts[i].from) ask(rung, nullptr, Account::frames, bytes, freed);
  }
}

// --- admission ---

// While the limit is on its way down, what is freed is for that.
bool PressureManager::take_credit() {
  if (budget_.lowering()) return false;
  std::size_t credit = credit_.load(std::memory_order_relaxed);
  do {
    if (credit < newcomer_bytes) return false;
  } while (!credit_.compare_exchange_weak(credit, credit - newcomer_bytes));
  return true;
}

// One comes in for what another has given back. At the critical level each does after 20 ms all the same; in an emergency those for
// whom nothing is freed are refused in the end, and while they wait, the watchdog works for them as for everybody.
Result<void> PressureManager::admit_under_pressure() {
  RungCounts& count = counts(Rung::admission);
  if (!count.enabled.load(std::memory_order_relaxed) || take_credit()) return {};
  count.fired.fetch_add(1, std::memory_order_relaxed);
  const Waiting waiting(waiters_);
  const std::uint64_t begun = budget_.time().monotonic_ns();
  std::uint64_t quiet_since = begun;
  Progress progress;
  pause(newcomers_, 0, progress);
  for (;;) {
    const PressureLevel now_at = level();
    const std::uint64_t now = budget_.time().monotonic_ns(), waited = now - begun;
    if (now_at < critical || take_credit()) return {};
    if (now_at == critical && waited >= newcomer_delay_max_ns && !budget_.lowering()) return {};
    if (waited >= std::max(wait_ns_, newcomer_delay_max_ns)) break;
    if (pause(newcomers_, newcomer_pause_ns, progress)) quiet_since = now;
    if (now_at == PressureLevel::emergency && now - quiet_since >= watchdog_ns_) {
      if (!last_resort(Account::contexts, newcomer_bytes)) break;
      quiet_since = now;
    }
  }
  if (level() < critical) return {};  // just now
  refused(newcomer_bytes);
  count.in_vain.fetch_add(1, std::memory_order_relaxed);
  tell(Rung::admission, begun,
       {.what = name(Rung::admission),
        .why = "nothing is freed for a newcomer, which is refused",
        .asked_bytes = newcomer_bytes,
        .busy_ns = budget_.time().monotonic_ns() - begun});
  return fail(ErrorCode::memory_budget_exceeded, "no new transaction now: {} of {} bytes are needed by what runs", needed(),
              budget_.limit());
}

// The last part of the budget is for small ones: who holds much gets more only below the critical line, or while a fifth is left.
bool PressureManager::admit_large(std::size_t held, std::size_t bytes) {
  constexpr std::size_t large_share = 32;
  if (held + bytes <= budget_.limit() / large_share || ReserveScope::active()) return true;
  struct Below final : Attempt {
    Below(PressureManager& of, std::size_t n) : manager(of), bytes(n) {}
    bool succeeds() override { return manager.needed() + bytes <= manager.line(critical, false) || manager.has_room(bytes); }
    PressureManager& manager;
    std::size_t bytes;
  } below(*this, bytes);
  if (below.succeeds()) return true;
  if (budget_.can_ever_hold(Account::contexts, bytes) && make_room_by(of_contexts, below, Account::contexts, bytes)) return true;
  if (!interrupt.raised()) refused(bytes);
  return false;
}

// --- what it tells ---

void PressureManager::add_event(PressureEvent event) {
  event.wall_ms = budget_.time().wall_ms();
  history_[events_++ % history_max] = event;
}

PressureManager::Span PressureManager::copy_history(std::uint64_t seen, std::array<PressureEvent, history_max>& into) const {
  const MutexLock lock(mutex_);
  const std::uint64_t first = std::max(std::min(seen, events_), events_ > history_max ? events_ - history_max : 0);
  for (std::uint64_t i = first; i < events_; ++i) into[i - first] = history_[i % history_max];
  return {first, static_cast<std::size_t>(events_ - first)};
}

void PressureManager::enable(Rung rung, bool on) { counts(rung).enabled.store(on); }

MemoryPressure PressureManager::statistics() const {
  MemoryPressure all;
  all.level = level();
  all.needed_bytes = needed();
  all.baseline_bytes = baseline_.load();
  all.reserve_bytes = budget_.reserve();
  all.waits = waits_.load();
  all.refusals = refusals_.load();
  all.refused_with_room = refused_with_room_.load();
  all.watchdog = watchdog_.load();
  for (std::size_t i = 0; i < rung_count; ++i) {
    const RungCounts& c = rungs_[i];
    all.rungs.push_back({std::string(rung_facts[i].name), std::string(rung_facts[i].meaning), c.fired.load(), c.freed_bytes.load(),
                         c.in_vain.load(), c.false_claims.load(), c.busy_ns.load()});
  }
  events_since(0, [&](const PressureEvent& event) { all.events.push_back(event); });
  return all;
}

void PressureManager::reset_statistics() {
  waits_ = refusals_ = refused_with_room_ = watchdog_ = 0;
  for (RungCounts& c : rungs_) c.fired = c.freed_bytes = c.in_vain = c.false_claims = c.busy_ns = 0;
}

}  // namespace plimsoll::memory
