// The options of a command, from weak to strong: built in, a file, the environment, flags (docs/configuration.md). The flags are
// made from the table of options. Filled by the parser, used by the command afterwards; must outlive the parse.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "plimsoll/config.hpp"

namespace plimsoll::cli {

class ConfigurationArguments {
 public:
  void add_file(CLI::App& command);  // --config; once the command line has been read, all is put together
  void add_flags(CLI::App& command, OptionUse use);

  // Why the options cannot be had: every command that uses them asks for this first.
  const Outcome<void>& loaded() const { return loaded_; }
  const Configuration& values() const { return values_; }
  const std::optional<std::string>& file() const { return file_; }  // that was read

 private:
  struct Flag {
    std::string_view option;
    std::string value;
    std::string name;
  };

  void add_flag(CLI::App& command, const OptionFacts& option);
  void take(std::string_view option, const std::string& value, const std::string& name);
  Configuration::Done read_file();
  Configuration::Done read_all();

  std::optional<std::string> named_file_;
  std::vector<Flag> flags_;
  std::optional<std::string> file_;
  Configuration values_;
  Outcome<void> loaded_;
};

// With a hint what to do.
Failure configuration_failure(const ConfigurationError& error);

}  // namespace plimsoll::cli
