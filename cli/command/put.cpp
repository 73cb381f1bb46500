// plimsoll put: writes one value, from the command line, a file or standard input. The latter two are written in pieces.
#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "input.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  std::string key;
  std::optional<std::string> value;
  std::string file;
};

// Bytes copied, or why not.
Outcome<std::uint64_t> copy(const Input& input, ValueWriter& writer) {
  std::string piece(1_MiB, '\0');
  std::uint64_t total = 0;
  for (;;) {
    const std::size_t count = std::fread(piece.data(), 1, piece.size(), input.file());
    PLIMSOLL_CHECK(count <= piece.size());
    PLIMSOLL_TRY(writer.write(Bytes(piece).substr(0, count)));
    total += count;
    if (count == piece.size()) continue;
    if (std::ferror(input.file()) == 0) return total;
    return std::unexpected(
        Failure(Exit::failed, "io_error", fmt::format("cannot read {}: {}", input.name(), std::strerror(errno))));
  }
}

Outcome<std::uint64_t> put_stream(Database& db, Table table, Bytes key, const Arguments& arguments, const Input& input) {
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.writing()));
  std::uint64_t bytes = 0;
  {
    PLIMSOLL_ASSIGN(auto writer, transaction.open_writer(table, key));
    PLIMSOLL_ASSIGN(bytes, copy(input, writer));
    PLIMSOLL_TRY(writer.finish());
  }
  PLIMSOLL_TRY(transaction.commit());
  return bytes;
}

Outcome<std::uint64_t> put_argument(Database& db, Table table, Bytes key, const Arguments& arguments) {
  PLIMSOLL_DCHECK(arguments.value.has_value());
  PLIMSOLL_ASSIGN(const std::string value, arguments.notation.decode(*arguments.value, "value"));
  PLIMSOLL_TRY(
      db.transact(arguments.store.writing(), [&](Transaction& transaction) { return transaction.put(table, key, value); }));
  return value.size();
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  const bool stream = !arguments.file.empty() || arguments.value == "-";
  if (!stream && !arguments.value) return wrong_usage("no value is given", "VALUE, - for standard input, or --file FILE");
  PLIMSOLL_ASSIGN(const std::string key, arguments.notation.decode(arguments.key, "key"));
  std::optional<Input> input;  // opened before the store: a missing file must not create one
  if (stream) {
    PLIMSOLL_ASSIGN(input, Input::open(arguments.file.empty() ? "-" : arguments.file));
  } else {
    PLIMSOLL_TRY(arguments.notation.decode(*arguments.value, "value"));
  }
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  PLIMSOLL_ASSIGN(const auto bytes,
                  stream ? put_stream(db, table, key, arguments, *input) : put_argument(db, table, key, arguments));
  PLIMSOLL_ASSIGN(const Exit exit, close_store(db));
  if (output.json()) output.object({{"table", arguments.store.table}, {"value_bytes", bytes}});
  return exit;
}

}  // namespace

void add_put(Program& program) {
  auto* command = program.app().add_subcommand("put", "Write the value of a key");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("KEY", arguments->key, "The key")->required();
  auto* value = command->add_option("VALUE", arguments->value, "The value; - reads its bytes from standard input");
  command->add_option("--file", arguments->file, "Read the value's bytes from FILE, of any size")
      ->type_name("FILE")
      ->excludes(value);
  arguments->store.add_table(*command);
  arguments->notation.add(*command);
  arguments->store.add_transactions(*command);
  arguments->store.add_creation(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
