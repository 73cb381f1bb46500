// Adapter for RocksDB 7.8 (log-structured merge tree). Configuration as its tuning guide advises: memtables are charged to
// the block cache, which is as large as the budget (WriteBufferManager), full filters of 10 bits a key, hash index in data blocks,
// recycled write-ahead log files, loads without the log and then compacted, direct I/O on request. Values cannot be compressed, so
// compression is off. Single puts and single gets go to the database itself; transactions are pessimistic: what they will write
// they lock when they read it. relaxed = written to the log file, not synced. "rocksdb_buffered" leaves the log in the process
// until its buffer of 1 MiB is full (manual_wal_flush).
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"

namespace plimsoll::bench {

class RocksdbEngine {
 public:
  static constexpr std::string_view name = "rocksdb";

  class Session {
   public:
    explicit Session(RocksdbEngine& engine) : engine_(engine) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { abort(); }

    Result<void> begin(Access access);
    Result<void> commit();
    void abort();

    template <class Visit>
    Result<bool> get(Bytes key, Visit visit) {
      value_.Reset();
      return visited(in_transaction_ ? transaction_->Get(read_options_, engine_.table_, slice(key), &value_)
                                     : engine_.database_->Get(read_options_, engine_.table_, slice(key), &value_),
                     visit);
    }
    template <class Visit>
    Result<bool> get_to_update(Bytes key, Visit visit) {
      value_.Reset();
      return visited(transaction_->GetForUpdate(read_options_, engine_.table_, slice(key), &value_), visit);
    }
    template <class Visit>
    Result<std::size_t> multi_get(std::span<const Bytes> keys, Visit visit) {
      keys_.clear();
      for (Bytes key : keys) keys_.push_back(slice(key));
      values_.resize(keys.size());
      statuses_.resize(keys.size());
      engine_.database_->MultiGet(read_options_, engine_.table_, keys.size(), keys_.data(), values_.data(), statuses_.data());
      std::size_t found = 0;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!statuses_[i].ok() && !statuses_[i].IsNotFound()) return engine_error(statuses_[i]);
        if (statuses_[i].ok()) visit(Bytes(values_[i].data(), values_[i].size()));
        found += statuses_[i].ok() ? 1 : 0;
        values_[i].Reset();
      }
      return found;
    }
    template <class Visit>
    Result<void> scan(Visit visit) {
      std::unique_ptr<rocksdb::Iterator> at(engine_.database_->NewIterator(read_options_, engine_.table_));
      at->SeekToFirst();
      while (at->Valid() && visit(at->key().ToStringView(), at->value().ToStringView())) at->Next();
      if (!at->status().ok()) return engine_error(at->status());
      return {};
    }
    Result<void> put(Bytes key, Bytes value);

   private:
    static rocksdb::Slice slice(Bytes b) { return {b.data(), b.size()}; }
    template <class Visit>
    Result<bool> visited(const rocksdb::Status& status, Visit visit) {
      if (status.IsNotFound()) return false;
      if (!status.ok()) return engine_error(status);
      visit(Bytes(value_.data(), value_.size()));
      return true;
    }

    RocksdbEngine& engine_;
    Access access_ = Access::single_read;
    rocksdb::ReadOptions read_options_;
    std::unique_ptr<rocksdb::Transaction> transaction_;  // its memory is used again
    bool in_transaction_ = false;
    rocksdb::WriteBatch batch_;
    rocksdb::PinnableSlice value_;
    std::vector<rocksdb::Slice> keys_;
    std::vector<rocksdb::PinnableSlice> values_;
    std::vector<rocksdb::Status> statuses_;
  };

  static Result<std::unique_ptr<RocksdbEngine>> open(const Settings& settings);
  RocksdbEngine(const RocksdbEngine&) = delete;
  RocksdbEngine& operator=(const RocksdbEngine&) = delete;
  ~RocksdbEngine();
  Result<std::unique_ptr<Session>> session() { return std::make_unique<Session>(*this); }
  Result<void> settle();

 protected:
  enum class Log : std::uint8_t { written, buffered };
  RocksdbEngine() = default;
  Result<void> open_database(const Settings& settings, Log log);

 private:
  static std::unexpected<Error> engine_error(const rocksdb::Status& status);

  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::TransactionDB* transactions_ = nullptr;  // database_, if it was opened with transactions
  rocksdb::ColumnFamilyHandle* table_ = nullptr;
  rocksdb::WriteOptions write_options_;
};

class RocksdbBufferedEngine : public RocksdbEngine {
 public:
  static constexpr std::string_view name = "rocksdb_buffered";
  static Result<std::unique_ptr<RocksdbBufferedEngine>> open(const Settings& settings);
};

}  // namespace plimsoll::bench
