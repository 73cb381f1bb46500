// The shell: statements on records and dot-commands for the shell itself, one after another, on one open store. It owns the store,
// the open transactions and the settings; where the lines come from (a terminal, a pipe, -c, `.read`) is its caller's affair. Used
// by `plimsoll shell`, by one thread.
//
// A statement runs in the current transaction; without one it is a transaction of its own, which commits at once. `begin` opens a
// transaction beside those that are open and makes it the current one; `.txn` changes to another. All of them belong to one
// thread, so that none waits long for another: a lock that another of them holds is a lock timeout.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "output.hpp"
#include "render/records.hpp"
#include "shell/words.hpp"

namespace plimsoll::cli {

class Shell {
 public:
  struct Settings {
    bool interactive = false;
    bool bail = false;
    bool json = false;  // errors as JSON, records as jsonl
  };
  Shell(StoreArguments store, Settings settings, Output& output);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  Outcome<void> open(const std::string& path);

  // Runs the statements of a line. `where` stands in front of its errors: "FILE:LINE: ", or nothing.
  void run_line(const std::string& line, const std::string& where);
  bool ended() const { return ended_; }
  // Aborts what is open and closes the store. The status: that of `.exit`, or 1 if a statement failed and nobody looked on.
  Outcome<Exit> finish();

  std::string prompt() const;
  // The words that may stand at the end of `line`, for its last word (completion.cpp).
  std::vector<std::string> completions(const std::string& line);
  // Set by a signal handler: the statement that runs ends soon.
  static void interrupt();

 private:
  struct Open {
    Transaction transaction;
    std::vector<std::pair<std::string, Savepoint>> savepoints{};
    bool read_only = false;
    std::string isolation{};
  };
  // The words behind a statement's name, sorted out.
  struct Given {
    std::vector<std::string> words{};
    std::map<std::string, std::vector<std::string>, std::less<>> options{};
    bool has(std::string_view option) const { return options.contains(option); }
    std::optional<std::string> value(std::string_view option) const;
  };
  struct Option {
    std::string_view name;
    std::size_t values = 0;
  };
  struct Command {
    std::string_view name;
    std::string_view arguments;
    std::string_view help;
    std::size_t words_least;
    std::size_t words_most;
    std::vector<Option> options;
    Outcome<void> (Shell::*run)(const Given&);
  };
  using Body = std::function<Outcome<void>(Transaction&, Table)>;

  static const std::vector<Command>& statements();
  static const std::vector<Command>& dot_commands();
  static std::string usage(const Command& command);
  static Outcome<Given> sort_out(const Command& command, const Words& words);

  void add_arguments(const Words& words, const std::string& word, std::vector<std::string>& to);

  Outcome<void> run(const Words& words);
  void report(Failure failure, const std::string& where);
  Failure explained(Failure failure);

  // Runs the body in the current transaction, or in one of its own.
  Outcome<void> in_transaction(const Given& given, bool writes, const Body& body);
  TransactionOptions options(bool writes) const;
  std::string isolation_of_statements() const;  // where none is chosen
  Outcome<Table> table(const std::string& name, bool create);
  Outcome<Open*> current();
  Outcome<Savepoint*> savepoint_named(const std::string& name);
  RecordPrinter printer(bool keys_only = false) const;
  Outcome<RangeArguments> range(const Given& given) const;
  Outcome<void> need_store() const;
  Outcome<void> no_transaction(std::string_view what) const;
  Outcome<void> write(const Given& given, Result<void> (Transaction::*how)(Table, Bytes, Bytes));
  Outcome<void> switched(const Given& given, bool& what);

  Outcome<void> begin(const Given&);
  Outcome<void> commit(const Given&);
  Outcome<void> abort(const Given&);
  Outcome<void> savepoint(const Given&);
  Outcome<void> rollback(const Given&);
  Outcome<void> release(const Given&);
  Outcome<void> get(const Given&);
  Outcome<void> put(const Given&);
  Outcome<void> insert(const Given&);
  Outcome<void> update(const Given&);
  Outcome<void> del(const Given&);
  void print_number(std::string_view what, const Given& given, std::uint64_t number);
  Outcome<void> scan(const Given&);
  Outcome<void> count(const Given&);
  Outcome<void> explain(const Words& words);

  Outcome<void> help(const Given&);
  Outcome<void> tables(const Given&);
  Outcome<void> use(const Given&);
  Outcome<void> transactions(const Given&);
  Outcome<void> mode(const Given&);
  Outcome<void> show_as(const Given&);
  Outcome<void> headers(const Given&);
  Outcome<void> timer(const Given&);
  Outcome<void> echo(const Given&);
  Outcome<void> bail(const Given&);
  Outcome<void> output(const Given&);
  Outcome<void> import(const Given&);
  Outcome<void> dump(const Given&);
  Outcome<void> read(const Given&);
  Outcome<void> stat(const Given&);
  Outcome<void> show(const Given&);
  Outcome<void> reopen(const Given&);
  Outcome<void> quit(const Given&);

  StoreArguments store_;
  Settings settings_;
  Output* standard_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};  // of .output
  std::optional<Output> redirected_;
  Output* out_;

  std::optional<Database> db_;
  std::map<std::string, Open> open_;
  std::string current_;  // of open_; empty: none
  std::uint64_t begun_ = 0;
  std::string table_{default_table};

  Mode mode_;
  Encoding encoding_ = Encoding::escaped;
  bool explaining_ = false;  // a statement that must leave nothing behind
  std::optional<bool> headers_;
  bool timer_on_ = false;
  bool echo_on_ = false;
  int reading_ = 0;  // files of .read inside one another
  bool failed_ = false;
  bool ended_ = false;
  Exit status_ = Exit::done;
};

}  // namespace plimsoll::cli
