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

Result<void> print_value(ValueReader& reader, Encoding encoding, Output& output) {
  if (encoding == Encoding::text) {
    return read_value(reader, [&](Bytes piece) { return output.write(piece), !output.failed(); });
  }
  std::string value;
  value.reserve(reader.size());
  PLIMSOLL_TRY(read_value(reader, [&](Bytes piece) { return value.append(piece), true; }));
  output.write(encode(value, encoding));
  return {};
}

Result<void> scan_records(Transaction& transaction, Table table, const Scan& scan,
                          const std::function<bool(Bytes key, Bytes value)>& consume) {
  PLIMSOLL_ASSIGN(auto cursor, transaction.cursor(table, scan.range, scan.direction));
  for (std::uint64_t left = scan.limit; left != 0; --left) {
    PLIMSOLL_ASSIGN(const bool found, cursor.next());
    if (!found) break;
    PLIMSOLL_DCHECK(!cursor.key().empty());
    bool more = false;
    if (cursor.large() && !scan.keys_only) {
      PLIMSOLL_ASSIGN(const std::string value, whole_value(transaction, table, cursor.key()));
      more = consume(cursor.key(), value);
    } else {
      more = consume(cursor.key(), scan.keys_only ? Bytes() : cursor.value());
    }
    if (!more) break;
  }
  return {};
}

}  // namespace plimsoll::cli
