// The background threads of a store, and the same work on demand.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <system_error>

#include "base/fail.hpp"
#include "db/control.hpp"
#include "db/store.hpp"

namespace plimsoll::db {

namespace {
using namespace std::chrono_literals;
constexpr auto log_writer_pause = 5ms, page_provider_pause = 5ms, collector_pause = 5ms, housekeeper_pause = 20ms;
constexpr unsigned batches_at_once = 8;      // of pages, before a pause
constexpr double checkpoint_at_share = 0.5;  // of log_bytes_max

// These threads work in short bursts between waits for the device. With more busy threads than processors each burst would begin
// late by a slice of all others; who asks for short slices is let in at once, and gets no larger share (EEVDF, Linux 6.12; an older
// one ignores or refuses it). Policy and nice value stay as the application has chosen them.
void ask_for_short_slices() {
  struct Attributes {  // the kernel's sched_attr; the system's headers of it and of pthreads exclude each other
    std::uint32_t size = 0, policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
  } attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = 100'000;
  static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0));
}
}  // namespace

// Relaxed and asynchronous commits reach the disk without anybody waiting for them.
bool Store::write_log() {
  const memory::ReserveScope background;
  if (log_->failed()) return false;
  bool worked = false;
  if (log_->durable() < log_->end()) worked = log_->flush_to(log_->end()).has_value();
  if (auto made = log_->prepare_segment(); made && *made) worked = true;
  return worked;
}

bool Store::provide_pages() {
  const memory::ReserveScope background;
  Result<bool> provided = pool_->run_background();
  const bool worked = provided && *provided;
  for (unsigned batch = 1; batch < batches_at_once && provided && *provided; ++batch) provided = pool_->run_background();
  return worked;
}

// Apart from the page provider, because it waits for frames that this one provides.
bool Store::collect_versions() { return collector_->run(); }

// What as_of may reach: everything younger than the retention option.
void Store::move_window() {
  if (options_.retention.count() == 0) return;
  const std::uint64_t wall = time_->wall_ms(), back = static_cast<std::uint64_t>(options_.retention.count());
  registry_->set_window(Timestamp{(wall > back ? wall - back : 1) << HybridClock::logical_bits});
}

// Readers get their error; who watches the store learns of it here, once for all that were met since the last round.
void Store::tell_of_damage() {
  const std::uint64_t now = metrics_.sum(Counter::checksum_failures), told = damaged_told_.exchange(now);
  if (now > told) events_->add(EventKind::corruption, "{} reads met damaged pages; verify names them", now - told);
}

void Store::tell_of_pressure() {
  pressure_told_ = budget_->pressure().events_since(pressure_told_, [&](const PressureEvent& event) {
    events_->add(EventKind::pressure, "{}: {} {}, {} of {} bytes needed, {} freed", name(event.level), event.what, event.why,
                 event.needed_bytes, budget_->limit(), event.freed_bytes);
  });
}

// What the container or the machine has left, as a level, and, if asked for, as a limit.
void Store::watch_system() {
  constexpr std::uint64_t every_ns = 1'000'000'000;
  const std::uint64_t now = time_->monotonic_ns();
  if (now < next_sample_ns_.load(std::memory_order_relaxed)) return;
  next_sample_ns_.store(now + every_ns, std::memory_order_relaxed);
  slab_->sample_next();
  if (!sampler_) return;
  const io::MemorySample sample = sampler_->sample();
  const std::uint64_t left = sample.available_bytes.value_or(~std::uint64_t{0}), all = sample.limit_bytes.value_or(0);
  const double waiting = sample.psi_some_avg10.value_or(0);
  PressureLevel level = PressureLevel::normal;
  if (left < all / 20 || waiting >= 10) level = PressureLevel::warning;
  if (left < all / 50 || waiting >= 40) level = PressureLevel::critical;
  budget_->pressure().set_level_of_system(level);
  if (!options_.follow_container_limit || !sample.available_bytes) return;
  const std::uint64_t most = options_.memory_budget, used = budget_->used(), limit = budget_->limit();
  const std::uint64_t room = std::clamp<std::uint64_t>(used + left / 5 * 4, memory::MemoryBudget::least_bytes, most);
  if (room >= limit && room < limit + most / 50 && room != most) return;  // it moves all the time
  // Not while a user's thread moves it: that one may be waiting for what only this one does.
  if (auto moved = budget_->try_set_limit(room); !moved && moved.error().code() != ErrorCode::busy)
    events_->add(EventKind::pressure, "the container has no room for {} bytes: {}", limit, moved.error().details());
}

bool Store::keep_house() {
  budget_->pressure().tick();  // out of the scope, in which only those rungs are taken that need nobody
  const memory::ReserveScope background;
  tell_of_damage();
  watch_system();
  tell_of_pressure();
  bool worked = transactions_->run_background([this](TxnId id, const char* why) { reaped(id, why); });
  move_window();
  if (!log_->failed()) {
    const Result<bool> cut = cut_log();
    if (!cut && !failing_.exchange(true)) events_->add(EventKind::checkpoint, "a checkpoint failed: {}", cut.error().details());
    if (cut.value_or(false)) {
      failing_.store(false);
      worked = true;
    }
  }
  return worked;
}

// If it has grown long. True: it was cut.
Result<bool> Store::cut_log() {
  if (!log_->wants_cut(checkpoint_at_share)) return false;
  PLIMSOLL_TRY(checkpointer_->take(false, options_.log_bytes_max / 4));
  return true;
}

bool Store::run_background() {
  const bool wrote = write_log(), provided = provide_pages(), collected = collect_versions(), kept = keep_house();
  return wrote || provided || collected || kept;
}

Result<void> Store::start_threads() try {
  if (!options_.background_threads) return {};
  const auto loop = [this](bool (Store::*work)(), std::chrono::milliseconds pause) {
    threads_.emplace_back([this, work, pause] {
      ask_for_short_slices();
      std::size_t got = 0;  // the thread's magazines are made now, and it calls the heap no more
      if (char* block = slab_->take(memory::BlockPool::block_bytes_min, got)) slab_->give(block, got);
      while (!stopping_.load(std::memory_order_acquire)) {
        (this->*work)();
        std::this_thread::sleep_for(pause);
      }
    });
  };
  loop(&Store::write_log, log_writer_pause);
  loop(&Store::provide_pages, page_provider_pause);
  loop(&Store::collect_versions, collector_pause);
  loop(&Store::keep_house, housekeeper_pause);
  return {};
} catch (const std::system_error& error) { return fail_os(error.code().value(), "a thread of the store"); }

// A store without its socket is a store all the same: a file system may know no sockets.
void Store::start_control() {
  if (!options_.control_socket || !options_.background_threads || home_ != Home::folder || options_.environment != nullptr) return;
  auto server = io::LineServer::start(path_, storage::control_name, [this](std::string_view line) { return answer(*this, line); });
  if (server) {
    control_ = std::move(*server);
  } else {
    events_->add(EventKind::open_phase, "no control socket: {}", server.error().details());
  }
}

void Store::stop_threads() {
  control_.reset();
  backup_job_.call_off();
  check_job_.call_off();
  compact_job_.call_off();
  stopping_.store(true, std::memory_order_release);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace plimsoll::db
