#include "capi/call.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

constexpr ErrorCode codes[] = {
#define PLIMSOLL_X(name, meaning, retryable) ErrorCode::name,
    PLIMSOLL_ERROR_CODES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

// Cut at the array's end, and NUL-terminated.
template <std::size_t n>
void copy_text(char (&to)[n], std::string_view text) noexcept {
  const std::size_t length = std::min(text.size(), n - 1);
  std::copy_n(text.data(), length, to);
  std::fill(to + length, to + n, '\0');
}

plimsoll_status report(plimsoll_error* error, plimsoll_status status, int os_error, std::string_view details,
                       std::string_view message) noexcept {
  if (error == nullptr) return status;
  plimsoll_error all{};
  all.code = status;
  all.os_error = os_error;
  copy_text(all.details, details);
  copy_text(all.message, message);
  write_sized(error, all);
  return status;
}

}  // namespace

bool is_store_status(plimsoll_status status) { return status > 0 && static_cast<std::size_t>(status) <= std::size(codes); }
ErrorCode to_code(plimsoll_status status) { return codes[status - 1]; }

bool is_usable(const plimsoll_error* error) noexcept { return error == nullptr || has_known_size(error); }

plimsoll_status succeeded(plimsoll_error* error) noexcept {
  if (error == nullptr) return PLIMSOLL_OK;
  error->code = PLIMSOLL_OK;
  error->os_error = 0;
  error->details[0] = error->message[0] = '\0';
  return PLIMSOLL_OK;
}

plimsoll_status failed(plimsoll_error* error, const Error& why) noexcept {
  const plimsoll_status status = to_status(why.code());
  if (error == nullptr) return status;
  try {
    return report(error, status, why.os_error(), why.details(), why.message());
  } catch (...) {  // no memory for the message
    return report(error, status, why.os_error(), why.details(), name(why.code()));
  }
}

plimsoll_status failed(plimsoll_error* error, plimsoll_status status, std::string_view details) noexcept {
  return report(error, status, 0, details, details.empty() ? std::string_view(plimsoll_status_meaning(status)) : details);
}

Result<Bytes> to_bytes(const void* data, std::size_t size, const char* what) {
  if (data == nullptr && size != 0) return fail(ErrorCode::invalid_argument, "{} is null, and its size {}", what, size);
  return Bytes(static_cast<const char*>(data), size);
}

Result<Range> to_range(const plimsoll_range* range) {
  Range all;
  if (range == nullptr) return all;
  PLIMSOLL_ASSIGN(const Bytes from, to_bytes(range->from.data, range->from.size, "range->from"));
  PLIMSOLL_ASSIGN(const Bytes to, to_bytes(range->to.data, range->to.size, "range->to"));
  if (range->from.data != nullptr) all.from = from;
  if (range->to.data != nullptr) all.to = to;
  return all;
}

Result<Table> to_table(plimsoll_table table) {
  if (table.tree > std::numeric_limits<std::uint32_t>::max())
    return fail(ErrorCode::invalid_argument, "table.tree is {}: no table has this number", table.tree);
  if (table.opened > std::numeric_limits<std::uint32_t>::max())
    return fail(ErrorCode::invalid_argument, "table.opened is {}: no handle has this number", table.opened);
  return Table(TreeId{static_cast<std::uint32_t>(table.tree)}, table.store, static_cast<std::uint32_t>(table.opened));
}

plimsoll_table from_table(Table table) { return {table.store(), table.tree().value, table.opened()}; }

Result<void> check_flags(std::uint64_t flags, std::uint64_t known, const char* what) {
  if ((flags & ~known) == 0) return {};
  return fail(ErrorCode::invalid_argument, "{} are {:#x}, this library knows {:#x}", what, flags, known);
}

}  // namespace plimsoll::capi
