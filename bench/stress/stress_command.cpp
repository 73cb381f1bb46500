// `plimsoll stress` and `plimsoll stress hostile`.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.hpp"
#include "bench/bench_command.hpp"
#include "bench/command_line.hpp"
#include "bench/report/process.hpp"
#include "bench/stress/hostile_run.hpp"
#include "bench/stress/stress_run.hpp"
#include "bench/work_folder.hpp"
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

Json facts_of(const HostileSettings& settings, const HostileReport& report, double seconds) {
  const HostileTotals& totals = report.totals;
  const auto mib = [](auto bytes) { return static_cast<double>(bytes) / static_cast<double>(1_MiB); };
  Json facts, rungs = Json::object();
  for (const RungStats& rung : report.rungs) rungs[rung.name] = rung.fired;
  facts["engine"] = "plimsoll";
  facts["workload"] = "stress hostile";
  facts["threads"] = settings.clients;
  facts["seconds"] = seconds;
  std::vector<HostilePair> pairs = report.pairs;  // the middle one stands for all
  std::ranges::sort(pairs, {}, &HostilePair::share);
  const HostilePair middle = pairs.empty() ? HostilePair{} : pairs[(pairs.size() - 1) / 2];  // the lower of two
  facts["ops_per_s"] = middle.hostile_commits_per_s;
  facts["rss_peak_mib"] = mib(report.rss_peak_bytes);
  facts["budget_mib"] = mib(settings.memory_budget);
  facts["held_share"] = settings.held_share;
  facts["rss_over_line_mib"] = mib(report.rss_over_line_bytes);
  facts["halving_processor_s"] = report.halving_processor_s;
  facts["transactions"] = totals.transactions;
  facts["commits"] = totals.commits;
  facts["refused"] = totals.refused;
  facts["share_refused"] =
      static_cast<double>(totals.refused) / static_cast<double>(std::max<std::uint64_t>(totals.transactions, 1));
  facts["refused_with_room"] = report.refused_with_room;
  facts["retried"] = totals.retried;
  facts["wrong"] = totals.wrong;
  facts["values_checked"] = totals.checked;
  facts["calm_commits_per_s"] = middle.calm_commits_per_s;
  facts["hostile_commits_per_s"] = middle.hostile_commits_per_s;
  facts["share_of_unpressured"] = middle.share();
  for (const HostilePair& pair : report.pairs)
    facts["pairs"].push_back({{"calm_commits_per_s", pair.calm_commits_per_s},
                              {"hostile_commits_per_s", pair.hostile_commits_per_s},
                              {"share", pair.share()}});
  facts["snapshots_read_again"] = totals.pinned;
  facts["held_peak_mib"] = mib(totals.held_peak);
  facts["giant_budgets_written"] = static_cast<double>(totals.giant_bytes) / static_cast<double>(settings.memory_budget);
  facts["giants_committed"] = totals.giants_committed;
  facts["giants_aborted"] = totals.giants_aborted;
  facts["charges_waited"] = report.charges_waited;
  facts["sacrificed"] = report.sacrificed;
  facts["version_bytes_moved"] = report.version_bytes_moved;
  facts["rungs"] = rungs;
  facts["failures"] = report.failures;
  facts["seed"] = settings.seed;
  return facts;
}

struct Arguments {
  Overrides overrides;
  double seconds_per_open = 5, giant_budgets = 100, held_share = 0.25;
};

int run_hostile_command(const Arguments& arguments, bool as_json) {
  const Overrides& overrides = arguments.overrides;
  const auto folder = WorkFolder::make(overrides.path(), overrides.keep());
  if (!folder) return report_failure("stress hostile", folder.error(), as_json);
  const HostileSettings usual;
  Settings defaults;
  defaults.threads = usual.clients;
  defaults.seconds = usual.seconds;
  defaults.keys = usual.keys_per_client;
  defaults.memory_budget = usual.memory_budget;
  const Settings given = overrides.apply(defaults, "stress hostile", (*folder)->path());
  const HostileSettings settings{.clients = given.threads,
                                 .seconds = given.seconds,
                                 .memory_budget = given.memory_budget,
                                 .keys_per_client = given.keys,
                                 .giant_budgets = arguments.giant_budgets,
                                 .held_share = arguments.held_share,
                                 .seed = given.seed,
                                 .path = given.path + "/hostile"};
  if (auto sound = settings.check(); !sound) return report_failure("stress hostile", sound.error(), as_json);
  remove_folder(settings.path);
  const std::uint64_t begin = now_ns();
  const Result<HostileReport> report = run_hostile(settings);
  if (!report) return report_failure("stress hostile", report.error(), as_json);
  print_run(facts_of(settings, *report, static_cast<double>(now_ns() - begin) * 1e-9).dump(), as_json);
  if (!given.keep) remove_folder(settings.path);
  return report->failures.empty() ? exit_done : exit_failed;
}

int run_stress_command(const Arguments& arguments, bool as_json) {
  const Overrides& overrides = arguments.overrides;
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
                                .seconds_per_open = arguments.seconds_per_open,
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

}  // namespace

CommandBody add_stress_command(CLI::App& command) {
  auto arguments = std::make_shared<Arguments>();
  arguments->overrides.add_run_to(command);
  std::vector<CLI::Option*> of_models = arguments->overrides.add_store_to(command);
  of_models.push_back(
      command.add_option("--reopen-every", arguments->seconds_per_open, "seconds between closing, opening and verifying")
          ->check(plain_number)
          ->check(CLI::Range(0.1, 1e6)));
  CLI::App* hostile = command.add_subcommand("hostile", "everything that makes a store grow, at once, inside one memory budget");
  for (CLI::Option* option : of_models) hostile->excludes(option);
  hostile->add_option("--giant-budgets", arguments->giant_budgets, "what the largest transaction writes, in budgets")
      ->check(plain_number)
      ->check(CLI::Range(0.0, 1e6));
  hostile->add_option("--held-share", arguments->held_share, "the share of the budget that clients fill with values they keep")
      ->check(plain_number)
      ->check(CLI::Range(0.0, 0.6))
      ->capture_default_str();
  return [arguments, hostile](bool as_json) {
    return hostile->parsed() ? run_hostile_command(*arguments, as_json) : run_stress_command(*arguments, as_json);
  };
}

}  // namespace plimsoll::bench
