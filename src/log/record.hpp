// The log record header and the payload codecs of every record kind (docs/log-format.md has them byte by byte).
//
// A record is valid if and only if: its header lies at a position that is a multiple of 8; bytes is a multiple of 8, at least the
// header's size and at most record_bytes_max; kind is known; payload_bytes is what bytes leaves room for (less than 8 bytes of
// padding); and crc equals CRC32C over {store salt, position, the record without its first 8 bytes}. Position and salt inside the
// checksum reject records of an earlier use of a recycled segment and of other stores.
//
// header (16 bytes): u32 bytes (whole record, padding included) | u32 crc | u8 kind | u8 zero[3] | u32 payload_bytes
// Numbers are little-endian; payloads are unaligned byte strings made of the fields below in order.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::log {

inline constexpr std::size_t header_bytes = 16;
inline constexpr std::size_t record_bytes_max = 512u << 10;

// name, value on disk, meaning. Closed: an unknown kind ends the log.
#define PLIMSOLL_RECORD_KINDS(X)                                                     \
  X(update, 1, "one leaf record changed by a transaction, with its before-image")    \
  X(revert, 2, "one leaf record restored from its version entry (redo only)")        \
  X(pages, 3, "page actions that belong together: structure changes, space, purges") \
  X(commit, 4, "a transaction committed at a timestamp")                             \
  X(abort, 5, "a transaction will be reverted")                                      \
  X(end, 6, "an aborted transaction is wholly reverted")                             \
  X(prepare, 7, "first phase of a distributed commit is done")                       \
  X(checkpoint, 8, "where recovery may begin, and who was running")

enum class Kind : std::uint8_t {
#define PLIMSOLL_X(name, value, meaning) name = value,
  PLIMSOLL_RECORD_KINDS(PLIMSOLL_X)
#undef PLIMSOLL_X
};
std::string_view name(Kind kind);
bool known(std::uint8_t kind);

// What a page action does. Each is redone on one page, and only if that page's LSN is smaller than the record's end.
enum class Action : std::uint8_t {
  image = 1,      // the whole page, the hole between its arrays and its heap left out: u16 low_bytes | u16 high_bytes | low | high
  space_set = 2,  // allocation bits become 1: u32 first | u32 count
  space_clear = 3,   // allocation bits become 0
  keep_first = 4,    // a node keeps its first n entries and gets an upper fence: u16 n | fence
  inner_insert = 5,  // u32 child | separator
  inner_erase = 6,   // the entry with this separator goes; its range falls to the left neighbour: separator
  leaf_put = 7,      // insert or replace: u64 stamp | u64 previous | u8 record flags | u16 key bytes | key | value
  leaf_erase = 8,    // key
  inner_child = 9,   // the first entry's child changes: u32 child
};

// Appends fields to a caller's buffer of sufficient size (asserted).
class Writer {
 public:
  explicit Writer(std::span<char> into) : at_(into.data()), begin_(into.data()), end_(into.data() + into.size()) {}
  template <class T>
  Writer& number(std::type_identity_t<T> value) {
    PLIMSOLL_CHECK(at_ + sizeof(T) <= end_);
    std::memcpy(at_, &value, sizeof(T));
    at_ += sizeof(T);
    return *this;
  }
  Writer& bytes(std::string_view data) {
    PLIMSOLL_CHECK(data.size() <= static_cast<std::size_t>(end_ - at_));
    data.copy(at_, data.size());  // not memcpy: an empty view may be null
    at_ += data.size();
    return *this;
  }
  std::string_view view() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char *at_, *begin_, *end_;
};

