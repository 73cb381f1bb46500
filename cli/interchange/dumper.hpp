// Writes tables in an interchange format, from the snapshot of one transaction. Values are read in parts, so that any value fits
// the budget. What marks the end of a table is written only after the last record was read without an error. Used by dump and the
// shell's `.dump`.
#pragma once

#include <string>

#include "failure.hpp"
#include "interchange/record.hpp"
#include "output.hpp"
#include "plimsoll/plimsoll.hpp"
#include "render/progress.hpp"

namespace plimsoll::cli {

class Dumper {
 public:
  Dumper(Transaction& transaction, RecordWriter& writer, Output& output)
      : transaction_(transaction), writer_(writer), output_(output), progress_("dumping", 0) {}

  // `name`: the table's name in the dump; absent for the table that load puts nameless records into.
  Outcome<void> dump(Table table, std::optional<Bytes> name, Range range);

 private:
  Outcome<void> dump_record(Table table, Bytes key);
  void flush();

  Transaction& transaction_;
  RecordWriter& writer_;
  Output& output_;
  Progress progress_;
  std::string text_;
  std::string part_;
  std::uint64_t records_ = 0;
};

// Every table, each with its name but for the one called `nameless`.
Outcome<void> dump_all(Database& db, Dumper& dumper, std::optional<Bytes> nameless = {});

}  // namespace plimsoll::cli
