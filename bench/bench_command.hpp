// The two commands that the command line takes from here. Each adds its options to `command`, a subcommand of that name, and
// answers what runs it once the command line has been read: the argument is whether JSON is asked for, the result is the exit
// status: 0 done, 1 failed, 2 wrong usage.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace plimsoll::bench {

using CommandBody = std::function<int(bool as_json)>;

// `plimsoll bench WORKLOAD... [--json]`: one JSON object per run.
CommandBody add_bench_command(CLI::App& command);

// `plimsoll stress [hostile] [--json]`: random transactions on many threads, every answer checked against a model. 1: an answer was
// wrong.
CommandBody add_stress_command(CLI::App& command);

}  // namespace plimsoll::bench
