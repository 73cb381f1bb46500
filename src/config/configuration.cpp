// Configuration: values of the table's options, each with where it comes from.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "config/environment.hpp"
#include "config/table.hpp"
#include "config/toml.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll {
namespace {

using config::Entry;

constexpr std::size_t word_bytes_max = 64;  // a name or a value that is longer is none, and is not repeated in an error

// What a file gives, before it counts.
struct Given {
  std::size_t index;  // in the table
  std::uint64_t value;
  std::string where;
};

std::unexpected<ConfigurationError> wrong(std::string_view where, std::string_view reason) {
  std::string message = fmt::format("{}: {}", where, reason);
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';  // one line, whatever a file holds
  }
  return std::unexpected(ConfigurationError{ErrorCode::invalid_argument, std::move(message)});
}

std::optional<std::size_t> index_of(std::string_view name) {
  const auto all = config::entries();
  const auto found = std::ranges::find(all, name, [](const Entry& entry) { return entry.facts.name; });
  if (found == all.end()) return {};
  return static_cast<std::size_t>(found - all.begin());
}

const Entry& entry_named(std::string_view name) {
  const auto index = index_of(name);
  PLIMSOLL_CHECK(index && config::entries()[*index].get != nullptr);
  return config::entries()[*index];
}

std::string unknown_option(std::string_view name) {
  if (name.size() > word_bytes_max) return fmt::format("no option has a name of {} bytes", name.size());
  const OptionFacts* nearest = nullptr;
  for (const OptionFacts& option : option_table()) {
    if (option.kind == OptionKind::program) continue;
    if (nearest == nullptr || edit_distance(name, option.name) < edit_distance(name, nearest->name)) nearest = &option;
  }
  PLIMSOLL_CHECK(nearest != nullptr);
  return fmt::format("unknown option '{}'; did you mean '{}'?", name, nearest->name);
}

// A value whose text or type is wrong.
std::string unreadable(const OptionFacts& option, std::string_view why) {
  if (option.kind == OptionKind::choice || option.kind == OptionKind::boolean || option.kind == OptionKind::program)
    return fmt::format("option {}: {}", option.name, why);
  return fmt::format("option {}: {}; allowed: {}", option.name, why, allowed_values(option));
}

std::expected<std::uint64_t, std::string> value_of_text(const OptionFacts& option, std::string_view text) {
  if (text.size() > word_bytes_max) return std::unexpected(unreadable(option, fmt::format("a value of {} bytes", text.size())));
  const auto value = config::parse_value(option, text);
  if (!value) return std::unexpected(unreadable(option, value.error()));
  if (std::string why = config::breach(option, *value); !why.empty()) return std::unexpected(std::move(why));
  return *value;
}

std::string_view toml_form(OptionKind kind) {
  switch (kind) {
    case OptionKind::size: return "a string such as \"64MiB\", or a number of bytes";
    case OptionKind::duration: return "a string such as \"250ms\", or 0";
    case OptionKind::count: return "a number from 0 on";
    case OptionKind::boolean: return "true or false, without quotes";
    case OptionKind::choice: return "a string";
    case OptionKind::program: break;
  }
  return "set by a program";
}

// The value in a file, or why it is none of the option's.
struct ValueOfToml {
  const OptionFacts& option;

  using Value = std::expected<std::uint64_t, std::string>;
  Value wrong_type(std::string_view what) const {
    return std::unexpected(unreadable(option, fmt::format("{}, where {} is wanted", what, toml_form(option.kind))));
  }
  Value operator()(const std::string& text) const {
    const bool is_written =
        option.kind == OptionKind::size || option.kind == OptionKind::duration || option.kind == OptionKind::choice;
    return is_written ? value_of_text(option, text) : wrong_type("a string");
  }
  Value operator()(std::int64_t number) const {
    const bool is_number = option.kind == OptionKind::size || option.kind == OptionKind::count;
    const bool none = option.kind == OptionKind::duration && number == 0;  // other numbers lack a unit
    if (number < 0 || (!is_number && !none)) return wrong_type(fmt::format("the number {}", number));
    return value_of_text(option, fmt::format("{}", number));
  }
  Value operator()(bool value) const {
    if (option.kind != OptionKind::boolean) return wrong_type(value ? "true" : "false");
    return value ? 1 : 0;
  }
  Value operator()(config::NoOption none) const { return wrong_type(none.what); }
};

