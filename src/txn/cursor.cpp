#include "txn/cursor.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::txn {

Result<std::uint64_t> TransactionImpl::count(TreeId tree, const Range& range) {
  PLIMSOLL_ASSIGN(CursorImpl* const cursor, open_cursor(tree, range, Direction::forward));
  const std::unique_ptr<CursorImpl, void (*)(CursorImpl*)> closer(cursor, CursorImpl::close);
  for (std::uint64_t counted = 0;; ++counted) {
    PLIMSOLL_ASSIGN(const bool more, cursor->next());
    if (!more) return counted;
  }
}

Result<CursorImpl*> TransactionImpl::open_cursor(TreeId tree, const Range& range, Direction direction) {
  statement_snapshot();
  return CursorImpl::open(*this, tree, range, direction);
}

CursorImpl::CursorImpl(TransactionImpl& transaction, TreeId tree, Direction direction, std::size_t page, std::size_t key_max)
    : transaction_(transaction),
      tree_(tree),
      direction_(direction),
      key_max_(key_max),
      context_(transaction.context(), "cursor", {.keeper_bytes = page + keys * key_max + keeper_extra}) {}

Result<CursorImpl*> CursorImpl::open(TransactionImpl& transaction, TreeId tree, const Range& range, Direction direction) {
  char* const memory = transaction.context_.allocate(sizeof(CursorImpl), alignof(CursorImpl));
  if (memory == nullptr) return transaction.no_memory();
  const std::size_t page = transaction.engine_.pool.page_bytes();
  auto* cursor = new (memory) CursorImpl(transaction, tree, direction, page, btree::key_bytes_max(page));
  if (auto set_up = cursor->set_up(range); !set_up) {
    close(cursor);
    return std::unexpected(set_up.error());
  }
  return cursor;
}

Result<void> CursorImpl::set_up(const Range& range) {
  const std::size_t page = transaction_.engine_.pool.page_bytes();
  leaf_buffer_ = context_.allocate(page + keys * key_max_, 64);
  if (leaf_buffer_ == nullptr) return transaction_.no_memory();
  char* at = leaf_buffer_ + page;
  for (char** key : {&from_.data, &to_.data, &position_.data, &key_}) {
    *key = at;
    at += key_max_;
  }
  if ((range.from && !assign(from_, *range.from)) || (range.to && !assign(to_, *range.to)))
    return fail(ErrorCode::invalid_argument, "a bound of the range is longer than a key may be ({} bytes)", key_max_);
  const Bound& start = direction_ == Direction::forward ? from_ : to_;
  if (start.present) assign(position_, start.view());
  return {};
}

void CursorImpl::close(CursorImpl* cursor) {
  memory::Context& parent = cursor->transaction_.context_;
  cursor->~CursorImpl();
  parent.free(reinterpret_cast<char*>(cursor), sizeof(CursorImpl));
}

bool CursorImpl::assign(Bound& bound, Bytes key) {
  if (key.size() > key_max_) return false;
  if (!key.empty()) std::memmove(bound.data, key.data(), key.size());
  bound.bytes = key.size();
  bound.present = true;
  return true;
}

void CursorImpl::drop_value() {
  if (owned_value_ != nullptr) context_.free(owned_value_, std::max<std::size_t>(owned_bytes_, 1));
  owned_value_ = nullptr;
  value_ = {};
  large_ = on_record_ = false;
}

Result<void> CursorImpl::seek(Bytes key) {
  // Never out of the range: a seek before its start begins at the start.
  const Bound& start = direction_ == Direction::forward ? from_ : to_;
  const bool before_start = start.present && (direction_ == Direction::forward ? key < start.view() : key >= start.view());
  if (!assign(position_, before_start ? start.view() : key))
    return fail(ErrorCode::invalid_argument, "key of {} bytes to seek", key.size());
  drop_value();
  inclusive_ = direction_ == Direction::forward || !before_start;
  loaded_ = done_ = false;
  sought_ = true;
  return {};
}

bool CursorImpl::outside(Bytes key) const {
  return direction_ == Direction::forward ? to_.present && key >= to_.view() : from_.present && key < from_.view();
}

