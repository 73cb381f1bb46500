// Options by their names: from a TOML file, from the environment, from the words of a command line. One table describes every
// option, and docs/configuration.md is made from it.
//
//   auto options = plimsoll::read_options("plimsoll.toml");
//   if (!options) std::puts(options.error().message().c_str());  // names file, line, option, value and range
//   auto shop = plimsoll::Database::open("shop.plim", *options);
//
//   plimsoll::Configuration all;  // what is read later wins
//   auto read = all.read_file("plimsoll.toml");
//   if (read) read = all.read_environment();
//   if (read) read = all.set("memory_budget", "64MiB", "--memory-budget");
//   if (read) read = all.check();
//   if (!read) std::puts(read.error().message.c_str());
//
// Database::open reads no file and no variable by itself. Plain values, used by one thread at a time.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plimsoll/error.hpp"
#include "plimsoll/options.hpp"

namespace plimsoll {

// program: only a program can set it; it is in the table to say so.
enum class OptionKind : std::uint8_t { size, duration, count, boolean, choice, program };

// opening: for as long as the store is open. creation: decided when the store is created. transaction: what transactions begin
// with. embedding: for programs that link the library; of no use to a command.
enum class OptionUse : std::uint8_t { opening, creation, transaction, embedding };

struct OptionChoice {
  std::string_view word;
  std::uint64_t value = 0;  // of the enumeration
};

struct OptionFacts {
  std::string_view name;  // in a file
  OptionKind kind = OptionKind::program;
  OptionUse use = OptionUse::opening;
  std::string_view help;              // one line, without a full stop
  std::uint64_t least = 0, most = 0;  // of a size (bytes), duration (milliseconds) or count
  bool power_of_two = false;
  std::string_view zero{};  // what 0 means, which then is allowed whatever the range; or empty
  std::span<const OptionChoice> choices{};
};

// Every field of Options and of TransactionOptions, in the order of documentation.
std::span<const OptionFacts> option_table();

std::string allowed_values(const OptionFacts& option);        // "16MiB .. 1TiB", "auto|uring|plain"
std::string environment_variable(const OptionFacts& option);  // "PLIMSOLL_MEMORY_BUDGET"
std::string command_line_flag(const OptionFacts& option);     // "--memory-budget"

// Where a value comes from. `where`: "plimsoll.toml:3", "PLIMSOLL_MEMORY_BUDGET", what set() was given; empty: built in.
enum class OptionSource : std::uint8_t { built_in, file, environment, given };
struct OptionOrigin {
  OptionSource source = OptionSource::built_in;
  std::string where{};
};

// invalid_argument, or why a file could not be read: not_found, io_error. One line: "plimsoll.toml:3: option page_size: ...".
struct ConfigurationError {
  ErrorCode code{};
  std::string message;
};
// The same as an Error, which may have to leave out the beginning: that of the file's path.
Error to_error(const ConfigurationError& error);

class Configuration {
 public:
  using Done = std::expected<void, ConfigurationError>;

  Configuration();

  // Each leaves everything as it was when it fails.
  Done read_file(const std::string& path);
  // The text of a file; errors and origins name it `path`.
  Done read_text(std::string_view text, const std::string& path);
  // A variable that is empty counts as none; one that begins with PLIMSOLL_ and belongs to nobody is an error. Not while another
  // thread changes the environment.
  Done read_environment();
  // `where` is who says so, for errors and origins.
  Done set(std::string_view name, std::string_view text, std::string_view where);

  // What the options must be together. Database::open checks this as well, and whether the budget bears them.
  Done check() const;

  const Options& options() const { return options_; }
  const TransactionOptions& transaction_options() const { return transaction_; }

  // Of an option of the table that is not for programs alone.
  const OptionOrigin& origin(std::string_view name) const;
  std::string text(std::string_view name) const;      // as set() takes it
  std::uint64_t number(std::string_view name) const;  // bytes, milliseconds, a count, 0 or 1, the number of a choice

 private:
  Options options_;
  TransactionOptions transaction_;
  std::vector<OptionOrigin> origins_;  // of each option of the table
};

// A TOML file with nothing but options; those that it does not name have their defaults. Errors: invalid_argument (file, line,
// option, value and range), not_found, io_error.
Result<Options> read_options(const std::string& path);

}  // namespace plimsoll
