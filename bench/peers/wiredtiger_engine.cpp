// WiredTiger's connection, sessions and transactions.
#include "bench/peers/wiredtiger_engine.hpp"

#include <fmt/core.h>

#include "base/check.hpp"

namespace plimsoll::bench {
namespace {

constexpr const char* table_uri = "table:rows";

}  // namespace

std::unexpected<Error> WiredtigerEngine::engine_error(int code, std::string_view what) {
  return fail(code == WT_ROLLBACK ? ErrorCode::conflict : ErrorCode::io_error, "wiredtiger: {}: {}", what,
              wiredtiger_strerror(code));
}

Result<std::unique_ptr<WiredtigerEngine>> WiredtigerEngine::open(const Settings& settings) {
  std::unique_ptr<WiredtigerEngine> engine(new WiredtigerEngine);
  const bool durable = settings.durability == Durability::durable;
  PLIMSOLL_TRY(engine->open_connection(settings, durable ? "enabled=true,method=fsync" : "enabled=true,method=none"));
  return engine;
}

Result<std::unique_ptr<WiredtigerBufferedEngine>> WiredtigerBufferedEngine::open(const Settings& settings) {
  std::unique_ptr<WiredtigerBufferedEngine> engine(new WiredtigerBufferedEngine);
  PLIMSOLL_TRY(engine->open_connection(settings, "enabled=false"));
  return engine;
}

Result<void> WiredtigerEngine::open_connection(const Settings& settings, std::string_view transaction_sync) {
  const std::string config = fmt::format(
      "create,cache_size={},session_max=1024,eviction=(threads_min=2,threads_max=4),checkpoint=(wait=60,log_size=1GB),"
      "log=(enabled=true,file_max=128MB),transaction_sync=({}){}",
      settings.memory_budget, transaction_sync, settings.direct_io ? ",direct_io=[data],buffer_alignment=4KB" : "");
  if (const int code = wiredtiger_open(settings.path.c_str(), nullptr, config.c_str(), &connection_); code != 0)
    return engine_error(code, "open");
  WT_SESSION* session = nullptr;
  if (const int code = connection_->open_session(connection_, nullptr, nullptr, &session); code != 0)
    return engine_error(code, "open session");
  const int created = session->create(session, table_uri, "key_format=u,value_format=u,leaf_page_max=8KB,internal_page_max=8KB");
  session->close(session, nullptr);
  if (created != 0) return engine_error(created, "create table");
  return {};
}

WiredtigerEngine::~WiredtigerEngine() {
  if (connection_ != nullptr) connection_->close(connection_, "leak_memory=true");
}

Result<std::unique_ptr<WiredtigerEngine::Session>> WiredtigerEngine::session() {
  WT_SESSION* session = nullptr;
  if (const int code = connection_->open_session(connection_, nullptr, "isolation=snapshot", &session); code != 0)
    return engine_error(code, "open session");
  WT_CURSOR* cursor = nullptr;
  if (const int code = session->open_cursor(session, table_uri, nullptr, "overwrite=true", &cursor); code != 0) {
    session->close(session, nullptr);
    return engine_error(code, "open cursor");
  }
  return std::make_unique<Session>(session, cursor);
}

Result<void> WiredtigerEngine::settle() {
  WT_SESSION* session = nullptr;
  if (const int code = connection_->open_session(connection_, nullptr, nullptr, &session); code != 0)
    return engine_error(code, "open session");
  const int code = session->checkpoint(session, nullptr);
  session->close(session, nullptr);
  if (code != 0) return engine_error(code, "checkpoint");
  return {};
}

Result<void> WiredtigerEngine::Session::begin(Access access) {
  PLIMSOLL_DCHECK(!explicit_);
  // A single operation outside of begin_transaction is a transaction by itself.
  if (access == Access::single_read || access == Access::single_write) return {};
  if (const int code = session_->begin_transaction(session_, nullptr); code != 0) return engine_error(code, "begin");
  explicit_ = true;
  return {};
}

Result<void> WiredtigerEngine::Session::commit() {
  const int code = explicit_ ? session_->commit_transaction(session_, nullptr) : cursor_->reset(cursor_);
  explicit_ = false;
  if (code != 0) return engine_error(code, "commit");
  return {};
}

void WiredtigerEngine::Session::abort() {
  if (explicit_) {
    session_->rollback_transaction(session_, nullptr);
  } else {
    cursor_->reset(cursor_);
  }
  explicit_ = false;
}

Result<void> WiredtigerEngine::Session::put(Bytes key, Bytes value) {
  WT_ITEM k = item(key);
  WT_ITEM v = item(value);
  cursor_->set_key(cursor_, &k);
  cursor_->set_value(cursor_, &v);
  if (const int code = cursor_->insert(cursor_); code != 0) return engine_error(code, "insert");
  return {};
}

}  // namespace plimsoll::bench
