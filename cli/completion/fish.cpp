// For fish: a line a command, option or argument, each with the condition at which command it holds.
#include <fmt/core.h>

#include "completion/scripts.hpp"

namespace plimsoll::cli {
namespace {

// Inside single quotes fish knows two escapes.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string at(const CommandSyntax& command) {
  return fmt::format("complete -c plimsoll -n {}", fish_quoted("__plimsoll_at '" + command.path + "'"));
}

// What completes a value: " -F" for files, " -a ..." for the rest.
std::string taken(const ValueSyntax& value) {
  if (value.kind == ValueSyntax::Kind::file) return " -F";
  if (value.kind == ValueSyntax::Kind::folder) return " -a '(__fish_complete_directories)'";
  std::string choices;
  for (const std::string& choice : value.choices) choices.append(choices.empty() ? "" : " ").append(choice);
  return choices.empty() ? "" : " -a " + fish_quoted(choices);
}

std::string option_line(const CommandSyntax& command, const OptionSyntax& option) {
  std::string line = at(command);
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
  if (!option.values.empty())
    line += option.values.front().kind == ValueSyntax::Kind::file ? " -r -F" : " -r -f" + taken(option.values.front());
  return line + fmt::format(" -d {}\n", fish_quoted(option.help));
}

std::string lines(const CommandSyntax& command) {
  std::string text;
  for (const CommandSyntax& below : command.subcommands)
    text += fmt::format("{} -a {} -d {}\n", at(command), below.name, fish_quoted(below.help));
  for (const OptionSyntax& option : command.options) text += option_line(command, option);
  for (const ArgumentSyntax& argument : command.arguments) {
    if (const std::string completed = taken(argument.value); !completed.empty()) text += at(command) + completed + "\n";
  }
  return text;
}

}  // namespace

std::string fish_completion(const CommandSyntax& program) {
  std::string paths, text;
  for_each_command(program, [&](const CommandSyntax& command) {
    if (!command.path.empty()) paths += " " + fish_quoted(command.path);
    text += lines(command);
  });
  return "# fish completion for plimsoll, written by `plimsoll completion fish`.\n"
         "# Whether the words typed so far name this command.\n"
         "function __plimsoll_at\n"
         "    set -l path\n"
         "    for word in (commandline -opc)[2..-1]\n"
         "        set -l longer (string trim -- \"$path $word\")\n"
         "        if contains -- $longer" +
         paths +
         "\n"
         "            set path $longer\n"
         "        end\n"
         "    end\n"
         "    test \"$path\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c plimsoll -f\n" +
         text;
}

}  // namespace plimsoll::cli
