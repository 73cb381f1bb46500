// Quickstart: create a store, write a few records in one transaction, read one back after reopening.
#include <cstdio>
#include <plimsoll/plimsoll.hpp>

using namespace plimsoll;

namespace {

Result<void> write_fruits(Database& db) {
  auto fruits = db.open_table("fruits", {.create_if_missing = true});
  if (!fruits) return std::unexpected(fruits.error());
  // All or nothing, and durable when transact returns.
  return db.transact({}, [&](Transaction& tx) -> Result<void> {
    for (auto [name, colour] : {std::pair{"apple", "red"}, {"lemon", "yellow"}, {"plum", "blue"}}) {
      if (auto done = tx.put(*fruits, name, colour); !done) return done;
    }
    return {};
  });
}

Result<std::string> colour_of(Database& db, Bytes fruit) {
  auto fruits = db.open_table("fruits");
  if (!fruits) return std::unexpected(fruits.error());
  auto tx = db.begin();
  if (!tx) return std::unexpected(tx.error());
  auto value = tx->get(*fruits, fruit);
  if (!value) return std::unexpected(value.error());
  // The value's bytes belong to the transaction: copy what is to outlive it.
  return *value ? std::string((*value)->bytes()) : "unknown";
}

Result<bool> run() {
  {
    auto db = Database::open("quickstart.plim");
    if (!db) return std::unexpected(db.error());
    if (auto done = write_fruits(*db); !done) return std::unexpected(done.error());
    if (auto closed = db->close(); !closed) return std::unexpected(closed.error());
  }
  auto db = Database::open("quickstart.plim");
  if (!db) return std::unexpected(db.error());
  auto lemon = colour_of(*db, "lemon");
  if (!lemon) return std::unexpected(lemon.error());
  auto kiwi = colour_of(*db, "kiwi");
  if (!kiwi) return std::unexpected(kiwi.error());
  std::printf("a lemon is %s, a kiwi is %s\n", lemon->c_str(), kiwi->c_str());
  return *lemon == "yellow" && *kiwi == "unknown";
}

}  // namespace

int main() {
  auto right = run();
  if (!right) std::fprintf(stderr, "quickstart: %s\n", right.error().message().c_str());
  return right && *right ? 0 : 1;
}
