#include "values.hpp"

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::cli {

Result<void> read_value(ValueReader& reader, const std::function<bool(Bytes)>& consume) {
  static constexpr std::size_t piece_bytes = 256_KiB;
  std::string piece(piece_bytes, '\0');
  std::uint64_t total = 0;
  for (;;) {
    PLIMSOLL_ASSIGN(const std::size_t count, reader.read(piece));
    PLIMSOLL_CHECK(count <= piece.size());
    if (count == 0) break;
    total += count;
    if (!consume(Bytes(piece).substr(0, count))) return {};
  }
  PLIMSOLL_CHECK(total == reader.size());
  return {};
}

Result<std::string> whole_value(Transaction& transaction, Table table, Bytes key) {
  PLIMSOLL_ASSIGN(auto reader, transaction.open_reader(table, key));
  PLIMSOLL_CHECK(reader.has_value());
  std::string value;
  value.reserve(reader->size());
  PLIMSOLL_TRY(read_value(*reader, [&](Bytes piece) { return value.append(piece), true; }));
  return value;
}

}  // namespace plimsoll::cli
