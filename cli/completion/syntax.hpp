// What a command line may hold, read from the parser: every command with its subcommands, options and arguments, and what their
// values are. From this the completions of all shells are made, so that they know what the parser knows. Plain values.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace plimsoll::cli {

struct ValueSyntax {
  enum class Kind { text, file, folder, choice };

  Kind kind = Kind::text;
  std::string name;                  // as the help shows it: SIZE
  std::vector<std::string> choices;  // of Kind::choice
};

struct OptionSyntax {
  std::vector<std::string> names;  // with their hyphens
  std::string help;
  std::vector<ValueSyntax> values;  // one each; a flag has none
};

struct ArgumentSyntax {
  ValueSyntax value;
  bool repeats = false;
};

struct CommandSyntax {
  std::string path;  // "txn list"; empty: the program itself
  std::string name;  // "list"
  std::string help;
  std::vector<CommandSyntax> subcommands;
  std::vector<OptionSyntax> options;  // those of the commands above it too, which may stand behind it
  std::vector<ArgumentSyntax> arguments;
};

// What a value is, is seen from what the help calls it: `a|b` and `{a,b}` are choices, STORE and FOLDER are folders, FILE and PATH
// are files.
CommandSyntax syntax_of(const CLI::App& program);

// Calls `each` for the command and all that are below it, the command first.
template <class F>
void for_each_command(const CommandSyntax& command, const F& each) {
  each(command);
  for (const CommandSyntax& below : command.subcommands) for_each_command(below, each);
}

}  // namespace plimsoll::cli