std::expected<Given, ConfigurationError> to_given(const config::TomlValue& said, const std::string& path) {
  std::string where = fmt::format("{}:{}", path, said.line);
  const auto index = index_of(said.key);
  if (!index) {
    const auto* none = std::get_if<config::NoOption>(&said.value);
    if (none != nullptr && none->what.ends_with("table"))
      return wrong(where, fmt::format("{}: options do not stand in tables", none->what));
    return wrong(where, unknown_option(said.key));
  }
  const OptionFacts& option = config::entries()[*index].facts;
  if (option.kind == OptionKind::program) return wrong(where, fmt::format("option {}: only a program can set it", option.name));
  const auto value = std::visit(ValueOfToml{option}, said.value);
  if (!value) return wrong(where, value.error());
  return Given{*index, *value, std::move(where)};
}

ConfigurationError unreadable_file(const std::string& path, int os_error) {
  const ErrorCode code = os_error == ENOENT || os_error == ENOTDIR ? ErrorCode::not_found : ErrorCode::io_error;
  return {code, fmt::format("cannot read '{}': {}", path, std::strerror(os_error))};
}

// A little more than is allowed, if there is more.
std::expected<std::string, ConfigurationError> contents(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return std::unexpected(unreadable_file(path, errno));
  std::string text(config::file_bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return std::unexpected(unreadable_file(path, errno));
  return text;
}

}  // namespace

Configuration::Configuration() : origins_(option_table().size()) {}

Configuration::Done Configuration::read_file(const std::string& path) {
  const auto text = contents(path);
  if (!text) return std::unexpected(text.error());
  return read_text(*text, path);
}

Configuration::Done Configuration::read_text(std::string_view text, const std::string& path) {
  const auto values = config::parse_toml(text);
  if (!values) return wrong(fmt::format("{}:{}", path, values.error().line), values.error().reason);
  std::vector<Given> all;
  for (const config::TomlValue& said : *values) {
    auto given = to_given(said, path);
    if (!given) return std::unexpected(std::move(given.error()));
    all.push_back(std::move(*given));
  }
  config::Settings settings{options_, transaction_};
  for (Given& given : all) {
    config::entries()[given.index].set(settings, given.value);
    origins_[given.index] = {OptionSource::file, std::move(given.where)};
  }
  options_ = settings.options;
  transaction_ = settings.transaction;
  return {};
}

Configuration::Done Configuration::read_environment() {
  if (const auto unknown = config::unknown_variable(environ)) return wrong(unknown->name, unknown->reason);
  Configuration changed = *this;
  for (const OptionFacts& option : option_table()) {
    if (option.kind == OptionKind::program) continue;
    const std::string variable = environment_variable(option);
    const char* text = std::getenv(variable.c_str());
    if (text == nullptr || *text == '\0') continue;
    if (auto done = changed.set(option.name, text, variable); !done) return done;
    changed.origins_[*index_of(option.name)].source = OptionSource::environment;
  }
  *this = std::move(changed);
  return {};
}

Configuration::Done Configuration::set(std::string_view name, std::string_view text, std::string_view where) {
  const auto index = index_of(name);
  if (!index) return wrong(where, unknown_option(name));
  const Entry& entry = config::entries()[*index];
  const auto value = value_of_text(entry.facts, text);
  if (!value) return wrong(where, value.error());
  config::Settings settings{options_, transaction_};
  entry.set(settings, *value);
  options_ = settings.options;
  transaction_ = settings.transaction;
  origins_[*index] = {OptionSource::given, std::string(where)};
  return {};
}

Configuration::Done Configuration::check() const {
  const config::Contradiction found = config::contradiction(options_);
  if (found.name.empty()) return {};
  return wrong(origin(found.name).where, found.reason);
}

const OptionOrigin& Configuration::origin(std::string_view name) const {
  return origins_[static_cast<std::size_t>(&entry_named(name) - config::entries().data())];
}

std::uint64_t Configuration::number(std::string_view name) const { return entry_named(name).get({options_, transaction_}); }

std::string Configuration::text(std::string_view name) const { return config::value_text(entry_named(name).facts, number(name)); }

Error to_error(const ConfigurationError& error) {
  constexpr std::string_view cut = "...";
  const std::string& text = error.message;
  if (text.size() <= Error::details_max) return Error(error.code, text);
  return Error(error.code, std::string(cut) + text.substr(text.size() - Error::details_max + cut.size()));
}

Result<Options> read_options(const std::string& path) {
  Configuration all;
  Configuration::Done done = all.read_file(path);
  if (done) done = all.check();
  if (!done) return std::unexpected(to_error(done.error()));
  return all.options();
}

}  // namespace plimsoll
