// Cursor scan: records come in the order of their bytes, forwards or backwards, over the whole table or a half-open range. A cursor
// sees its transaction's own writes, and none of other transactions.
#include <cstdio>
#include <plimsoll/plimsoll.hpp>
#include <string>

using namespace plimsoll;

namespace {

// All keys of a range, in the order in which the cursor meets them.
Result<std::string> keys_in(Transaction& tx, Table table, Range range, Direction direction) {
  auto cursor = tx.cursor(table, range, direction);
  if (!cursor) return std::unexpected(cursor.error());
  std::string keys;
  while (true) {
    auto more = cursor->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return keys;
    keys.append(keys.empty() ? "" : " ").append(cursor->key());  // key() and value() are valid until the next step
  }
}

Result<bool> expect_keys(Transaction& tx, Table table, Range range, Direction direction, std::string_view expected) {
  auto keys = keys_in(tx, table, range, direction);
  if (!keys) return std::unexpected(keys.error());
  std::printf("%s\n", keys->c_str());
  return *keys == expected;
}

Result<bool> run() {
  auto db = Database::open("scan.plim");
  if (!db) return std::unexpected(db.error());
  auto table = db->open_table("months", {.create_if_missing = true});
  if (!table) return std::unexpected(table.error());
  auto filled = db->transact({}, [&](Transaction& tx) -> Result<void> {
    for (Bytes month : {"2024-11", "2025-01", "2024-12", "2025-03"}) {
      if (auto done = tx.put(*table, month, "report"); !done) return done;
    }
    return {};
  });
  if (!filled) return std::unexpected(filled.error());

  auto tx = db->begin();
  if (!tx) return std::unexpected(tx.error());
  if (auto done = tx->put(*table, "2025-02", "draft"); !done) return std::unexpected(done.error());
  const Range year{.from = "2025", .to = "2026"};
  auto all = expect_keys(*tx, *table, {}, Direction::forward, "2024-11 2024-12 2025-01 2025-02 2025-03");
  if (!all || !*all) return all;
  auto forward = expect_keys(*tx, *table, year, Direction::forward, "2025-01 2025-02 2025-03");
  if (!forward || !*forward) return forward;
  auto backward = expect_keys(*tx, *table, year, Direction::backward, "2025-03 2025-02 2025-01");
  if (!backward || !*backward) return backward;

  auto other = db->begin();  // does not see the draft, which is not committed
  if (!other) return std::unexpected(other.error());
  return expect_keys(*other, *table, year, Direction::forward, "2025-01 2025-03");
}

}  // namespace

int main() {
  auto right = run();
  if (!right) std::fprintf(stderr, "cursor_scan: %s\n", right.error().message().c_str());
  return right && *right ? 0 : 1;
}
