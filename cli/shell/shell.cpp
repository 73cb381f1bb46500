#include "shell/shell.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "plimsoll/text.hpp"
#include "render/quantity.hpp"
#include "values.hpp"

namespace plimsoll::cli {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr auto lock_wait = std::chrono::milliseconds(200);

}  // namespace

void Shell::interrupt() { interrupted = true; }

Shell::Shell(StoreArguments store, Settings settings, Output& output)
    : store_(std::move(store)),
      settings_(settings),
      standard_(&output),
      out_(&output),
      mode_(settings.json       ? Mode::jsonl
            : output.terminal() ? Mode::table
                                : Mode::list) {}

Shell::~Shell() { open_.clear(); }

Outcome<void> Shell::open(const std::string& path) {
  PLIMSOLL_CHECK(!db_ && open_.empty());
  store_.path = path;
  PLIMSOLL_ASSIGN(db_, store_.open());
  return {};
}

Outcome<Exit> Shell::finish() {
  if (!open_.empty() && settings_.interactive) fmt::print(stderr, "what was not committed is aborted\n");
  open_.clear();
  if (redirected_) { PLIMSOLL_TRY(redirected_->finish()); }
  if (db_) { PLIMSOLL_TRY(close_store(*db_)); }
  if (status_ == Exit::done && failed_ && !settings_.interactive) return Exit::failed;
  return status_;
}

void Shell::run_line(const std::string& line, const std::string& where) {
  const auto statements = split_statements(line);
  if (!statements) return report(Failure(Exit::wrong_usage, "usage", statements.error()), where);
  for (const Words& words : *statements) {
    if (ended_) return;
    interrupted = false;
    const auto start = std::chrono::steady_clock::now();
    if (echo_on_) {
      std::string text;
      for (const Word& word : words) text.append(text.empty() ? "" : " ").append(escape(word.text));
      out_->line(text);
    }
    if (auto done = run(words); !done) report(explained(std::move(done.error())), where);
    if (timer_on_) out_->line(fmt::format("time: {}", render_duration(std::chrono::steady_clock::now() - start)));
  }
  // What was printed stands before the errors of later lines.
  if (!out_->failed()) static_cast<void>(out_->finish());
}

Outcome<void> Shell::run(const Words& words) {
  const std::string& name = words.front().text;
  if (name == "explain") return explain(words);
  const bool dot = name.starts_with('.');
  const auto& all = dot ? dot_commands() : statements();
  const auto found = std::ranges::find(all, std::string_view(name), &Command::name);
  if (found == all.end()) {
    const auto nearest = std::ranges::min_element(all, {}, [&](const Command& c) { return edit_distance(name, c.name); });
    std::string hint = "`.help` lists the statements and commands";
    if (edit_distance(name, nearest->name) <= 2) hint.insert(0, fmt::format("is '{}' meant? ", nearest->name));
    return wrong_usage(fmt::format("unknown {} '{}'", dot ? "command" : "statement", name), std::move(hint));
  }
  PLIMSOLL_ASSIGN(const Given given, sort_out(*found, words));
  if (!dot) { PLIMSOLL_TRY(need_store()); }
  return (this->*found->run)(given);
}

std::string Shell::usage(const Command& command) {
  return fmt::format("{}{}{}", command.name, command.arguments.empty() ? "" : " ", command.arguments);
}

Outcome<Shell::Given> Shell::sort_out(const Command& command, const Words& words) {
  Given given;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const Word& word = words[i];
    if (word.quoted || !word.text.starts_with("--")) {
      given.words.push_back(word.text);
      continue;
    }
    const auto option = std::ranges::find(command.options, std::string_view(word.text), &Option::name);
    if (option == command.options.end()) {
      return wrong_usage(fmt::format("{}: unknown option '{}'", command.name, word.text), "usage: " + usage(command));
    }
    auto& values = given.options[word.text];
    for (std::size_t n = 0; n < option->values; ++n) {
      if (++i == words.size()) {
        return wrong_usage(fmt::format("{}: option '{}' needs a value", command.name, word.text), "usage: " + usage(command));
      }
      values.push_back(words[i].text);
    }
  }
  if (given.words.size() < command.words_least || given.words.size() > command.words_most) {
    return wrong_usage(fmt::format("{}: too {} arguments", command.name, given.words.size() < command.words_least ? "few" : "many"),
                       "usage: " + usage(command));
  }
  return given;
}