// Takes fields from a payload; past the end it yields zeroes and ok() turns false. A record that passed its CRC and is not ok() is
// corrupt.
class Reader {
 public:
  explicit Reader(std::string_view from) : rest_(from) {}
  template <class T>
  T number() {
    T value{};
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view bytes(std::size_t count) {
    if (rest_.size() < count) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view rest() { return std::exchange(rest_, {}); }
  bool empty() const { return rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// One action inside a `pages` record: u64 page key | u64 page's LSN before | u8 action | u32 data bytes | data.
struct PageAction {
  std::uint64_t page_key = 0;
  std::uint64_t before_lsn = 0;  // the page's LSN before this change: redo checks it, a stale page is found out
  Action action{};
  std::string_view data;
};
inline constexpr std::size_t page_action_header_bytes = 8 + 8 + 1 + 4;
void write_action(Writer& to, const PageAction& action);
bool read_action(Reader& from, PageAction& action);  // false: none left, or not ok

// update: a leaf_put or (after_deleted) tombstone of one key, and the version entry that it makes, for redo of both pages
// independently. Also the payload of `revert`, where there is no entry (version == 0) and after_* is what was restored.
struct Update {
  TxnId transaction{};
  std::uint32_t tree = 0;
  std::uint32_t leaf = 0;  // page number in the data file
  std::uint64_t leaf_before_lsn = 0;
  std::uint64_t version = 0;  // address of the version entry, 0: none was made
  std::uint64_t version_before_lsn = 0;
  std::uint64_t previous_entry = 0;  // of this transaction
  std::uint64_t before_stamp = 0;    // what the entry keeps
  std::uint64_t before_previous = 0;
  std::uint64_t after_stamp = 0;  // what the leaf record becomes
  std::uint64_t after_previous = 0;
  std::uint8_t before_flags = 0;  // of the record: btree/leaf.hpp; before_absent: there was none
  std::uint8_t after_flags = 0;   // absent: the record is removed (revert of an insert)
  std::string_view key, before, after;
};
inline constexpr std::size_t update_fixed_bytes = 8 + 4 + 4 + 8 * 8 + 1 + 1 + 2 + 2 + 2;
void write_update(Writer& to, const Update& update);
void write_update_head(Writer& to,
                       const Update& update);  // the fixed fields alone: key, before and after follow as pieces of their own
bool read_update(std::string_view payload, Update& update);

struct Commit {
  TxnId transaction{};
  Timestamp timestamp{};
};
void write_commit(Writer& to, const Commit& commit);
bool read_commit(std::string_view payload, Commit& commit);

// abort, end, prepare: u64 transaction | u64 last entry | global id (prepare only, the rest)
struct Ending {
  TxnId transaction{};
  std::uint64_t last_entry = 0;
  std::string_view global_id;
};
void write_ending(Writer& to, const Ending& ending);
bool read_ending(std::string_view payload, Ending& ending);

// checkpoint: u64 redo start | u64 captured | u64 clock ceiling | u64 next transaction sequence | u16 version file incarnation |
// u32 n | n x { u64 transaction | u8 state (TransactionState) | u64 last entry | u8 bytes | global id }
struct CheckpointTransaction {
  TxnId transaction{};
  std::uint8_t state = 0;
  std::uint64_t last_entry = 0;
  std::string_view global_id;
};
struct Checkpoint {
  Lsn redo_start{};
  Lsn captured{};  // the list of transactions below holds as of here
  std::uint64_t clock_ceiling = 0;
  std::uint64_t next_sequence = 0;
  std::uint16_t incarnation = 0;
  std::uint32_t transactions = 0;
};
void write_checkpoint(Writer& to, const Checkpoint& checkpoint);
void write_checkpoint_transaction(Writer& to, const CheckpointTransaction& transaction);
bool read_checkpoint(Reader& from, Checkpoint& checkpoint);
bool read_checkpoint_transaction(Reader& from, CheckpointTransaction& transaction);

// Whether the bytes at `record` (available: how many may be looked at) are a valid record at `position`. The answer's payload
// points into them.
struct Record {
  Lsn begin{}, end{};
  Kind kind{};
  std::string_view payload;
};
enum class Validity : std::uint8_t { valid, zero, incomplete, bad_header, bad_checksum, unknown_kind };
Validity validate(std::string_view available, Lsn position, std::uint64_t salt, Record& record);
std::uint32_t record_crc(std::uint64_t salt, Lsn position, std::string_view record_without_first_8_bytes);
// One line of the record's fields, for people.
std::string describe(const Record& record);

}  // namespace plimsoll::log