// Forward positions name the first key that may come (inclusive_) or the last one that came; backward ones the first key that may
// not come, or after a seek (inclusive_) the first that may.
Result<void> CursorImpl::load() {
  if ((transaction_.slot().control.load(std::memory_order_relaxed) & registry::killed_bit) != 0)  // a long operation ends here
    return std::unexpected(transaction_.why_ended(transaction_.id_.value));
  const std::optional<Bytes> at = position_.present ? std::optional(position_.view()) : std::nullopt;
  const bool backward = direction_ == Direction::backward;
  const bool covers = !backward || (sought_ && inclusive_);  // the leaf that covers the key, or the one right below it
  write_count_ = transaction_.write_count();
  btree::LeafCopy leaf(leaf_buffer_);
  PLIMSOLL_ASSIGN(leaf, transaction_.engine_.trees.copy_leaf(tree_, at, !covers, leaf_buffer_, storage::Access::scan));
  if (!at) {
    index_ = backward ? leaf.count() : 0;
  } else {
    index_ = leaf.lower_bound(*at);
    const bool equal = index_ < leaf.count() && leaf.key(index_, key_) == *at;
    if (equal && (backward ? inclusive_ && sought_ : !inclusive_)) ++index_;
  }
  loaded_ = true;
  return {};
}

// Of the record at the index, whose key is set. True: it is visible and not deleted; the value is set.
Result<bool> CursorImpl::take(std::uint16_t index) {
  const btree::RecordView record = btree::LeafCopy(leaf_buffer_).record(index);
  if (!registry::is_mark(record.stamp()) && record.stamp() <= transaction_.view_.snapshot) {
    large_ = (record.flags & btree::flag_large) != 0;
    value_ = large_ ? Bytes{} : Bytes{record.value, record.value_bytes};
    return (record.flags & btree::flag_deleted) == 0;
  }
  // A mark or an older version: the record must be read where it is.
  PLIMSOLL_ASSIGN(TransactionImpl::Found found, transaction_.read(tree_, key_at_index(), TransactionImpl::Want::value, context_));
  if (!found.present) return false;
  large_ = found.large;
  if (large_) {
    TransactionImpl::drop(found);
    return true;
  }
  owned_value_ = found.data;
  owned_bytes_ = found.bytes;
  value_ = {found.data, found.bytes};
  return true;
}

// Moves the position past the copied leaf; false: it was the last one.
bool CursorImpl::leave_leaf() {
  const btree::LeafCopy leaf(leaf_buffer_);
  const auto fence = direction_ == Direction::forward ? leaf.upper_fence() : leaf.lower_fence();
  loaded_ = sought_ = false;
  if (!fence || (direction_ == Direction::forward && outside(*fence))) return false;
  if (direction_ == Direction::backward && from_.present && *fence <= from_.view()) return false;
  assign(position_, *fence);
  inclusive_ = true;
  return true;
}

Result<bool> CursorImpl::next() {
  drop_value();
  while (!done_) {
    if (loaded_ && write_count_ != transaction_.write_count()) loaded_ = false;  // it must see its own writes
    if (!loaded_) PLIMSOLL_TRY(load());
    const btree::LeafCopy leaf(leaf_buffer_);
    const bool forward = direction_ == Direction::forward;
    while (forward ? index_ < leaf.count() : index_ > 0) {
      const auto index = static_cast<std::uint16_t>(forward ? index_ : index_ - 1);
      key_bytes_ = leaf.key(index, key_).size();
      if (outside(key_at_index())) {
        done_ = true;
        return false;
      }
      PLIMSOLL_ASSIGN(const bool present, take(index));  // after an error the next call comes to it again
      index_ = static_cast<std::uint16_t>(forward ? index + 1 : index);
      if (!present) continue;
      assign(position_, key_at_index());
      on_record_ = true;
      inclusive_ = sought_ = false;
      transaction_.engine_.metrics.add(Counter::records_scanned);
      return true;
    }
    if (!leave_leaf()) done_ = true;
  }
  return false;
}

}  // namespace plimsoll::txn
