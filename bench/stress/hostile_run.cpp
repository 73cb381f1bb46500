#include "bench/stress/hostile_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <thread>

#include "base/fail.hpp"
#include "bench/report/process.hpp"

namespace plimsoll::bench {
namespace {

constexpr std::uint64_t allowance_bytes = 16_MiB;  // code, libraries, stacks, and what the clients remember

HostileRole role_of(unsigned number) {
  if (number == 0) return HostileRole::giant;
  if (number % 16 == 1) return HostileRole::pinner;
  return number % 16 == 2 ? HostileRole::holder : HostileRole::updater;
}

// Reads resident memory every two milliseconds and compares it with the line.
class Watcher {
 public:
  explicit Watcher(std::uint64_t line) : line_(line), thread_([this](const std::stop_token& stop) { watch(stop); }) {}
  void set_line(std::uint64_t bytes) { line_ = bytes; }
  std::uint64_t now() const { return now_; }
  std::uint64_t peak() const { return peak_; }
  std::int64_t over() const { return over_; }

 private:
  void watch(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::uint64_t line = line_, bytes = resident_bytes();
      now_ = bytes;
      peak_ = std::max<std::uint64_t>(peak_, bytes);
      over_ = std::max<std::int64_t>(over_, static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(line));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::atomic<std::uint64_t> line_, now_{0}, peak_{0};
  std::atomic<std::int64_t> over_{std::numeric_limits<std::int64_t>::min()};
  std::jthread thread_;
};

class Run {
 public:
  explicit Run(const HostileSettings& settings) : settings_(settings) {
    stage_.memory_budget = settings.memory_budget;
    stage_.seed = settings.seed;
    stage_.keys_per_client = settings.keys_per_client;
    stage_.giant_budgets = settings.giant_budgets;
    stage_.held_share = settings.held_share;
    stage_.holders = 0;
    for (unsigned number = 0; number < settings.clients; ++number) stage_.holders += role_of(number) == HostileRole::holder;
    for (unsigned number = 0; number < settings.clients; ++number) clients_.emplace_back(stage_, number, role_of(number));
  }

  Result<HostileReport> all() {
    PLIMSOLL_TRY(open());
    Watcher watcher(settings_.memory_budget);
    for (HostileClient& client : clients_) PLIMSOLL_TRY(client.load(*database_, table_));
    database_->reset_statistics();
    PLIMSOLL_TRY(work(watcher));
    const Statistics statistics = database_->statistics();
    PLIMSOLL_TRY(check_everything());
    PLIMSOLL_TRY(database_->close());
    report_.rss_peak_bytes = watcher.peak();
    report_.rss_over_line_bytes = watcher.over();
    PLIMSOLL_TRY(open());
    PLIMSOLL_TRY(check_everything());
    PLIMSOLL_TRY(database_->close());
    sum_up(statistics);
    return std::move(report_);
  }

 private:
  Result<void> open() {
    Options options;
    options.memory_budget = settings_.memory_budget;
    PLIMSOLL_ASSIGN(Database database, Database::open(settings_.path, options));
    database_ = std::move(database);
    PLIMSOLL_ASSIGN(table_, database_->open_table("rows", {.create_if_missing = true}));
    for (HostileClient& client : clients_) client.attach(*database_, table_);
    return {};
  }

  std::uint64_t commits() const {
    std::uint64_t sum = 0;
    for (const HostileClient& client : clients_) sum += client.commits_now();
    return sum;
  }

  void sleep(double seconds) const {
    const std::uint64_t end = now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    while (now_ns() < end && !stage_.stop) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  // Commits a second over a stage.
  double measure(double seconds) {
    const std::uint64_t before = commits(), begun = now_ns();
    sleep(seconds);
    return static_cast<double>(commits() - before) / (static_cast<double>(now_ns() - begun) * 1e-9);
  }

  Result<void> work(Watcher& watcher) {
    std::vector<std::optional<Error>> problems(clients_.size());
    std::vector<std::jthread> threads;
    stage_.stop = false;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      threads.emplace_back([this, i, &problems] {
        while (!stage_.stop) {
          if (auto done = clients_[i].step(); !done) {
            problems[i] = done.error();
            stage_.stop = true;
          }
        }
      });
    }
    stages(watcher);
    stage_.stop = true;
    threads.clear();  // joins
    for (const auto& problem : problems)
      if (problem) return std::unexpected(*problem);
    return {};
  }

