// plimsoll dump: a table, a range of it, or all tables, in the interchange format (interchange/jsonl.hpp), from one snapshot.
// Values are read in parts, so that any value fits the budget. A dump that fails has a nonzero exit status, whatever was printed
// before.
#include <fmt/core.h>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "interchange/jsonl.hpp"
#include "program.hpp"
#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  RangeArguments range;
  bool all = false;
};

class Dumper {
 public:
  Dumper(Transaction& transaction, Output& output) : transaction_(transaction), output_(output), progress_("dumping", 0) {}

  // `name`: the table's name in every line; absent for the table that load puts nameless lines into.
  Outcome<void> dump(Table table, std::optional<Bytes> name, Range range) {
    PLIMSOLL_ASSIGN(auto cursor, transaction_.cursor(table, range));
    while (!output_.failed()) {
      PLIMSOLL_ASSIGN(const bool found, cursor.next());
      if (!found) break;
      PLIMSOLL_TRY(dump_record(table, name, cursor.key()));
      progress_.update(0, ++records_);
    }
    return {};
  }

  // A line for the table itself, so that a table without records is there again after load.
  void name_table(Bytes name) {
    line_.clear();
    append_jsonl(line_, {.table = name});
    output_.write(line_);
  }

 private:
  Outcome<void> dump_record(Table table, std::optional<Bytes> name, Bytes key) {
    PLIMSOLL_ASSIGN(auto reader, transaction_.open_reader(table, key));
    PLIMSOLL_CHECK(reader.has_value());  // a snapshot: what the cursor found is there
    const std::uint64_t size = reader->size();
    const bool in_parts = size > part_bytes_max;
    std::uint64_t left = size;
    do {
      part_.resize(std::min<std::uint64_t>(left, part_bytes_max));
      PLIMSOLL_TRY(read_exactly(*reader, part_));
      left -= part_.size();
      line_.clear();
      append_jsonl(line_, {.table = name, .key = key, .value = part_, .part = in_parts, .more = left != 0});
      output_.write(line_);
    } while (left != 0 && !output_.failed());
    return {};
  }

  static Result<void> read_exactly(ValueReader& reader, std::span<char> into) {
    while (!into.empty()) {
      PLIMSOLL_ASSIGN(const std::size_t count, reader.read(into));
      PLIMSOLL_CHECK(count > 0 && count <= into.size());
      into = into.subspan(count);
    }
    return {};
  }

  Transaction& transaction_;
  Output& output_;
  Progress progress_;
  std::string line_;
  std::string part_;
  std::uint64_t records_ = 0;
};

Outcome<void> dump_all(Database& db, Dumper& dumper) {
  PLIMSOLL_ASSIGN(const auto tables, db.tables());
  for (const TableInfo& info : tables) {
    PLIMSOLL_ASSIGN(const auto table, db.open_table(info.name));
    dumper.name_table(info.name);
    PLIMSOLL_TRY(dumper.dump(table, info.name, {}));
  }
  return {};
}

Outcome<void> dump(Database& db, const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
  Dumper dumper(transaction, output);
  if (arguments.all) return dump_all(db, dumper);
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  const bool is_default = arguments.store.table == default_table;
  return dumper.dump(table, is_default ? std::nullopt : std::optional<Bytes>(arguments.store.table), arguments.range.range());
}

Outcome<Exit> run(Arguments& arguments, Output& output) {
  if (arguments.all && arguments.range.given()) return wrong_usage("--all takes no range", "name the table with --table");
  PLIMSOLL_TRY(arguments.range.decode(arguments.notation));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_TRY(dump(db, arguments, output));
  return close_store(db);
}

}  // namespace

void add_dump(Program& program) {
  auto* command = program.app().add_subcommand("dump", "Print a table as JSON Lines, which load reads");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  arguments->store.add_table(*command);
  command->add_flag("--all", arguments->all, "Dump every table")->excludes(command->get_option("--table"));
  arguments->range.add(*command);
  arguments->notation.add(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
