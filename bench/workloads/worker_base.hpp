// What all workers share: their session, their picker of rows, and the sum of what they read.
#pragma once

#include <memory>
#include <vector>

#include "bench/workloads/engine.hpp"
#include "bench/workloads/load.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class WorkerBase {
 public:
  WorkerBase(E& engine, const Settings& settings, unsigned thread)
      : settings_(settings),
        rows_(settings.distribution, settings.keys, settings.seed * 1'000'003 + thread),
        engine_(engine),
        value_(settings.value_bytes) {}

  Result<void> begin() {
    PLIMSOLL_ASSIGN(session_, engine_.session());
    return {};
  }
  void abort() { session_->abort(); }
  std::uint64_t sum() const { return sum_; }

  static void fill(std::span<char> out, std::uint64_t number) { fill_value(out, number, 0); }
  static Result<void> verify(E& engine, const Settings& settings) { return verify_rows(engine, settings); }

 protected:
  // Reads one row that must be there.
  Result<void> read(std::uint64_t number) {
    PLIMSOLL_ASSIGN(const bool found, session_->get(Key(number).bytes(), [this](Bytes value) { sum_ += sum_of(value); }));
    if (!found) return fail(ErrorCode::corruption, "row {} is missing", number);
    return {};
  }
  Bytes new_value(std::uint64_t number) {
    fill_value(std::span<char>(value_), number, rows_.random().next());
    return {value_.data(), value_.size()};
  }

  Settings settings_;
  RowPicker rows_;
  std::unique_ptr<typename E::Session> session_;
  std::uint64_t sum_ = 0;

 private:
  E& engine_;
  std::vector<char> value_;
};

}  // namespace plimsoll::bench
