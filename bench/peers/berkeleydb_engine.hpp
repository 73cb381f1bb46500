// Adapter for Berkeley DB 5.3 (B-tree, page locks, ARIES log). Configuration as its reference guide advises: private environment,
// cache of the budget's size, multi-version snapshots for readers, DB_RMW for reads before writes, deadlock detection at each
// conflict, and a thread that takes a checkpoint for every 64 MiB of log. Its usual builds have no direct I/O: data also lies in
// the page cache. relaxed = DB_TXN_WRITE_NOSYNC: the log record is written to the operating system at commit, not synced.
// "berkeleydb_buffered" leaves it in the log's buffer of 8 MiB (DB_TXN_NOSYNC).
#pragma once

#include <db.h>

#include <array>
#include <memory>
#include <string_view>
#include <thread>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"

namespace plimsoll::bench {

class BerkeleydbEngine {
 public:
  static constexpr std::string_view name = "berkeleydb";

  class Session {
   public:
    explicit Session(BerkeleydbEngine& engine) : engine_(engine) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { abort(); }

    Result<void> begin(Access access);
    Result<void> commit();
    void abort();

    template <class Visit>
    Result<bool> get(Bytes key, Visit visit) {
      return read(key, 0, visit);
    }
    template <class Visit>
    Result<bool> get_to_update(Bytes key, Visit visit) {
      return read(key, DB_RMW, visit);
    }

    template <class Visit>
    Result<void> scan(Visit visit) {
      DBC* cursor = nullptr;
      if (const int code = engine_.table_->cursor(engine_.table_, transaction_, &cursor, 0); code != 0)
        return engine_error(code, "cursor");
      DBT k{};
      DBT v{};
      int code = 0;
      while ((code = cursor->get(cursor, &k, &v, DB_NEXT)) == 0)
        if (!visit(bytes(k), bytes(v))) break;
      cursor->close(cursor);
      if (code != 0 && code != DB_NOTFOUND) return engine_error(code, "scan");
      return {};
    }
    Result<void> put(Bytes key, Bytes value);

   private:
    static DBT view(Bytes b) {
      DBT made{};
      made.data = const_cast<char*>(b.data());
      made.size = static_cast<u_int32_t>(b.size());
      return made;
    }
    static Bytes bytes(const DBT& v) { return {static_cast<const char*>(v.data), v.size}; }

    template <class Visit>
    Result<bool> read(Bytes key, u_int32_t flags, Visit visit) {
      DBT k = view(key);
      DBT v{};
      v.data = value_.data();
      v.ulen = static_cast<u_int32_t>(value_.size());
      v.flags = DB_DBT_USERMEM;
      const int code = engine_.table_->get(engine_.table_, transaction_, &k, &v, flags);
      if (code == DB_NOTFOUND) return false;
      if (code != 0) return engine_error(code, "get");
      visit(bytes(v));
      return true;
    }

    BerkeleydbEngine& engine_;
    DB_TXN* transaction_ = nullptr;
    std::array<char, 4096> value_;  // values are smaller: data.hpp
  };

  static Result<std::unique_ptr<BerkeleydbEngine>> open(const Settings& settings);
  BerkeleydbEngine(const BerkeleydbEngine&) = delete;
  BerkeleydbEngine& operator=(const BerkeleydbEngine&) = delete;
  ~BerkeleydbEngine();
  Result<std::unique_ptr<Session>> session() { return std::make_unique<Session>(*this); }
  Result<void> settle();

 protected:
  BerkeleydbEngine() = default;
  Result<void> open_store(const Settings& settings, u_int32_t relaxed_flag);

 private:
  static std::unexpected<Error> engine_error(int code, std::string_view what);
  Result<void> open_environment(const Settings& settings, u_int32_t relaxed_flag);
  Result<void> open_table(const Settings& settings);
  void take_checkpoints(const std::stop_token& stop);

  DB_ENV* environment_ = nullptr;
  DB* table_ = nullptr;
  bool snapshots_ = false;
  std::jthread checkpoints_;
};

class BerkeleydbBufferedEngine : public BerkeleydbEngine {
 public:
  static constexpr std::string_view name = "berkeleydb_buffered";
  static Result<std::unique_ptr<BerkeleydbBufferedEngine>> open(const Settings& settings);
};

}  // namespace plimsoll::bench
