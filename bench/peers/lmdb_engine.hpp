// Adapter for LMDB 0.9 (memory-mapped copy-on-write B-tree, one writer). Configuration as lmdb.h advises: read transactions are
// reset and renewed (MDB_NOTLS), no read-ahead for random access, MDB_APPEND for sorted loads.
// relaxed = MDB_NOSYNC: consistent after a process crash, not after a power failure on a file system that reorders writes.
// The memory budget bounds nothing here: the data lies in the page cache.
#pragma once

#include <lmdb.h>

#include <memory>
#include <string_view>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"

namespace plimsoll::bench {

class LmdbEngine {
 public:
  static constexpr std::string_view name = "lmdb";

  class Session {
   public:
    explicit Session(LmdbEngine& engine) : engine_(engine) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    Result<void> begin(Access access);
    Result<void> commit();
    void abort();

    template <class Visit>
    Result<bool> get(Bytes key, Visit visit) {
      MDB_val k = view(key);
      MDB_val v{};
      const int code = mdb_get(transaction_, engine_.table_, &k, &v);
      if (code == MDB_NOTFOUND) return false;
      if (code != 0) return engine_error(code, "get");
      visit(bytes(v));
      return true;
    }
    template <class Visit>
    Result<bool> get_to_update(Bytes key, Visit visit) {
      return get(key, visit);
    }  // the one writer needs no lock

    template <class Visit>
    Result<void> scan(Visit visit) {
      MDB_cursor* cursor = nullptr;
      if (const int code = mdb_cursor_open(transaction_, engine_.table_, &cursor); code != 0)
        return engine_error(code, "open cursor");
      MDB_val k{};
      MDB_val v{};
      int code = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
      while (code == 0 && visit(bytes(k), bytes(v))) code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
      mdb_cursor_close(cursor);
      if (code != 0 && code != MDB_NOTFOUND) return engine_error(code, "scan");
      return {};
    }
    Result<void> put(Bytes key, Bytes value);

   private:
    static MDB_val view(Bytes b) { return {b.size(), const_cast<char*>(b.data())}; }
    static Bytes bytes(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

    LmdbEngine& engine_;
    MDB_txn* reader_ = nullptr;       // kept between transactions
    MDB_txn* transaction_ = nullptr;  // the one that is open: reader_ or a writer
    unsigned put_flags_ = 0;
  };

  static Result<std::unique_ptr<LmdbEngine>> open(const Settings& settings);
  LmdbEngine(const LmdbEngine&) = delete;
  LmdbEngine& operator=(const LmdbEngine&) = delete;
  ~LmdbEngine();
  Result<std::unique_ptr<Session>> session() { return std::make_unique<Session>(*this); }
  Result<void> settle();

 protected:
  LmdbEngine() = default;
  Result<void> open_environment(const Settings& settings, unsigned flags);

 private:
  static std::unexpected<Error> engine_error(int code, std::string_view what);

  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
};

// LMDB with a writable map and no sync: its fastest mode. A crash of the machine can destroy the store.
class LmdbWritableMapEngine : public LmdbEngine {
 public:
  static constexpr std::string_view name = "lmdb_wm";
  static Result<std::unique_ptr<LmdbWritableMapEngine>> open(const Settings& settings);
};

}  // namespace plimsoll::bench
