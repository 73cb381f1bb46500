// long_snapshot: zipf-hot updates, first without a snapshot, then for --seconds with one that is held from before the first of
// them. At the end the snapshot reads every row, which must be exactly what stood there when it was opened. version_bytes_needed
// counts what a perfect collector would keep: one old version for each row updated since.
#pragma once

#include <algorithm>

#include "bench/workloads/mixed.hpp"
#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class LongSnapshot final : public Workload {
 public:
  explicit LongSnapshot(Settings settings) : settings_(std::move(settings)), folder_(E::name, settings_) {
    settings_.read_percent = 0;
  }
  ~LongSnapshot() override {
    workers_.clear();
    engine_.reset();
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
    PLIMSOLL_ASSIGN(const SliceResult without, run_slice<Worker>(workers, {.seconds = std::min(10.0, seconds / 2)}));
    without_rate_ = without.rate();

    PLIMSOLL_ASSIGN(auto snapshot, engine_->session());
    PLIMSOLL_TRY(snapshot->begin(Access::snapshot));
    PLIMSOLL_TRY(snapshot->get(Key(0).bytes(), [](Bytes) {}));  // some engines take their snapshot at the first read
    PLIMSOLL_ASSIGN(const std::vector<std::uint64_t> expected, versions_now());

    std::vector<Tick> ticks = {{0, 0}};
    PLIMSOLL_ASSIGN(SliceResult result,
                    run_slice<Worker>(workers, {.seconds = seconds, .on_tick = [&](double elapsed, std::uint64_t operations) {
                                                  ticks.push_back({elapsed, operations});
                                                  sample();
                                                }}));
    const double window = std::min(5.0, seconds / 4);
    first_rate_ = rate_between(ticks, 0, window);
    last_rate_ = rate_between(ticks, ticks.back().elapsed - window, ticks.back().elapsed);
    PLIMSOLL_TRY(check(*snapshot, expected));
    PLIMSOLL_TRY(snapshot->commit());
    return result;
  }

  Result<void> finish(Json& facts) override {
    facts["without_snapshot_ops_per_s"] = without_rate_;
    facts["first5_ops_per_s"] = first_rate_;
    facts["last5_ops_per_s"] = last_rate_;
    facts["version_bytes_needed"] = needed_bytes_;
    facts["version_bytes_held_peak"] = held_peak_ == 0 ? Json(nullptr) : Json(held_peak_);
    facts["version_bytes_peak"] = facts["version_bytes_held_peak"];
    facts["disk_mib_peak"] = static_cast<double>(disk_peak_) / static_cast<double>(1_MiB);
    facts["scratch_mib_peak"] = static_cast<double>(scratch_peak_) / static_cast<double>(1_MiB);
    facts["final_scan_seconds"] = scan_seconds_;
    facts["snapshot_exact"] = exact_;
    add_engine_facts(*engine_, facts);
    if (!exact_) return fail(ErrorCode::corruption, "the snapshot did not read what stood there when it was opened");
    return {};
  }
  std::string store_folder() const override { return folder_.path(); }

 private:
  using Worker = MixedWorker<E, 4>;
  struct Tick {
    double elapsed;
    std::uint64_t operations;
  };

  Result<std::vector<std::uint64_t>> versions_now() {
    std::vector<std::uint64_t> versions;
    PLIMSOLL_ASSIGN(auto session, engine_->session());
    PLIMSOLL_TRY(session->begin(Access::snapshot));
    PLIMSOLL_TRY(session->scan([&](Bytes, Bytes value) {
      versions.push_back(value_version(value));
      return true;
    }));
    PLIMSOLL_TRY(session->commit());
    if (versions.size() != settings_.keys)
      return fail(ErrorCode::corruption, "{} of {} rows are there", versions.size(), settings_.keys);
    return versions;
  }

  void sample() {
    disk_peak_ = std::max(disk_peak_, disk_bytes(folder_.path()));
    scratch_peak_ = std::max(scratch_peak_, disk_bytes(folder_.path(), "scratch"));
    if constexpr (requires { engine_->version_bytes(); }) held_peak_ = std::max(held_peak_, engine_->version_bytes());
  }

  static double rate_between(const std::vector<Tick>& ticks, double from, double to) {
    const auto at = [&](double when) {
      return *std::min_element(ticks.begin(), ticks.end(), [&](const Tick& a, const Tick& b) {
        return std::abs(a.elapsed - when) < std::abs(b.elapsed - when);
      });
    };
    const Tick begin = at(from);
    const Tick end = at(to);
    return end.elapsed > begin.elapsed ? static_cast<double>(end.operations - begin.operations) / (end.elapsed - begin.elapsed) : 0;
  }

  Result<void> check(typename E::Session& snapshot, const std::vector<std::uint64_t>& expected) {
    std::uint64_t next = 0;
    bool same = true;
    const std::uint64_t begin = now_ns();
    PLIMSOLL_TRY(snapshot.scan([&](Bytes key, Bytes value) {
      same = same && next < expected.size() && key_number(key) == next && value_version(value) == expected[next] &&
             is_value_of(value, next);
      ++next;
      return same;
    }));
    scan_seconds_ = static_cast<double>(now_ns() - begin) * 1e-9;
    exact_ = same && next == expected.size();
    PLIMSOLL_ASSIGN(const std::vector<std::uint64_t> now, versions_now());
    std::uint64_t updated = 0;
    for (std::size_t i = 0; i < now.size(); ++i) updated += now[i] != expected[i] ? 1 : 0;
    needed_bytes_ = updated * (sizeof(std::uint64_t) + settings_.value_bytes);
    return {};
  }

  Settings settings_;
  StoreFolder folder_;
  std::unique_ptr<E> engine_;
  std::vector<std::unique_ptr<Worker>> workers_;
  double without_rate_ = 0;
  double first_rate_ = 0;
  double last_rate_ = 0;
  double scan_seconds_ = 0;
  std::uint64_t needed_bytes_ = 0;
  std::uint64_t held_peak_ = 0;
  std::uint64_t disk_peak_ = 0;
  std::uint64_t scratch_peak_ = 0;
  bool exact_ = false;
};

}  // namespace plimsoll::bench
