// For zsh: a function a command, which hands its options and arguments to _arguments.
#include <fmt/core.h>

#include <algorithm>

#include "completion/scripts.hpp"

namespace plimsoll::cli {
namespace {

// Inside a specification of _arguments these characters mean something.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("[]:\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string function_of(const CommandSyntax& command) {
  std::string name = "_plimsoll" + (command.path.empty() ? std::string() : "_" + command.path);
  std::ranges::replace(name, ' ', '_');
  return name;
}

// ":SIZE: " or ":STORE:_files -/": what is asked for, and who completes it.
std::string message_and_action(const ValueSyntax& value) {
  std::string action = " ";
  if (value.kind == ValueSyntax::Kind::file) action = "_files";
  if (value.kind == ValueSyntax::Kind::folder) action = "_files -/";
  if (value.kind == ValueSyntax::Kind::choice) {
    action = "(";
    for (const std::string& choice : value.choices) action.append(action.size() == 1 ? "" : " ").append(escaped(choice));
    action += ")";
  }
  return fmt::format(":{}:{}", escaped(value.name), action);
}

std::string specifications(const CommandSyntax& command) {
  std::string text;
  for (const OptionSyntax& option : command.options) {
    std::string values;
    for (const ValueSyntax& value : option.values) values += message_and_action(value);
    for (const std::string& name : option.names)
      text += fmt::format(" \\\n    {}", in_quotes(fmt::format("{}[{}]{}", name, escaped(option.help), values)));
  }
  std::size_t place = 0;
  for (const ArgumentSyntax& argument : command.arguments)
    text += fmt::format(" \\\n    {}",
                        in_quotes((argument.repeats ? "*" : fmt::format("{}", ++place)) + message_and_action(argument.value)));
  return text;
}

std::string function(const CommandSyntax& command) {
  if (command.subcommands.empty())
    return fmt::format("{}() {{\n  _arguments{}\n}}\n", function_of(command), specifications(command));
  std::string list, cases;
  for (const CommandSyntax& below : command.subcommands) {
    list += fmt::format("    {}\n", in_quotes(below.name + ":" + escaped(below.help)));
    cases += fmt::format("      {}) {} ;;\n", below.name, function_of(below));
  }
  return fmt::format(
      "{0}() {{\n"
      "  local context state state_descr line\n"
      "  local -A opt_args\n"
      "  local -a commands=(\n{1}  )\n"
      "  _arguments -C{2} \\\n"
      "    '1:command:{{_describe command commands}}' \\\n"
      "    '*::argument:->argument'\n"
      "  if [[ $state == argument ]]; then\n"
      "    case $words[1] in\n{3}    esac\n"
      "  fi\n"
      "}}\n",
      function_of(command), list, specifications(command), cases);
}

}  // namespace

std::string zsh_completion(const CommandSyntax& program) {
  std::string text = "#compdef plimsoll\n# zsh completion for plimsoll, written by `plimsoll completion zsh`.\n";
  for_each_command(program, [&](const CommandSyntax& command) { text += function(command); });
  // Read by the completion system it is the body of a function; read by `source` it defines one.
  return text + "if [[ $funcstack[1] == _plimsoll ]]; then\n  _plimsoll \"$@\"\nelse\n  compdef _plimsoll plimsoll\nfi\n";
}

}  // namespace plimsoll::cli
