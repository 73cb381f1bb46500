// Reading and writing one large value in pieces, within any budget. Each holds one buffer of at most piece_bytes, charged to
// Account::large_objects.
#pragma once

#include <optional>

#include "txn/transaction.hpp"

namespace plimsoll::txn {

// Writes pieces into extents as they come. The extents are reserved, not yet allocated: allocation happens with the update record.
class ExtentWriter {
 public:
  explicit ExtentWriter(Engine& engine) : engine_(engine) {}
  // `expected`: the total if known, else 0.
  Result<void> begin(std::uint64_t expected);
  Result<void> write(Bytes piece);
  Result<void> finish();  // writes what is buffered; value() is complete. After an error in between the value cannot be finished.
  const LargeValue& value() const { return value_; }
  Runs runs() const { return {std::span(value_.extent).first(value_.count), std::span(runs_).first(value_.count)}; }

 private:
  Result<void> flush();
  Result<void> write_out(std::uint32_t pages);
  Result<void> next_extent(std::uint32_t pages);

  Engine& engine_;
  memory::Mapping buffer_;
  std::size_t buffer_bytes_ = 0, buffered_ = 0;
  std::uint64_t expected_pages_ = 0;  // still to come; 0: unknown
  std::uint32_t next_pages_ = 0, left_in_extent_ = 0;
  bool failed_ = false;  // something of the value is missing
  LargeValue value_;
  std::array<storage::Reservation, extents_max> runs_;
};

// Reads [offset, offset + into.size()) of a value.
class ExtentReader {
 public:
  ExtentReader(Engine& engine, const LargeValue& value) : engine_(engine), value_(value) {}
  Result<void> begin();
  std::uint64_t size() const { return value_.bytes; }
  Result<std::size_t> read(std::span<char> into);  // in order; checks the CRC at the end

 private:
  Result<void> fill();
  Engine& engine_;
  LargeValue value_;
  memory::Mapping buffer_;
  std::size_t buffer_bytes_ = 0, at_ = 0, filled_ = 0;
  std::uint64_t delivered_ = 0, loaded_ = 0;
  std::uint32_t crc_ = 0, extent_ = 0, page_in_extent_ = 0;
};

// Streams: the object lies in the transaction's memory context, what it keeps in memory in a child of that. Their buffers and
// reserved pages lie elsewhere, and go when that child ends: by close(), or with the transaction.
class ValueReaderImpl {
 public:
  explicit ValueReaderImpl(TransactionImpl& transaction);
  static void close(ValueReaderImpl* reader);
  Result<bool> open(TreeId tree, Bytes key);
  std::uint64_t size() const { return large_ ? large_->size() : small_.size(); }
  Result<std::size_t> read(std::span<char> into);

 private:
  Result<void> check_kept() const;

  TransactionImpl& transaction_;
  std::optional<ExtentReader> large_;
  Timestamp snapshot_{};         // the extents are kept for this one,
  std::uint64_t rollbacks_ = 0;  // or for the transaction that has written them, until this changes; 0: not its own
  Bytes small_{};
  std::size_t small_at_ = 0;
  memory::ResetCallback at_end_{[](void* self) noexcept { static_cast<ValueReaderImpl*>(self)->large_.reset(); }, this};
  memory::Context context_;
};

class ValueWriterImpl {
 public:
  ValueWriterImpl(TransactionImpl& transaction, TreeId tree);
  static void close(ValueWriterImpl* writer);
  Result<void> begin(Bytes key);
  Result<void> write(Bytes piece);
  Result<void> finish();

 private:
  TransactionImpl& transaction_;
  TreeId tree_;
  std::optional<ExtentWriter> writer_;
  Bytes key_{};
  bool finished_ = false;
  memory::ResetCallback at_end_{[](void* self) noexcept { static_cast<ValueWriterImpl*>(self)->writer_.reset(); }, this};
  memory::Context context_;
};

}  // namespace plimsoll::txn
