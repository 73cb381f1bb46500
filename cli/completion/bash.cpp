// For bash: two tables, of the commands and of the values of their options, and one function that walks the words typed so far.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "completion/scripts.hpp"

namespace plimsoll::cli {
namespace {

constexpr const char* walk = R"bash(
_plimsoll() {
  local current=${COMP_WORDS[COMP_CWORD]} command= word known place=0 i
  local subcommands options takes repeats
  local -a arguments values=()
  [ "$current" != = ] || current=
  _plimsoll_command ''
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [ "$word" = = ]; then
      continue
    elif [ ${#values[@]} -gt 0 ]; then
      values=("${values[@]:1}")
    elif [ "${word:0:1}" = - ]; then
      _plimsoll_values "$command" "$word"
    elif [[ " $subcommands " == *" $word "* ]]; then
      command="${command:+$command }$word"
      _plimsoll_command "$command"
    else
      place=$((place + 1))
    fi
  done
  if [ ${#values[@]} -gt 0 ]; then
    takes=${values[0]}
  elif [ "${current:0:1}" = - ]; then
    takes=$options
  elif [ -n "$subcommands" ]; then
    takes=$subcommands
  else
    [ -z "$repeats" ] || [ "$place" -lt ${#arguments[@]} ] || place=$((${#arguments[@]} - 1))
    takes=${arguments[place]}
  fi
  COMPREPLY=()
  case $takes in
    '<file>') compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    '<folder>') compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    '') ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$takes" -- "$current") ;;
  esac
}
complete -F _plimsoll plimsoll
)bash";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

// A quoted word: <file>, <folder>, the choices, or nothing.
std::string taken(const ValueSyntax& value) {
  switch (value.kind) {
    case ValueSyntax::Kind::file: return "'<file>'";
    case ValueSyntax::Kind::folder: return "'<folder>'";
    case ValueSyntax::Kind::choice: return in_quotes(joined(value.choices));
    case ValueSyntax::Kind::text: break;
  }
  return "''";
}

std::string command_case(const CommandSyntax& command) {
  std::vector<std::string> options, subcommands, arguments;
  for (const OptionSyntax& option : command.options) options.insert(options.end(), option.names.begin(), option.names.end());
  for (const CommandSyntax& below : command.subcommands) subcommands.push_back(below.name);
  for (const ArgumentSyntax& argument : command.arguments) arguments.push_back(taken(argument.value));
  const bool repeats = !command.arguments.empty() && command.arguments.back().repeats;
  return fmt::format("    {}) subcommands={} options={} arguments=({}) repeats={} ;;\n", in_quotes(command.path),
                     in_quotes(joined(subcommands)), in_quotes(joined(options)), joined(arguments), repeats ? "yes" : "");
}

std::string values_cases(const CommandSyntax& command) {
  std::string text;
  for (const OptionSyntax& option : command.options) {
    if (option.values.empty()) continue;
    std::vector<std::string> values;
    for (const ValueSyntax& value : option.values) values.push_back(taken(value));
    for (const std::string& name : option.names)
      text += fmt::format("    {}) values=({}) ;;\n", in_quotes(command.path + " " + name), joined(values));
  }
  return text;
}

}  // namespace

std::string bash_completion(const CommandSyntax& program) {
  std::string commands, values;
  for_each_command(program, [&](const CommandSyntax& command) {
    commands += command_case(command);
    values += values_cases(command);
  });
  return "# bash completion for plimsoll, written by `plimsoll completion bash`.\n"
         "# What may stand behind a command.\n"
         "_plimsoll_command() {\n  case $1 in\n" +
         commands +
         "  esac\n}\n"
         "# What an option of a command takes: a word a value.\n"
         "_plimsoll_values() {\n  case \"$1 $2\" in\n" +
         values + "  esac\n}" + walk;
}

}  // namespace plimsoll::cli
