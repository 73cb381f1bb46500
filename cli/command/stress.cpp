// plimsoll stress: lives in bench/, which reads its own arguments.
#include "bench/bench_command.hpp"
#include "command/commands.hpp"
#include "command/forward.hpp"

namespace plimsoll::cli {

void add_stress(Program& program) {
  add_forwarded(program, "stress", "Run a randomised test with crashes and check the result", bench::run_stress_command);
}

}  // namespace plimsoll::cli
