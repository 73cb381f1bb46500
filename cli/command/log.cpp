// plimsoll log dump: the records of a store's log, of a damaged one up to the damage. Opens and changes nothing. The last line says
// where the log ends and why; a damaged end is what the command is there to show, so the exit status stays 0.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "failure.hpp"
#include "plimsoll/inspect.hpp"
#include "program.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  std::string path;
  std::uint64_t from = 0;
  std::uint64_t limit = UINT64_MAX;
};

void show(const LogRecordInfo& record, Output& output) {
  PLIMSOLL_DCHECK(record.lsn && !record.kind.empty());
  if (output.json()) {
    output.object({{"lsn", record.lsn.value},
                   {"bytes", record.bytes},
                   {"kind", record.kind},
                   {"transaction", record.transaction.value},
                   {"summary", record.summary}});
  } else {
    output.line(fmt::format("{:>12} {:>6} B  {:<12} {}{}", record.lsn.value, record.bytes, record.kind,
                            record.transaction ? fmt::format("transaction {}  ", record.transaction.value) : "",
                            escape_control(record.summary)));
  }
}

void show(const LogDumpReport& report, Output& output) {
  if (output.json()) {
    output.object(
        {{"records", report.records}, {"begin", report.begin.value}, {"end", report.end.value}, {"end_reason", report.end_reason}});
  } else {
    output.line(fmt::format("{} records from {} to {}: {}", report.records, report.begin.value, report.end.value,
                            escape_control(report.end_reason)));
  }
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  std::uint64_t left = arguments.limit;
  const auto each = [&](const LogRecordInfo& record) {
    if (left == 0) return false;
    --left;
    show(record, output);
    return !output.failed();
  };
  PLIMSOLL_ASSIGN(const auto report, context(dump_log(arguments.path, Lsn{arguments.from}, each),
                                             fmt::format("cannot read the log of '{}'", arguments.path)));
  show(report, output);
  return Exit::done;
}

}  // namespace

void add_log(Program& program) {
  auto* parent = program.app().add_subcommand("log", "Look at the log");
  parent->require_subcommand(1);
  auto* command = parent->add_subcommand("dump", "Print the log's records, also of a damaged log");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("STORE", arguments->path, "Folder of the store")->required();
  command->add_option("--from", arguments->from, "Position to begin at (default: the oldest on disk)")->type_name("LSN");
  command->add_option("--limit", arguments->limit, "At most so many records")->type_name("N");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
