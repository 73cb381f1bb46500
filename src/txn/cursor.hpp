// A cursor walks private copies of leaves, so nothing is latched or pinned between steps. It knows its place by key: splits, merges
// and eviction do not matter to it. When its own transaction has written since the leaf was copied, it copies the leaf anew. The
// object lies in the transaction's memory context, its buffers and the value that it had to fetch in a child of that. Used by the
// transaction's thread.
#pragma once

#include "btree/leaf.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

class CursorImpl {
 public:
  static Result<CursorImpl*> open(TransactionImpl& transaction, TreeId tree, const Range& range, Direction direction);
  static void close(CursorImpl* cursor);

  Result<bool> next();
  Result<void> seek(Bytes key);
  Bytes key() const { return on_record_ ? key_at_index() : Bytes{}; }
  Bytes value() const { return value_; }
  bool large() const { return large_; }

 private:
  struct Bound {
    char* data = nullptr;
    std::size_t bytes = 0;
    bool present = false;
    Bytes view() const { return {data, bytes}; }
  };
  CursorImpl(TransactionImpl& transaction, TreeId tree, Direction direction, std::size_t page, std::size_t key_max);
  Result<void> set_up(const Range& range);
  Result<void> load();            // copies the leaf of the position
  bool outside(Bytes key) const;  // beyond the range's end in this direction
  Result<bool> take(std::uint16_t index);
  bool leave_leaf();
  void drop_value();
  Bytes key_at_index() const { return {key_, key_bytes_}; }
  bool assign(Bound& bound, Bytes key);

  TransactionImpl& transaction_;
  TreeId tree_;
  Direction direction_;
  std::size_t key_max_;
  Bound from_, to_;                         // the range
  Bound position_;                          // where to go on
  bool inclusive_ = true, sought_ = false;  // cursor.cpp, load()
  bool loaded_ = false, done_ = false;
  bool on_record_ = false;         // the last step came to one
  std::uint64_t write_count_ = 0;  // of the transaction when the leaf was copied
  std::uint16_t index_ = 0;        // forward: next index; backward: one above the next
  char* leaf_buffer_ = nullptr;
  char* key_ = nullptr;
  std::size_t key_bytes_ = 0;
  Bytes value_{};
  bool large_ = false;
  char* owned_value_ = nullptr;  // a value that had to be fetched from elsewhere
  std::size_t owned_bytes_ = 0;
  static constexpr std::size_t keys = 4;            // of the range, the position, the current one
  static constexpr std::size_t keeper_extra = 128;  // the block's header, and alignment
  memory::Context context_;
};

}  // namespace plimsoll::txn
