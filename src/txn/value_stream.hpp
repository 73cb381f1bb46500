// Reading and writing one large value in pieces, within any budget. Each holds one buffer of at most piece_bytes, charged to
// Account::large_objects.
#pragma once

#include <memory>
#include <vector>

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

class ValueReaderImpl final : public Stream {
 public:
  ValueReaderImpl(TransactionImpl& transaction, const LargeValue& value)
      : Stream(transaction.streams()), transaction_(transaction), reader_(transaction.engine(), value) {}
  // A value that lies in its record is read from a copy in the context.
  ValueReaderImpl(TransactionImpl& transaction, Bytes small)
      : Stream(transaction.streams()),
        transaction_(transaction),
        reader_(transaction.engine(), {}),
        small_(small),
        is_small_(true) {}
  static void close(ValueReaderImpl* reader);
  Result<void> begin() { return is_small_ ? Result<void>{} : reader_.begin(); }
  std::uint64_t size() const { return is_small_ ? small_.size() : reader_.size(); }
  Result<std::size_t> read(std::span<char> into);

 private:
  TransactionImpl& transaction_;
  ExtentReader reader_;
  Bytes small_{};
  std::size_t small_at_ = 0;
  bool is_small_ = false;
};

class ValueWriterImpl final : public Stream {
 public:
  ValueWriterImpl(TransactionImpl& transaction, TreeId tree)
      : Stream(transaction.streams()), transaction_(transaction), tree_(tree), writer_(transaction.engine()) {}
  static void close(ValueWriterImpl* writer);
  Result<void> begin(Bytes key);
  Result<void> write(Bytes piece) { return writer_.write(piece); }
  Result<void> finish();

 private:
  TransactionImpl& transaction_;
  TreeId tree_;
  ExtentWriter writer_;
  std::array<char, 1024> key_;
  std::size_t key_bytes_ = 0;
  bool finished_ = false;
};

}  // namespace plimsoll::txn
