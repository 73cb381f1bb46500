// Puts the records of an interchange format into a store. Either the whole input is one transaction, so that nothing of it is there
// unless all of it is, or a transaction ends after every so many records (--partial). One object loads one input; used by one
// thread: by `load` and the shell's `.import`, through load_input.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "input.hpp"
#include "interchange/formats.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::cli {

class Loader {
 public:
  struct Settings {
    std::string default_table;                // where lines without a table go
    std::uint64_t lines_per_transaction = 0;  // 0: all in one
    bool create_tables = true;                // false: a table that is not there is a failure
    bool unique_keys = false;                 // true: a key that comes twice is a failure; otherwise the last one counts
    TransactionOptions transaction{};
  };

  Loader(Database& db, Settings settings) : db_(db), settings_(std::move(settings)) {}
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader();  // without finish(): what is not committed is undone, as are the tables made for it

  // The next record of the input. After a failure only destruction is left.
  Outcome<void> add(const Record& record);
  Outcome<void> finish();

  std::uint64_t records() const { return records_; }            // put so far
  std::uint64_t records_kept() const { return records_kept_; }  // of these, committed

 private:
  Outcome<Table> table(const std::string& name);
  Outcome<void> add_part(Table table, const std::string& name, const Record& record);
  Outcome<void> begin();
  Outcome<void> commit();
  Outcome<void> check_unique(Table table, const std::string& key);

  Database& db_;
  Settings settings_;
  Transaction before_;  // with unique_keys: the store before the load; knows what was changed since
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

struct LoadOptions {
  Format format = Format::automatic;
  CsvOptions csv{};
  Loader::Settings settings{};  // unique_keys follows from the format
};
// Loads the whole input; the answer is how many records. A failure names the input and its line ("FILE:LINE: reason") and says
// what of the input is in the store now.
Outcome<std::uint64_t> load_input(Database& db, const Input& input, const LoadOptions& options);

}  // namespace plimsoll::cli
