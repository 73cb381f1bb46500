#include "arguments.hpp"

#include <fmt/core.h>

#include <array>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "choice.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::array<Choice<IoBackend>, 3> io_backends{
    {{"auto", IoBackend::automatic}, {"uring", IoBackend::uring}, {"plain", IoBackend::plain}}};
constexpr std::array<Choice<Durability>, 2> durabilities{{{"durable", Durability::durable}, {"relaxed", Durability::relaxed}}};

template <class E>
void add_choice(CLI::App& command, const std::string& name, E& target, std::span<const Choice<E>> choices,
                const std::string& help) {
  const auto take = [name, choices, &target](const std::string& word) {
    const auto value = value_of(choices, word);
    if (!value) throw CLI::ValidationError(name, fmt::format("'{}' is none of {}", word, words_of(choices)));
    target = *value;
  };
  command.add_option_function<std::string>(name, take, help)->type_name(words_of(choices));
}

}  // namespace

void add_size_option(CLI::App& command, const std::string& name, std::size_t& target, const std::string& help) {
  const auto take = [name, &target](const std::string& text) {
    const auto size = parse_size(text);
    if (!size) throw CLI::ValidationError(name, size.error());
    target = *size;
  };
  command.add_option_function<std::string>(name, take, fmt::format("{} (default {})", help, render_size(target)))
      ->type_name("SIZE");
}

void StoreArguments::add_store(CLI::App& command) {
  command.add_option("STORE", path, "Folder of the store")->required();
  add_size_option(command, "--memory-budget", options.memory_budget, "Hard limit of the store's memory, as 64MiB or 1GB");
  add_choice(command, "--io-backend", options.io_backend, std::span<const Choice<IoBackend>>(io_backends),
             "How files are read and written (default auto)");
}

void StoreArguments::add_table(CLI::App& command) {
  command.add_option("--table", table, fmt::format("Table (default \"{}\")", default_table))->type_name("NAME");
}

void StoreArguments::add_durability(CLI::App& command) {
  add_choice(command, "--durability", durability, std::span<const Choice<Durability>>(durabilities),
             "Whether a commit waits for stable storage (default durable)");
}

void StoreArguments::add_creation(CLI::App& command) {
  options.create_if_missing = true;
  command.add_flag("--create,!--no-create", options.create_if_missing,
                   "Create the store and the table if they are missing (the default)");
  add_size_option(command, "--page-size", options.page_size, "Page size of a store that is created");
}

Outcome<Database> StoreArguments::open() const {
  PLIMSOLL_DCHECK(!path.empty());
  auto db = context(Database::open(path, options), fmt::format("cannot open the store '{}'", path));
  if (!db && db.error().exit == Exit::not_found) {
    db.error().hint =
        options.create_if_missing ? "the folder above it must exist" : "`plimsoll put` and `plimsoll load` create a store";
  }
  return db;
}

Outcome<Table> StoreArguments::open_table(Database& db) const {
  auto opened = context(db.open_table(table, {.create_if_missing = options.create_if_missing}),
                        fmt::format("cannot open the table '{}' of '{}'", table, path));
  if (!opened && opened.error().exit == Exit::not_found)
    opened.error().hint = fmt::format("`plimsoll tables {}` lists the tables", path);
  return opened;
}

TransactionOptions StoreArguments::reading() const {
  TransactionOptions transaction = writing();
  transaction.read_only = true;
  return transaction;
}

TransactionOptions StoreArguments::writing() const {
  TransactionOptions transaction;
  transaction.durability = durability;
  transaction.deadline = std::chrono::milliseconds(0);  // none: a person waits, and may interrupt
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
