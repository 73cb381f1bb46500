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

// Reads resident memory every two milliseconds and compares it with the line. What falls between two readings is in the kernel's
// own peak, which is compared with the highest line.
class Watcher {
 public:
  explicit Watcher(std::uint64_t line)
      : highest_line_(line), line_(line), thread_([this](const std::stop_token& stop) { watch(stop); }) {
    reset_resident_peak();
  }
  void set_line(std::uint64_t bytes) { line_ = bytes; }  // below the first
  void finish() {
    thread_ = {};
    note(resident_peak_bytes(), highest_line_);
  }
  std::uint64_t now() const { return now_; }
  std::uint64_t peak() const { return peak_; }
  std::int64_t over() const { return over_; }

 private:
  void watch(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::uint64_t line = line_, bytes = resident_bytes();
      now_ = bytes;
      note(bytes, line);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void note(std::uint64_t bytes, std::uint64_t line) {
    peak_ = std::max<std::uint64_t>(peak_, bytes);
    over_ = std::max<std::int64_t>(over_, static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(line));
  }

  const std::uint64_t highest_line_;
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
    PLIMSOLL_TRY(open());
    PLIMSOLL_TRY(check_everything());
    PLIMSOLL_TRY(database_->close());
    watcher.finish();
    report_.rss_peak_bytes = watcher.peak();
    report_.rss_over_line_bytes = watcher.over();
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
    // How soon the rarest rung is taken depends on the machine; the run goes on until it was.
    while (!missing(database_->statistics()).empty() && now_ns() < patience && !stage_.stop) sleep(stretch);
  }

  // What every hostile run must meet and this one has not, as far as the store counts it while it works.
  std::vector<std::string> missing(const Statistics& statistics) const {
    std::vector<std::string> all;
    for (const RungStats& rung : statistics.pressure.rungs) {
      const bool always_frees = rung.name == "caches" || rung.name == "pool";  // the others have nothing left now and then
      if (rung.fired == 0)
        all.push_back("the rung " + rung.name + " was never taken");
      else if (always_frees && rung.freed_bytes == 0)
        all.push_back("the rung " + rung.name + " freed nothing");
    }
    if (counter(statistics, "version_bytes_moved") == 0) all.emplace_back("no version was moved");
    if (counter(statistics, "transactions_sacrificed") == 0) all.emplace_back("no transaction was sacrificed");
    std::uint64_t giant = 0;
    for (const HostileClient& client : clients_) giant = std::max(giant, client.giant_bytes_now());
    if (const double least = std::min(settings_.giant_budgets, 1.0) * static_cast<double>(settings_.memory_budget);
        static_cast<double>(giant) < least)
      all.push_back(fmt::format("the giant wrote no more than {} bytes", giant));
    return all;
  }

  static std::uint64_t counter(const Statistics& statistics, std::string_view name) {
    const auto found = std::ranges::find(statistics.counters, name, &NamedValue::name);
    return found == statistics.counters.end() ? 0 : found->value;
  }

  void halve(Watcher& watcher) {
    const std::uint64_t half = settings_.memory_budget / 2;
    const double begun = processor_seconds();
    constexpr int tries_max = 20;
    Result<void> halved = database_->set_memory_budget(half);
    for (int tries = 1; tries < tries_max && !halved; ++tries) halved = database_->set_memory_budget(half);
    report_.halved = halved.has_value();
    if (!halved) return report_.failures.push_back("the budget could not be halved: " + halved.error().message());
    constexpr double processor_seconds_max = 20;         // a goal is 2; above this it is not going to happen
    constexpr std::uint64_t patience = 300'000'000'000;  // nanoseconds: if nobody works at all
    const std::uint64_t given_up = now_ns() + patience;
    const auto above = [&] { return watcher.now() > half + allowance_bytes; };
    while (above() && processor_seconds() - begun < processor_seconds_max && now_ns() < given_up && !stage_.stop)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    report_.halving_processor_s = processor_seconds() - begun;
    if (above()) return report_.failures.emplace_back("resident memory does not go below the new line"), void();
    watcher.set_line(half);
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
    report_.version_bytes_moved = counter(statistics, "version_bytes_moved");
    report_.sacrificed = counter(statistics, "transactions_sacrificed");
    report_.rungs = statistics.pressure.rungs;
    report_.charges_waited = statistics.pressure.waits;
    report_.refused_with_room = statistics.pressure.refused_with_room;
    if (report_.rss_over_line_bytes > static_cast<std::int64_t>(allowance_bytes))
      report_.failures.push_back(fmt::format("resident memory was {} bytes above the line", report_.rss_over_line_bytes));
    if (report_.refused_with_room != 0)
      report_.failures.push_back(fmt::format("{} refusals of what would have fitted", report_.refused_with_room));
    for (std::string& what : missing(statistics)) report_.failures.push_back(std::move(what));
    if (report_.totals.pinned == 0) report_.failures.emplace_back("no snapshot was pinned and read again");
    if (report_.totals.held_peak == 0 && settings_.held_share > 0) report_.failures.emplace_back("no value was held");
    for (const HostilePair& pair : report_.pairs)
      if (pair.hostile_commits_per_s == 0) report_.failures.emplace_back("nothing was committed for a stretch");
  }

  const HostileSettings& settings_;
  HostileStage stage_;
  std::deque<HostileClient> clients_;
  std::optional<Database> database_;
  Table table_{};
  HostileReport report_;
};

}  // namespace

Result<void> HostileSettings::check() const {
  constexpr unsigned clients_least = 4;  // one of each role
  constexpr std::uint64_t keys_least = 16, keys_end = std::uint64_t{1} << 32;
  constexpr std::size_t budget_least = 32_MiB;  // half of it is the least that a store may have
  if (clients < clients_least) return fail(ErrorCode::invalid_argument, "a hostile run needs {} threads", clients_least);
  if (keys_per_client < keys_least || keys_per_client >= keys_end)
    return fail(ErrorCode::invalid_argument, "keys: each client of a hostile run has {} to 2^32 - 1", keys_least);
  if (memory_budget < budget_least)
    return fail(ErrorCode::invalid_argument, "a hostile run halves the budget: {} bytes are wanted at least", budget_least);
  return {};
}

Result<HostileReport> run_hostile(const HostileSettings& settings) {
  PLIMSOLL_TRY(settings.check());
  return Run(settings).all();
}

}  // namespace plimsoll::bench
