// plimsoll stress: lives in bench/.
#include "bench/bench_command.hpp"
#include "command/commands.hpp"
#include "program.hpp"

namespace plimsoll::cli {

void add_stress(Program& program) {
  auto* command = program.app().add_subcommand("stress", "Run a randomised test and check every answer");
  program.runs(*command, [body = bench::add_stress_command(*command)](Output& output) -> Outcome<Exit> {
    return static_cast<Exit>(body(output.json()));  // the statuses are the same
  });
}

}  // namespace plimsoll::cli
