#include "memory/budget.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "memory/pressure.hpp"

namespace plimsoll::memory {
namespace {

static_assert(std::size(account_facts) == account_count && is_root(Account::store));

// Sums of two amounts that each fit the limit must not wrap around.
constexpr std::size_t limit_max = std::numeric_limits<std::size_t>::max() / 4;

thread_local bool moves_limit = false;  // this thread may take what is to be withheld

}  // namespace

MemoryBudget::MemoryBudget(std::size_t limit_bytes, TimeSource& time)
    : limit_(limit_bytes), time_(time), pressure_(std::make_unique<PressureManager>(*this)) {
  PLIMSOLL_CHECK(limit_bytes >= least_bytes);
  PLIMSOLL_CHECK(limit_bytes <= limit_max);
  cell(Account::store).cap = limit_bytes;
}

MemoryBudget::~MemoryBudget() {
  discharge(Account::withheld, used(Account::withheld));
  for (const Cell& c : cell_) PLIMSOLL_CHECK(c.used.load() == 0);
}

std::size_t MemoryBudget::cap_for_this_thread(Account account) const {
  const std::size_t cap = cell(account).cap.load();
  if (!is_root(account)) return cap;
  const std::size_t withheld = used(Account::withheld), withhold = withhold_.load();
  const std::size_t kept_free = (ReserveScope::active() && !moves_limit ? 0 : reserve_.load()) +
                                (moves_limit || withhold < withheld ? 0 : withhold - withheld);
  return cap - std::min(cap, kept_free);
}

// A claim is made for one exact step of the account (from `before` to `before + bytes`), first above it, by as much as the step
// exceeds the account's floor, and corrected when another thread moved the account meanwhile.
bool MemoryBudget::try_claim(Account account, std::size_t bytes) {
  if (bytes == 0) return true;
  Cell& c = cell(account);
  const Account parent = parent_of(account);
  const std::size_t floor = c.floor.load();
  std::size_t before = c.claimed.load(), above = 0;
  do {
    const std::size_t cap = cap_for_this_thread(account);
    const bool fits = before <= cap && bytes <= cap - before;
    const std::size_t needed = fits && parent != account ? std::max(before + bytes, floor) - std::max(before, floor) : 0;
    if (needed < above) unclaim(parent, above - needed);
    if (!fits) return false;
    if (needed > above && !try_claim(parent, needed - above)) {
      unclaim(parent, above);
      return false;
    }
    above = needed;
  } while (!c.claimed.compare_exchange_weak(before, before + bytes));
  return true;
}

void MemoryBudget::unclaim(Account account, std::size_t bytes) {
  if (bytes == 0) return;
  Cell& c = cell(account);
  const std::size_t before = c.claimed.fetch_sub(bytes), floor = c.floor.load();
  PLIMSOLL_CHECK(bytes <= before);
  if (!is_root(account)) unclaim(parent_of(account), std::max(before, floor) - std::max(before - bytes, floor));
}

// The order keeps invariant 1: first the claims, then the use; discharge() goes the other way.
bool MemoryBudget::try_charge(Account account, std::size_t bytes, Site site) {
  PLIMSOLL_DCHECK(is_leaf(account));
  if (refused(site) || bytes > limit_ || !try_claim(account, bytes)) return false;
  if (bytes == 0) return true;
  for (Account at = account;; at = parent_of(at)) {
    Cell& c = cell(at);
    const std::size_t now = c.used.fetch_add(bytes) + bytes;
    std::size_t peak = c.peak.load(std::memory_order_relaxed);
    while (peak < now && !c.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {}
    if (is_root(at)) break;
  }
  pressure_->ledger_moved();
  return true;
}

void MemoryBudget::discharge(Account account, std::size_t bytes) {
  PLIMSOLL_DCHECK(is_leaf(account));
  if (bytes == 0) return;
  for (Account at = account;; at = parent_of(at)) {
    const std::size_t before = cell(at).used.fetch_sub(bytes);
    PLIMSOLL_CHECK(bytes <= before);  // what the caller holds is part of it, whoever else moves it
    if (is_root(at)) break;
  }
  unclaim(account, bytes);
  discharged_.fetch_add(bytes);
  pressure_->ledger_moved();
  pressure_->freed(bytes);
}

std::size_t MemoryBudget::available(Account account) const {
  const Cell& c = cell(account);
  const std::size_t claimed = c.claimed.load(), floor = c.floor.load(), cap = cap_for_this_thread(account);
  const std::size_t below_cap = cap > claimed ? cap - claimed : 0;
  if (is_root(account)) return below_cap;
  return std::min(below_cap, (floor > claimed ? floor - claimed : 0) + available(parent_of(account)));
}

std::size_t MemoryBudget::used() const {
  const std::size_t all = used(Account::store);
  return all - std::min(all, used(Account::withheld));
}

std::size_t MemoryBudget::obtainable() const {
  const std::size_t claimed = cell(Account::store).claimed.load(), all = used(Account::store);
  const std::size_t kept = reserve() + claimed - std::min(claimed, all);
  return limit() - std::min(limit(), kept);
}

bool MemoryBudget::within_caps(Account account, std::size_t bytes) const {
  return bytes <= cell(account).cap.load() && (is_root(account) || within_caps(parent_of(account), bytes));
}

bool MemoryBudget::can_ever_hold(Account account, std::size_t bytes) const {
  std::size_t others = (ReserveScope::active() ? 0 : reserve_.load()) + (moves_limit ? used(Account::withheld) : withhold_.load());
  for (std::size_t i = 0; i < account_count; ++i) {
    Account at = account;
    while (static_cast<std::size_t>(at) != i && !is_root(at)) at = parent_of(at);
    if (static_cast<std::size_t>(at) != i) others += cell_[i].floor.load();  // not on the way from the account up
  }
  return others < limit_ && bytes <= limit_ - others && within_caps(account, bytes);
}

Result<void> MemoryBudget::charge(Account account, std::size_t bytes, Site site) {
  PressureManager::check_may_wait();
  if (refused(site)) return std::unexpected(refusal(account, bytes));
  if (try_charge(account, bytes, site)) [[likely]]
    return {};
  struct TryCharge final : Attempt {
    TryCharge(MemoryBudget& of, Account to, std::size_t n, Site at) : budget(of), account(to), bytes(n), site(at) {}
    bool succeeds() override { return budget.try_charge(account, bytes, site); }
    MemoryBudget& budget;
    Account account;
    std::size_t bytes;
    [[no_unique_address]] Site site;
  } attempt(*this, account, bytes, site);
  if (pressure_->make_room(attempt, account, bytes)) return {};
  return std::unexpected(refusal(account, bytes));
}

Error MemoryBudget::refusal(Account account, std::size_t bytes) const {
  return fail(ErrorCode::memory_budget_exceeded, "{} bytes for {} ({}): {} of {} bytes are used, {} of them for {}", bytes,
              name(account), meaning(account), used(), limit(), used(account), name(account))
      .error();
}

void MemoryBudget::set_floor(Account account, std::size_t bytes) {
  PLIMSOLL_CHECK(is_leaf(account) && can_ever_hold(account, bytes) && bytes < limit_);
  Cell& c = cell(account);
  const std::size_t claimed = c.claimed.load();
  const std::size_t before = std::max(claimed, c.floor.load()), after = std::max(claimed, bytes);
  if (after > before) {
    PLIMSOLL_CHECK(try_claim(parent_of(account), after - before));
  } else {
    unclaim(parent_of(account), before - after);
  }
  c.floor.store(bytes);
}

void MemoryBudget::set_cap(Account account, std::size_t bytes) {
  PLIMSOLL_CHECK(!is_root(account));
  cell(account).cap.store(bytes);
}

void MemoryBudget::set_reserve(std::size_t bytes) {
  PLIMSOLL_CHECK(bytes <= available(Account::store));
  reserve_.store(bytes);
}

Result<void> MemoryBudget::set_limit(std::size_t bytes) {
  const MutexLock lock(limit_mutex_);
  return move_limit(bytes);
}

Result<void> MemoryBudget::try_set_limit(std::size_t bytes) {
  if (!limit_mutex_.try_lock()) return fail(ErrorCode::busy, "another thread is moving the limit");
  auto moved = move_limit(bytes);
  limit_mutex_.unlock();
  return moved;
}

Result<void> MemoryBudget::move_limit(std::size_t bytes) {
  constexpr std::size_t piece_most = 2u << 20;
  if (bytes < least_bytes || bytes > limit_)
    return fail(ErrorCode::invalid_argument,
                "a memory budget of {} bytes: {} .. {} are possible, the most is what it was opened with", bytes, least_bytes,
                limit_);
  const std::size_t before = used(Account::withheld), target = limit_ - bytes;
  withhold_.store(target);
  if (target <= before) {
    discharge(Account::withheld, before - target);
    return {};
  }
  pressure_->ledger_moved();
  moves_limit = true;
  std::size_t held = before;
  while (held < target) {
    const std::size_t piece = std::min(piece_most, target - held);
    if (!charge(Account::withheld, piece)) break;
    held += piece;
  }
  moves_limit = false;
  if (held == target) return {};
  withhold_.store(before);
  discharge(Account::withheld, held - before);
  return fail(ErrorCode::memory_budget_exceeded, "a memory budget of {} bytes: what is in use now allows for {} at the least",
              bytes, limit_ - held);
}

void MemoryBudget::reset_peaks() {
  for (Cell& c : cell_) c.peak.store(c.used.load());
}

Charge::Charge(Charge&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), account_(other.account_), bytes_(std::exchange(other.bytes_, 0)) {}

Charge& Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  release();
  budget_ = std::exchange(other.budget_, nullptr);
  account_ = other.account_;
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

Result<Charge> Charge::take(MemoryBudget& budget, Account account, std::size_t bytes, Site site) {
  PLIMSOLL_TRY(budget.charge(account, bytes, site));
  return Charge(budget, account, bytes);
}

void Charge::release() {
  if (budget_ != nullptr) budget_->discharge(account_, bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

}  // namespace plimsoll::memory