std::optional<std::string> Shell::Given::value(std::string_view option) const {
  const auto found = options.find(option);
  if (found == options.end() || found->second.empty()) return {};
  return found->second.back();
}

// What to do about an error. A conflict stays one for as long as the transaction reads from before the other's commit.
Failure Shell::explained(Failure failure) {
  const auto is = [&](ErrorCode code) { return failure.code == name(code); };
  const bool lost = is(ErrorCode::conflict) || is(ErrorCode::serialization_failure) || is(ErrorCode::deadlock);
  if (is(ErrorCode::lock_timeout))
    failure.hint = "another transaction of this shell has changed the key: `.txn` lists them; commit or abort it first";
  if (current_.empty()) {
    if (lost) failure.hint = "run the statement again";
    return failure;
  }
  const Open& open = open_.at(current_);
  if (!open.transaction.active()) {
    failure.message += fmt::format("; transaction {} has ended", current_);
    open_.erase(current_);
    current_.clear();
  } else if (lost && open.savepoints.empty()) {
    failure.hint = "`abort`, then begin again and repeat what it did: this transaction reads from before the other's commit";
  } else if (lost) {
    failure.hint = fmt::format(
        "`rollback {}` to the savepoint and leave the key alone, or `abort`, begin again and repeat: this transaction reads from "
        "before the other's commit",
        open.savepoints.back().first);
  }
  return failure;
}

void Shell::report(Failure failure, const std::string& where) {
  failed_ = true;
  if (!out_->failed()) static_cast<void>(out_->finish());
  failure.message.insert(0, where);
  fmt::print(stderr, "{}\n", settings_.json ? failure_json(failure, "shell") : failure_line(failure, "shell"));
  if (!settings_.bail) return;
  ended_ = true;
  status_ = Exit::failed;
}

std::string Shell::prompt() const {
  std::string text = "plimsoll";
  if (table_ != default_table) text += " " + escape(table_);
  if (!current_.empty()) text += fmt::format(" [transaction {}]", escape(current_));
  return text + "> ";
}

TransactionOptions Shell::options(bool writes) const {
  TransactionOptions options = writes ? store_.writing() : store_.reading();
  options.lock_deadline = lock_wait;
  return options;
}

std::string Shell::isolation_of_statements() const { return store_.configuration.values().text("isolation"); }

Outcome<Table> Shell::table(const std::string& name, bool create) {
  auto opened = context(db_->open_table(name, {.create_if_missing = create && !explaining_ && store_.may_create()}),
                        fmt::format("cannot open the table '{}'", escape(name)));
  if (!opened && opened.error().exit == Exit::not_found) opened.error().hint = "`.tables` lists the tables";
  return opened;
}

Outcome<void> Shell::in_transaction(const Given& given, bool writes, const Body& body) {
  PLIMSOLL_ASSIGN(const Table into, table(given.value("--table").value_or(table_), writes));
  if (!current_.empty()) return body(open_.at(current_).transaction, into);
  PLIMSOLL_ASSIGN(auto transaction, db_->begin(options(writes)));
  PLIMSOLL_TRY(body(transaction, into));
  PLIMSOLL_TRY(transaction.commit());
  return {};
}

Outcome<Shell::Open*> Shell::current() {
  if (current_.empty()) return wrong_usage("no transaction is open", "`begin` opens one");
  return &open_.at(current_);
}

Outcome<void> Shell::need_store() const {
  if (!db_) return wrong_usage("no store is open", "`.open STORE`");
  return {};
}

Outcome<void> Shell::no_transaction(std::string_view what) const {
  if (open_.empty()) return {};
  return wrong_usage(fmt::format("{} needs that no transaction is open", what), "`commit` or `abort` first");
}

RecordPrinter Shell::printer(bool keys_only) const {
  return RecordPrinter(*out_, {.mode = mode_, .encoding = encoding_, .headers = headers_, .keys_only = keys_only});
}

