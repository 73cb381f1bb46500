#include "memory/budget.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::memory {
namespace {

struct AccountFacts {
  std::string_view name, meaning;
};
constexpr AccountFacts facts[] = {
#define PLIMSOLL_X(name, meaning) {#name, meaning},
    PLIMSOLL_ACCOUNTS(PLIMSOLL_X)
#undef PLIMSOLL_X
};
static_assert(std::size(facts) == MemoryBudget::accounts);

const AccountFacts& of(Account account) {
  PLIMSOLL_DCHECK(account < Account::count_);
  return facts[static_cast<std::size_t>(account)];
}

// Sums of two amounts that each fit the limit must not wrap around.
constexpr std::size_t limit_max = std::numeric_limits<std::size_t>::max() / 4;

// What a thread took from others after its reclaimer freed it can be asked for again, but not for ever: the caller gets its error.
constexpr unsigned reclaim_rounds_max = 16;

}  // namespace

std::string_view name(Account account) { return of(account).name; }
std::string_view meaning(Account account) { return of(account).meaning; }

MemoryBudget::MemoryBudget(std::size_t limit_bytes) : limit_(limit_bytes) {
  PLIMSOLL_CHECK(limit_bytes >= least_bytes);
  PLIMSOLL_CHECK(limit_bytes <= limit_max);
}

MemoryBudget::~MemoryBudget() {
  for (const Cell& c : cell_) PLIMSOLL_CHECK(c.used.load() == 0);
  PLIMSOLL_CHECK(used_.load() == 0);
  const MutexLock lock(reclaim_mutex_);
  for (const Registered& r : reclaimers_) PLIMSOLL_CHECK(r.reclaimer == nullptr);
}

bool MemoryBudget::try_claim(std::size_t bytes) {
  std::size_t claimed = claimed_.load();
  do {
    PLIMSOLL_DCHECK(claimed <= limit());
    if (bytes > limit() - claimed) return false;
  } while (!claimed_.compare_exchange_weak(claimed, claimed + bytes));
  return true;
}

// The order keeps invariant 1: first the claim, then the account, then the total; discharge() goes the other way. A claim is made
// for one exact step of the account (from `before` to `before + bytes`) and corrected when another thread moved the account first.
bool MemoryBudget::try_charge(Account account, std::size_t bytes) {
  PLIMSOLL_DCHECK(account < Account::count_);
  if (bytes == 0) return true;
  if (bytes > limit()) return false;
  Cell& c = cell(account);
  const std::size_t floor = c.floor.load();
  std::size_t before = c.used.load();
  std::size_t claimed = 0;
  do {
    const std::size_t needed = std::max(before + bytes, floor) - std::max(before, floor);
    if (needed < claimed) {
      claimed_.fetch_sub(claimed - needed);
    } else if (!try_claim(needed - claimed)) {
      claimed_.fetch_sub(claimed);
      return false;
    }
    claimed = needed;
  } while (!c.used.compare_exchange_weak(before, before + bytes));
  used_.fetch_add(bytes);

  const std::size_t now = before + bytes;
  std::size_t peak = c.peak.load(std::memory_order_relaxed);
  while (peak < now && !c.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {}
  return true;
}

void MemoryBudget::discharge(Account account, std::size_t bytes) {
  PLIMSOLL_DCHECK(account < Account::count_);
  if (bytes == 0) return;
  Cell& c = cell(account);
  std::size_t before = c.used.load();
  PLIMSOLL_CHECK(bytes <= before);  // what the caller holds is part of the account, whoever else moves it
  const std::size_t total = used_.fetch_sub(bytes);
  PLIMSOLL_CHECK(bytes <= total);
  do { PLIMSOLL_CHECK(bytes <= before); } while (!c.used.compare_exchange_weak(before, before - bytes));
  const std::size_t floor = c.floor.load();
  const std::size_t unclaimed = std::max(before, floor) - std::max(before - bytes, floor);
  discharged_.fetch_add(bytes);
  [[maybe_unused]] const std::size_t claimed = claimed_.fetch_sub(unclaimed);
  PLIMSOLL_DCHECK(unclaimed <= claimed);
}

std::size_t MemoryBudget::available(Account account) const {
  const Cell& c = cell(account);
  const std::size_t used_bytes = c.used.load(), floor = c.floor.load();
  const std::size_t unused_floor = floor > used_bytes ? floor - used_bytes : 0;
  return limit() - claimed_.load() + unused_floor;
}

// False: even an otherwise empty budget would refuse, so that nobody needs to be asked to empty it.
bool MemoryBudget::can_ever_hold(Account account, std::size_t bytes) const {
  std::size_t floors_of_others = 0;
  for (std::size_t i = 0; i < accounts; ++i) floors_of_others += i == static_cast<std::size_t>(account) ? 0 : cell_[i].floor.load();
  PLIMSOLL_DCHECK(floors_of_others < limit());
  return bytes <= limit() - floors_of_others;
}

// Reclaimers are called without the mutex, because they take latches of lower ranks. Whether they achieved anything is read from
// the ledger, not from their answer.
Result<void> MemoryBudget::charge(Account account, std::size_t bytes) {
  if (try_charge(account, bytes)) [[likely]]
    return {};
  const unsigned rounds = can_ever_hold(account, bytes) ? reclaim_rounds_max : 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const std::uint64_t discharged_before_round = discharged_.load();
    for (std::size_t i = 0; Reclaimer* reclaimer = enter_reclaimer(i); ++i) {
      [[maybe_unused]] const std::uint64_t discharged_before = discharged_.load();
      const std::size_t room = available(account);
      [[maybe_unused]] const std::size_t answer = reclaimer->reclaim(bytes > room ? bytes - room : 1);
      PLIMSOLL_DCHECK(answer <= discharged_.load() - discharged_before);
      leave_reclaimer(*reclaimer);
      if (try_charge(account, bytes)) return {};
    }
    if (discharged_.load() == discharged_before_round) break;  // nobody has anything left to give
  }
  return fail(ErrorCode::memory_budget_exceeded, "{} bytes for {} ({}): {} of {} bytes are used, {} of them for {}", bytes,
              name(account), meaning(account), used(), limit(), used(account), name(account));
}

