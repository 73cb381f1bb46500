// Adapter for WiredTiger 3.2 (B-tree with in-memory update chains). Configuration as its documentation advises: log enabled, cached
// cursors, isolation snapshot, several eviction threads, a checkpoint each minute or 1 GiB of log, direct I/O for data on request.
// relaxed = the log record is written to the operating system at commit, not synced. "wiredtiger_buffered" leaves it in the
// process's buffers, as Plimsoll's relaxed commit does.
#pragma once

#include <wiredtiger.h>

#include <memory>
#include <string_view>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"

namespace plimsoll::bench {

class WiredtigerEngine {
 public:
  static constexpr std::string_view name = "wiredtiger";

  class Session {
   public:
    Session(WT_SESSION* session, WT_CURSOR* cursor) : session_(session), cursor_(cursor) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { session_->close(session_, nullptr); }

    Result<void> begin(Access access);
    Result<void> commit();
    void abort();

    template <class Visit>
    Result<bool> get(Bytes key, Visit visit) {
      WT_ITEM k = item(key);
      cursor_->set_key(cursor_, &k);
      const int code = cursor_->search(cursor_);
      if (code == WT_NOTFOUND) return false;
      if (code != 0) return engine_error(code, "search");
      WT_ITEM v{};
      if (const int read = cursor_->get_value(cursor_, &v); read != 0) return engine_error(read, "get_value");
      visit(bytes(v));
      return true;
    }
    template <class Visit>
    Result<bool> get_to_update(Bytes key, Visit visit) {
      return get(key, visit);
    }  // the first updater wins

    template <class Visit>
    Result<void> scan(Visit visit) {
      if (const int code = cursor_->reset(cursor_); code != 0) return engine_error(code, "reset");
      int code = 0;
      WT_ITEM k{};
      WT_ITEM v{};
      while ((code = cursor_->next(cursor_)) == 0) {
        if (const int read = cursor_->get_key(cursor_, &k); read != 0) return engine_error(read, "get_key");
        if (const int read = cursor_->get_value(cursor_, &v); read != 0) return engine_error(read, "get_value");
        if (!visit(bytes(k), bytes(v))) return {};
      }
      if (code != WT_NOTFOUND) return engine_error(code, "next");
      return {};
    }
    Result<void> put(Bytes key, Bytes value);

   private:
    static WT_ITEM item(Bytes b) {
      WT_ITEM made{};
      made.data = b.data();
      made.size = b.size();
      return made;
    }
    static Bytes bytes(const WT_ITEM& v) { return {static_cast<const char*>(v.data), v.size}; }

    WT_SESSION* session_;
    WT_CURSOR* cursor_;  // belongs to session_
    bool explicit_ = false;
  };

  static Result<std::unique_ptr<WiredtigerEngine>> open(const Settings& settings);
  WiredtigerEngine(const WiredtigerEngine&) = delete;
  WiredtigerEngine& operator=(const WiredtigerEngine&) = delete;
  ~WiredtigerEngine();
  Result<std::unique_ptr<Session>> session();
  Result<void> settle();

 protected:
  WiredtigerEngine() = default;
  Result<void> open_connection(const Settings& settings, std::string_view transaction_sync);

 private:
  static std::unexpected<Error> engine_error(int code, std::string_view what);
  WT_CONNECTION* connection_ = nullptr;
};

class WiredtigerBufferedEngine : public WiredtigerEngine {
 public:
  static constexpr std::string_view name = "wiredtiger_buffered";
  static Result<std::unique_ptr<WiredtigerBufferedEngine>> open(const Settings& settings);
};

}  // namespace plimsoll::bench
