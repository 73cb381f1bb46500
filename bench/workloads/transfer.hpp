// transfer: moves a random amount between two of the accounts: reads two, updates two. The sum of all balances never changes; it is
// checked in one snapshot at the end. An account's value is its balance (8 bytes, signed), then bytes of its row.
#pragma once

#include <utility>

#include "bench/workloads/worker_base.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class TransferWorker : public WorkerBase<E> {
 public:
  using WorkerBase<E>::WorkerBase;
  static constexpr unsigned sample_every = 4;
  static constexpr std::int64_t first_balance = 1000;

  Result<std::uint64_t> step() {
    std::uint64_t low = this->rows_.next();
    std::uint64_t high = this->rows_.next();
    if (low == high) high = (low + 1) % this->settings_.keys;
    if (low > high) std::swap(low, high);  // one order for all: engines that lock do not deadlock
    const auto amount = static_cast<std::int64_t>(this->rows_.random().below(100)) - 50;
    PLIMSOLL_TRY(this->session_->begin(Access::read_write));
    PLIMSOLL_ASSIGN(const std::int64_t low_balance, balance(low));
    PLIMSOLL_ASSIGN(const std::int64_t high_balance, balance(high));
    PLIMSOLL_TRY(store(low, low_balance - amount));
    PLIMSOLL_TRY(store(high, high_balance + amount));
    PLIMSOLL_TRY(this->session_->commit());
    return 1;
  }

  static void fill(std::span<char> out, std::uint64_t number) { make_account(out, number, first_balance); }

  static Result<void> verify(E& engine, const Settings& settings) {
    PLIMSOLL_ASSIGN(auto session, engine.session());
    PLIMSOLL_TRY(session->begin(Access::snapshot));
    std::uint64_t accounts = 0;
    std::int64_t total = 0;
    PLIMSOLL_TRY(session->scan([&](Bytes, Bytes value) {
      ++accounts;
      total += balance_in(value);
      return true;
    }));
    PLIMSOLL_TRY(session->commit());
    const auto expected = static_cast<std::int64_t>(settings.keys) * first_balance;
    if (accounts != settings.keys || total != expected)
      return fail(ErrorCode::corruption, "{} accounts hold {} in all instead of {} and {}", accounts, total, settings.keys,
                  expected);
    return {};
  }

 private:
  static void make_account(std::span<char> out, std::uint64_t number, std::int64_t balance) {
    fill_value(out, number, static_cast<std::uint64_t>(balance));
    std::memcpy(out.data(), &balance, sizeof balance);
  }
  static std::int64_t balance_in(Bytes value) {
    PLIMSOLL_CHECK(value.size() >= value_bytes_min);
    std::int64_t balance = 0;
    std::memcpy(&balance, value.data(), sizeof balance);
    return balance;
  }

  Result<std::int64_t> balance(std::uint64_t number) {
    std::int64_t found_balance = 0;
    PLIMSOLL_ASSIGN(const bool found, this->session_->get_to_update(Key(number).bytes(), [&](Bytes value) {
      this->sum_ += sum_of(value);
      found_balance = balance_in(value);
    }));
    if (!found) return fail(ErrorCode::corruption, "account {} is missing", number);
    return found_balance;
  }
  Result<void> store(std::uint64_t number, std::int64_t balance) {
    buffer_.resize(this->settings_.value_bytes);
    make_account(std::span<char>(buffer_), number, balance);
    return this->session_->put(Key(number).bytes(), {buffer_.data(), buffer_.size()});
  }

  std::vector<char> buffer_;
};

}  // namespace plimsoll::bench
