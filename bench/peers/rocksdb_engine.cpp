// RocksDB's options, transactions and write batches.
#include "bench/peers/rocksdb_engine.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/check.hpp"

namespace plimsoll::bench {
namespace {

rocksdb::Options options_for(const Settings& settings) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.IncreaseParallelism(2);
  options.max_open_files = -1;
  options.compression = rocksdb::kNoCompression;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = std::min<std::size_t>(64_MiB, settings.memory_budget / 8);
  options.max_write_buffer_number = 3;
  options.recycle_log_file_num = 4;  // overwritten log blocks sync without a metadata write
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;  // recycling needs it
  options.enable_pipelined_write = !settings.transactional;
  options.use_direct_reads = settings.direct_io;
  options.use_direct_io_for_flush_and_compaction = settings.direct_io;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(settings.memory_budget);
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(settings.memory_budget / 2, table.block_cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.cache_index_and_filter_blocks = settings.direct_io;  // inside the budget when the data does not fit
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

std::unexpected<Error> RocksdbEngine::engine_error(const rocksdb::Status& status) {
  const bool retry = status.IsBusy() || status.IsTryAgain() || status.IsTimedOut();
  return fail(retry ? ErrorCode::conflict : ErrorCode::io_error, "rocksdb: {}", status.ToString());
}

Result<std::unique_ptr<RocksdbEngine>> RocksdbEngine::open(const Settings& settings) {
  std::unique_ptr<RocksdbEngine> engine(new RocksdbEngine);
  PLIMSOLL_TRY(engine->open_database(settings, Log::written));
  return engine;
}

Result<std::unique_ptr<RocksdbBufferedEngine>> RocksdbBufferedEngine::open(const Settings& settings) {
  std::unique_ptr<RocksdbBufferedEngine> engine(new RocksdbBufferedEngine);
  PLIMSOLL_TRY(engine->open_database(settings, Log::buffered));
  return engine;
}

Result<void> RocksdbEngine::open_database(const Settings& settings, Log log) {
  rocksdb::Options options = options_for(settings);
  options.manual_wal_flush = log == Log::buffered;
  rocksdb::DB* database = nullptr;
  if (settings.transactional) {
    const rocksdb::Status status = rocksdb::TransactionDB::Open(options, {}, settings.path, &transactions_);
    if (!status.ok()) return engine_error(status);
    database = transactions_;
  } else if (const rocksdb::Status status = rocksdb::DB::Open(options, settings.path, &database); !status.ok()) {
    return engine_error(status);
  }
  database_.reset(database);
  table_ = database->DefaultColumnFamily();
  write_options_.sync = settings.durability == Durability::durable;
  return {};
}

RocksdbEngine::~RocksdbEngine() {
  if (database_ != nullptr) database_->Close().PermitUncheckedError();
}

Result<void> RocksdbEngine::settle() {
  if (const auto status = database_->Flush({}); !status.ok()) return engine_error(status);
  if (const auto status = database_->CompactRange({}, nullptr, nullptr); !status.ok()) return engine_error(status);
  return {};
}

Result<void> RocksdbEngine::Session::begin(Access access) {
  PLIMSOLL_DCHECK(!in_transaction_ && read_options_.snapshot == nullptr);
  access_ = access;
  if (access == Access::snapshot) read_options_.snapshot = engine_.database_->GetSnapshot();
  if (access == Access::bulk_load) batch_.Clear();
  if (access == Access::read_write) {
    PLIMSOLL_CHECK(engine_.transactions_ != nullptr);
    transaction_.reset(engine_.transactions_->BeginTransaction(engine_.write_options_, {}, transaction_.release()));
    in_transaction_ = true;
  }
  return {};
}

Result<void> RocksdbEngine::Session::commit() {
  rocksdb::Status status;
  if (access_ == Access::bulk_load) {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    status = engine_.database_->Write(options, &batch_);
  } else if (in_transaction_) {
    status = transaction_->Commit();
  }
  if (!status.ok()) return engine_error(status);
  if (access_ == Access::snapshot) engine_.database_->ReleaseSnapshot(read_options_.snapshot);
  read_options_.snapshot = nullptr;
  in_transaction_ = false;
  return {};
}

void RocksdbEngine::Session::abort() {
  if (in_transaction_) transaction_->Rollback().PermitUncheckedError();
  if (!in_transaction_ && read_options_.snapshot != nullptr) engine_.database_->ReleaseSnapshot(read_options_.snapshot);
  read_options_.snapshot = nullptr;
  in_transaction_ = false;
}

Result<void> RocksdbEngine::Session::put(Bytes key, Bytes value) {
  const rocksdb::Status status = in_transaction_ ? transaction_->Put(engine_.table_, slice(key), slice(value))
                                 : access_ == Access::bulk_load
                                     ? batch_.Put(engine_.table_, slice(key), slice(value))
                                     : engine_.database_->Put(engine_.write_options_, engine_.table_, slice(key), slice(value));
  if (!status.ok()) return engine_error(status);
  return {};
}

}  // namespace plimsoll::bench
