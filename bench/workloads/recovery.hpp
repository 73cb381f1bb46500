// recovery: a child process makes --keys durable small commits on --threads threads and then one open transaction of --open-updates
// updates; it is killed, the store's files are dropped from the page cache, and the time until the store has opened and done its
// first commit is taken. Every acknowledged commit must be there, nothing of the open transaction.
// The process that runs this must have no other thread when run() is called: it forks.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class Recovery final : public Workload {
 public:
  explicit Recovery(Settings settings) : settings_(std::move(settings)), folder_(E::name, settings_) {}
  ~Recovery() override { engine_.reset(); }

  Result<void> prepare() override { return folder_.create(); }

  Result<SliceResult> run(double, unsigned threads) override {
    settings_.threads = threads;
    PLIMSOLL_TRY(build_and_kill());
    drop_page_cache(folder_.path());
    cached_bytes_ = page_cache_bytes(folder_.path());

    const double processor_before = processor_seconds();
    const std::uint64_t begin = now_ns();
    PLIMSOLL_ASSIGN(engine_, E::open(here()));
    open_seconds_ = seconds_since(begin);
    PLIMSOLL_ASSIGN(auto session, engine_->session());
    PLIMSOLL_TRY(session->begin(Access::single_write));
    PLIMSOLL_TRY(put(*session, 0, committed_version));
    PLIMSOLL_TRY(session->commit());
    SliceResult result;
    result.operations = 1;
    result.seconds = seconds_since(begin);
    result.processor_seconds = processor_seconds() - processor_before;
    result.latency.record(now_ns() - begin);
    ready_seconds_ = result.seconds;
    return result;
  }

  Result<void> finish(Json& facts) override {
    facts["open_seconds"] = open_seconds_;
    facts["ready_seconds"] = ready_seconds_;
    facts["build_commits_per_s"] = built_.commit_seconds > 0 ? static_cast<double>(settings_.keys) / built_.commit_seconds : 0;
    facts["open_transaction_updates"] = settings_.open_updates;
    facts["open_transaction_seconds"] = built_.open_seconds;
    facts["builder_rss_peak_mib"] = static_cast<double>(built_.rss_peak_bytes) / static_cast<double>(1_MiB);
    facts["page_cache_at_open_mib"] = static_cast<double>(cached_bytes_) / static_cast<double>(1_MiB);
    if constexpr (requires { engine_->recovery_report(); }) {
      const auto report = engine_->recovery_report();
      facts["recovery_log_mib"] = static_cast<double>(report.log_bytes) / static_cast<double>(1_MiB);
      facts["recovery_records_redone"] = report.records_redone;
      facts["recovery_losers"] = report.losers;
      facts["recovery_seconds"] = report.seconds;
    }
    add_engine_facts(*engine_, facts);
    PLIMSOLL_TRY(verify_rows(*engine_, settings_));
    return verify_no_loser();
  }
  std::string store_folder() const override { return folder_.path(); }

 private:
  static constexpr std::uint64_t committed_version = 1;
  static constexpr std::uint64_t loser_version = 2;

  struct Built {  // what the child tells before it waits for its end
    bool sound = false;
    double commit_seconds = 0;
    double open_seconds = 0;
    std::uint64_t rss_peak_bytes = 0;
    char problem[256] = {};
  };

  static double seconds_since(std::uint64_t begin) { return static_cast<double>(now_ns() - begin) * 1e-9; }

  Settings here() const {
    Settings settings = settings_;
    settings.path = folder_.path();
    return settings;
  }

  Result<void> put(typename E::Session& session, std::uint64_t number, std::uint64_t version) {
    std::array<char, 4096> buffer;
    const std::span<char> value(buffer.data(), settings_.value_bytes);
    fill_value(value, number, version);
    return session.put(Key(number).bytes(), {value.data(), value.size()});
  }

  Result<void> build_and_kill() {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) return fail_os(errno, "make a pipe");
    const pid_t parent = ::getpid(), child = ::fork();
    if (child < 0) return fail_os(errno, "fork");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);  // it died before that
      ::close(ends[0]);
      build_until_killed(ends[1]);
    }
    ::close(ends[1]);
    char* into = reinterpret_cast<char*>(&built_);
    std::size_t got = 0;
    while (got < sizeof built_) {
      const ssize_t n = ::read(ends[0], into + got, sizeof built_ - got);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    ::close(ends[0]);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (got != sizeof built_) return fail(ErrorCode::io_error, "the process that builds the store died early");
    if (!built_.sound) return fail(ErrorCode::io_error, "building the store: {}", std::string_view(built_.problem));
    return {};
  }

  [[noreturn]] void build_until_killed(int report) {
    Built built;
    std::unique_ptr<E> engine;  // both stay alive: the kill must find the transaction open
    std::unique_ptr<typename E::Session> open_transaction;
    if (auto done = build(engine, open_transaction, built); done) {
      built.sound = true;
    } else {
      const std::string text = done.error().message();
      text.copy(built.problem, sizeof built.problem - 1);
    }
    built.rss_peak_bytes = resident_peak_bytes();
    if (::write(report, &built, sizeof built) != static_cast<ssize_t>(sizeof built)) ::_exit(1);
    while (true) ::pause();
  }

  Result<void> build(std::unique_ptr<E>& engine, std::unique_ptr<typename E::Session>& open_transaction, Built& built) {
    PLIMSOLL_ASSIGN(engine, E::open(here()));
    const std::uint64_t begin = now_ns();
    std::vector<Result<void>> outcomes(settings_.threads);
    {
      std::vector<std::jthread> threads;
      for (unsigned thread = 0; thread < settings_.threads; ++thread)
        threads.emplace_back([&, thread] { outcomes[thread] = commit_share(*engine, thread); });
    }
    for (const Result<void>& outcome : outcomes) PLIMSOLL_TRY(outcome);
    built.commit_seconds = seconds_since(begin);

    const std::uint64_t open_begin = now_ns();
    PLIMSOLL_ASSIGN(open_transaction, engine->session());
    PLIMSOLL_TRY(open_transaction->begin(Access::read_write));
    for (std::uint64_t i = 0; i < settings_.open_updates; ++i)
      PLIMSOLL_TRY(put(*open_transaction, i % settings_.keys, loser_version));
    built.open_seconds = seconds_since(open_begin);
    return {};
  }

  Result<void> commit_share(E& engine, unsigned thread) {
    PLIMSOLL_ASSIGN(auto session, engine.session());
    for (std::uint64_t number = thread; number < settings_.keys;) {
      Result<void> done = session->begin(Access::single_write);
      if (done) done = put(*session, number, committed_version);
      if (done) done = session->commit();
      if (done) {
        number += settings_.threads;
        continue;
      }
      session->abort();
      if (!is_retryable(done.error().code())) return done;
    }
    return {};
  }

  Result<void> verify_no_loser() {
    PLIMSOLL_ASSIGN(auto session, engine_->session());
    PLIMSOLL_TRY(session->begin(Access::snapshot));
    std::uint64_t losers = 0;
    PLIMSOLL_TRY(session->scan([&](Bytes, Bytes value) {
      losers += value_version(value) == committed_version ? 0 : 1;
      return true;
    }));
    PLIMSOLL_TRY(session->commit());
    if (losers != 0) return fail(ErrorCode::corruption, "{} rows of the unfinished transaction are visible", losers);
    return {};
  }

  Settings settings_;
  StoreFolder folder_;
  std::unique_ptr<E> engine_;
  Built built_;
  double open_seconds_ = 0;
  double ready_seconds_ = 0;
  std::uint64_t cached_bytes_ = 0;
};

}  // namespace plimsoll::bench
