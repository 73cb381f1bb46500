#include "interchange/loader.hpp"

#include <fmt/core.h>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

std::unexpected<Failure> malformed(std::string text) {
  return std::unexpected(Failure(Exit::failed, "malformed_input", std::move(text)));
}

}  // namespace

Loader::~Loader() {
  unfinished_.reset();
  if (transaction_.active()) static_cast<void>(transaction_.abort());
  for (const std::string& name : created_) static_cast<void>(db_.drop_table(name));
}

Outcome<void> Loader::add(const JsonlRecord& record) {
  PLIMSOLL_CHECK(record.key.has_value() == record.value.has_value());
  const std::string& name = record.table ? *record.table : settings_.default_table;
  PLIMSOLL_ASSIGN(const Table into, table(name));
  // Not whether it is active: one that was killed must fail, not be replaced.
  if (lines_ == 0) { PLIMSOLL_ASSIGN(transaction_, db_.begin(settings_.transaction)); }
  ++lines_;
  if (unfinished_ || record.more) {
    PLIMSOLL_TRY(add_part(into, name, record));
  } else if (record.key) {
    PLIMSOLL_TRY(transaction_.put(into, *record.key, *record.value));
    ++records_;
  }
  const bool full = settings_.lines_per_transaction != 0 && lines_ >= settings_.lines_per_transaction;
  if (full && !unfinished_) return commit();
  return {};
}

Outcome<void> Loader::add_part(Table into, const std::string& name, const JsonlRecord& record) {
  if (!unfinished_) {
    PLIMSOLL_CHECK(record.more && record.key);
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

}  // namespace plimsoll::cli
