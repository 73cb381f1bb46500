#include "txn/value_stream.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"

namespace plimsoll::txn {

namespace {
constexpr std::uint32_t extent_pages_max = 8192;

// Smaller pieces when memory is short: more calls of the system, and many streams at once still fit.
std::uint64_t buffer_bytes_max(const Engine& engine) {
  constexpr std::uint64_t short_of_memory = 64u << 10;
  return engine.provider.budget().pressure().level() == PressureLevel::normal ? piece_bytes : short_of_memory;
}
}  // namespace

Result<void> ExtentWriter::begin(std::uint64_t expected) {
  const std::uint32_t page = engine_.pool.page_bytes();
  expected_pages_ = (expected + page - 1) / page;
  next_pages_ = static_cast<std::uint32_t>(piece_bytes / page);
  const std::uint64_t most = buffer_bytes_max(engine_);
  buffer_bytes_ = expected == 0 ? most : std::min<std::uint64_t>(most, expected_pages_ * page);
  PLIMSOLL_ASSIGN(buffer_, engine_.provider.map(memory::Account::large_objects, buffer_bytes_));
  return {};
}

// Takes an adjacent run, smaller ones when the file is fragmented.
Result<void> ExtentWriter::next_extent(std::uint32_t pages) {
  if (value_.count == extents_max)
    return fail(ErrorCode::no_space, "the data file is too fragmented for a value of {} bytes", value_.bytes);
  for (;; pages = std::max(pages / 2, 1u)) {
    auto run = engine_.space.reserve(pages);
    if (!run && (pages == 1 || run.error().code() != ErrorCode::no_space)) return std::unexpected(run.error());
    if (!run) continue;
    value_.extent[value_.count] = {run->first(), 0};
    runs_[value_.count++] = std::move(*run);
    left_in_extent_ = pages;
    PLIMSOLL_TRY(engine_.log.flush_to(engine_.space.newest_free()));
    return engine_.pool.settle_writes(value_.extent[value_.count - 1].first, pages);
  }
}

Result<void> ExtentWriter::flush() {
  const std::uint32_t page = engine_.pool.page_bytes();
  const std::size_t pages = (buffered_ + page - 1) / page;
  std::memset(buffer_.data() + buffered_, 0, pages * page - buffered_);
  failed_ = true;
  PLIMSOLL_TRY(write_out(static_cast<std::uint32_t>(pages)));
  failed_ = false;
  buffered_ = 0;
  return {};
}

Result<void> ExtentWriter::write_out(std::uint32_t pages) {
  const std::uint32_t page = engine_.pool.page_bytes();
  std::size_t done = 0;
  while (pages != 0) {
    if (left_in_extent_ == 0) {
      const std::uint64_t wanted =
          expected_pages_ != 0 ? std::min<std::uint64_t>(expected_pages_, extent_pages_max) : std::max(next_pages_, pages);
      PLIMSOLL_TRY(next_extent(static_cast<std::uint32_t>(wanted)));
      next_pages_ = std::min(next_pages_ * 2, extent_pages_max);
    }
    Extent& extent = value_.extent[value_.count - 1];
    const std::uint32_t now = std::min(pages, left_in_extent_);
    PLIMSOLL_TRY(
        engine_.data.write(std::uint64_t{extent.first + extent.pages} * page, {buffer_.data() + done, std::size_t{now} * page}));
    extent.pages += now;
    left_in_extent_ -= now;
    pages -= now;
    done += std::size_t{now} * page;
    if (expected_pages_ != 0) expected_pages_ -= std::min<std::uint64_t>(expected_pages_, now);
  }
  return {};
}

Result<void> ExtentWriter::write(Bytes piece) {
  if (failed_) return fail(ErrorCode::invalid_argument, "an earlier piece of the value could not be written");
  if (piece.size() > value_bytes_max - value_.bytes) {
    failed_ = true;
    return fail(ErrorCode::invalid_argument, "a value may have {} bytes at most", value_bytes_max);
  }
  value_.crc = crc32c(value_.crc, piece);
  value_.bytes += piece.size();
  while (!piece.empty()) {
    const std::size_t now = std::min(piece.size(), buffer_bytes_ - buffered_);
    std::memcpy(buffer_.data() + buffered_, piece.data(), now);
    buffered_ += now;
    piece.remove_prefix(now);
    if (buffered_ == buffer_bytes_) PLIMSOLL_TRY(flush());
  }
  return {};
}

Result<void> ExtentWriter::finish() {
  if (failed_) return fail(ErrorCode::invalid_argument, "a piece of the value could not be written");
  if (buffered_ != 0) PLIMSOLL_TRY(flush());
  // Only the pages that were written will be allocated; the rest of the last run goes back with its reservation.
  engine_.data_unsynced.store(true, std::memory_order_seq_cst);
  engine_.metrics.add(Counter::large_values_written);
  engine_.metrics.add(Counter::large_value_bytes, value_.bytes);
  return {};
}

Result<void> ExtentReader::begin() {
  const std::uint64_t page = engine_.pool.page_bytes();
  buffer_bytes_ = std::min<std::uint64_t>(buffer_bytes_max(engine_), (value_.bytes + page - 1) / page * page);
  PLIMSOLL_ASSIGN(buffer_, engine_.provider.map(memory::Account::large_objects, buffer_bytes_));
  return {};
}

Result<void> ExtentReader::fill() {
  const std::uint32_t page = engine_.pool.page_bytes();
  while (extent_ < value_.count && page_in_extent_ == value_.extent[extent_].pages) {
    ++extent_;
    page_in_extent_ = 0;
  }
  if (extent_ == value_.count)
    return fail(ErrorCode::corruption, "a large value of {} bytes has extents for {} only", value_.bytes, loaded_);
  const Extent& extent = value_.extent[extent_];
  const auto pages = std::min<std::uint32_t>(extent.pages - page_in_extent_, static_cast<std::uint32_t>(buffer_bytes_ / page));
  PLIMSOLL_TRY(
      engine_.data.read(std::uint64_t{extent.first + page_in_extent_} * page, {buffer_.data(), std::size_t{pages} * page}));
  page_in_extent_ += pages;
  at_ = 0;
  filled_ = static_cast<std::size_t>(std::min<std::uint64_t>(std::uint64_t{pages} * page, value_.bytes - loaded_));
  loaded_ += filled_;
  crc_ = crc32c(crc_, buffer_.data(), filled_);
  if (loaded_ == value_.bytes && crc_ != value_.crc)
    return fail(ErrorCode::corruption, "the checksum of a large value at page {} is wrong", value_.extent[0].first);
  return {};
}

Result<std::size_t> ExtentReader::read(std::span<char> into) {
  std::size_t done = 0;
  while (done < into.size() && delivered_ < value_.bytes) {
    if (at_ == filled_) PLIMSOLL_TRY(fill());
    const std::size_t now = std::min(into.size() - done, filled_ - at_);
    std::memcpy(into.data() + done, buffer_.data() + at_, now);
    at_ += now;
    done += now;
    delivered_ += now;
  }
  return done;
}

// --- streams: what lies outside of their context goes with it ---

ValueReaderImpl::ValueReaderImpl(TransactionImpl& transaction)
    : transaction_(transaction), context_(transaction.context(), "value reader") {
  context_.on_reset(at_end_);
}

// False: there is no such value. One that lies in its record is copied into the context.
Result<bool> ValueReaderImpl::open(TreeId tree, Bytes key) {
  PLIMSOLL_ASSIGN(TransactionImpl::Found found, transaction_.read(tree, key, TransactionImpl::Want::value, context_));
  if (!found.present) return false;
  if (!found.large) {
    small_ = {found.data, found.bytes};
    return true;
  }
  LargeValue value;
  if (!LargeValue::decode({found.data, found.bytes}, value))
    return fail(ErrorCode::corruption, "the descriptor of a large value is damaged");
  const bool own = found.own;
  TransactionImpl::drop(found);
  snapshot_ = transaction_.snapshot();
  if (own) rollbacks_ = transaction_.rollbacks();
  large_.emplace(transaction_.engine(), value);
  const memory::InterruptScope waiting(context_.interrupt());
  PLIMSOLL_TRY(large_->begin());
  return true;
}

// Whether the extents still are this value's.
Result<void> ValueReaderImpl::check_kept() const {
  if (rollbacks_ == 0 && transaction_.snapshot() != snapshot_)
    return fail(ErrorCode::snapshot_too_old,
                "a value is kept for the statement that opened it: this read_committed transaction has begun another one since");
  if (rollbacks_ != 0 && rollbacks_ != transaction_.rollbacks())
    return fail(ErrorCode::invalid_argument,
                "the value was written by this transaction, and what it did has been taken back since, at least in part");
  return {};
}

Result<std::size_t> ValueReaderImpl::read(std::span<char> into) {
  if (large_) {
    PLIMSOLL_TRY(check_kept());
    return large_->read(into);
  }
  const std::size_t now = std::min(into.size(), small_.size() - small_at_);
  std::copy_n(small_.data() + small_at_, now, into.data());
  small_at_ += now;
  return now;
}

void ValueReaderImpl::close(ValueReaderImpl* reader) {
  memory::Context& parent = reader->transaction_.context();
  reader->~ValueReaderImpl();
  parent.free(reinterpret_cast<char*>(reader), sizeof(ValueReaderImpl));
}

ValueWriterImpl::ValueWriterImpl(TransactionImpl& transaction, TreeId tree)
    : transaction_(transaction), tree_(tree), writer_(transaction.engine()), context_(transaction.context(), "value writer") {
  context_.on_reset(at_end_);
}

void ValueWriterImpl::close(ValueWriterImpl* writer) {
  memory::Context& parent = writer->transaction_.context();
  writer->~ValueWriterImpl();
  parent.free(reinterpret_cast<char*>(writer), sizeof(ValueWriterImpl));
}

Result<void> ValueWriterImpl::begin(Bytes key) {
  PLIMSOLL_TRY(transaction_.check_writable(key));
  char* const copy = context_.allocate(key.size());
  if (copy == nullptr) return transaction_.no_memory();
  std::memcpy(copy, key.data(), key.size());
  key_ = {copy, key.size()};
  const memory::InterruptScope waiting(context_.interrupt());
  return writer_->begin(0);
}

Result<void> ValueWriterImpl::write(Bytes piece) {
  if (finished_) return fail(ErrorCode::invalid_argument, "the value has been finished already");
  return writer_->write(piece);
}

Result<void> ValueWriterImpl::finish() {
  if (finished_) return fail(ErrorCode::invalid_argument, "the value has been finished already");
  PLIMSOLL_TRY(writer_->finish());
  finished_ = true;
  return transaction_.put_extents(tree_, key_, *writer_);
}

// --- the transaction's side ---

Result<void> TransactionImpl::put_extents(TreeId tree, Bytes key, const ExtentWriter& writer) {
  if (writer.value().count == 0) {  // an empty value needs no extents
    PLIMSOLL_TRY(write(tree, key, {}, Change::put));
    return {};
  }
  PLIMSOLL_ASSIGN(const Statement statement, begin_statement(key, writer.value().bytes));
  PLIMSOLL_TRY(end_statement(statement, write_extents(tree, key, writer, Change::put)));
  return {};
}

Result<bool> TransactionImpl::write_extents(TreeId tree, Bytes key, const ExtentWriter& writer, Change change) {
  std::array<char, LargeValue::descriptor_max> descriptor;
  return write_record(tree, key, writer.value().encode(descriptor), btree::flag_large, change, writer.runs());
}

Result<bool> TransactionImpl::write_large(TreeId tree, Bytes key, Bytes value, Change change) {
  ExtentWriter writer(engine_);
  {
    const memory::InterruptScope waiting(context_.interrupt());
    PLIMSOLL_TRY(writer.begin(value.size()));
  }
  PLIMSOLL_TRY(writer.write(value));
  PLIMSOLL_TRY(writer.finish());
  return write_extents(tree, key, writer, change);
}

// The extents that the change has just superseded get their records in the garbage tree, in this transaction.
Result<void> TransactionImpl::note_garbage() {
  const LargeValue old = superseded_;
  superseded_.count = 0;
  for (std::uint32_t i = 0; i < old.count; ++i) {
    const std::uint32_t key = __builtin_bswap32(old.extent[i].first);
    std::array<char, 12> value;
    log::Writer writer(value);
    writer.number<std::uint32_t>(old.extent[i].pages).number<std::uint64_t>(superseded_stamp_);
    const Bytes name{reinterpret_cast<const char*>(&key), sizeof key};
    PLIMSOLL_TRY(prepare_to_remember(name));
    PLIMSOLL_TRY(write_record(engine_.garbage_tree, name, writer.view(), 0, Change::put));
  }
  return {};
}

Result<void> TransactionImpl::read_whole(Found& found) {
  LargeValue value;
  if (!LargeValue::decode({found.data, found.bytes}, value))
    return fail(ErrorCode::corruption, "the descriptor of a large value is damaged");
  drop(found);
  ExtentReader reader(engine_, value);
  {
    const memory::InterruptScope waiting(context_.interrupt());
    PLIMSOLL_TRY(reader.begin());
  }
  found.data = found.into->allocate(std::max<std::size_t>(value.bytes, 1));
  if (found.data == nullptr) return no_memory();
  found.present = true;
  found.bytes = value.bytes;
  auto read = reader.read({found.data, found.bytes});
  if (!read) {
    drop(found);
    return std::unexpected(read.error());
  }
  return {};
}

Result<std::optional<ValueReaderImpl*>> TransactionImpl::open_reader(TreeId tree, Bytes key) {
  statement_snapshot();
  char* const memory = context_.allocate(sizeof(ValueReaderImpl), alignof(ValueReaderImpl));
  if (memory == nullptr) return no_memory();
  auto* reader = new (memory) ValueReaderImpl(*this);
  auto opened = reader->open(tree, key);
  if (opened && *opened) return reader;
  ValueReaderImpl::close(reader);
  if (!opened) return std::unexpected(opened.error());
  return std::nullopt;
}

Result<ValueWriterImpl*> TransactionImpl::open_writer(TreeId tree, Bytes key) {
  char* memory = context_.allocate(sizeof(ValueWriterImpl), alignof(ValueWriterImpl));
  if (memory == nullptr) return no_memory();
  auto* writer = new (memory) ValueWriterImpl(*this, tree);
  if (auto begun = writer->begin(key); !begun) {
    ValueWriterImpl::close(writer);
    return std::unexpected(begun.error());
  }
  return writer;
}

}  // namespace plimsoll::txn
