#include "configuration.hpp"

#include <fmt/core.h>

#include <cstdlib>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

constexpr const char* group = "Options of the store";

std::optional<std::string> variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

// Where the user's own file would be (XDG base directories: a relative folder counts as none).
std::optional<std::string> users_file() {
  constexpr std::string_view file = "/plimsoll/plimsoll.toml";
  if (const auto folder = variable("XDG_CONFIG_HOME"); folder && folder->starts_with('/')) return *folder + std::string(file);
  if (const auto home = variable("HOME"); home && home->starts_with('/')) return *home + "/.config" + std::string(file);
  return {};
}

std::string type_name(const OptionFacts& option) {
  switch (option.kind) {
    case OptionKind::size: return "SIZE";
    case OptionKind::duration: return "DURATION";
    case OptionKind::count: return "N";
    default: return allowed_values(option);
  }
}

}  // namespace

Failure configuration_failure(const ConfigurationError& error) {
  Failure failure{Error(error.code)};
  failure.message = error.message;
  failure.hint = error.code == ErrorCode::invalid_argument
                     ? "`plimsoll config show` lists the options, `plimsoll config check FILE` checks a file"
                     : "--config names a file; with an empty PLIMSOLL_CONFIG none is read";
  return failure;
}

void ConfigurationArguments::add_file(CLI::App& command) {
  command
      .add_option("--config", named_file_,
                  "File of options (else that of PLIMSOLL_CONFIG, else ~/.config/plimsoll/plimsoll.toml if it is there)")
      ->type_name("FILE")
      ->group(group);
  command.callback([this] {
    const auto done = read_all();
    loaded_ = done ? Outcome<void>() : std::unexpected(configuration_failure(done.error()));
  });
}

void ConfigurationArguments::add_flags(CLI::App& command, OptionUse use) {
  for (const OptionFacts& option : option_table()) {
    if (option.use == use && option.kind != OptionKind::program) add_flag(command, option);
  }
}

void ConfigurationArguments::add_flag(CLI::App& command, const OptionFacts& option) {
  const std::string name = command_line_flag(option);
  const std::string help = fmt::format("{} (default {})", option.help, Configuration().text(option.name));
  if (option.kind == OptionKind::boolean) {
    const std::string both = fmt::format("{},!--no-{}", name, name.substr(2));
    command
        .add_flag_function(
            both,
            [this, &option, name](std::int64_t times) {
              times > 0 ? take(option.name, "true", name) : take(option.name, "false", "--no-" + name.substr(2));
            },
            help)
        ->group(group);
    return;
  }
  command
      .add_option_function<std::string>(
          name, [this, &option, name](const std::string& value) { take(option.name, value, name); }, help)
      ->type_name(type_name(option))
      ->group(group);
}

void ConfigurationArguments::take(std::string_view option, const std::string& value, const std::string& name) {
  const auto done = Configuration().set(option, value, name);
  if (!done) throw CLI::ValidationError(done.error().message);
  flags_.push_back({option, value, name});
}

// --config, else PLIMSOLL_CONFIG (empty: no file at all), else the user's own, which need not be there.
Configuration::Done ConfigurationArguments::read_file() {
  const auto from_environment = variable("PLIMSOLL_CONFIG");
  if (!named_file_ && from_environment == "") return {};
  const auto named = named_file_ ? named_file_ : from_environment;
  file_ = named ? named : users_file();
  if (!file_) return {};
  auto read = values_.read_file(*file_);
  if (named || read || read.error().code != ErrorCode::not_found) return read;
  file_.reset();
  return {};
}

Configuration::Done ConfigurationArguments::read_all() {
  auto done = read_file();
  if (done) done = values_.read_environment();
  for (const Flag& flag : flags_) {
    if (done) done = values_.set(flag.option, flag.value, flag.name);
  }
  return done ? values_.check() : done;
}

}  // namespace plimsoll::cli
