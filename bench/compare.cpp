// `compare WORKLOAD --peer NAME`: Plimsoll and a peer on the same workload in the same run, in alternating slices; the answer is
// the median of the pairs' ratios with its spread. `compare WORKLOAD --engine NAME` runs one engine alone and prints the bench
// contract's object for it.
#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/limits/machine_workers.hpp"
#include "bench/peers/engines.hpp"
#include "bench/side_process.hpp"
#include "bench/work_folder.hpp"
#include "bench/workloads/runner.hpp"

namespace plimsoll::bench {
namespace {

struct Pair {
  double ours = 0;
  double theirs = 0;
  double probe = 0;  // 0: no control in this run
  double ratio() const { return theirs > 0 ? ours / theirs : 0; }
};

double median(std::vector<double> values) {
  PLIMSOLL_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Of>
std::vector<double> each(const std::vector<Pair>& pairs, Of of) {
  std::vector<double> values;
  for (const Pair& pair : pairs) values.push_back(of(pair));
  return values;
}

double rate_of(const Json& run) { return run.at("ops_per_s").get<double>(); }

Result<double> probe_rate(const std::string& folder, double seconds) {
  PLIMSOLL_ASSIGN(const auto file, ProbeFile::create(folder, 16_MiB));
  std::vector<std::unique_ptr<SyncWorker>> worker;
  worker.push_back(std::make_unique<SyncWorker>(*file, 4_KiB));
  PLIMSOLL_ASSIGN(const SliceResult result, run_slice<SyncWorker>(worker, {.seconds = seconds}));
  return result.rate();
}

struct Sides {
  std::unique_ptr<SideProcess> ours;
  std::unique_ptr<SideProcess> theirs;
};

Result<Sides> start_sides(const EngineFacts& ours, const EngineFacts& theirs, const Settings& settings) {
  Sides sides;
  PLIMSOLL_ASSIGN(sides.ours, SideProcess::start(ours, settings));
  PLIMSOLL_TRY(sides.ours->wait_prepared());
  PLIMSOLL_ASSIGN(sides.theirs, SideProcess::start(theirs, settings));
  PLIMSOLL_TRY(sides.theirs->wait_prepared());
  return sides;
}

// One slice of each; who goes first alternates.
Result<Pair> run_pair(Sides& sides, const Settings& settings, bool ours_first) {
  Pair pair;
  for (const bool ours : {ours_first, !ours_first}) {
    PLIMSOLL_ASSIGN(const Json run, (ours ? sides.ours : sides.theirs)->slice(settings.seconds));
    (ours ? pair.ours : pair.theirs) = rate_of(run);
  }
  if (settings.durability == Durability::durable && is_sliceable(settings.workload)) {
    PLIMSOLL_ASSIGN(pair.probe, probe_rate(settings.path, std::min(1.0, settings.seconds)));
  }
  return pair;
}

Json summary(const EngineFacts& ours, const EngineFacts& theirs, const Settings& settings, const std::vector<Pair>& pairs) {
  std::vector<double> ratios = each(pairs, [](const Pair& p) { return p.ratio(); });
  const double middle = median(ratios);
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  Json facts;
  facts["comparison"] = fmt::format("{} / {}", ours.name, theirs.name);
  facts["workload"] = settings.workload;
  facts["threads"] = settings.threads;
  facts["pairs"] = pairs.size();
  facts["slice_seconds"] = settings.seconds;
  facts["ratio_median"] = middle;
  facts["ratio_min"] = *least;
  facts["ratio_max"] = *most;
  facts["distinguishable"] = pairs.size() >= 3 && (*least > 1.0 || *most < 1.0);
  facts["ours_ops_per_s_median"] = median(each(pairs, [](const Pair& p) { return p.ours; }));
  facts["theirs_ops_per_s_median"] = median(each(pairs, [](const Pair& p) { return p.theirs; }));
  if (pairs.front().probe > 0) {
    facts["probe_ops_per_s_median"] = median(each(pairs, [](const Pair& p) { return p.probe; }));
    facts["ours_ratio_to_probe"] = median(each(pairs, [](const Pair& p) { return p.ours / p.probe; }));
    facts["theirs_ratio_to_probe"] = median(each(pairs, [](const Pair& p) { return p.theirs / p.probe; }));
  }
  return facts;
}

// What could be sliced keeps its stores through all pairs; what cannot be gets fresh processes and stores for each pair.
Result<Json> compare(const EngineFacts& ours, const EngineFacts& theirs, const Settings& settings, unsigned pairs_wanted) {
  const bool sliceable = is_sliceable(settings.workload);
  std::vector<Pair> pairs;
  Json our_run;
  Json their_run;
  Sides sides;
  for (unsigned i = 0; i < pairs_wanted; ++i) {
    if (i == 0 || !sliceable) {
      sides = {};
      PLIMSOLL_ASSIGN(sides, start_sides(ours, theirs, settings));
      if (sliceable) {
        PLIMSOLL_TRY(sides.ours->warm(settings.seconds));
        PLIMSOLL_TRY(sides.theirs->warm(settings.seconds));
      }
    }
    PLIMSOLL_ASSIGN(const Pair pair, run_pair(sides, settings, i % 2 == 0));
    pairs.push_back(pair);
    if (i + 1 == pairs_wanted || !sliceable) {
      PLIMSOLL_ASSIGN(our_run, sides.ours->finish());
      PLIMSOLL_ASSIGN(their_run, sides.theirs->finish());
      PLIMSOLL_TRY(sides.ours->end());
      PLIMSOLL_TRY(sides.theirs->end());
    }
  }
  Json facts = summary(ours, theirs, settings, pairs);
  facts["ours_cpu_us_per_op"] = our_run.at("cpu_us_per_op");
  facts["theirs_cpu_us_per_op"] = their_run.at("cpu_us_per_op");
  facts["ours"] = std::move(our_run);
  facts["theirs"] = std::move(their_run);
  return facts;
}

Result<Json> run_alone(const EngineFacts& engine, const Settings& settings) {
  const std::unique_ptr<Workload> workload = engine.make(settings);
  if (workload == nullptr) return fail(ErrorCode::invalid_argument, "{} does not offer {}", engine.name, settings.workload);
  return run_workload(engine.name, *workload, settings, false);
}

int run(int argc, char** argv) {
  CLI::App app("Plimsoll beside a peer on one workload, in alternating slices.", "compare");
  std::string workload_name;
  std::string engine_name;
  std::string peer_name;
  unsigned pairs = 7;
  bool as_json = false;
  Overrides overrides;
  const auto is_engine = [](const std::string& name) {
    return find_engine(name) != nullptr ? std::string() : "no such engine: " + name;
  };
  const auto is_workload = [](const std::string& name) {
    return find_workload(name) != nullptr ? std::string() : "no such workload: " + name;
  };
  app.add_option("WORKLOAD", workload_name, "what to run")->required()->check(is_workload);
  app.add_option("--peer", peer_name, "the other side")->check(is_engine);
  app.add_option("--engine", engine_name, "this side (default plimsoll); without --peer it runs alone")->check(is_engine);
  app.add_option("--pairs", pairs, "alternating pairs of slices; --seconds is the length of a slice")
      ->check(plain_number)
      ->check(CLI::Range(1, 1000));
  app.add_flag("--json", as_json, "print one JSON object");
  overrides.add_run_to(app);
  overrides.add_store_to(app);
  overrides.add_workload_to(app);
  if (const auto status = parse(app, argc, argv)) return *status;
  if (engine_name.empty()) engine_name = "plimsoll";
  if (engine_name == peer_name)
    return report_failure("compare", Error(ErrorCode::invalid_argument, engine_name + " beside itself compares nothing"), as_json);

  const auto folder = WorkFolder::make(overrides.path(), overrides.keep());
  if (!folder) return report_failure("compare", folder.error(), as_json);
  Settings defaults = find_workload(workload_name)->defaults;
  if (!peer_name.empty() && is_sliceable(workload_name)) defaults.seconds = 2;
  const Settings settings = overrides.apply(defaults, workload_name, (*folder)->path());
  if (!peer_name.empty() && settings.load_only)
    return report_failure("compare", Error(ErrorCode::invalid_argument, "--load-only loads for one engine: without --peer"),
                          as_json);
  const EngineFacts& engine = *find_engine(engine_name);
  if (!peer_name.empty() && (engine.make(settings) == nullptr || find_engine(peer_name)->make(settings) == nullptr))
    return report_failure("compare", Error(ErrorCode::invalid_argument, "one of the two engines does not offer this workload"),
                          as_json);
  const Result<Json> facts =
      peer_name.empty() ? run_alone(engine, settings) : compare(engine, *find_engine(peer_name), settings, pairs);
  if (!facts) return report_failure("compare: " + workload_name, facts.error(), as_json);
  print_run(facts->dump(), as_json);
  return exit_done;
}

}  // namespace
}  // namespace plimsoll::bench

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // a side that died is reported by its missing answer
  return plimsoll::bench::run(argc, argv);
}
