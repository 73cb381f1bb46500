// Arguments that several commands share: the store and how it is opened, the table, key ranges, the notation of keys and values.
// Each struct is filled by the parser when the command line is read and used by the command afterwards; it must outlive the parse.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "configuration.hpp"
#include "failure.hpp"
#include "plimsoll/plimsoll.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {

// The table that is meant when none is named, in every command and in dumps.
inline constexpr std::string_view default_table = "default";

struct StoreArguments {
  std::string path;
  std::string table{default_table};
  ConfigurationArguments configuration;

  void add_store(CLI::App& command);         // STORE, --config, and what the store is opened with
  void add_table(CLI::App& command);         // --table
  void add_transactions(CLI::App& command);  // --durability and others
  void add_creation(CLI::App& command);      // the command creates what is missing: --create, on by default, --page-size and others

  bool may_create() const;
  Outcome<Database> open() const;
  // not_found names the tables' command; with creation allowed the table is created too.
  Outcome<Table> open_table(Database& db) const;
  TransactionOptions reading() const;
  TransactionOptions writing() const;

 private:
  bool creates_ = false;
};

// How keys and values are written on the command line and shown: UTF-8 text, or --hex, or --base64.
struct Notation {
  bool hex = false;
  bool base64 = false;

  void add(CLI::App& command);
  Outcome<std::string> decode(std::string_view argument, std::string_view what) const;
  std::string encode(Bytes bytes) const;  // escaped text if neither is chosen
  bool raw() const { return !hex && !base64; }
  // `otherwise`: if neither is chosen.
  Encoding encoding(Encoding otherwise = Encoding::text) const {
    return hex ? Encoding::hex : base64 ? Encoding::base64 : otherwise;
  }
};

// --from, --to, or both as --range FROM TO. Half-open: FROM belongs to it, TO does not.
struct RangeArguments {
  std::optional<std::string> from;
  std::optional<std::string> to;

  void add(CLI::App& command);
  bool given() const { return from || to; }
  Outcome<void> decode(const Notation& notation);  // in place, once
  Range range() const;                             // views of the decoded bounds
};

// Ends a command that opened a store: what close() cannot write is the command's failure.
Outcome<Exit> close_store(Database& db, Exit exit = Exit::done);

}  // namespace plimsoll::cli
