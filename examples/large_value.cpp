// Large value: 48 MiB are written and read in pieces, in a store whose memory budget is 32 MiB. At no time is the value held whole.
#include <array>
#include <cstdio>
#include <plimsoll/plimsoll.hpp>

using namespace plimsoll;

namespace {

constexpr std::size_t piece_bytes = 64_KiB;
constexpr std::size_t pieces = 768;
using Piece = std::array<char, piece_bytes>;

// Piece n of the value; any byte that is out of place shows.
void fill(Piece& piece, std::size_t n) {
  for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<char>((n * 31 + i * 7 + (i >> 8)) & 0xff);
}

Result<void> write_value(Transaction& tx, Table table) {
  auto writer = tx.open_writer(table, "film");
  if (!writer) return std::unexpected(writer.error());
  static Piece piece;
  for (std::size_t n = 0; n < pieces; ++n) {
    fill(piece, n);
    if (auto done = writer->write({piece.data(), piece.size()}); !done) return done;
  }
  return writer->finish();  // without it the value would be dropped
}

// Fills `into`; a read may return less than was asked for.
Result<bool> read_piece(ValueReader& reader, Piece& into) {
  for (std::size_t have = 0; have < into.size();) {
    auto got = reader.read(std::span(into).subspan(have));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return false;
    have += *got;
  }
  return true;
}

Result<bool> value_is_right(Transaction& tx, Table table) {
  auto reader = tx.open_reader(table, "film");
  if (!reader) return std::unexpected(reader.error());
  if (!*reader || (*reader)->size() != pieces * piece_bytes) return false;
  static Piece read;
  static Piece expected;
  for (std::size_t n = 0; n < pieces; ++n) {
    auto whole = read_piece(**reader, read);
    if (!whole) return whole;
    fill(expected, n);
    if (!*whole || read != expected) return false;
  }
  return true;
}

Result<bool> run() {
  auto db = Database::open("large.plim", {.memory_budget = 32_MiB});
  if (!db) return std::unexpected(db.error());
  auto table = db->open_table("films", {.create_if_missing = true});
  if (!table) return std::unexpected(table.error());
  auto written = db->transact({}, [&](Transaction& tx) { return write_value(tx, *table); });
  if (!written) return std::unexpected(written.error());
  auto tx = db->begin();
  if (!tx) return std::unexpected(tx.error());
  auto right = value_is_right(*tx, *table);
  if (right && *right) std::printf("%zu MiB came back as they were written\n", pieces * piece_bytes >> 20);
  return right;
}

}  // namespace

int main() {
  auto right = run();
  if (!right) std::fprintf(stderr, "large_value: %s\n", right.error().message().c_str());
  return right && *right ? 0 : 1;
}