  // Sizes drift, so that the store grows and its rate falls with nobody hostile in it: each hostile stretch is compared with the
  // calm ones around it. After them it stays hostile, at the full budget, at half of it, and at the full one again.
  void stages(Watcher& watcher) {
    constexpr double stretches = 13, stretch_max = 1;  // seconds
    const double stretch = std::min(settings_.seconds / stretches, stretch_max), end = settings_.seconds - 3 * stretch;
    const auto pairs = static_cast<std::size_t>(std::clamp(end / stretch / 3, 3.0, 7.0));
    const auto calm = [&] {
      stage_.calm = true;
      sleep(stretch / 2);
      return measure(stretch / 2);
    };
    const auto hostile = [&] {
      stage_.calm = false;
      sleep(stretch);  // until holders hold and versions pile up
      return measure(stretch);
    };
    for (double before = calm(); report_.pairs.size() < pairs && !stage_.stop;) {
      const double rate = hostile(), after = calm();
      report_.pairs.push_back({.calm_commits_per_s = (before + after) / 2, .hostile_commits_per_s = rate});
      before = after;
    }
    stage_.calm = false;
    const double third = std::max(stretch, (settings_.seconds - static_cast<double>(pairs) * 3 * stretch) / 3);
    sleep(third);
    halve(watcher);
    sleep(third);
    watcher.set_line(settings_.memory_budget);
    if (auto raised = database_->set_memory_budget(settings_.memory_budget); !raised)
      report_.failures.push_back("raising the budget again: " + raised.error().message());
    sleep(third);
    const std::uint64_t patience = now_ns() + static_cast<std::uint64_t>(3e9 * settings_.seconds);
    while (!everything_happened() && now_ns() < patience && !stage_.stop) sleep(stretch);
  }

  // How soon the rarest rung is taken depends on the machine; the run goes on until it was.
  bool everything_happened() const {
    const Statistics statistics = database_->statistics();
    for (const RungStats& rung : statistics.pressure.rungs)
      if (rung.fired == 0) return false;
    for (const NamedValue& counter : statistics.counters)
      if ((counter.name == "version_bytes_moved" || counter.name == "transactions_sacrificed") && counter.value == 0) return false;
    return true;
  }

  void halve(Watcher& watcher) {
    const std::uint64_t half = settings_.memory_budget / 2;
    const double begun = processor_seconds();
    constexpr int tries_max = 20;
    Result<void> halved = database_->set_memory_budget(half);
    for (int tries = 1; tries < tries_max && !halved; ++tries) halved = database_->set_memory_budget(half);
    report_.halved = halved.has_value();
    if (!halved) return report_.failures.push_back("the budget could not be halved: " + halved.error().message());
    constexpr double processor_seconds_max = 20;  // a goal is 2; above this it is not going to happen
    while (watcher.now() > half + allowance_bytes && processor_seconds() - begun < processor_seconds_max)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    watcher.set_line(half);
    report_.halving_processor_s = processor_seconds() - begun;
    if (report_.halving_processor_s >= processor_seconds_max)
      report_.failures.emplace_back("resident memory does not go below the new line");
  }

  Result<void> check_everything() {
    for (HostileClient& client : clients_) PLIMSOLL_TRY(client.check_all());
    PLIMSOLL_ASSIGN(const VerifyReport verified, database_->verify());
    for (const VerifyProblem& problem : verified.problems)
      report_.failures.push_back(fmt::format("verify: page {}: {}", problem.page, problem.what));
    return {};
  }

  void sum_up(const Statistics& statistics) {
    for (const HostileClient& client : clients_) {
      report_.totals.add(client.totals());
      if (!client.complaint().empty()) report_.failures.push_back("wrong: " + client.complaint());
    }
    for (const NamedValue& counter : statistics.counters) {
      if (counter.name == "version_bytes_moved") report_.version_bytes_moved = counter.value;
      if (counter.name == "transactions_sacrificed") report_.sacrificed = counter.value;
    }
    report_.rungs = statistics.pressure.rungs;
    report_.charges_waited = statistics.pressure.waits;
    report_.refused_with_room = statistics.pressure.refused_with_room;
    if (report_.rss_over_line_bytes > static_cast<std::int64_t>(allowance_bytes))
      report_.failures.push_back(fmt::format("resident memory was {} bytes above the line", report_.rss_over_line_bytes));
    if (report_.refused_with_room != 0)
      report_.failures.push_back(fmt::format("{} refusals of what would have fitted", report_.refused_with_room));
    for (const RungStats& rung : report_.rungs)
      if (rung.fired == 0) report_.failures.push_back("the rung " + rung.name + " was never taken");
    if (report_.totals.pinned == 0) report_.failures.emplace_back("no snapshot was pinned and read again");
    if (report_.version_bytes_moved == 0) report_.failures.emplace_back("no version was moved");
    if (report_.sacrificed == 0) report_.failures.emplace_back("no transaction was sacrificed");
  }

  const HostileSettings& settings_;
  HostileStage stage_;
  std::deque<HostileClient> clients_;
  std::optional<Database> database_;
  Table table_{};
  HostileReport report_;
};

}  // namespace

Result<HostileReport> run_hostile(const HostileSettings& settings) { return Run(settings).all(); }

}  // namespace plimsoll::bench
