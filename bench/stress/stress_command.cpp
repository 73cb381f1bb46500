// `plimsoll stress`.
#include <fmt/core.h>

#include "base/check.hpp"
#include "bench/bench_command.hpp"
#include "bench/command_line.hpp"
#include "bench/report/process.hpp"
#include "bench/stress/stress_run.hpp"
#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {
namespace {

Json facts_of(const StressSettings& settings, const StressTotals& totals, double seconds) {
  Json facts;
  facts["engine"] = "plimsoll";
  facts["workload"] = "stress";
  facts["threads"] = settings.threads;
  facts["seconds"] = seconds;
  facts["ops_per_s"] = static_cast<double>(totals.operations) / seconds;
  facts["transactions"] = totals.transactions;
  facts["commits"] = totals.commits;
  facts["aborts"] = totals.aborts;
  facts["conflicts"] = totals.conflicts;
  facts["checks"] = totals.checks;
  facts["opens"] = totals.opens;
  facts["wrong_answers"] = 0;  // the first one would have ended the run
  facts["rss_peak_mib"] = static_cast<double>(resident_peak_bytes()) / static_cast<double>(1_MiB);
  facts["budget_mib"] = static_cast<double>(settings.memory_budget) / static_cast<double>(1_MiB);
  facts["seed"] = settings.seed;
  return facts;
}

}  // namespace

int run_stress_command(int argc, char** argv) {
  CLI::App app("Random transactions on many threads, every answer checked against a model.", "stress");
  Overrides overrides;
  double seconds_per_open = 5;
  bool as_json = false;
  app.add_option("--reopen-every", seconds_per_open, "seconds between closing, opening and verifying")->check(CLI::Range(0.1, 1e6));
  app.add_flag("--json", as_json, "print one JSON object");
  overrides.add_to(app);
  if (const auto status = parse(app, argc, argv)) return *status;

  const auto folder = WorkFolder::make(overrides.path(), overrides.keep());
  if (!folder) return report_failure("stress", folder.error(), as_json);
  Settings defaults;
  defaults.threads = 2;
  defaults.keys = 2000;
  defaults.value_bytes = 600;
  defaults.memory_budget = 64_MiB;
  const Settings given = overrides.apply(defaults, "stress", (*folder)->path());
  const StressSettings settings{.threads = given.threads,
                                .seconds = given.seconds,
                                .seconds_per_open = seconds_per_open,
                                .keys_per_thread = given.keys,
                                .value_bytes_max = given.value_bytes,
                                .memory_budget = given.memory_budget,
                                .page_size = given.page_size,
                                .isolation = given.isolation,
                                .durability = given.durability,
                                .seed = given.seed,
                                .path = given.path + "/stress"};
  remove_folder(settings.path);  // the models begin empty
  const std::uint64_t begin = now_ns();
  const Result<StressTotals> totals = run_stress(settings);
  if (!totals) return report_failure("stress", totals.error(), as_json);
  print_run(facts_of(settings, *totals, static_cast<double>(now_ns() - begin) * 1e-9).dump(), as_json);
  if (!given.keep) remove_folder(settings.path);
  return exit_done;
}

}  // namespace plimsoll::bench
