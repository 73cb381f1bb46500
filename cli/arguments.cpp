#include "arguments.hpp"

#include <fmt/core.h>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {

void StoreArguments::add_store(CLI::App& command) {
  command.add_option("STORE", path, "Folder of the store")->required();
  configuration.add_file(command);
  configuration.add_flags(command, OptionUse::opening);
}

void StoreArguments::add_table(CLI::App& command) {
  command.add_option("--table", table, fmt::format("Table (default \"{}\")", default_table))->type_name("NAME");
}

void StoreArguments::add_transactions(CLI::App& command) { configuration.add_flags(command, OptionUse::transaction); }

void StoreArguments::add_creation(CLI::App& command) {
  creates_ = true;
  configuration.add_flags(command, OptionUse::creation);
}

bool StoreArguments::may_create() const { return creates_ && configuration.values().options().create_if_missing; }

Outcome<Database> StoreArguments::open() const {
  PLIMSOLL_DCHECK(!path.empty());
  PLIMSOLL_TRY(configuration.loaded());
  Options options = configuration.values().options();
  options.create_if_missing = may_create();
  options.error_if_exists = options.error_if_exists && creates_;
  options.background_threads = true;  // no command drives the store itself
  auto db = context(Database::open(path, options), fmt::format("cannot open the store '{}'", path));
  if (!db && db.error().exit == Exit::not_found) {
    db.error().hint =
        options.create_if_missing ? "the folder above it must exist" : "`plimsoll put` and `plimsoll load` create a store";
  }
  return db;
}

Outcome<Table> StoreArguments::open_table(Database& db) const {
  auto opened = context(db.open_table(table, {.create_if_missing = may_create()}),
                        fmt::format("cannot open the table '{}' of '{}'", table, path));
  if (!opened && opened.error().exit == Exit::not_found)
    opened.error().hint = fmt::format("`plimsoll tables {}` lists the tables", path);
  return opened;
}

TransactionOptions StoreArguments::reading() const {
  TransactionOptions transaction = writing();
  transaction.read_only = true;
  transaction.isolation = Isolation::snapshot;  // what is printed belongs together
  return transaction;
}

TransactionOptions StoreArguments::writing() const {
  TransactionOptions transaction = configuration.values().transaction_options();
  const bool is_chosen = configuration.values().origin("transaction_deadline").source != OptionSource::built_in;
  if (!is_chosen) transaction.deadline = std::chrono::milliseconds(0);  // none: a person waits, and may interrupt
  transaction.label = "plimsoll";
  return transaction;
}

void Notation::add(CLI::App& command) {
  auto* as_hex = command.add_flag("--hex", hex, "Keys and values are written and shown in hexadecimal");
  command.add_flag("--base64", base64, "Keys and values are written and shown in base64")->excludes(as_hex);
}

Outcome<std::string> Notation::decode(std::string_view argument, std::string_view what) const {
  PLIMSOLL_DCHECK(!(hex && base64));
  if (raw()) return std::string(argument);
  auto bytes = hex ? decode_hex(argument) : decode_base64(argument);
  if (!bytes) return wrong_usage(fmt::format("the {} '{}' cannot be read: {}", what, argument, bytes.error()));
  return std::move(*bytes);
}

std::string Notation::encode(Bytes bytes) const { return cli::encode(bytes, encoding(Encoding::escaped)); }

void RangeArguments::add(CLI::App& command) {
  auto* first = command.add_option("--from", from, "First key of the range")->type_name("KEY");
  auto* last = command.add_option("--to", to, "End of the range: the first key that is not in it")->type_name("KEY");
  command
      .add_option_function<std::pair<std::string, std::string>>(
          "--range", [this](const std::pair<std::string, std::string>& bounds) { from = bounds.first, to = bounds.second; },
          "The same as --from FROM --to TO")
      ->type_name("FROM TO")
      ->excludes(first)
      ->excludes(last);
}

Outcome<void> RangeArguments::decode(const Notation& notation) {
  for (auto* bound : {&from, &to}) {
    if (!*bound) continue;
    PLIMSOLL_ASSIGN(*bound, notation.decode(**bound, "bound"));
  }
  if (from && to && *from > *to)
    return wrong_usage("the range ends before it begins", "--from is the smaller key, also with --reverse");
  return {};
}

Range RangeArguments::range() const {
  Range range;
  if (from) range.from = *from;
  if (to) range.to = *to;
  return range;
}

Outcome<Exit> close_store(Database& db, Exit exit) {
  if (auto closed = context(db.close(), "cannot close the store"); !closed) return std::unexpected(closed.error());
  return exit;
}

}  // namespace plimsoll::cli
