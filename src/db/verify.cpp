// Database::verify: every tree's structure and checksums, every large value's extents, and that pages in use are exactly the pages
// that something refers to. Exact only while nobody writes.
#include <fmt/format.h>

#include <cstring>
#include <optional>

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
  bool has(std::uint32_t page) const { return page < pages_ && (bits_[page / 8] >> page % 8 & 1) != 0; }

 private:
  char* bits_ = nullptr;
  std::uint32_t pages_ = 0;
};

}  // namespace

// Reads a large value for its checksum's sake.
Result<void> Store::read_through(const txn::LargeValue& value, memory::Context& session) {
  constexpr std::size_t piece_bytes = 64u << 10;
  txn::ExtentReader reader(*engine_, value);
  PLIMSOLL_TRY(reader.begin());
  memory::Context piece(session, "value");
  char* const buffer = piece.allocate(piece_bytes);
  if (buffer == nullptr) return no_memory(piece_bytes);
  for (;;) {
    PLIMSOLL_ASSIGN(const std::size_t got, reader.read({buffer, piece_bytes}));
    if (got == 0) return {};
  }
}

Result<VerifyReport> Store::verify() {
  constexpr std::size_t problems_max = 1000;
  const memory::ReserveScope alone;  // it waits for nobody while it keeps the collector out
  MutexLock housekeeping(collector_->mutex());
  collector_->stands_still();
  VerifyReport report;
  std::optional<Error> refused;  // no memory for it: that says nothing about the store
  const auto problem = [&](std::uint64_t page, const std::string& table, std::string_view what) {
    if (report.problems.size() < problems_max)
      report.problems.push_back({std::string(storage::data_name), page, table, std::string(what)});
  };
  const auto failed = [&](std::uint64_t page, const std::string& table, const Error& error) {
    if (error.code() != ErrorCode::memory_budget_exceeded) return problem(page, table, error.message());
    if (!refused) refused = error;
  };
  memory::Context session(engine_->contexts, "verify");
  PLIMSOLL_ASSIGN(PageSet referred, PageSet::make(session, space_->file_pages()));
  const auto refer = [&](std::uint32_t page, const std::string& table) {
    ++report.pages;
    if (!referred.add(page)) problem(page, table, "two things refer to this page, or it lies outside the file");
  };
  std::vector<TableInfo> tables{{"(catalogue)", TreeId{catalogue_root}}, {"(garbage)", TreeId{garbage_root}}};
  auto listed = catalogue_->list(true);
  if (listed) tables.insert(tables.end(), listed->begin(), listed->end());
  if (!listed) failed(catalogue_root, "(catalogue)", listed.error());
  for (const TableInfo& table : tables) {
    ++report.tables;
    const auto extents = [&](Bytes descriptor) {
      txn::LargeValue value;
      if (!txn::LargeValue::decode(descriptor, value))
        return problem(table.tree.value, table.name, "the descriptor of a large value is damaged");
      for (std::uint32_t i = 0; i < value.count; ++i)
        for (std::uint32_t page = 0; page < value.extent[i].pages; ++page) refer(value.extent[i].first + page, table.name);
      if (auto read = read_through(value, session); !read)
        failed(value.count == 0 ? 0 : value.extent[0].first, table.name, read.error());
    };
    const auto checked = trees_->check(
        table.tree, [&](std::uint32_t page, std::string_view what) { problem(page, table.name, what); },
        [&](std::uint32_t page) { refer(page, table.name); },
        [&](Bytes key, const btree::RecordView& record) {
          if ((record.flags & btree::flag_large) != 0) extents({record.value, record.value_bytes});
          if (table.tree.value == garbage_root && key.size() == 4) {
            std::uint32_t first;
            std::memcpy(&first, key.data(), 4);
            for (std::uint32_t page = 0; page < page_load<std::uint32_t>(record.value); ++page)
              refer(__builtin_bswap32(first) + page, table.name);
          }
        });
    if (!checked) failed(table.tree.value, table.name, checked.error());
    if (refused) return std::unexpected(*refused);
    if (checked && table.tree.value > garbage_root) report.records += checked->records;
  }
  const std::uint32_t per_map = space_->pages_per_map();
  for (std::uint32_t map = 0; map < space_->file_pages(); map += per_map) referred.add(map);
  std::uint64_t used = 0;
  PLIMSOLL_TRY(space_->for_each_used([&](std::uint32_t page) {
    ++used;
    if (!referred.has(page)) problem(page, "", "in use according to the space map, but nothing refers to it");
  }));
  report.free_pages = space_->file_pages() - std::min<std::uint64_t>(used, space_->file_pages());
  for (const VerifyProblem& one : report.problems) {
    events_->add(EventKind::corruption, "page {}: {}", one.page, one.what);
    break;
  }
  return report;
}

}  // namespace plimsoll::db
