// The smallest user of the installed library: writes one record, reopens the store, reads it back. Exit status 0 if it was there.
#include <cstdio>
#include <plimsoll/plimsoll.hpp>

namespace {

plimsoll::Result<bool> write_and_read_back(const char* path) {
  {
    auto db = plimsoll::Database::open(path);
    if (!db) return std::unexpected(db.error());
    auto table = db->open_table("greetings", {.create_if_missing = true});
    if (!table) return std::unexpected(table.error());
    auto done = db->transact({}, [&](plimsoll::Transaction& tx) { return tx.put(*table, "hello", "world"); });
    if (!done) return std::unexpected(done.error());
    if (auto closed = db->close(); !closed) return std::unexpected(closed.error());
  }
  auto db = plimsoll::Database::open(path, {.create_if_missing = false});
  if (!db) return std::unexpected(db.error());
  auto table = db->open_table("greetings");
  if (!table) return std::unexpected(table.error());
  auto tx = db->begin();
  if (!tx) return std::unexpected(tx.error());
  auto value = tx->get(*table, "hello");
  if (!value) return std::unexpected(value.error());
  return value->has_value() && (*value)->bytes() == "world";
}

}  // namespace

int main(int argc, char** argv) {
  auto found = write_and_read_back(argc > 1 ? argv[1] : "consumer.plim");
  if (!found) {
    std::fprintf(stderr, "consumer: %s\n", found.error().message().c_str());
    return 1;
  }
  return *found ? 0 : 1;
}
