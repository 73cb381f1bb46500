#include "command/forward.hpp"

#include "base/check.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

Outcome<Exit> forward(std::vector<std::string> words, int (*run)(int, char**)) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int status = run(static_cast<int>(words.size()), argv.data());
  PLIMSOLL_CHECK(status >= static_cast<int>(Exit::done) && status <= static_cast<int>(Exit::busy));
  return static_cast<Exit>(status);
}

}  // namespace

void add_forwarded(Program& program, const std::string& name, const std::string& help, int (*run)(int argc, char** argv)) {
  PLIMSOLL_CHECK(run != nullptr);
  auto* command = program.app().add_subcommand(name, help);
  command->prefix_command();
  command->fallthrough(false);  // --json and --help are the command's own too
  command->set_help_flag();
  program.runs(*command, [command, name, run](Output& output) {
    std::vector<std::string> words{name};
    if (output.json()) words.emplace_back("--json");
    for (std::string& word : command->remaining()) words.push_back(std::move(word));
    return forward(std::move(words), run);
  });
}

}  // namespace plimsoll::cli
