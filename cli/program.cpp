#include "program.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <span>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::string_view usage_hint = "`plimsoll --help` and `plimsoll COMMAND --help` show the usage";

// For errors in the command line itself, when the parser may not have come as far as the flag.
bool asks_for_json(std::span<char*> words) {
  const auto end = std::ranges::find(words, std::string_view("--"));
  return std::find(words.begin(), end, std::string_view("--json")) != end;
}

std::string full_name(const CLI::App* command) {
  const CLI::App* parent = command->get_parent();
  PLIMSOLL_CHECK(parent != nullptr);
  return parent->get_parent() == nullptr ? command->get_name() : full_name(parent) + " " + command->get_name();
}

}  // namespace

Program::Program() : app_("An embeddable transactional store that keeps its memory budget.", "plimsoll"), output_(stdout) {
  app_.fallthrough();  // inherited: --json may stand behind the subcommand
  app_.add_flag("--json", json_, "Print JSON (results on standard output, errors on standard error)");
  app_.set_version_flag("--version", std::string("plimsoll " PLIMSOLL_VERSION));
  app_.footer(
      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 corruption found, 5 busy.\n"
      "An argument that begins with a hyphen stands behind --, as in `plimsoll get shop.plim -- -key`.");
}

void Program::runs(CLI::App& command, Body body) {
  PLIMSOLL_CHECK(body != nullptr);
  entries_.push_back({&command, std::move(body)});
}

int Program::run(int argc, char** argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const std::exception& error) {  // out of memory, or a library that throws
    return report(Failure(Exit::failed, "internal", error.what()), {});
  }
}

int Program::parse_and_run(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::Success& asked_for_text) {  // --help, --version
    return app_.exit(asked_for_text);
  } catch (const CLI::ParseError& error) {
    json_ = asks_for_json({argv, static_cast<std::size_t>(argc)});
    return report(Failure(Exit::wrong_usage, "usage", error.what(), std::string(usage_hint)), {});
  }
  output_.set_json(json_);
  const auto entry = std::ranges::find_if(entries_, [](const Entry& e) { return e.command->parsed(); });
  if (entry == entries_.end())
    return report(Failure(Exit::wrong_usage, "usage", "no command is given", std::string(usage_hint)), {});
  return run_entry(*entry);
}

int Program::run_entry(const Entry& entry) {
  const std::string name = full_name(entry.command);
  const Outcome<Exit> outcome = entry.body(output_);
  const Outcome<void> written = output_.finish();
  if (!outcome) return report(outcome.error(), name);
  if (!written) return output_.closed_by_reader() ? static_cast<int>(Exit::failed) : report(written.error(), name);
  return static_cast<int>(*outcome);
}

int Program::report(const Failure& failure, std::string_view command) const {
  PLIMSOLL_DCHECK(failure.exit != Exit::done);
  fmt::print(stderr, "{}\n", json_ ? failure_json(failure, command) : failure_line(failure, command));
  return static_cast<int>(failure.exit);
}

}  // namespace plimsoll::cli