Outcome<RangeArguments> Shell::range(const Given& given) const {
  RangeArguments range;
  range.from = given.value("--from");
  range.to = given.value("--to");
  if (given.has("--range")) {
    const auto& bounds = given.options.find("--range")->second;
    range.from = bounds[bounds.size() - 2], range.to = bounds.back();
  }
  PLIMSOLL_TRY(range.decode(Notation()));
  return range;
}

// ---- statements

const std::vector<Shell::Command>& Shell::statements() {
  static const Option in_table{"--table", 1};
  static const std::vector<Option> in_range{in_table, {"--from", 1}, {"--to", 1}, {"--range", 2}};
  static const std::vector<Command> all{
      {"begin",
       "[NAME] [--read-only] [--isolation LEVEL]",
       "Open a transaction",
       0,
       1,
       {{"--read-only"}, {"--isolation", 1}},
       &Shell::begin},
      {"commit", "", "Commit the transaction", 0, 0, {}, &Shell::commit},
      {"abort", "", "Undo what the transaction did, and end it", 0, 0, {}, &Shell::abort},
      {"savepoint", "NAME", "Mark a point to come back to", 1, 1, {}, &Shell::savepoint},
      {"rollback", "NAME", "Undo what was done since the savepoint", 1, 1, {}, &Shell::rollback},
      {"release", "NAME", "Forget the savepoint, keep what was done", 1, 1, {}, &Shell::release},
      {"get", "KEY [--table NAME]", "Print a value", 1, 1, {in_table}, &Shell::get},
      {"put", "KEY VALUE [--table NAME]", "Write a value", 2, 2, {in_table}, &Shell::put},
      {"insert", "KEY VALUE [--table NAME]", "Write a value whose key is not there yet", 2, 2, {in_table}, &Shell::insert},
      {"update", "KEY VALUE [--table NAME]", "Write a value whose key is there", 2, 2, {in_table}, &Shell::update},
      {"del", "[KEY] [--from KEY] [--to KEY] [--table NAME]", "Erase a key, or a range", 0, 1, in_range, &Shell::del},
      {"scan",
       "[--from KEY] [--to KEY] [--reverse] [--limit N] [--keys-only] [--table NAME]",
       "Print the records of a range",
       0,
       0,
       {in_table, {"--from", 1}, {"--to", 1}, {"--range", 2}, {"--reverse"}, {"--limit", 1}, {"--keys-only"}},
       &Shell::scan},
      {"count", "[--from KEY] [--to KEY] [--table NAME]", "Count the records of a range", 0, 0, in_range, &Shell::count},
  };
  return all;
}

Outcome<void> Shell::begin(const Given& given) {
  static constexpr std::pair<std::string_view, Isolation> levels[] = {{"read_committed", Isolation::read_committed},
                                                                      {"repeatable_read", Isolation::repeatable_read},
                                                                      {"snapshot", Isolation::snapshot},
                                                                      {"serializable", Isolation::serializable}};
  const std::string name = given.words.empty() ? fmt::format("{}", begun_ + 1) : given.words.front();
  if (open_.contains(name)) return wrong_usage(fmt::format("transaction '{}' is open already", name), "`.txn NAME` changes to it");
  const std::string isolation = given.value("--isolation").value_or(isolation_of_statements());
  const auto* level = std::ranges::find(levels, std::string_view(isolation), [](const auto& pair) { return pair.first; });
  if (level == std::end(levels)) {
    return wrong_usage(fmt::format("unknown isolation '{}'", isolation),
                       "read_committed, repeatable_read, snapshot or serializable");
  }
  const bool read_only = given.has("--read-only");
  TransactionOptions chosen = options(!read_only);
  chosen.isolation = level->second;
  chosen.label = name;  // errors of the others call it by that
  PLIMSOLL_ASSIGN(auto transaction, db_->begin(chosen));
  open_.emplace(name, Open{.transaction = std::move(transaction), .read_only = read_only, .isolation = isolation});
  ++begun_;
  current_ = name;
  return {};
}

Outcome<void> Shell::commit(const Given&) {
  PLIMSOLL_ASSIGN(Open* const open, current());
  PLIMSOLL_TRY(open->transaction.commit());
  open_.erase(current_);
  current_.clear();
  return {};
}

