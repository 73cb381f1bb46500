// What `plimsoll bench`, `plimsoll stress` and `compare` share on the command line: the options that override a workload's
// defaults, and how runs and failures are printed.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/workloads/settings.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::bench {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_wrong_usage = 2;

// Options as given; what was not given keeps the workload's default.
class Overrides {
 public:
  void add_run_to(CLI::App& app);                            // how much, how long, where
  std::vector<CLI::Option*> add_store_to(CLI::App& app);     // how the store is used
  std::vector<CLI::Option*> add_workload_to(CLI::App& app);  // what only some workloads have
  // The workload's defaults with everything that was given.
  Settings apply(const Settings& defaults, std::string_view workload, const std::string& path) const;
  const std::string& path() const { return path_; }
  bool keep() const { return keep_; }

 private:
  std::optional<unsigned> threads_;
  std::optional<double> seconds_;
  std::optional<std::uint64_t> keys_;
  std::optional<std::size_t> value_bytes_;
  std::optional<std::string> memory_budget_;
  std::optional<std::string> page_size_;
  std::optional<std::string> durability_;
  std::optional<std::string> isolation_;
  std::optional<std::string> distribution_;
  std::optional<unsigned> gets_;
  std::optional<std::uint64_t> open_updates_;
  std::optional<std::uint64_t> seed_;
  std::string path_;
  bool keep_ = false;
  bool load_only_ = false;
};

// Digits, and one point among them: not what the parser takes for a number beside these (octal, nan).
extern const CLI::Validator plain_number;

// Parses; on --help or wrong usage prints what is due and answers the exit status to leave with.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

// One line on stderr; the exit status.
int report_failure(std::string_view what, const Error& error, bool as_json = false);

// A run for people: one line of what matters, then the verdict's other members indented.
void print_run(const std::string& json_text, bool as_json);

}  // namespace plimsoll::bench
