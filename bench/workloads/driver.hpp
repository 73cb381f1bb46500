// Runs one worker per thread for a while and adds up what they did. A worker is any class with
//   Result<std::uint64_t> step();   one transaction; how many operations it was
//   void abort();                   after a step that failed
//   std::uint64_t sum() const;      of all value bytes it has read
// A step that fails with a retryable error is aborted, counted and drawn again; any other error ends the run. Latency is sampled
// (one step in `sample_every`), because reading the clock twice costs a tenth of a fast read. A worker whose steps are done behind
// its back also has
//   Result<std::uint64_t> drain();  waits for them; how many operations that was. The slice's time counts until then.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "bench/report/histogram.hpp"
#include "bench/report/process.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::bench {

struct SliceResult {
  std::uint64_t operations = 0;
  std::uint64_t aborts = 0;
  double seconds = 0;
  double processor_seconds = 0;
  std::uint64_t value_sum = 0;
  Histogram latency;

  double rate() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
  void add(const SliceResult& other) {
    operations += other.operations;
    aborts += other.aborts;
    seconds += other.seconds;
    processor_seconds += other.processor_seconds;
    value_sum = other.value_sum;  // workers count from their beginning
    latency.merge(other.latency);
  }
};

struct SliceOptions {
  double seconds = 1;
  unsigned sample_every = 1;
  double tick_seconds = 0.1;
  std::function<void(double elapsed, std::uint64_t operations)> on_tick{};  // every tick, from the calling thread
  std::function<bool()> until{};                                            // asked after each tick: the slice ends early
};

namespace detail {

struct alignas(64) ThreadRun {
  std::atomic<std::uint64_t> operations{0};
  std::uint64_t aborts = 0;
  Histogram latency{};
  std::optional<Error> error{};
};

template <class Worker>
void run_worker(Worker& worker, ThreadRun& run, std::atomic<bool>& stop, unsigned sample_every) {
  unsigned until_sample = 0;
  std::uint64_t operations = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    const bool sampled = until_sample == 0;
    until_sample = sampled ? sample_every - 1 : until_sample - 1;
    const std::uint64_t begin = sampled ? now_ns() : 0;
    Result<std::uint64_t> done = worker.step();
    while (!done && is_retryable(done.error().code()) && !stop.load(std::memory_order_relaxed)) {
      worker.abort();
      ++run.aborts;
      done = worker.step();
    }
    if (!done) {
      worker.abort();
      if (is_retryable(done.error().code())) break;
      run.error = done.error();
      stop.store(true, std::memory_order_relaxed);
      break;
    }
    if (sampled) run.latency.record(now_ns() - begin);
    operations += *done;
    run.operations.store(operations, std::memory_order_relaxed);
  }
  if constexpr (requires { worker.drain(); }) {
    const Result<std::uint64_t> late = worker.drain();
    if (!late && !run.error) run.error = late.error();
    run.operations.store(operations + late.value_or(0), std::memory_order_relaxed);
  }
}

}  // namespace detail

template <class Worker>
Result<SliceResult> run_slice(std::span<const std::unique_ptr<Worker>> workers, const SliceOptions& options) {
  PLIMSOLL_CHECK(!workers.empty() && options.sample_every > 0);
  std::vector<detail::ThreadRun> runs(workers.size());
  std::atomic<bool> stop{false};
  const auto operations_so_far = [&] {
    std::uint64_t operations = 0;
    for (const auto& run : runs) operations += run.operations.load(std::memory_order_relaxed);
    return operations;
  };

  const double processor_before = processor_seconds();
  const std::uint64_t begin = now_ns();
  const auto elapsed = [begin] { return static_cast<double>(now_ns() - begin) * 1e-9; };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < workers.size(); ++i)
    threads.emplace_back([&, i] { detail::run_worker(*workers[i], runs[i], stop, options.sample_every); });
  while (elapsed() < options.seconds && !stop.load(std::memory_order_relaxed) && !(options.until && options.until())) {
    const double left = options.seconds - elapsed();
    if (left > 0) std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, options.tick_seconds)));
    if (options.on_tick) options.on_tick(elapsed(), operations_so_far());
  }
  stop.store(true, std::memory_order_relaxed);
  threads.clear();  // joins

  SliceResult result;
  result.seconds = elapsed();
  result.processor_seconds = processor_seconds() - processor_before;
  result.operations = operations_so_far();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].error) return std::unexpected(*runs[i].error);
    result.aborts += runs[i].aborts;
    result.latency.merge(runs[i].latency);
    result.value_sum += workers[i]->sum();
  }
  return result;
}

}  // namespace plimsoll::bench
