// plimsoll config: the options in effect and where each comes from; whether a file of options is right. Opens no store.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/fail.hpp"
#include "command/commands.hpp"
#include "configuration.hpp"
#include "plimsoll/inspect.hpp"
#include "plimsoll/text.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/table.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

struct ShowArguments {
  std::optional<std::string> store;
  ConfigurationArguments configuration;
};

// What was decided when a store was created, whatever the configuration says.
struct Decided {
  std::string_view option;
  std::uint64_t value = 0;
};

Outcome<std::vector<Decided>> decided_by(const std::string& store) {
  PLIMSOLL_ASSIGN(const StoreIdentity what, context(identify(store), fmt::format("cannot look at '{}'", store)));
  if (!what.is_store) return std::unexpected(Failure(Exit::not_found, "not_found", what.description));
  return std::vector<Decided>{{"page_size", what.page_size}, {"log_segment_bytes", what.log_segment_bytes}};
}

struct Shown {
  const OptionFacts* option = nullptr;
  std::uint64_t number = 0;
  std::string text;
  std::string_view source;
  std::string where;
};

std::string_view word(OptionSource source) {
  switch (source) {
    case OptionSource::built_in: return "default";
    case OptionSource::file: return "file";
    case OptionSource::environment: return "environment";
    case OptionSource::given: return "flag";
  }
  return "";
}

Outcome<std::vector<Shown>> shown(const ShowArguments& arguments) {
  PLIMSOLL_TRY(arguments.configuration.loaded());
  const Configuration& values = arguments.configuration.values();
  std::vector<Shown> all;
  for (const OptionFacts& option : option_table()) {
    if (option.kind == OptionKind::program) continue;
    const OptionOrigin& origin = values.origin(option.name);
    all.push_back({&option, values.number(option.name), values.text(option.name), word(origin.source), origin.where});
  }
  if (!arguments.store) return all;
  PLIMSOLL_ASSIGN(const auto decided, decided_by(*arguments.store));
  for (Shown& one : all) {
    for (const Decided& fact : decided) {
      if (fact.option == one.option->name) one = {one.option, fact.value, size_text(fact.value), "store", *arguments.store};
    }
  }
  return all;
}

ordered_json json_value(const Shown& one) {
  switch (one.option->kind) {
    case OptionKind::boolean: return one.number != 0;
    case OptionKind::choice: return one.text;
    default: return one.number;
  }
}

void show_json(const std::vector<Shown>& all, const std::optional<std::string>& file, Output& output) {
  auto list = ordered_json::array();
  for (const Shown& one : all) {
    ordered_json entry{{"name", one.option->name}, {"value", json_value(one)}};
    if (one.option->kind == OptionKind::size) entry["unit"] = "bytes";
    if (one.option->kind == OptionKind::duration) entry["unit"] = "ms";
    entry["text"] = one.text;
    entry["source"] = one.source;
    if (!one.where.empty()) entry["where"] = one.where;
    list.push_back(std::move(entry));
  }
  output.object({{"file", file ? ordered_json(*file) : ordered_json()}, {"options", list}});
}

std::string origin_text(const Shown& one) {
  const bool says_what = one.source == "file" || one.source == "default";
  return says_what ? std::string(one.where.empty() ? one.source : one.where) : fmt::format("{} {}", one.source, one.where);
}

Outcome<Exit> show(const ShowArguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(const auto all, shown(arguments));
  if (output.json()) {
    show_json(all, arguments.configuration.file(), output);
    return Exit::done;
  }
  TextTable table({{"option"}, {"value"}, {"from"}});
  for (const Shown& one : all) table.add({std::string(one.option->name), one.text, escape_control(origin_text(one))});
  output.write(table.render(output.terminal()));
  return Exit::done;
}

Outcome<Exit> check(const std::string& file, Output& output) {
  Configuration values;
  auto done = values.read_file(file);
  if (done) done = values.check();
  if (!done) return std::unexpected(configuration_failure(done.error()));
  std::uint64_t options = 0;
  for (const OptionFacts& option : option_table())
    options += option.kind != OptionKind::program && values.origin(option.name).source == OptionSource::file ? 1 : 0;
  output.json() ? output.object({{"file", file}, {"options", options}})
                : output.line(fmt::format("{}: {} options", escape_control(file), options));
  return Exit::done;
}

void add_show(Program& program, CLI::App& parent) {
  auto* command = parent.add_subcommand("show", "Show each option, its value and where it comes from");
  auto arguments = std::make_shared<ShowArguments>();
  command->add_option("STORE", arguments->store, "A store: shows what was decided when it was created");
  arguments->configuration.add_file(*command);
  for (const OptionUse use : {OptionUse::opening, OptionUse::creation, OptionUse::transaction})
    arguments->configuration.add_flags(*command, use);
  program.runs(*command, [arguments](Output& output) { return show(*arguments, output); });
}

void add_check_file(Program& program, CLI::App& parent) {
  auto* command = parent.add_subcommand("check", "Say whether a file of options is right; exit status 2 if it is not");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "The file")->required();
  program.runs(*command, [file](Output& output) { return check(*file, output); });
}

}  // namespace

void add_config(Program& program) {
  auto* parent = program.app().add_subcommand("config", "Show the options in effect, or check a file of options");
  parent->require_subcommand(1);
  add_show(program, *parent);
  add_check_file(program, *parent);
}

}  // namespace plimsoll::cli
