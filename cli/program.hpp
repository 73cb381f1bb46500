// The program: its subcommands, the options that all of them share, and the way from argv to an exit status. Commands add
// themselves in cli/command/; nothing of a command runs before the whole command line has been understood. Used by main alone.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "output.hpp"

namespace plimsoll::cli {

class Program {
 public:
  using Body = std::function<Outcome<Exit>(Output&)>;

  Program();

  CLI::App& app() { return app_; }
  // What `command`, a subcommand, does.
  void runs(CLI::App& command, Body body);

  // Parses, runs, reports. Never throws.
  int run(int argc, char** argv);

 private:
  struct Entry {
    CLI::App* command;
    Body body;
  };

  int parse_and_run(int argc, char** argv);
  int run_entry(const Entry& entry);
  int report(const Failure& failure, std::string_view command) const;

  CLI::App app_;
  Output output_;
  bool json_ = false;
  std::vector<Entry> entries_;
};

}  // namespace plimsoll::cli
