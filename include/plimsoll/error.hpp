// Errors are values. An Error is of fixed size, owns no memory, and is cheap to copy; its text is rendered on demand.
//
//   auto db = plimsoll::Database::open("shop.plim");
//   if (!db) { std::fputs(db.error().message().c_str(), stderr); return 1; }
//
// Thread-safe as any plain value.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace plimsoll {

// name, one-line meaning, may the same transaction simply be tried again?
#define PLIMSOLL_ERROR_CODES(X)                                                          \
  X(conflict, "another transaction changed the key first", true)                         \
  X(serialization_failure, "no serial order could explain this transaction", true)       \
  X(deadlock, "the transactions wait for each other in a cycle", true)                   \
  X(lock_timeout, "the lock deadline passed", true)                                      \
  X(transaction_timeout, "the transaction's deadline passed", true)                      \
  X(transaction_aborted, "the transaction has ended; it cannot be used any more", false) \
  X(snapshot_too_old, "a version that the snapshot needs is gone", true)                 \
  X(memory_budget_exceeded, "the memory budget cannot hold this", true)                  \
  X(too_many_transactions, "all transaction slots are taken", true)                      \
  X(log_full, "the log has no room", true)                                               \
  X(commit_outcome_unknown, "the log failed while this commit was in flight", false)     \
  X(read_only, "the store or the transaction cannot be written", false)                  \
  X(io_error, "the operating system reported an input/output error", false)              \
  X(no_space, "the disk is full", false)                                                 \
  X(corruption, "stored bytes are damaged", false)                                       \
  X(not_found, "no such thing", false)                                                   \
  X(already_exists, "it exists already", false)                                          \
  X(invalid_argument, "the call's arguments are wrong", false)                           \
  X(version_mismatch, "the store has another format version", false)                     \
  X(busy, "somebody else has it open", false)

enum class ErrorCode : std::uint8_t {
#define PLIMSOLL_X(name, meaning, retryable) name,
  PLIMSOLL_ERROR_CODES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

// The code's name, as it is written above.
std::string_view name(ErrorCode code) noexcept;
// One line that says what the code means.
std::string_view meaning(ErrorCode code) noexcept;
// True if the same transaction, begun again, may well succeed. Nothing else has to be changed first.
bool is_retryable(ErrorCode code) noexcept;

class [[nodiscard]] Error {
 public:
  static constexpr std::size_t details_max = 172;

  // `details` says what failed, on what and why; it is cut at details_max bytes. `os_error` is an errno or 0.
  explicit Error(ErrorCode code, std::string_view details = {}, int os_error = 0) noexcept;

  ErrorCode code() const noexcept { return code_; }
  std::string_view details() const noexcept { return {text_, length_}; }
  int os_error() const noexcept { return os_error_; }
  // "conflict: table accounts, key alice: written by transaction 17 (another transaction changed the key first)"
  std::string message() const;

 private:
  ErrorCode code_;
  std::uint8_t length_ = 0;
  std::int32_t os_error_ = 0;
  char text_[details_max];
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace plimsoll
