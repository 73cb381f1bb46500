// Puts the lines of the interchange format into a store. Either the whole input is one transaction, so that nothing of it is there
// unless all of it is, or a transaction ends after every so many lines (--partial). One object loads one input; used by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "interchange/jsonl.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::cli {

class Loader {
 public:
  struct Settings {
    std::string default_table;                // where lines without a table go
    std::uint64_t lines_per_transaction = 0;  // 0: all in one
    bool create_tables = true;                // false: a table that is not there is a failure
    TransactionOptions transaction{};
  };

  Loader(Database& db, Settings settings) : db_(db), settings_(std::move(settings)) {}
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader();  // without finish(): what is not committed is undone, as are the tables made for it

  // The next line of the input. After a failure only destruction is left.
  Outcome<void> add(const JsonlRecord& record);
  Outcome<void> finish();

  std::uint64_t records() const { return records_; }            // put so far
  std::uint64_t records_kept() const { return records_kept_; }  // of these, committed

 private:
  Outcome<Table> table(const std::string& name);
  Outcome<void> add_part(Table table, const std::string& name, const JsonlRecord& record);
  Outcome<void> commit();

  Database& db_;
  Settings settings_;
  Transaction transaction_;
  std::map<std::string, Table, std::less<>> tables_;
  std::vector<std::string> created_;  // tables that nothing committed needs yet
  std::uint64_t records_ = 0;
  std::uint64_t records_kept_ = 0;
  std::uint64_t lines_ = 0;  // in the transaction

  // A value that came in several parts and is not complete: its writer, and the table and key that the next part must name.
  struct Unfinished {
    ValueWriter writer;
    std::string table;
    std::string key;
  };
  std::optional<Unfinished> unfinished_;
};

}  // namespace plimsoll::cli