void MemoryBudget::set_floor(Account account, std::size_t bytes) {
  PLIMSOLL_CHECK(can_ever_hold(account, bytes) && bytes < limit());
  Cell& c = cell(account);
  const std::size_t used_bytes = c.used.load();
  const std::size_t before = std::max(used_bytes, c.floor.load()), after = std::max(used_bytes, bytes);
  if (after > before) {
    PLIMSOLL_CHECK(try_claim(after - before));
  } else {
    claimed_.fetch_sub(before - after);
  }
  c.floor.store(bytes);
}

std::size_t MemoryBudget::used(Account account) const { return cell(account).used.load(std::memory_order_relaxed); }
std::size_t MemoryBudget::peak(Account account) const { return cell(account).peak.load(std::memory_order_relaxed); }
std::size_t MemoryBudget::floor(Account account) const { return cell(account).floor.load(std::memory_order_relaxed); }

void MemoryBudget::reset_peaks() {
  for (Cell& c : cell_) c.peak.store(c.used.load());
}

void MemoryBudget::add_reclaimer(Reclaimer& reclaimer) {
  const MutexLock lock(reclaim_mutex_);
  for (Registered& r : reclaimers_) {
    PLIMSOLL_CHECK(r.reclaimer != &reclaimer);
    if (r.reclaimer != nullptr) continue;
    r = {&reclaimer, 0};
    return;
  }
  PLIMSOLL_CHECK(!"more reclaimers than places");
}

void MemoryBudget::remove_reclaimer(Reclaimer& reclaimer) {
  const MutexLock lock(reclaim_mutex_);
  const auto find = [&]() PLIMSOLL_NO_ANALYSIS {
    return std::find_if(reclaimers_.begin(), reclaimers_.end(), [&](const Registered& r) { return r.reclaimer == &reclaimer; });
  };
  auto place = find();
  PLIMSOLL_CHECK(place != reclaimers_.end());
  while (place->calls != 0) {
    reclaimer_left_.wait(reclaim_mutex_);
    place = find();
    PLIMSOLL_CHECK(place != reclaimers_.end());
  }
  std::move(place + 1, reclaimers_.end(), place);  // the order of registration stays
  reclaimers_.back() = {};
}

Reclaimer* MemoryBudget::enter_reclaimer(std::size_t index) {
  const MutexLock lock(reclaim_mutex_);
  if (index >= reclaimers_.size() || reclaimers_[index].reclaimer == nullptr) return nullptr;
  ++reclaimers_[index].calls;
  return reclaimers_[index].reclaimer;
}

void MemoryBudget::leave_reclaimer(const Reclaimer& reclaimer) {
  const MutexLock lock(reclaim_mutex_);
  for (Registered& r : reclaimers_) {
    if (r.reclaimer != &reclaimer) continue;
    PLIMSOLL_CHECK(r.calls != 0);
    --r.calls;
    reclaimer_left_.notify_all();
    return;
  }
  PLIMSOLL_CHECK(!"a reclaimer was removed while it worked");
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

Result<Charge> Charge::take(MemoryBudget& budget, Account account, std::size_t bytes) {
  PLIMSOLL_TRY(budget.charge(account, bytes));
  return Charge(budget, account, bytes);
}

void Charge::release() {
  if (budget_ != nullptr) budget_->discharge(account_, bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

}  // namespace plimsoll::memory
