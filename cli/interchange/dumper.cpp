#include "interchange/dumper.hpp"

#include <algorithm>
#include <span>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::cli {
namespace {

Result<void> read_exactly(ValueReader& reader, std::span<char> into) {
  while (!into.empty()) {
    PLIMSOLL_ASSIGN(const std::size_t count, reader.read(into));
    PLIMSOLL_CHECK(count > 0 && count <= into.size());
    into = into.subspan(count);
  }
  return {};
}

}  // namespace

Outcome<void> Dumper::dump(Table table, std::optional<Bytes> name, Range range) {
  writer_.begin_table(text_, name);
  flush();
  PLIMSOLL_ASSIGN(auto cursor, transaction_.cursor(table, range));
  while (!output_.failed()) {
    PLIMSOLL_ASSIGN(const bool found, cursor.next());
    if (!found) break;
    PLIMSOLL_TRY(dump_record(table, cursor.key()));
    progress_.update(0, ++records_);
  }
  writer_.end_table(text_);
  flush();
  return {};
}

Outcome<void> Dumper::dump_record(Table table, Bytes key) {
  PLIMSOLL_ASSIGN(auto reader, transaction_.open_reader(table, key));
  PLIMSOLL_CHECK(reader.has_value());  // a snapshot: what the cursor found is there
  const std::uint64_t size = reader->size();
  std::uint64_t left = size;
  do {
    const bool first = left == size;
    part_.resize(std::min<std::uint64_t>(left, part_bytes_max));
    PLIMSOLL_TRY(read_exactly(*reader, part_));
    left -= part_.size();
    const auto added = writer_.add(text_, {.key = key, .value = part_, .first = first, .last = left == 0});
    if (!added) return std::unexpected(Failure(Exit::failed, "format", added.error()));
    flush();
  } while (left != 0 && !output_.failed());
  return {};
}

void Dumper::flush() {
  output_.write(text_);
  text_.clear();
}

Outcome<void> dump_all(Database& db, Dumper& dumper, std::optional<Bytes> nameless) {
  PLIMSOLL_ASSIGN(const auto tables, db.tables());
  for (const TableInfo& info : tables) {
    PLIMSOLL_ASSIGN(const auto table, db.open_table(info.name));
    const std::optional<Bytes> name = info.name == nameless ? std::nullopt : std::optional<Bytes>(info.name);
    PLIMSOLL_TRY(dumper.dump(table, name, {}));
  }
  return {};
}

}  // namespace plimsoll::cli
