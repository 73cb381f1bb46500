// `plimsoll bench`.
#include "bench/bench_command.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/peers/engines.hpp"
#include "bench/workloads/runner.hpp"

namespace plimsoll::bench {
namespace {

std::string list_of_workloads() {
  std::string text = "workloads:\n";
  for (const WorkloadFacts& facts : workload_table()) text += fmt::format("  {:20} {}\n", facts.name, facts.what);
  return text;
}

}  // namespace

int run_bench_command(int argc, char** argv) {
  CLI::App app("Measures a workload on a fresh store.", "bench");
  std::vector<std::string> workloads;
  bool as_json = false;
  bool scaling = false;
  Overrides overrides;
  app.add_option("WORKLOAD", workloads, "workloads to run, one after the other")->required()->check([](const std::string& name) {
    return find_workload(name) != nullptr ? std::string() : "no such workload: " + name;
  });
  app.add_flag("--json", as_json, "print one JSON object per run");
  app.add_flag("--scaling", scaling, "interleave runs on one thread and the arithmetic loop, and report the share of its scaling");
  overrides.add_to(app);
  app.footer(list_of_workloads());
  if (const auto status = parse(app, argc, argv)) return *status;

  const auto folder = WorkFolder::make(overrides.path(), overrides.keep());
  if (!folder) return report_failure("bench", folder.error(), as_json);
  for (const std::string& name : workloads) {
    const Settings settings = overrides.apply(find_workload(name)->defaults, name, (*folder)->path());
    const std::unique_ptr<Workload> workload = make_plimsoll(settings);
    PLIMSOLL_CHECK(workload != nullptr);  // Plimsoll offers every workload of the table
    const Result<Json> facts = run_workload("plimsoll", *workload, settings, scaling);
    if (!facts) return report_failure("bench: " + name, facts.error(), as_json);
    print_run(facts->dump(), as_json);
  }
  return exit_done;
}

}  // namespace plimsoll::bench
