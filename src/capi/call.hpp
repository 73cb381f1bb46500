// What every entry of the C interface does around its work: checks the arguments, turns errors and exceptions into a status. The
// one place where the C++ errors are converted. Stateless, thread-safe.
//
//   return guarded(error, [&]() -> Result<void> {
//     PLIMSOLL_TRY(check_pointer(txn, "txn"));
//     ...
//   });
#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "base/fail.hpp"
#include "plimsoll/c.h"
#include "plimsoll/transaction.hpp"

namespace plimsoll::capi {

constexpr plimsoll_status to_status(ErrorCode code) { return static_cast<plimsoll_status>(code) + 1; }
bool is_store_status(plimsoll_status status);  // has an ErrorCode
ErrorCode to_code(plimsoll_status status);     // of one that has

// Each fills `error`, unless that is null, and answers the status.
bool is_usable(const plimsoll_error* error) noexcept;
plimsoll_status succeeded(plimsoll_error* error) noexcept;
plimsoll_status failed(plimsoll_error* error, const Error& why) noexcept;
plimsoll_status failed(plimsoll_error* error, plimsoll_status status, std::string_view details) noexcept;

template <class Body>
plimsoll_status guarded(plimsoll_error* error, Body&& body) noexcept {
  if (!is_usable(error)) return PLIMSOLL_INVALID_ARGUMENT;
  try {
    const Result<void> done = body();
    return done ? succeeded(error) : failed(error, done.error());
  } catch (const std::bad_alloc&) { return failed(error, PLIMSOLL_OUT_OF_MEMORY, {}); } catch (const std::exception& thrown) {
    return failed(error, PLIMSOLL_INTERNAL, thrown.what());
  } catch (...) { return failed(error, PLIMSOLL_INTERNAL, {}); }
}

template <class T>
Result<void> check_pointer(const T& pointer, const char* what) {
  if (pointer == nullptr) return fail(ErrorCode::invalid_argument, "{} is null", what);
  return {};
}

// For what makes a handle or a text: *made is null whenever the call fails, whatever was wrong.
template <class T, class Body>
plimsoll_status guarded_making(T** made, const char* what, plimsoll_error* error, Body&& body) noexcept {
  if (made != nullptr) *made = nullptr;
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(made, what));
    return body();
  });
}

Result<Bytes> to_bytes(const void* data, std::size_t size, const char* what);
Result<Range> to_range(const plimsoll_range* range);
Result<Table> to_table(plimsoll_table table);
plimsoll_table from_table(Table table);
inline plimsoll_bytes from_bytes(Bytes bytes) { return {bytes.data(), bytes.size()}; }
Result<void> check_flags(std::uint64_t flags, std::uint64_t known, const char* what);

template <class T>
void set_if(T* out, T value) {
  if (out != nullptr) *out = value;
}

}  // namespace plimsoll::capi
