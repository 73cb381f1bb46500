// Adapter for Plimsoll, over its public interface.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::bench {

class PlimsollEngine {
 public:
  static constexpr std::string_view name = "plimsoll";

  class Session {
   public:
    explicit Session(PlimsollEngine& engine) : engine_(engine) {}

    Result<void> begin(Access access);
    Result<void> commit() { return transaction_.commit(); }
    void abort();

    template <class Visit>
    Result<bool> get(Bytes key, Visit visit) {
      PLIMSOLL_ASSIGN(const std::optional<Value> value, transaction_.get(engine_.table_, key));
      if (!value) return false;
      visit(value->bytes());
      return true;
    }
    template <class Visit>
    Result<bool> get_to_update(Bytes key, Visit visit) {
      const bool locks = engine_.writes_.isolation == Isolation::read_committed;  // elsewhere the first updater wins
      PLIMSOLL_ASSIGN(const std::optional<Value> value,
                      locks ? transaction_.get_for_update(engine_.table_, key) : transaction_.get(engine_.table_, key));
      if (!value) return false;
      visit(value->bytes());
      return true;
    }
    template <class Visit>
    Result<std::size_t> multi_get(std::span<const Bytes> keys, Visit visit) {
      values_.resize(keys.size());
      PLIMSOLL_TRY(transaction_.multi_get(engine_.table_, keys, std::span(values_)));
      std::size_t found = 0;
      for (std::optional<Value>& value : values_) {
        if (!value) continue;
        visit(value->bytes());
        ++found;
        value.reset();
      }
      return found;
    }
    template <class Visit>
    Result<void> scan(Visit visit) {
      PLIMSOLL_ASSIGN(Cursor cursor, transaction_.cursor(engine_.table_));
      while (true) {
        PLIMSOLL_ASSIGN(const bool more, cursor.next());
        if (!more) return {};
        std::optional<Value> large;  // a cursor does not hand these out
        if (cursor.large()) { PLIMSOLL_ASSIGN(large, transaction_.get(engine_.table_, cursor.key())); }
        if (!visit(cursor.key(), large ? large->bytes() : cursor.value())) return {};
      }
    }
    Result<void> put(Bytes key, Bytes value) { return transaction_.put(engine_.table_, key, value); }
    Result<void> commit_async(void (*done)(void* context, Result<void> outcome), void* context) {
      return transaction_.commit_async(done, context);
    }

   private:
    PlimsollEngine& engine_;
    Transaction transaction_;
    std::vector<std::optional<Value>> values_;
  };

  static Result<std::unique_ptr<PlimsollEngine>> open(const Settings& settings);
  Result<std::unique_ptr<Session>> session() { return std::make_unique<Session>(*this); }
  Result<void> settle() { return database_.checkpoint(); }

  // What only Plimsoll reports.
  std::uint64_t version_bytes() const;
  RecoveryReport recovery_report() const { return database_.recovery_report(); }
  void add_facts(nlohmann::ordered_json& facts) const;
  Result<void> start_backup(const std::string& file);
  Result<bool> backup_runs();
  static Result<std::uint64_t> rows_in_backup(const std::string& file);

 private:
  PlimsollEngine(Database database, Table table, const Settings& settings);

  Database database_;
  Table table_;
  TransactionOptions reads_;
  TransactionOptions writes_;
  TransactionOptions loads_;
};

}  // namespace plimsoll::bench
