// `plimsoll bench`.
#include "bench/bench_command.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/peers/engines.hpp"
#include "bench/work_folder.hpp"
#include "bench/workloads/runner.hpp"

namespace plimsoll::bench {
namespace {

std::string list_of_workloads() {
  std::string text = "workloads:\n";
  for (const WorkloadFacts& facts : workload_table()) text += fmt::format("  {:20} {}\n", facts.name, facts.what);
  return text;
}

struct Arguments {
  std::vector<std::string> workloads;
  bool scaling = false;
  Overrides overrides;
};

// As the command line names choices.
std::string names_of_workloads() {
  std::string names;
  for (const WorkloadFacts& facts : workload_table()) names.append(names.empty() ? "" : "|").append(facts.name);
  return names;
}

int run(const Arguments& arguments, bool as_json) {
  const Overrides& overrides = arguments.overrides;
  const auto folder = WorkFolder::make(overrides.path(), overrides.keep());
  if (!folder) return report_failure("bench", folder.error(), as_json);
  for (const std::string& name : arguments.workloads) {
    const Settings settings = overrides.apply(find_workload(name)->defaults, name, (*folder)->path());
    const std::unique_ptr<Workload> workload = make_plimsoll(settings);
    PLIMSOLL_CHECK(workload != nullptr);  // Plimsoll offers every workload of the table
    const Result<Json> facts = run_workload("plimsoll", *workload, settings, arguments.scaling);
    if (!facts) return report_failure("bench: " + name, facts.error(), as_json);
    print_run(facts->dump(), as_json);
  }
  return exit_done;
}

}  // namespace

CommandBody add_bench_command(CLI::App& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_option("WORKLOAD", arguments->workloads, "workloads to run, one after the other")
      ->required()
      ->type_name(names_of_workloads())
      ->check([](const std::string& name) { return find_workload(name) != nullptr ? std::string() : "no such workload: " + name; });
  command.add_flag("--scaling", arguments->scaling,
                   "interleave runs on one thread and the arithmetic loop, and report the share of its scaling");
  arguments->overrides.add_run_to(command);
  arguments->overrides.add_store_to(command);
  arguments->overrides.add_workload_to(command);
  command.footer(list_of_workloads());
  return [arguments](bool as_json) { return run(*arguments, as_json); };
}

}  // namespace plimsoll::bench
