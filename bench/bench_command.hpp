// The two commands that the command line takes from here. argv[0] is the command's own name.
#pragma once

namespace plimsoll::bench {

// `plimsoll bench WORKLOAD... [--json]`: one JSON object per run. Exit status: 0 done, 1 failed, 2 wrong usage.
int run_bench_command(int argc, char** argv);

// `plimsoll stress [--json]`: random transactions on many threads, every answer checked against a model. 1: an answer was wrong.
int run_stress_command(int argc, char** argv);

}  // namespace plimsoll::bench
