// Leaf records, and the two ways to hold a leaf: latched, or as a private copy. The 16-byte record header {stamp, previous} and the
// flags are opaque here: they belong to the layers that know transactions.
//
// Leaf record in the heap, 8-aligned: u64 stamp | u64 previous version | u16 key suffix bytes | u16 value bytes (14 bits) and flags
// << 14 | suffix | value. The key is the node's shared prefix followed by the suffix.
#pragma once

#include <cstdint>
#include <optional>

#include "plimsoll/types.hpp"
#include "storage/pool.hpp"

namespace plimsoll::btree {

// Flags of a record, two bits on the page.
inline constexpr std::uint8_t flag_deleted = 1, flag_large = 2;

inline constexpr std::size_t record_header_bytes = 20;
// The heap bytes of a record, and the largest that may be stored in a leaf.
constexpr std::size_t record_bytes(std::size_t key, std::size_t value) {
  return (record_header_bytes + key + value + 7) & ~std::size_t{7};
}
constexpr std::size_t record_bytes_max(std::size_t page_bytes) { return page_bytes / 4; }
constexpr std::size_t key_bytes_max(std::size_t page_bytes) { return page_bytes / 8 < 1024 ? page_bytes / 8 : 1024; }

struct Record {
  std::uint64_t stamp = 0, previous = 0;
  std::uint8_t flags = 0;
  Bytes value{};
};

// A record inside page bytes that may change meanwhile: sizes are bounds-checked against the page when it is made, so that copying
// is safe; what was read counts only after the page has been validated.
struct RecordView {
  const char* at = nullptr;  // null: no such record
  const char* value = nullptr;
  std::uint16_t value_bytes = 0;
  std::uint8_t flags = 0;

  explicit operator bool() const { return at != nullptr; }
  std::uint64_t stamp() const { return page_load<std::uint64_t>(at); }
  std::uint64_t previous() const { return page_load<std::uint64_t>(at + 8); }
};

// Where a key is (or would be), seen optimistically: use page.still_valid() after reading.
struct LeafPosition {
  storage::OptimisticPage page;
  RecordView record;  // null: the key is absent from the leaf
};

// The latched leaf that covers a key. Changes go straight to the page; logging is the caller's (storage/pool.hpp rule 2).
class LatchedLeaf {
 public:
  LatchedLeaf() = default;
  LatchedLeaf(storage::ExclusivePage page, Bytes key);  // finds the key's slot

  explicit operator bool() const { return static_cast<bool>(page_); }
  storage::ExclusivePage& page() { return page_; }
  bool found() const { return found_; }
  RecordView record() const;                                        // of the key; null if absent
  std::size_t room() const;                                         // bytes that a new record may take, after compaction
  bool fits(std::size_t key_bytes, std::size_t value_bytes) const;  // for put() of the key

  // Insert, or replace; fits() must hold (checked). Neither key nor value may point into this page.
  // Inserts or replaces; fits() must hold (asserted). Neither key nor value may point into this page: it may be compacted first.
  void put(Bytes key, const Record& record);
  void set_header(std::uint64_t stamp, std::uint64_t previous);  // found() must hold
  void erase();                                                  // found() must hold
  bool sparse() const;                                           // a merge is worth trying
  void unlatch() { page_.unlatch(); }

 private:
  storage::ExclusivePage page_;
  std::uint16_t slot_ = 0;
  std::uint16_t shared_ = 0;  // how much of the node's prefix the key begins with
  bool found_ = false;
};

// The same for redo, on the bytes of a latched page.
void apply_put(char* leaf, Bytes key, const Record& record);
void apply_erase(char* leaf, Bytes key);
// For those who walk all records of a latched (or private) leaf: each(index); the key is written to `key_buffer` (key_bytes_max
// bytes).
std::uint16_t record_count(const char* leaf);
RecordView record_at(const char* leaf, std::uint16_t index);
Bytes key_at(const char* leaf, std::uint16_t index, char* key_buffer);
std::uint32_t tree_of(const char* node);

// A validated private copy of a leaf, in the caller's buffer of page_bytes. Its records are as they were at one moment; nothing is
// latched.
class LeafCopy {
 public:
  explicit LeafCopy(char* buffer) : bytes_(buffer) {}
  char* buffer() const { return bytes_; }
  storage::PageKey page() const { return storage::key_of(bytes_); }
  std::uint16_t count() const { return record_count(bytes_); }
  RecordView record(std::uint16_t index) const { return record_at(bytes_, index); }
  Bytes key(std::uint16_t index, char* key_buffer) const { return key_at(bytes_, index, key_buffer); }
  std::uint16_t lower_bound(Bytes key) const;  // the first index whose key is >= key
  bool sparse() const;                         // a merge is worth trying
  // The leaf covers [lower, upper). No bound: it is the first (last) leaf.
  std::optional<Bytes> lower_fence() const;
  std::optional<Bytes> upper_fence() const;

 private:
  char* bytes_;
};

}  // namespace plimsoll::btree
