// backup: updates beside a backup and without one, by turns. A pair is a slice of updates for as long as a backup of the whole
// store takes, made by the store's own thread as through its control socket, and a slice as long without one; which comes first
// changes from pair to pair. At least 7 pairs, more until --seconds are over. The last backup must hold every row.
//
// Engines that make no backups do not offer the workload.
#pragma once

#include <algorithm>
#include <vector>

#include "bench/workloads/mixed.hpp"
#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

template <class E>
concept MakesBackups = requires(E engine, const std::string& file) {
  { engine.start_backup(file) } -> std::same_as<Result<void>>;
  { engine.backup_runs() } -> std::same_as<Result<bool>>;
  { E::rows_in_backup(file) } -> std::same_as<Result<std::uint64_t>>;
};

template <MakesBackups E>
class Backup final : public Workload {
 public:
  explicit Backup(Settings settings)
      : settings_(std::move(settings)), folder_(E::name, settings_), file_(folder_.path() + ".backup") {}
  ~Backup() override {
    workers_.clear();
    engine_.reset();
    remove_file();
  }

  Result<void> prepare() override {
    PLIMSOLL_ASSIGN(engine_, open_loaded<E>(folder_, settings_, Worker::fill));
    for (unsigned thread = 0; thread < settings_.threads; ++thread) {
      workers_.push_back(std::make_unique<Worker>(*engine_, settings_, thread));
      PLIMSOLL_TRY(workers_.back()->begin());
    }
    return {};
  }

  Result<SliceResult> run(double seconds, unsigned threads) override {
    const auto workers = std::span(workers_).first(threads);
    PLIMSOLL_TRY(run_slice<Worker>(workers, {.seconds = std::min(5.0, seconds)}));  // warm up
    PLIMSOLL_TRY(beside_backup(workers));                                           // and know how long one takes
    SliceResult all;
    while (ratios_.size() < pairs_least || all.seconds < seconds) {
      SliceResult with, without;
      const bool backup_first = ratios_.size() % 2 == 0;
      if (!backup_first) { PLIMSOLL_ASSIGN(without, run_slice<Worker>(workers, {.seconds = backup_seconds_.back()})); }
      PLIMSOLL_ASSIGN(with, beside_backup(workers));
      if (backup_first) { PLIMSOLL_ASSIGN(without, run_slice<Worker>(workers, {.seconds = with.seconds})); }
      ratios_.push_back(with.rate() / std::max(without.rate(), 1e-9));
      all.add(with);
      without_.add(without);
    }
    return all;
  }

  Result<void> finish(Json& facts) override {
    std::vector<double> sorted = ratios_;
    std::ranges::sort(sorted);
    std::ranges::sort(backup_seconds_);
    facts["without_backup_ops_per_s"] = without_.rate();
    facts["without_backup_p99_us"] = without_.latency.percentile_us(0.99);
    facts["pairs"] = sorted.size();
    facts["ratio_median"] = sorted[(sorted.size() - 1) / 2];  // the lower of two
    facts["ratio_least"] = sorted.front();
    facts["ratio_most"] = sorted.back();
    facts["ratios"] = ratios_;
    facts["backup_seconds_median"] = backup_seconds_[backup_seconds_.size() / 2];
    facts["backup_mib"] = static_cast<double>(std::filesystem::file_size(file_)) / static_cast<double>(1_MiB);
    add_engine_facts(*engine_, facts);
    PLIMSOLL_ASSIGN(const std::uint64_t rows, E::rows_in_backup(file_));
    if (rows != settings_.keys) return fail(ErrorCode::corruption, "the backup holds {} of {} rows", rows, settings_.keys);
    workers_.clear();
    return Worker::verify(*engine_, settings_);
  }
  std::string store_folder() const override { return folder_.path(); }

 private:
  using Worker = MixedWorker<E, 4>;
  static constexpr std::size_t pairs_least = 7;

  Result<SliceResult> beside_backup(std::span<const std::unique_ptr<Worker>> workers) {
    constexpr double longest = 3600;
    remove_file();
    PLIMSOLL_TRY(engine_->start_backup(file_));
    Result<bool> runs = true;
    PLIMSOLL_ASSIGN(SliceResult result,
                    run_slice<Worker>(workers, {.seconds = longest,
                                                .tick_seconds = 0.01,
                                                .on_tick = [&](double, std::uint64_t) { runs = engine_->backup_runs(); },
                                                .until = [&] { return !runs || !*runs; }}));
    PLIMSOLL_TRY(runs);
    backup_seconds_.push_back(result.seconds);
    return result;
  }
  void remove_file() const {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }

  Settings settings_;
  StoreFolder folder_;
  std::string file_;
  std::unique_ptr<E> engine_;
  std::vector<std::unique_ptr<Worker>> workers_;
  SliceResult without_;
  std::vector<double> ratios_, backup_seconds_;
};

}  // namespace plimsoll::bench
