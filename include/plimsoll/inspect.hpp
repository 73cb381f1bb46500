// Looking at a store that nobody has open, damaged ones included. Read-only: nothing is repaired, replayed or locked, except that
// dump_log and identify answer `busy` for nothing: they may also be used beside a running store and then see what is on disk.
//
//   if (auto what = plimsoll::identify("shop.plim")) std::puts(what->description.c_str());
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plimsoll/error.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll {

struct StoreIdentity {
  bool is_store = false;  // false: `description` says what it looks like instead
  std::uint32_t format_version = 0;
  std::uint32_t page_size = 0;
  std::uint64_t log_segment_bytes = 0;
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

// One page as it lies on disk. Of a running store that may be older than what the store has in memory.
struct PageDescription {
  std::string file;        // "data", "versions.0001"
  std::uint64_t page = 0;  // its number in the file
  std::string state;  // "good", "never written", "damaged" or "misplaced"; in all but the first the fields below may be nonsense
  std::uint64_t key = 0;   // what the page says of itself
  Lsn lsn{};               // end of the newest log record that changed it
  std::string kind;        // "leaf", "inner node", "space map", "version page", "none"
  std::uint8_t level = 0;  // of a node; 0: a leaf
  TreeId tree{};           // of a node
  std::uint64_t items = 0;
  std::optional<std::string> lower_fence, upper_fence;  // of a node: it holds keys in [lower, upper); none: no bound
  std::vector<std::string> problems;                    // what contradicts the rules for pages of its kind
};

// One thing on a page: a record, a child, a version, or the range of pages that a space map calls used.
struct PageItem {
  std::uint64_t offset = 0;  // in the page; of a space map's range: its first page
  Bytes key{}, value{};      // views, valid during the call
  std::string summary;       // the other fields, for people
};

// Describes a page of file `file` of the store, and calls `each` for what is on it, unless the page is damaged, until it answers
// false. Nothing is locked: it may be used beside a running store. Errors: not_found (no such file, or a page beyond its end),
// corruption (no superblock), io_error.
Result<PageDescription> describe_page(std::string_view path, std::string_view file, std::uint64_t page,
                                      const std::function<bool(const PageItem&)>& each);

}  // namespace plimsoll