Outcome<void> Shell::abort(const Given&) {
  PLIMSOLL_ASSIGN(Open* const open, current());
  PLIMSOLL_TRY(open->transaction.abort());
  open_.erase(current_);
  current_.clear();
  return {};
}

Outcome<void> Shell::savepoint(const Given& given) {
  PLIMSOLL_ASSIGN(Open* const open, current());
  PLIMSOLL_ASSIGN(const Savepoint point, open->transaction.savepoint());
  open->savepoints.emplace_back(given.words.front(), point);
  return {};
}

Outcome<Savepoint*> Shell::savepoint_named(const std::string& name) {
  PLIMSOLL_ASSIGN(Open* const open, current());
  auto& points = open->savepoints;
  const auto found = std::find_if(points.rbegin(), points.rend(), [&](const auto& point) { return point.first == name; });
  if (found != points.rend()) {
    points.erase(found.base(), points.end());  // those after it end with it
    return &points.back().second;
  }
  return std::unexpected(Failure(Exit::not_found, "not_found", fmt::format("no savepoint '{}' in transaction {}", name, current_)));
}

Outcome<void> Shell::rollback(const Given& given) {
  PLIMSOLL_ASSIGN(const Savepoint* const point, savepoint_named(given.words.front()));
  PLIMSOLL_TRY(open_.at(current_).transaction.rollback_to(*point));
  return {};
}

Outcome<void> Shell::release(const Given& given) {
  PLIMSOLL_ASSIGN(const Savepoint* const point, savepoint_named(given.words.front()));
  Open& open = open_.at(current_);
  PLIMSOLL_TRY(open.transaction.release(*point));
  open.savepoints.pop_back();
  return {};
}

Outcome<void> Shell::get(const Given& given) {
  const std::string& key = given.words.front();
  return in_transaction(given, false, [&](Transaction& transaction, Table table) -> Outcome<void> {
    PLIMSOLL_ASSIGN(auto reader, transaction.open_reader(table, key));
    if (!reader) {
      return std::unexpected(
          Failure(Exit::not_found, "not_found",
                  fmt::format("no key '{}' in the table '{}'", escape(key), given.value("--table").value_or(table_))));
    }
    if (mode_ == Mode::list || mode_ == Mode::table) {
      PLIMSOLL_TRY(print_value(*reader, encoding_, *out_));
      out_->write("\n");
      return {};
    }
    PLIMSOLL_ASSIGN(const std::string value, whole_value(transaction, table, key));
    auto record = printer();
    record.add(key, value);
    record.finish();
    return {};
  });
}

Outcome<void> Shell::write(const Given& given, Result<void> (Transaction::*how)(Table, Bytes, Bytes)) {
  return in_transaction(given, true, [&](Transaction& transaction, Table table) -> Outcome<void> {
    PLIMSOLL_TRY((transaction.*how)(table, given.words[0], given.words[1]));
    return {};
  });
}

Outcome<void> Shell::put(const Given& given) { return write(given, &Transaction::put); }
Outcome<void> Shell::insert(const Given& given) { return write(given, &Transaction::insert); }
Outcome<void> Shell::update(const Given& given) { return write(given, &Transaction::update); }

Outcome<void> Shell::del(const Given& given) {
  PLIMSOLL_ASSIGN(const RangeArguments bounds, range(given));
  if (given.words.empty() != bounds.given())
    return wrong_usage("either a key or a range must be given", "`del KEY`, or --from and --to");
  return in_transaction(given, true, [&](Transaction& transaction, Table table) -> Outcome<void> {
    if (given.words.empty()) {
      PLIMSOLL_ASSIGN(const std::uint64_t erased, transaction.erase_range(table, bounds.range()));
      print_number("erased", given, erased);
      return {};
    }
    PLIMSOLL_ASSIGN(const bool present, transaction.erase(table, given.words.front()));
    if (present) return {};
    return std::unexpected(Failure(
        Exit::not_found, "not_found",
        fmt::format("no key '{}' in the table '{}'", escape(given.words.front()), given.value("--table").value_or(table_))));
  });
}

void Shell::print_number(std::string_view what, const Given& given, std::uint64_t number) {
  if (!out_->json()) return out_->line(fmt::format("{}", number));
  out_->object({{"table", given.value("--table").value_or(table_)}, {std::string(what), number}});
}

