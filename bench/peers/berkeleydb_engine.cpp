// Berkeley DB's environment, table and transactions.
#include "bench/peers/berkeleydb_engine.hpp"

#include "base/check.hpp"

namespace plimsoll::bench {

std::unexpected<Error> BerkeleydbEngine::engine_error(int code, std::string_view what) {
  const bool retry = code == DB_LOCK_DEADLOCK || code == DB_LOCK_NOTGRANTED;
  return fail(retry ? ErrorCode::deadlock : ErrorCode::io_error, "berkeleydb: {}: {}", what, db_strerror(code));
}

Result<std::unique_ptr<BerkeleydbEngine>> BerkeleydbEngine::open(const Settings& settings) {
  std::unique_ptr<BerkeleydbEngine> engine(new BerkeleydbEngine);
  PLIMSOLL_TRY(engine->open_store(settings, DB_TXN_WRITE_NOSYNC));
  return engine;
}

Result<std::unique_ptr<BerkeleydbBufferedEngine>> BerkeleydbBufferedEngine::open(const Settings& settings) {
  std::unique_ptr<BerkeleydbBufferedEngine> engine(new BerkeleydbBufferedEngine);
  PLIMSOLL_TRY(engine->open_store(settings, DB_TXN_NOSYNC));
  return engine;
}

Result<void> BerkeleydbEngine::open_store(const Settings& settings, u_int32_t relaxed_flag) {
  snapshots_ = settings.snapshots;
  PLIMSOLL_TRY(open_environment(settings, relaxed_flag));
  PLIMSOLL_TRY(open_table(settings));
  checkpoints_ = std::jthread([this](const std::stop_token& stop) { take_checkpoints(stop); });
  return {};
}

void BerkeleydbEngine::take_checkpoints(const std::stop_token& stop) {
  static constexpr u_int32_t log_kib = 64 * 1024;
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    environment_->txn_checkpoint(environment_, log_kib, 0, 0);  // what fails shows in the next commit
  }
}

Result<void> BerkeleydbEngine::open_environment(const Settings& settings, u_int32_t relaxed_flag) {
  static constexpr u_int32_t locks_max = 200'000;  // a transaction that touches many pages holds one lock for each
  if (const int code = db_env_create(&environment_, 0); code != 0) return engine_error(code, "create environment");
  DB_ENV* env = environment_;
  const auto gigabytes = static_cast<u_int32_t>(settings.memory_budget / 1_GiB);
  const auto bytes = static_cast<u_int32_t>(settings.memory_budget % 1_GiB);
  int code = env->set_cachesize(env, gigabytes, bytes, 1);
  if (code == 0) code = env->set_lg_bsize(env, 8_MiB);
  if (code == 0) code = env->set_lg_max(env, 64_MiB);
  if (code == 0) code = env->set_lk_max_locks(env, locks_max);
  if (code == 0) code = env->set_lk_max_objects(env, locks_max);
  if (code == 0) code = env->set_lk_max_lockers(env, 4096);
  if (code == 0) code = env->set_tx_max(env, 4096);
  if (code == 0) code = env->set_lk_detect(env, DB_LOCK_DEFAULT);
  if (code == 0) code = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
  if (code == 0 && settings.durability == Durability::relaxed) code = env->set_flags(env, relaxed_flag, 1);
  if (code != 0) return engine_error(code, "configure");
  static constexpr u_int32_t subsystems = DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN;
  code = env->open(env, settings.path.c_str(), subsystems | DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_THREAD, 0644);
  if (code != 0) return engine_error(code, "open environment");
  return {};
}

Result<void> BerkeleydbEngine::open_table(const Settings& settings) {
  if (const int code = db_create(&table_, environment_, 0); code != 0) return engine_error(code, "create table");
  const u_int32_t versions = settings.snapshots ? DB_MULTIVERSION : 0;
  const int code =
      table_->open(table_, nullptr, "rows.db", nullptr, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT | DB_THREAD | versions, 0644);
  if (code != 0) return engine_error(code, "open table");
  return {};
}

BerkeleydbEngine::~BerkeleydbEngine() {
  checkpoints_ = {};
  if (table_ != nullptr) table_->close(table_, DB_NOSYNC);  // the log has it
  if (environment_ != nullptr) environment_->close(environment_, 0);
}

Result<void> BerkeleydbEngine::settle() {
  if (const int code = environment_->txn_checkpoint(environment_, 0, 0, DB_FORCE); code != 0)
    return engine_error(code, "checkpoint");
  return {};
}

Result<void> BerkeleydbEngine::Session::begin(Access access) {
  PLIMSOLL_DCHECK(transaction_ == nullptr);
  u_int32_t flags = 0;
  if (access == Access::snapshot) flags = engine_.snapshots_ ? DB_TXN_SNAPSHOT : DB_READ_COMMITTED;
  if (access == Access::single_read) flags = DB_READ_COMMITTED;  // one get sees one version anyway, and keeps no lock
  if (access == Access::bulk_load) flags = DB_TXN_NOSYNC | DB_TXN_BULK;
  const int code = engine_.environment_->txn_begin(engine_.environment_, nullptr, &transaction_, flags);
  if (code != 0) return engine_error(code, "begin");
  return {};
}

Result<void> BerkeleydbEngine::Session::commit() {
  PLIMSOLL_DCHECK(transaction_ != nullptr);
  DB_TXN* transaction = transaction_;
  transaction_ = nullptr;
  if (const int code = transaction->commit(transaction, 0); code != 0) return engine_error(code, "commit");
  return {};
}

void BerkeleydbEngine::Session::abort() {
  if (transaction_ != nullptr) transaction_->abort(transaction_);
  transaction_ = nullptr;
}

Result<void> BerkeleydbEngine::Session::put(Bytes key, Bytes value) {
  DBT k = view(key);
  DBT v = view(value);
  if (const int code = engine_.table_->put(engine_.table_, transaction_, &k, &v, 0); code != 0) return engine_error(code, "put");
  return {};
}

}  // namespace plimsoll::bench
