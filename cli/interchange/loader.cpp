#include "interchange/loader.hpp"

#include <fmt/core.h>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "render/bytes.hpp"
#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

std::unexpected<Failure> malformed(std::string text) {
  return std::unexpected(Failure(Exit::failed, "malformed_input", std::move(text)));
}

// Puts "FILE:LINE: " in front of a failure, and says what of the input is in the store now. Any failure that a record causes is one
// of the input, not of the command line.
Failure at_line(Failure failure, const Input& input, const RecordReader& reader, const Loader& loader) {
  failure.message.insert(0, fmt::format("{}:{}: ", input.name(), reader.line()));
  if (failure.exit == Exit::wrong_usage) failure.exit = Exit::failed;
  if (failure.code == name(ErrorCode::commit_outcome_unknown)) {
    failure.message += fmt::format("; {} records before it are loaded, and whether {} more are is not known", loader.records_kept(),
                                   loader.records() - loader.records_kept());
  } else if (loader.records_kept() != 0) {
    failure.message += fmt::format("; {} records before it are loaded", loader.records_kept());
  } else {
    failure.message += "; nothing is loaded";
  }
  if (failure.hint.empty()) failure.hint = "`plimsoll load --help` describes the formats";
  return failure;
}

}  // namespace

Loader::~Loader() {
  unfinished_.reset();
  if (before_.active()) static_cast<void>(before_.abort());
  if (transaction_.active()) static_cast<void>(transaction_.abort());
  for (const std::string& name : created_) static_cast<void>(db_.drop_table(name));
}

Outcome<void> Loader::add(const Record& record) {
  PLIMSOLL_CHECK(record.key.has_value() == record.value.has_value());
  const std::string& name = record.table ? *record.table : settings_.default_table;
  PLIMSOLL_ASSIGN(const Table into, table(name));
  PLIMSOLL_TRY(begin());
  ++lines_;
  if (unfinished_ || record.more) {
    PLIMSOLL_TRY(add_part(into, name, record));
  } else if (record.key) {
    PLIMSOLL_TRY(check_unique(into, *record.key));
    PLIMSOLL_TRY(transaction_.put(into, *record.key, *record.value));
    ++records_;
  }
  const bool full = settings_.lines_per_transaction != 0 && lines_ >= settings_.lines_per_transaction;
  if (full && !unfinished_) return commit();
  return {};
}

Outcome<void> Loader::add_part(Table into, const std::string& name, const Record& record) {
  if (!unfinished_) {
    PLIMSOLL_CHECK(record.more && record.key);
    PLIMSOLL_TRY(check_unique(into, *record.key));
    PLIMSOLL_ASSIGN(auto writer, transaction_.open_writer(into, *record.key));
    unfinished_.emplace(std::move(writer), name, *record.key);
  } else if (!record.key || *record.key != unfinished_->key || name != unfinished_->table) {
    return malformed(fmt::format("the value of key '{}' goes on here ('more' in the line before), but this is another record",
                                 escape(unfinished_->key)));
  }
  PLIMSOLL_TRY(unfinished_->writer.write(*record.value));
  if (record.more) return {};
  PLIMSOLL_TRY(unfinished_->writer.finish());
  unfinished_.reset();
  ++records_;
  return {};
}

Outcome<void> Loader::finish() {
  if (unfinished_) return malformed(fmt::format("the input ends within the value of key '{}'", escape(unfinished_->key)));
  if (lines_ != 0) return commit();
  PLIMSOLL_DCHECK(records_ == records_kept_);
  created_.clear();
  return {};
}

// Not whether it is active: one that was killed must fail, not be replaced.
Outcome<void> Loader::begin() {
  if (lines_ != 0) return {};
  if (settings_.unique_keys && !before_.active()) {
    TransactionOptions options = settings_.transaction;
    options.read_only = true;
    PLIMSOLL_ASSIGN(before_, db_.begin(options));
  }
  PLIMSOLL_ASSIGN(transaction_, db_.begin(settings_.transaction));
  return {};
}

// Nobody else writes meanwhile: what was changed since the load began, this load has changed.
Outcome<void> Loader::check_unique(Table into, const std::string& key) {
  if (!settings_.unique_keys || key.empty()) return {};  // put refuses the empty key
  PLIMSOLL_ASSIGN(const bool brought, before_.superseded(into, key));
  if (!brought) return {};
  return malformed(fmt::format("the key '{}' is there twice", escape(key)));
}

Outcome<void> Loader::commit() {
  PLIMSOLL_CHECK(!unfinished_);
  PLIMSOLL_TRY(transaction_.commit());
  PLIMSOLL_DCHECK(!transaction_.active());
  lines_ = 0;
  records_kept_ = records_;
  created_.clear();
  return {};
}

Outcome<Table> Loader::table(const std::string& name) {
  if (const auto known = tables_.find(name); known != tables_.end()) return known->second;
  auto opened = db_.open_table(name);
  if (!opened && opened.error().code() == ErrorCode::not_found && settings_.create_tables) {
    opened = db_.open_table(name, {.create_if_missing = true});
    if (opened) created_.push_back(name);
  }
  if (!opened) return std::unexpected(Failure(opened.error()));
  tables_.emplace(name, *opened);
  return *opened;
}

Outcome<std::uint64_t> load_input(Database& db, const Input& input, const LoadOptions& options) {
  const Format format = options.format == Format::automatic ? recognize(input.file(), input.name()) : options.format;
  Loader::Settings settings = options.settings;
  settings.unique_keys = format != Format::jsonl;
  Loader loader(db, std::move(settings));
  const auto reader = make_reader(format, input.file(), options.csv);
  Progress progress("loading", input.size());
  const auto fail_here = [&](Failure failure) { return std::unexpected(at_line(std::move(failure), input, *reader, loader)); };
  for (;;) {
    auto record = reader->next();
    if (!record) return fail_here(Failure(Exit::failed, "malformed_input", std::move(record.error())));
    if (!*record) break;
    if (auto added = loader.add(**record); !added) return fail_here(std::move(added.error()));
    progress.update(reader->bytes_read(), loader.records());
  }
  if (auto finished = loader.finish(); !finished) return fail_here(std::move(finished.error()));
  PLIMSOLL_CHECK(loader.records_kept() == loader.records());
  return loader.records();
}

}  // namespace plimsoll::cli
