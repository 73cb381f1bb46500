// Database::verify: every tree's structure and checksums, every large value's content, every chain of older versions, and that
// pages in use are exactly the pages that something refers to. Transactions go on meanwhile; the background frees nothing.
//
// What only a store at rest can be judged by is compared if it was at rest:
//  - Pages in use and not referred to: were in use when the walk began, and nothing was freed since, nor garbage taken back (an
//    abort does that before it restores the record that had the extents). What was referred to then is met: nodes only lose keys
//    on their right to new nodes, and what a superseded large value lay in is in the garbage tree, walked last.
//  - Extents met twice: nothing was logged meanwhile. A value that is superseded after the walk has passed is met in the garbage
//    tree again.
#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/fail.hpp"
#include "db/store.hpp"
#include "txn/value_stream.hpp"

namespace plimsoll::db {

namespace {

std::unexpected<Error> no_memory(std::size_t bytes) {
  return fail(ErrorCode::memory_budget_exceeded, "verifying needs {} bytes of memory", bytes);
}

// One bit a page, in the memory of the session.
class PageSet {
 public:
  static Result<PageSet> make(memory::Context& session, std::uint32_t pages) {
    PageSet set;
    const std::size_t bytes = pages / 8 + 1;
    set.bits_ = session.allocate(bytes);
    if (set.bits_ == nullptr) return no_memory(bytes);
    std::memset(set.bits_, 0, bytes);
    set.pages_ = pages;
    return set;
  }
  // False: outside the file, or there already.
  bool add(std::uint32_t page) {
    if (page >= pages_ || has(page)) return false;
    bits_[page / 8] = static_cast<char>(bits_[page / 8] | 1 << page % 8);
    return true;
  }
  std::uint32_t pages() const { return pages_; }
  bool has(std::uint32_t page) const { return page < pages_ && (bits_[page / 8] >> page % 8 & 1) != 0; }

 private:
  char* bits_ = nullptr;
  std::uint32_t pages_ = 0;
};

// A snapshot of its own, if there is a slot for it, as old as any other: its reads go down the chains.
class Snapshot {
 public:
  explicit Snapshot(txn::Engine& engine) {
    constexpr std::string_view label = "verify";
    auto begun = engine.transactions->begin({.as_of = Timestamp{engine.registry.snapshots().oldest()}, .label = label});
    if (!begun) begun = engine.transactions->begin({.read_only = true, .label = label});
    if (!begun) return;
    id_ = (*begun)->id().value;
    if (txn::TransactionManager::enter(**begun, id_)) {
      transaction_ = *begun;
    } else {
      (*begun)->finish_handle(id_);
    }
  }
  ~Snapshot() {
    if (transaction_ == nullptr) return;
    static_cast<void>(transaction_->abort());  // it has written nothing
    txn::TransactionManager::leave(*transaction_, id_);
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  explicit operator bool() const { return transaction_ != nullptr; }
  Result<bool> read(TreeId tree, Bytes key) const { return transaction_->exists(tree, key); }

 private:
  txn::TransactionImpl* transaction_ = nullptr;
  std::uint64_t id_ = 0;
};

// Reads a large value for its checksum's sake.
Result<void> read_through(txn::Engine& engine, const txn::LargeValue& value, memory::Context& session) {
  constexpr std::size_t piece_bytes = 64u << 10;
  txn::ExtentReader reader(engine, value);
  PLIMSOLL_TRY(reader.begin());
  memory::Context piece(session, "value");
  char* const buffer = piece.allocate(piece_bytes);
  if (buffer == nullptr) return no_memory(piece_bytes);
  for (;;) {
    PLIMSOLL_ASSIGN(const std::size_t got, reader.read({buffer, piece_bytes}));
    if (got == 0) return {};
  }
}

class Verification {
 public:
  Verification(txn::Engine& engine, Catalogue& catalogue, const VerifyWatcher& watch)
      : engine_(engine), catalogue_(catalogue), watch_(watch), session_(engine.contexts, "verify"), snapshot_(engine) {}

  Result<VerifyReport> run() {
    const Lsn freed = engine_.space.newest_free(), logged = engine_.log.end();
    const std::uint64_t reverted = engine_.garbage_reverts.load(std::memory_order_relaxed);
    PLIMSOLL_ASSIGN(used_, PageSet::make(session_, engine_.space.file_pages()));
    PLIMSOLL_ASSIGN(referred_, PageSet::make(session_, engine_.space.file_pages()));
    PLIMSOLL_TRY(engine_.space.for_each_used([this](std::uint32_t page) { used_.add(page); }));
    check_tree({"(catalogue)", TreeId{catalogue_root}});
    auto listed = catalogue_.list(true);
    if (!listed) failed(catalogue_root, "(catalogue)", listed.error());
    for (std::size_t i = 0; listed && i < listed->size() && !refused_; ++i) {
      const TableInfo& table = (*listed)[i];
      // A marker beside the name means nothing.
      if (!is_internal(table.name) || !Catalogue::is_named(*listed, table.tree)) check_tree(table);
    }
    if (!refused_) check_tree({"(garbage)", TreeId{garbage_root}});
    if (refused_) return std::unexpected(*refused_);
    report_.space_compared =
        freed == engine_.space.newest_free() && reverted == engine_.garbage_reverts.load(std::memory_order_relaxed);
    if (report_.space_compared) PLIMSOLL_TRY(compare_space(logged == engine_.log.end()));
    return std::move(report_);
  }

