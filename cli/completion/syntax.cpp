#include "completion/syntax.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

ValueSyntax value_named(std::string_view name) {
  constexpr std::array folders{std::string_view("STORE"), std::string_view("FOLDER")};
  constexpr std::array files{std::string_view("FILE"), std::string_view("PATH")};
  ValueSyntax value{.kind = ValueSyntax::Kind::text, .name = std::string(name), .choices = {}};
  if (std::ranges::find(folders, name) != folders.end()) value.kind = ValueSyntax::Kind::folder;
  if (std::ranges::find(files, name) != files.end()) value.kind = ValueSyntax::Kind::file;
  if (name.find_first_of("|{") != std::string_view::npos) {
    value.kind = ValueSyntax::Kind::choice;
    value.choices = split(name, "{,|}");
    value.name = "choice";
  }
  return value;
}

// "TEXT:{uniform,zipf}" is a type and what is demanded of it; of these only a set says more than the type.
std::vector<ValueSyntax> values_of(const CLI::Option& option, const std::string& otherwise) {
  const int count = option.get_type_size_max();
  if (option.get_items_expected_max() == 0) return {};
  std::string type = option.get_type_name();
  if (const std::size_t colon = type.find(':'); colon != std::string::npos)
    type = type[colon + 1] == '{' ? type.substr(colon + 1) : type.substr(0, colon);
  if (type == "TEXT") type = otherwise;
  std::vector<std::string> names = split(type, " ");
  names.resize(static_cast<std::size_t>(count), names.empty() ? otherwise : names.back());
  std::vector<ValueSyntax> values;
  for (const std::string& name : names) values.push_back(value_named(name));
  return values;
}

OptionSyntax option_syntax(const CLI::Option& option) {
  OptionSyntax syntax{.names = {}, .help = option.get_description(), .values = values_of(option, "TEXT")};
  for (const std::string& name : option.get_snames()) syntax.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) syntax.names.push_back("--" + name);
  return syntax;
}

void add_options(const CLI::App& command, bool inherited, std::vector<OptionSyntax>& options) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) continue;
    if (inherited && (option == command.get_help_ptr() || option == command.get_version_ptr())) continue;
    options.push_back(option_syntax(*option));
  }
  if (command.get_parent() != nullptr && command.get_fallthrough()) add_options(*command.get_parent(), true, options);
}

CommandSyntax command_syntax(const CLI::App& command, const std::string& path) {
  CommandSyntax syntax{.path = path,
                       .name = command.get_name(),
                       .help = command.get_description(),
                       .subcommands = {},
                       .options = {},
                       .arguments = {}};
  add_options(command, false, syntax.options);
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    for (ValueSyntax& value : values_of(*option, option->get_single_name())) {
      const bool repeats = option->get_items_expected_max() > option->get_type_size_max();
      syntax.arguments.push_back({.value = std::move(value), .repeats = repeats});
    }
  }
  for (const CLI::App* below : command.get_subcommands(nullptr))
    syntax.subcommands.push_back(command_syntax(*below, path.empty() ? below->get_name() : path + " " + below->get_name()));
  return syntax;
}

}  // namespace

CommandSyntax syntax_of(const CLI::App& program) {
  PLIMSOLL_CHECK(program.get_parent() == nullptr);
  return command_syntax(program, "");
}

}  // namespace plimsoll::cli
