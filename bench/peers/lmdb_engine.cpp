// LMDB's environment and transactions.
#include "bench/peers/lmdb_engine.hpp"

#include "base/check.hpp"

namespace plimsoll::bench {

std::unexpected<Error> LmdbEngine::engine_error(int code, std::string_view what) {
  return fail(ErrorCode::io_error, "lmdb: {}: {}", what, mdb_strerror(code));
}

Result<std::unique_ptr<LmdbEngine>> LmdbEngine::open(const Settings& settings) {
  std::unique_ptr<LmdbEngine> engine(new LmdbEngine);
  PLIMSOLL_TRY(engine->open_environment(settings, settings.durability == Durability::relaxed ? MDB_NOSYNC : 0));
  return engine;
}

Result<std::unique_ptr<LmdbWritableMapEngine>> LmdbWritableMapEngine::open(const Settings& settings) {
  std::unique_ptr<LmdbWritableMapEngine> engine(new LmdbWritableMapEngine);
  PLIMSOLL_TRY(engine->open_environment(settings, MDB_WRITEMAP | MDB_NOSYNC));
  return engine;
}

Result<void> LmdbEngine::open_environment(const Settings& settings, unsigned flags) {
  static constexpr std::size_t map_bytes = 64_GiB;  // address space only; the file grows as far as it is written
  static constexpr unsigned readers_max = 1024;
  if (const int code = mdb_env_create(&environment_); code != 0) return engine_error(code, "create environment");
  if (const int code = mdb_env_set_mapsize(environment_, map_bytes); code != 0) return engine_error(code, "set map size");
  if (const int code = mdb_env_set_maxreaders(environment_, readers_max); code != 0) return engine_error(code, "set readers");
  if (const int code = mdb_env_open(environment_, settings.path.c_str(), flags | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0644);
      code != 0)
    return engine_error(code, "open environment");
  MDB_txn* transaction = nullptr;
  if (const int code = mdb_txn_begin(environment_, nullptr, 0, &transaction); code != 0) return engine_error(code, "begin");
  if (const int code = mdb_dbi_open(transaction, nullptr, 0, &table_); code != 0) {
    mdb_txn_abort(transaction);
    return engine_error(code, "open table");
  }
  if (const int code = mdb_txn_commit(transaction); code != 0) return engine_error(code, "commit");
  return {};
}

LmdbEngine::~LmdbEngine() {
  if (environment_ != nullptr) mdb_env_close(environment_);
}

Result<void> LmdbEngine::settle() {
  if (const int code = mdb_env_sync(environment_, 1); code != 0) return engine_error(code, "sync");
  return {};
}

LmdbEngine::Session::~Session() {
  if (transaction_ != nullptr && transaction_ != reader_) mdb_txn_abort(transaction_);
  if (reader_ != nullptr) mdb_txn_abort(reader_);
}

Result<void> LmdbEngine::Session::begin(Access access) {
  PLIMSOLL_DCHECK(transaction_ == nullptr);
  const bool reads_only = access == Access::single_read || access == Access::snapshot;
  put_flags_ = access == Access::bulk_load ? MDB_APPEND : 0;
  const int code = !reads_only          ? mdb_txn_begin(engine_.environment_, nullptr, 0, &transaction_)
                   : reader_ != nullptr ? mdb_txn_renew(reader_)
                                        : mdb_txn_begin(engine_.environment_, nullptr, MDB_RDONLY, &reader_);
  if (code != 0) return engine_error(code, "begin");
  if (reads_only) transaction_ = reader_;
  return {};
}

Result<void> LmdbEngine::Session::commit() {
  PLIMSOLL_DCHECK(transaction_ != nullptr);
  MDB_txn* transaction = transaction_;
  transaction_ = nullptr;
  if (transaction == reader_) {
    mdb_txn_reset(reader_);
    return {};
  }
  if (const int code = mdb_txn_commit(transaction); code != 0) return engine_error(code, "commit");
  return {};
}

void LmdbEngine::Session::abort() {
  if (transaction_ == nullptr) return;
  if (transaction_ == reader_) {
    mdb_txn_reset(reader_);
  } else {
    mdb_txn_abort(transaction_);
  }
  transaction_ = nullptr;
}

Result<void> LmdbEngine::Session::put(Bytes key, Bytes value) {
  MDB_val k = view(key);
  MDB_val v = view(value);
  if (const int code = mdb_put(transaction_, engine_.table_, &k, &v, put_flags_); code != 0) return engine_error(code, "put");
  return {};
}

}  // namespace plimsoll::bench