 private:
  void problem(std::uint64_t page, const std::string& table, std::string_view what) {
    constexpr std::size_t problems_max = 1000;
    if (report_.problems.size() < problems_max)
      report_.problems.push_back({std::string(storage::data_name), page, table, std::string(what)});
  }
  void failed(std::uint64_t page, const std::string& table, const Error& error) {
    const bool called_off = error.code() == ErrorCode::transaction_aborted;
    if (error.code() != ErrorCode::memory_budget_exceeded && !called_off) return problem(page, table, error.message());
    if (!refused_) refused_ = error;
  }

  void refer(std::uint32_t page, const std::string& table, std::vector<VerifyProblem>& again) {
    ++report_.pages;
    if (referred_.add(page) || (page >= referred_.pages() && page < engine_.space.file_pages())) return;
    again.push_back({std::string(storage::data_name), page, table, "two things refer to this page, or it lies outside the file"});
  }

  void check_tree(const TableInfo& table) {
    ++report_.tables;
    const auto checked = engine_.trees.check(
        table.tree, [&](std::uint32_t page, std::string_view what) { problem(page, table.name, what); },
        [&](std::uint32_t page) {
          refer(page, table.name, nodes_again_);
          return !watch_ || watch_(report_);
        },
        [&](Bytes key, const btree::RecordView& record) { check_record(table, key, record); }, is_internal(table.name));
    if (!checked) failed(table.tree.value, table.name, checked.error());
  }

  void check_record(const TableInfo& table, Bytes key, const btree::RecordView& record) {
    report_.records += table.tree.value > garbage_root;
    if ((record.flags & btree::flag_large) != 0) check_large(table, key, {record.value, record.value_bytes});
    if (table.tree.value == garbage_root && key.size() == 4) {
      std::uint32_t first;
      std::memcpy(&first, key.data(), 4);
      for (std::uint32_t page = 0; page < page_load<std::uint32_t>(record.value); ++page)
        refer(__builtin_bswap32(first) + page, table.name, extents_again_);
    }
    if (record.previous() == 0 || !snapshot_) return;
    ++report_.chains;
    if (auto read = snapshot_.read(table.tree, key); !read) failed(table.tree.value, table.name, read.error());
  }

  void check_large(const TableInfo& table, Bytes key, Bytes descriptor) {
    txn::LargeValue value;
    if (!txn::LargeValue::decode(descriptor, value))
      return problem(table.tree.value, table.name, "the descriptor of a large value is damaged");
    for (std::uint32_t i = 0; i < value.count; ++i)
      for (std::uint32_t page = 0; page < value.extent[i].pages; ++page)
        refer(value.extent[i].first + page, table.name, extents_again_);
    const auto read = read_through(engine_, value, session_);
    if (read) return;
    // An abort may have freed it meanwhile.
    if (read.error().code() != ErrorCode::memory_budget_exceeded && !still_there(table.tree, key, descriptor)) return;
    failed(value.count == 0 ? 0 : value.extent[0].first, table.name, read.error());
  }

  bool still_there(TreeId tree, Bytes key, Bytes descriptor) const {
    const auto leaf = engine_.trees.latch(tree, key);
    if (!leaf || !leaf->found()) return false;
    const btree::RecordView record = leaf->record();
    return Bytes(record.value, record.value_bytes) == descriptor;
  }

  // Nothing was freed meanwhile.
  Result<void> compare_space(bool at_rest) {
    const auto add = [this](const std::vector<VerifyProblem>& found) {
      for (const VerifyProblem& one : found) problem(one.page, one.table, one.what);
    };
    add(nodes_again_);
    if (at_rest) add(extents_again_);
    for (std::uint32_t map = 0; map < engine_.space.file_pages(); map += engine_.space.pages_per_map()) referred_.add(map);
    std::uint64_t used = 0;
    std::uint32_t next = 0;  // the first page that was not compared yet
    const auto free_until = [&](std::uint32_t end) {
      for (; next < end; ++next)
        if (referred_.has(next)) problem(next, "", "something refers to it, but it is free according to the space map");
    };
    PLIMSOLL_TRY(engine_.space.for_each_used([&](std::uint32_t page) {
      ++used;
      free_until(page);
      next = page + 1;
      if (used_.has(page) && !referred_.has(page)) problem(page, "", "in use according to the space map, but nothing refers to it");
    }));
    free_until(referred_.pages());
    const std::uint32_t all = engine_.space.file_pages();
    report_.free_pages = all - std::min<std::uint64_t>(used, all);
    return {};
  }

  txn::Engine& engine_;
  Catalogue& catalogue_;
  const VerifyWatcher& watch_;
  memory::Context session_;
  const Snapshot snapshot_;
  VerifyReport report_;
  PageSet used_, referred_;                                 // when it began; by what was met
  std::vector<VerifyProblem> nodes_again_, extents_again_;  // what was met twice
  std::optional<Error> refused_;                            // no memory for it, or called off: that says nothing about the store
};

}  // namespace

Result<VerifyReport> Store::verify(const VerifyWatcher& watch) {
  const memory::ReserveScope alone;                         // it waits for nobody while it keeps the collector out
  Verification verification(*engine_, *catalogue_, watch);  // while its snapshot is there, no table is dropped
  static_cast<void>(catalogue_->standing());                // a drop that was under way has come to its end
  MutexLock housekeeping(collector_->mutex());
  collector_->stands_still();
  auto report = verification.run();
  if (report && !report->problems.empty())
    events_->add(EventKind::corruption, "page {}: {}", report->problems[0].page, report->problems[0].what);
  return report;
}

}  // namespace plimsoll::db
