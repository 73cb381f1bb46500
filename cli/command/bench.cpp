// plimsoll bench: lives in bench/, which reads its own arguments.
#include "bench/bench_command.hpp"
#include "command/commands.hpp"
#include "command/forward.hpp"

namespace plimsoll::cli {

void add_bench(Program& program) {
  add_forwarded(program, "bench", "Run a workload and print its figures", bench::run_bench_command);
}

}  // namespace plimsoll::cli
