// The wait-for graph of the registry: edges live in the slots and are guarded by the wait mutex, which is taken only by who has to
// wait, who has waiters, and lists.
#include <atomic>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/perturb.hpp"
#include "registry/label.hpp"
#include "registry/registry.hpp"

namespace plimsoll::registry {

bool Registry::closes_cycle(SlotIndex self, TxnId holder) const {
  for (std::uint32_t steps = 0; steps < count_; ++steps) {
    const SlotIndex index = slot_of(holder);
    if (index >= count_ || slots()[index].id.load(std::memory_order_acquire) != holder.value) return false;
    if (index == self) return true;
    if (slots()[index].waits_for == 0) return false;
    holder = TxnId{slots()[index].waits_for};
  }
  return true;  // longer than there are slots: a cycle that does not contain self
}

void Registry::unlink_waiter(SlotIndex self, TxnId holder) {
  slots()[self].waits_for = 0;
  Slot& held = slots()[slot_of(holder)];
  SlotIndex* link = &held.first_waiter;
  while (*link != no_slot && *link != self) link = &slots()[*link].next_waiter;
  if (*link == self) *link = slots()[self].next_waiter;
  slots()[self].next_waiter = no_slot;
  if (held.first_waiter == no_slot) held.has_waiters.store(false, std::memory_order_seq_cst);
}

// False: the holder waits for self, or has ended.
bool Registry::enqueue(SlotIndex self, TxnId holder) {
  Slot& mine = slots()[self];
  Slot& held = slots()[slot_of(holder)];
  const MutexLock lock(wait_mutex_);
  if (held.id.load(std::memory_order_seq_cst) != holder.value || closes_cycle(self, holder)) return false;
  waiting(self).waits_for = holder.value;
  mine.wait_number = ++wait_number_;
  mine.woken.store(false, std::memory_order_relaxed);
  mine.next_waiter = held.first_waiter;
  held.first_waiter = self;
  held.has_waiters.store(true, std::memory_order_seq_cst);
  return true;
}

Result<void> Registry::wait_for(SlotIndex self, TxnId holder, std::uint64_t deadline_ns,
                                const std::function<bool()>& still_in_the_way) {
  Slot& mine = slots()[self];
  if (!enqueue(self, holder)) {
    if (!still_in_the_way()) return {};  // it has ended, or has rolled that back: it need not be waited for
    metrics_.add(Counter::deadlocks);
    return fail(ErrorCode::deadlock, "transaction {} would wait for {}, which waits for it", mine.id.load(), name(holder).text());
  }
  metrics_.add(Counter::lock_waits);
  const bool wait = still_in_the_way();  // rule 19: after enqueueing, the very thing in the way
  MutexLock lock(wait_mutex_);
  Result<void> outcome{};
  while (wait && !mine.woken.load(std::memory_order_relaxed)) {
    if ((mine.control.load(std::memory_order_seq_cst) & killed_bit) != 0) {
      outcome = fail(ErrorCode::transaction_timeout, "transaction {} was killed while it waited for {}", mine.id.load(),
                     name(holder).text());
      break;
    }
    const std::uint64_t now = time_.monotonic_ns();
    if (deadline_ns != 0 && now >= deadline_ns) {
      metrics_.add(Counter::lock_timeouts);
      outcome = fail(ErrorCode::lock_timeout, "transaction {} waited for {} until its lock deadline", mine.id.load(),
                     name(holder).text());
      break;
    }
    constexpr std::uint64_t look_again_ns = 100'000'000;  // an injected clock may jump
    mine.wake.wait_for(wait_mutex_,
                       std::chrono::nanoseconds(deadline_ns == 0 ? look_again_ns : std::min(deadline_ns - now, look_again_ns)));
  }
  if (mine.waits_for != 0) unlink_waiter(self, holder);
  return outcome;
}

void Registry::wake_waiters(SlotIndex holder) {
  Slot& held = slots()[holder];
  if (!held.has_waiters.load(std::memory_order_seq_cst)) return;
  MutexLock lock(wait_mutex_);
  for (SlotIndex index = held.first_waiter; index != no_slot;) {
    Slot& waiter = waiting(index);
    const SlotIndex next = waiter.next_waiter;
    waiter.next_waiter = no_slot;
    waiter.waits_for = 0;
    waiter.woken.store(true, std::memory_order_relaxed);
    waiter.wake.notify_one();
    index = next;
  }
  held.first_waiter = no_slot;
  held.has_waiters.store(false, std::memory_order_seq_cst);
}

std::optional<std::uint64_t> Registry::kill(TxnId id) {
  const SlotIndex index = slot_of(id);
  if (index >= count_) return std::nullopt;
  Slot& slot = slots()[index];
  std::uint64_t control = slot.control.load(std::memory_order_seq_cst);
  do {
    const Status status = status_of(control);
    if (slot.id.load(std::memory_order_seq_cst) != id.value || (status != Status::idle && status != Status::in_operation))
      return std::nullopt;
    if (slot.state.load(std::memory_order_seq_cst) != TransactionState::active)
      return std::nullopt;  // prepared ones are their coordinator's
  } while (!slot.control.compare_exchange_weak(control, control | killed_bit, std::memory_order_seq_cst));
  {
    const MutexLock lock(wait_mutex_);
    waiting(index).wake.notify_one();
  }
  const TransactionState state = slot.state.load(std::memory_order_seq_cst);
  if (state == TransactionState::preparing || state == TransactionState::prepared) return std::nullopt;  // meanwhile
  return control | killed_bit;
}

std::vector<WaitEdge> Registry::wait_graph() const {
  std::vector<WaitEdge> edges;
  MutexLock lock(wait_mutex_);
  for (std::uint32_t i = 0; i < slots_high(); ++i)
    if (waiting(i).waits_for != 0)
      edges.push_back({TxnId{slots()[i].id.load()}, TxnId{waiting(i).waits_for}, waiting(i).wait_number});
  return edges;
}

std::vector<TransactionInfo> Registry::list() const {
  std::vector<TransactionInfo> all;
  MutexLock lock(wait_mutex_);
  const std::uint64_t now = time_.monotonic_ns();
  for (std::uint32_t i = 0; i < slots_high(); ++i) {
    const Slot& slot = slots()[i];
    const std::uint64_t id = slot.id.load(std::memory_order_acquire);
    if (id == 0) continue;
    perturb(Window::resampled);
    const std::uint64_t snapshot = slot.snapshot.load(std::memory_order_relaxed),
                        begun = slot.begun_ns.load(std::memory_order_relaxed);
    TransactionInfo info;
    info.id = TxnId{id};
    info.state = slot.state.load(std::memory_order_relaxed);
    info.snapshot = Timestamp{snapshot >= snapshot_acquiring ? 0 : snapshot};
    info.age_ms = begun == 0 || now < begun ? 0 : (now - begun) / 1'000'000;
    info.written_bytes = slot.written_bytes.load(std::memory_order_relaxed);
    info.waits_for = TxnId{waiting(i).waits_for};
    info.label = Label(slot).text();
    if (slot.id.load(std::memory_order_relaxed) == id) all.push_back(std::move(info));  // else it has ended meanwhile
  }
  return all;
}

}  // namespace plimsoll::registry
