#include "capi/options.hpp"

#include <algorithm>

#include "capi/call.hpp"
#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

using std::chrono::milliseconds;

// The choices of the C enumerations, by their number.
constexpr IoBackend backends[] = {IoBackend::automatic, IoBackend::uring, IoBackend::plain};
constexpr Isolation isolations[] = {Isolation::snapshot, Isolation::read_committed, Isolation::repeatable_read,
                                    Isolation::serializable};
constexpr Durability durabilities[] = {Durability::durable, Durability::relaxed};

template <class T, std::size_t n>
Result<T> choose(const T (&choices)[n], std::int32_t number, const char* what) {
  if (number < 0 || static_cast<std::size_t>(number) >= n)
    return fail(ErrorCode::invalid_argument, "{} is {}: 0 .. {} are allowed", what, number, n - 1);
  return choices[number];
}

template <class T, std::size_t n>
std::int32_t number_of(const T (&choices)[n], T choice) {
  return static_cast<std::int32_t>(std::find(choices, choices + n, choice) - choices);
}

std::int64_t from_duration(milliseconds time) { return time.count() == 0 ? PLIMSOLL_NO_DEADLINE : time.count(); }

template <class To>
void set_unless_zero(To& to, std::uint64_t given) {
  if (given != 0) to = static_cast<To>(given);
}

void set_sizes(const plimsoll_options& from, Options& to) {
  set_unless_zero(to.memory_budget, from.memory_budget);
  set_unless_zero(to.page_size, from.page_size);
  set_unless_zero(to.max_transactions, from.max_transactions);
  set_unless_zero(to.log_segment_bytes, from.log_segment_bytes);
  to.log_bytes_max = from.log_bytes_max;
  to.log_ring_bytes = from.log_ring_bytes;
}

Result<void> set_durations(const plimsoll_options& from, Options& to) {
  PLIMSOLL_ASSIGN(to.transaction_deadline,
                  to_duration(from.transaction_deadline_ms, to.transaction_deadline, "options->transaction_deadline_ms"));
  PLIMSOLL_ASSIGN(to.lock_deadline, to_duration(from.lock_deadline_ms, to.lock_deadline, "options->lock_deadline_ms"));
  PLIMSOLL_ASSIGN(to.memory_deadline, to_duration(from.memory_deadline_ms, to.memory_deadline, "options->memory_deadline_ms"));
  if (from.retention_ms < 0) return fail(ErrorCode::invalid_argument, "options->retention_ms is {}", from.retention_ms);
  to.retention = milliseconds(from.retention_ms);
  return {};
}

}  // namespace

Result<milliseconds> to_duration(std::int64_t ms, milliseconds otherwise, const char* what) {
  if (ms == 0) return otherwise;
  if (ms == PLIMSOLL_NO_DEADLINE) return milliseconds(0);
  if (ms < 0) return fail(ErrorCode::invalid_argument, "{} is {}: 0, -1 and positive numbers are allowed", what, ms);
  return milliseconds(ms);
}

Result<Options> to_options(const plimsoll_options* given) {
  PLIMSOLL_ASSIGN(const plimsoll_options from, read_sized(given, "options"));
  constexpr std::uint64_t known = PLIMSOLL_OPEN_EXISTING | PLIMSOLL_OPEN_NEW | PLIMSOLL_FOLLOW_CONTAINER_LIMIT |
                                  PLIMSOLL_NO_BACKGROUND_THREADS | PLIMSOLL_NO_CONTROL_SOCKET;
  PLIMSOLL_TRY(check_flags(from.flags, known, "options->flags"));
  Options to;
  to.create_if_missing = (from.flags & PLIMSOLL_OPEN_EXISTING) == 0;
  to.error_if_exists = (from.flags & PLIMSOLL_OPEN_NEW) != 0;
  to.follow_container_limit = (from.flags & PLIMSOLL_FOLLOW_CONTAINER_LIMIT) != 0;
  to.background_threads = (from.flags & PLIMSOLL_NO_BACKGROUND_THREADS) == 0;
  to.control_socket = (from.flags & PLIMSOLL_NO_CONTROL_SOCKET) == 0;
  if (!to.create_if_missing && to.error_if_exists)
    return fail(ErrorCode::invalid_argument, "options->flags ask for an existing store and for a new one");
  PLIMSOLL_ASSIGN(to.io_backend, choose(backends, from.io_backend, "options->io_backend"));
  set_sizes(from, to);
  PLIMSOLL_TRY(set_durations(from, to));
  return to;
}

Result<TransactionOptions> to_options(const plimsoll_txn_options* given) {
  PLIMSOLL_ASSIGN(const plimsoll_txn_options from, read_sized(given, "options"));
  PLIMSOLL_TRY(check_flags(from.flags, PLIMSOLL_TXN_READ_ONLY | PLIMSOLL_TXN_WITH_POSITION, "options->flags"));
  TransactionOptions to;
  PLIMSOLL_ASSIGN(to.isolation, choose(isolations, from.isolation, "options->isolation"));
  PLIMSOLL_ASSIGN(to.durability, choose(durabilities, from.durability, "options->durability"));
  to.read_only = (from.flags & PLIMSOLL_TXN_READ_ONLY) != 0;
  to.with_position = (from.flags & PLIMSOLL_TXN_WITH_POSITION) != 0;
  if (from.deadline_ms != 0) { PLIMSOLL_ASSIGN(to.deadline, to_duration(from.deadline_ms, {}, "options->deadline_ms")); }
  if (from.lock_deadline_ms != 0) {
    PLIMSOLL_ASSIGN(to.lock_deadline, to_duration(from.lock_deadline_ms, {}, "options->lock_deadline_ms"));
  }
  if (from.as_of != 0) to.as_of = Timestamp{from.as_of};
  to.memory_bytes_max = from.memory_bytes_max;
  to.written_bytes_max = from.written_bytes_max;
  if (from.label != nullptr) to.label = from.label;
  return to;
}

plimsoll_options from_options(const Options& options) {
  plimsoll_options to{};
  to.memory_budget = options.memory_budget;
  to.page_size = options.page_size;
  const auto set_flag = [&](bool is_set, std::uint64_t flag) { to.flags |= is_set ? flag : 0; };
  set_flag(!options.create_if_missing, PLIMSOLL_OPEN_EXISTING);
  set_flag(options.error_if_exists, PLIMSOLL_OPEN_NEW);
  set_flag(options.follow_container_limit, PLIMSOLL_FOLLOW_CONTAINER_LIMIT);
  set_flag(!options.background_threads, PLIMSOLL_NO_BACKGROUND_THREADS);
  set_flag(!options.control_socket, PLIMSOLL_NO_CONTROL_SOCKET);
  to.io_backend = number_of(backends, options.io_backend);
  to.max_transactions = options.max_transactions;
  to.log_bytes_max = options.log_bytes_max;
  to.log_segment_bytes = options.log_segment_bytes;
  to.log_ring_bytes = options.log_ring_bytes;
  to.transaction_deadline_ms = from_duration(options.transaction_deadline);
  to.lock_deadline_ms = from_duration(options.lock_deadline);
  to.memory_deadline_ms = from_duration(options.memory_deadline);
  to.retention_ms = options.retention.count();
  return to;
}

plimsoll_txn_options from_options(const TransactionOptions& options) {
  plimsoll_txn_options to{};
  to.isolation = number_of(isolations, options.isolation);
  to.durability = number_of(durabilities, options.durability);
  to.memory_bytes_max = options.memory_bytes_max;
  to.written_bytes_max = options.written_bytes_max;
  return to;
}

}  // namespace plimsoll::capi
