// plimsoll shell: statements and dot-commands from a terminal, from standard input, or from -c.
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "interchange/jsonl.hpp"
#include "program.hpp"
#include "shell/line_editor.hpp"
#include "shell/shell.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  std::vector<std::string> commands;
  bool bail = false;
};

void run_terminal(Shell& shell) {
  std::signal(SIGINT, [](int) { Shell::interrupt(); });  // ends the statement, not the shell
  LineEditor editor([&](const std::string& line) { return shell.completions(line); });
  while (!shell.ended()) {
    const auto line = editor.next(shell.prompt());
    if (!line) break;
    shell.run_line(*line, "");
  }
  std::signal(SIGINT, SIG_DFL);
}

Outcome<void> run_input(Shell& shell) {
  LineReader lines(stdin);
  while (!shell.ended()) {
    const auto line = lines.next();
    if (!line) return std::unexpected(Failure(Exit::failed, "malformed_input", "standard input: " + line.error()));
    if (!*line) break;
    shell.run_line(std::string(**line), fmt::format("standard input:{}: ", lines.line_number()));
  }
  return {};
}

void run_commands(Shell& shell, const std::vector<std::string>& commands) {
  for (std::string_view rest : commands) {
    while (!rest.empty() && !shell.ended()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      shell.run_line(std::string(rest.substr(0, end)), "");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  const bool interactive = arguments.commands.empty() && isatty(STDIN_FILENO) == 1 && output.terminal();
  Shell shell(arguments.store, {.interactive = interactive, .bail = arguments.bail, .json = output.json()}, output);
  PLIMSOLL_TRY(shell.open(arguments.store.path));
  if (interactive) {
    output.line("`.help` lists what can be typed; Ctrl-D leaves.");
    static_cast<void>(output.finish());
    run_terminal(shell);
  } else if (arguments.commands.empty()) {
    PLIMSOLL_TRY(run_input(shell));
  } else {
    run_commands(shell, arguments.commands);
  }
  return shell.finish();
}

}  // namespace

void add_shell(Program& program) {
  auto* command = program.app().add_subcommand("shell", "Type statements on an open store, or run them from a script");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("-c", arguments->commands, "Run these statements, separated by ; or line ends, and leave")
      ->type_name("COMMANDS")
      ->expected(1)
      ->take_all();
  command->add_flag("--bail", arguments->bail, "Stop at the first error, with status 1");
  arguments->store.add_transactions(*command);
  arguments->store.add_creation(*command);
  command->footer(
      "Without -c the statements come from standard input: line by line, or with editing, history and completion on a terminal.\n"
      "`plimsoll shell STORE -c .help` lists them. Exit status 1 if a statement of a script failed.");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
