// plimsoll bench: lives in bench/.
#include "bench/bench_command.hpp"
#include "command/commands.hpp"
#include "program.hpp"

namespace plimsoll::cli {

void add_bench(Program& program) {
  auto* command = program.app().add_subcommand("bench", "Run a workload and print its figures");
  program.runs(*command, [body = bench::add_bench_command(*command)](Output& output) -> Outcome<Exit> {
    return static_cast<Exit>(body(output.json()));  // the statuses are the same
  });
}

}  // namespace plimsoll::cli
