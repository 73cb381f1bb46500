// Looking at a store that nobody has open, damaged ones included. Read-only: nothing is repaired, replayed or locked, except that
// dump_log and identify answer `busy` for nothing: they may also be used beside a running store and then see what is on disk.
//
//   if (auto what = plimsoll::identify("shop.plim")) std::puts(what->description.c_str());
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "plimsoll/error.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll {

struct StoreIdentity {
  bool is_store = false;  // false: `description` says what it looks like instead
  std::uint32_t format_version = 0;
  std::uint32_t page_size = 0;
  std::uint64_t salt = 0;            // drawn at creation; part of every checksum
  bool clean = false;                // closed in order; false: the next open recovers
  std::uint64_t checkpoint_lsn = 0;  // recovery begins there
  std::uint64_t data_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t holder_pid = 0;  // the process that has it open, 0: nobody
  std::string description;       // one line for people
};

// What lies at `path`: a store (folder), one of its files, or something else. Errors: not_found, io_error.
Result<StoreIdentity> identify(std::string_view path);

struct LogRecordInfo {
  Lsn lsn{};
  std::uint32_t bytes = 0;
  std::string_view kind;  // "update", "commit", "pages", ...
  TxnId transaction{};
  std::string_view summary;  // the record's fields, for people
};

struct LogDumpReport {
  std::uint64_t records = 0;
  Lsn begin{};             // the oldest position on disk
  Lsn end{};               // the first position without a valid record
  std::string end_reason;  // "end of log", or what is wrong there and what recovery would do
};

// Calls `each` for every valid record from `from` (0: the oldest on disk) until it returns false. Errors: not_found, corruption
// (no superblock to read the salt from), io_error. A damaged log is no error: the report says where it ends and why.
Result<LogDumpReport> dump_log(std::string_view path, Lsn from, const std::function<bool(const LogRecordInfo&)>& each);

}  // namespace plimsoll
