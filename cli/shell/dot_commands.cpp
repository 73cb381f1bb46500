// The dot-commands: what concerns the shell itself, files, and the store as a whole. Spelled as in sqlite3 and duckdb.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "choice.hpp"
#include "command/show.hpp"
#include "input.hpp"
#include "interchange/dumper.hpp"
#include "interchange/formats.hpp"
#include "interchange/jsonl.hpp"
#include "interchange/loader.hpp"
#include "shell/shell.hpp"

namespace plimsoll::cli {
namespace {

constexpr int reading_depth_max = 16;
constexpr std::array<Choice<Encoding>, 4> encoding_words{
    {{"utf8", Encoding::text}, {"escaped", Encoding::escaped}, {"hex", Encoding::hex}, {"base64", Encoding::base64}}};
constexpr std::span<const Choice<Encoding>> encodings(encoding_words);

}  // namespace

const std::vector<Shell::Command>& Shell::dot_commands() {
  static const Option format{"--format", 1};
  static const std::vector<Command> all{
      {".bail", "on|off", "Stop at the first error", 1, 1, {}, &Shell::bail},
      {".dump", "[TABLE] [--format FORMAT]", "Print all tables, or one, as `plimsoll dump` does", 0, 1, {format}, &Shell::dump},
      {".echo", "on|off", "Print each statement before it runs", 1, 1, {}, &Shell::echo},
      {".exit", "[STATUS]", "Leave", 0, 1, {}, &Shell::quit},
      {".headers", "on|off", "Whether results begin with the names of their columns", 1, 1, {}, &Shell::headers},
      {".help", "[PATTERN]", "This list, or the lines of it that hold PATTERN", 0, 1, {}, &Shell::help},
      {".import",
       "FILE [TABLE] [--format FORMAT] [--key COLUMN] [--no-header]",
       "Load a file, all or nothing, as `plimsoll load` does",
       1,
       2,
       {format, {"--key", 1}, {"--no-header"}},
       &Shell::import},
      {".mode", "[MODE]", "How records are printed: list, table, csv, json, jsonl, line, markdown", 0, 1, {}, &Shell::mode},
      {".open", "STORE", "Close this store and open another", 1, 1, {}, &Shell::reopen},
      {".output", "[FILE]", "Print results into FILE, or on standard output again", 0, 1, {}, &Shell::output},
      {".quit", "", "Leave", 0, 0, {}, &Shell::quit},
      {".read", "FILE", "Run the statements of a file", 1, 1, {}, &Shell::read},
      {".show", "", "Show the settings", 0, 0, {}, &Shell::show},
      {".show-as", "utf8|escaped|hex|base64", "How the bytes of keys and values are shown", 1, 1, {}, &Shell::show_as},
      {".stat", "[--memory]", "What the store holds and has done", 0, 0, {{"--memory"}}, &Shell::stat},
      {".tables", "", "List the tables", 0, 0, {}, &Shell::tables},
      {".timer", "on|off", "Print how long each statement took", 1, 1, {}, &Shell::timer},
      {".txn", "[NAME|off]", "List the open transactions, or change to one, or to none", 0, 1, {}, &Shell::transactions},
      {".use", "TABLE", "The table of statements without --table", 1, 1, {}, &Shell::use},
  };
  return all;
}

Outcome<void> Shell::help(const Given& given) {
  const std::string pattern = given.words.empty() ? "" : given.words.front();
  const auto print = [&](std::string_view usage, std::string_view help) {
    const std::string line = fmt::format("{}  {}", usage, help);
    if (line.find(pattern) != line.npos) out_->line(line);
  };
  for (const auto* commands : {&statements(), &dot_commands()}) {
    for (const Command& command : *commands) print(usage(command), command.help);
    if (commands == &statements()) print("explain STATEMENT", "What the statement would cost; it changes nothing");
  }
  return {};
}

Outcome<void> Shell::switched(const Given& given, bool& what) {
  const std::string& word = given.words.front();
  if (word != "on" && word != "off") return wrong_usage(fmt::format("'{}' is neither on nor off", word));
  what = word == "on";
  return {};
}

Outcome<void> Shell::timer(const Given& given) { return switched(given, timer_on_); }
Outcome<void> Shell::echo(const Given& given) { return switched(given, echo_on_); }
Outcome<void> Shell::bail(const Given& given) { return switched(given, settings_.bail); }

Outcome<void> Shell::headers(const Given& given) {
  bool on = false;
  PLIMSOLL_TRY(switched(given, on));
  headers_ = on;
  return {};
}

Outcome<void> Shell::mode(const Given& given) {
  if (given.words.empty()) return out_->line(word_of(modes, mode_)), Outcome<void>{};
  PLIMSOLL_ASSIGN(mode_, choose(modes, given.words.front(), ".mode"));
  return {};
}

Outcome<void> Shell::show_as(const Given& given) {
  PLIMSOLL_ASSIGN(encoding_, choose(encodings, given.words.front(), ".show-as"));
  return {};
}

Outcome<void> Shell::show(const Given&) {
  const auto on = [](bool value) { return value ? "on" : "off"; };
  out_->line(fmt::format("store: {}", escape(store_.path)));
  out_->line(fmt::format("table: {}", escape(table_)));
  out_->line(fmt::format("mode: {}", word_of(modes, mode_)));
  out_->line(fmt::format("show-as: {}", word_of(encodings, encoding_)));
  out_->line(fmt::format("headers: {}", headers_ ? on(*headers_) : "as usual for the mode"));
  out_->line(fmt::format("bail: {}, echo: {}, timer: {}", on(settings_.bail), on(echo_on_), on(timer_on_)));
  return {};
}

Outcome<void> Shell::tables(const Given&) {
  PLIMSOLL_TRY(need_store());
  return show_tables(*db_, *out_);
}

Outcome<void> Shell::stat(const Given& given) {
  PLIMSOLL_TRY(need_store());
  return show_statistics(*db_, given.has("--memory"), *out_);
}

Outcome<void> Shell::use(const Given& given) {
  if (given.words.front().empty()) return wrong_usage("a table's name is not empty");
  table_ = given.words.front();
  return {};
}

Outcome<void> Shell::transactions(const Given& given) {
  if (given.words.empty()) {
    for (const auto& [name, open] : open_) {
      out_->line(fmt::format("{} {}\t{}\t{}{}", name == current_ ? "*" : " ", escape(name), open.transaction.id().value,
                             open.isolation, open.read_only ? ", read-only" : ""));
    }
    return {};
  }
  const std::string& name = given.words.front();
  if (name == "off") {
    current_.clear();
  } else if (open_.contains(name)) {
    current_ = name;
  } else {
    return std::unexpected(
        Failure(Exit::not_found, "not_found", fmt::format("no open transaction '{}'", name), "`.txn` lists them"));
  }
  return {};
}

Outcome<void> Shell::output(const Given& given) {
  if (redirected_) {
    out_ = standard_;
    const auto written = redirected_->finish();
    redirected_.reset();
    file_.reset();
    PLIMSOLL_TRY(written);
  }
  if (given.words.empty()) return {};
  const std::string& path = given.words.front();
  file_.reset(std::fopen(path.c_str(), "we"));
  if (!file_) {
    return std::unexpected(
        Failure(Exit::failed, "io_error", fmt::format("cannot write the file '{}': {}", escape(path), std::strerror(errno))));
  }
  redirected_.emplace(file_.get());
  redirected_->set_json(settings_.json);
  out_ = &*redirected_;
  return {};
}

Outcome<void> Shell::import(const Given& given) {
  PLIMSOLL_TRY(need_store());
  PLIMSOLL_TRY(no_transaction(".import"));
  PLIMSOLL_ASSIGN(const Format format, choose(load_formats, given.value("--format").value_or("auto"), "--format"));
  LoadOptions load{.format = format, .csv = {.header = !given.has("--no-header")}};
  if (given.has("--key")) load.csv.key_columns = given.options.find("--key")->second;
  load.settings.default_table = given.words.size() == 2 ? given.words[1] : table_;
  load.settings.transaction = store_.writing();
  load.settings.create_tables = store_.may_create();
  PLIMSOLL_ASSIGN(const auto input, Input::open(given.words.front()));
  PLIMSOLL_ASSIGN(const std::uint64_t records, load_input(*db_, input, load));
  show_loaded(records, *out_);
  return {};
}

Outcome<void> Shell::dump(const Given& given) {
  PLIMSOLL_TRY(need_store());
  PLIMSOLL_ASSIGN(const Format format, choose(dump_formats, given.value("--format").value_or("jsonl"), "--format"));
  const bool all = given.words.empty();
  const auto writer =
      make_writer(format, {.encoding = encoding_ == Encoding::text ? Encoding::escaped : encoding_, .name_tables = all});
  // Of the current transaction, with what it has written, or of a snapshot of its own.
  std::optional<Transaction> own;
  if (current_.empty()) { PLIMSOLL_ASSIGN(own, db_->begin(options(false))); }
  Dumper dumper(own ? *own : open_.at(current_).transaction, *writer, *out_);
  if (all) return dump_all(*db_, dumper, format == Format::db_dump ? std::optional<Bytes>(default_table) : std::nullopt);
  const std::string& name = given.words.front();
  PLIMSOLL_ASSIGN(const Table into, table(name, false));
  return dumper.dump(into, name == default_table ? std::nullopt : std::optional<Bytes>(name), {});
}

Outcome<void> Shell::read(const Given& given) {
  const std::string& path = given.words.front();
  if (reading_ == reading_depth_max) return wrong_usage(fmt::format(".read '{}': files read one another too deeply", path));
  PLIMSOLL_ASSIGN(const auto input, Input::open(path));
  ++reading_;
  LineReader lines(input.file());
  std::optional<std::string> broken;
  while (!ended_) {
    const auto line = lines.next();
    if (!line) broken = line.error();
    if (!line || !*line) break;
    run_line(std::string(**line), fmt::format("{}:{}: ", path, lines.line_number()));
  }
  --reading_;
  if (broken) return std::unexpected(Failure(Exit::failed, "malformed_input", fmt::format("{}: {}", path, *broken)));
  return {};
}

Outcome<void> Shell::reopen(const Given& given) {
  PLIMSOLL_TRY(no_transaction(".open"));
  if (db_) {
    const auto closed = close_store(*db_);
    db_.reset();
    if (!closed) return std::unexpected(closed.error());
  }
  table_ = default_table;
  return open(given.words.front());
}

Outcome<void> Shell::quit(const Given& given) {
  if (!given.words.empty()) {
    const std::string& word = given.words.front();
    int status = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), status);
    if (error != std::errc{} || end != word.data() + word.size() || status < 0 || status > 255) {
      return wrong_usage(fmt::format(".exit: '{}' is no status of 0 to 255", word));
    }
    status_ = static_cast<Exit>(status);
    failed_ = false;
  }
  ended_ = true;
  return {};
}

}  // namespace plimsoll::cli