Outcome<void> Shell::scan(const Given& given) {
  PLIMSOLL_ASSIGN(const RangeArguments bounds, range(given));
  Scan what{.range = bounds.range(),
            .direction = given.has("--reverse") ? Direction::backward : Direction::forward,
            .keys_only = given.has("--keys-only")};
  if (const auto limit = given.value("--limit")) {
    const auto [end, error] = std::from_chars(limit->data(), limit->data() + limit->size(), what.limit);
    if (error != std::errc{} || end != limit->data() + limit->size())
      return wrong_usage(fmt::format("--limit: '{}' is no number", *limit));
  }
  return in_transaction(given, false, [&](Transaction& transaction, Table table) -> Outcome<void> {
    auto records = printer(what.keys_only);
    PLIMSOLL_TRY(scan_records(transaction, table, what, [&](Bytes key, Bytes value) {
      records.add(key, value);
      return !out_->failed() && !interrupted;
    }));
    records.finish();
    if (interrupted) return std::unexpected(Failure(Exit::failed, "interrupted", "interrupted"));
    return {};
  });
}

Outcome<void> Shell::count(const Given& given) {
  PLIMSOLL_ASSIGN(const RangeArguments bounds, range(given));
  return in_transaction(given, false, [&](Transaction& transaction, Table table) -> Outcome<void> {
    PLIMSOLL_ASSIGN(const std::uint64_t records, transaction.count(table, bounds.range()));
    print_number("records", given, records);
    return {};
  });
}

// Runs the statement, shows what it cost instead of what it prints, and takes back what it wrote.
Outcome<void> Shell::explain(const Words& words) {
  PLIMSOLL_TRY(need_store());
  static constexpr std::string_view allowed[] = {"get", "put", "insert", "update", "del", "scan", "count"};
  if (words.size() < 2 || std::ranges::count(allowed, std::string_view(words[1].text)) == 0) {
    return wrong_usage("explain: what can be explained is get, put, insert, update, del, scan, count", "usage: explain STATEMENT");
  }
  const bool own = current_.empty();
  if (own) { PLIMSOLL_TRY(begin({.words = {"(explain)"}})); }
  Open& open = open_.at(current_);
  const TxnId id = open.transaction.id();
  std::optional<Savepoint> point;
  if (!own && !open.read_only) { PLIMSOLL_ASSIGN(point, open.transaction.savepoint()); }
  Output* const shown = out_;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "we"), std::fclose);
  Output silent(nowhere ? nowhere.get() : stdout);
  out_ = &silent;
  const auto before = db_->statistics().counters;
  const auto start = std::chrono::steady_clock::now();
  explaining_ = true;
  const auto done = run({words.begin() + 1, words.end()});
  explaining_ = false;
  const auto time = std::chrono::steady_clock::now() - start;
  const auto after = db_->statistics().counters;
  out_ = shown;
  if (own) {
    open_.erase(current_);
    current_.clear();
    --begun_;
  } else if (point && open.transaction.active()) {
    PLIMSOLL_TRY(open.transaction.rollback_to(*point));
    PLIMSOLL_TRY(open.transaction.release(*point));
  }
  if (!done) return done;
  nlohmann::ordered_json counted = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i)
    if (after[i].value != before[i].value) counted[after[i].name] = after[i].value - before[i].value;
  const std::string isolation = own ? isolation_of_statements() : open_.at(current_).isolation;
  if (out_->json()) {
    out_->object({{"statement", words[1].text},
                  {"transaction", own ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(current_)},
                  {"isolation", isolation},
                  {"seconds", std::chrono::duration<double>(time).count()},
                  {"counters", counted}});
    return {};
  }
  out_->line(fmt::format("statement: {}", words[1].text));
  out_->line(own ? "transaction: of its own, isolation " + isolation
                 : fmt::format("transaction: {} ({}), isolation {}", current_, id.value, isolation));
  out_->line(fmt::format("time: {}", render_duration(time)));
  for (const auto& [name, more] : counted.items()) out_->line(fmt::format("{}: {}", name, more.get<std::uint64_t>()));
  return {};
}

}  // namespace plimsoll::cli
