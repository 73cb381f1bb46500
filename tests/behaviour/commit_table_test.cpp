// The commit table is of fixed size, and what it holds is needed for as long as a snapshot is held: more commits than it has
// places.
// ctest-labels: long
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class CommitTable : public StoreTest {};

TEST_F(CommitTable, IsNotFilledForGoodByAHeldSnapshot) {
  constexpr std::uint64_t commits = 18'000, changes = 65;  // as many changes as are not stamped one by one
  options.max_transactions = 8;
  const Table where = table();
  put(where, "k", "v");
  auto held = reader();
  for (std::uint64_t i = 0; i < commits; ++i) {
    auto tx = db().begin({.durability = Durability::relaxed});
    ASSERT_OK(tx);
    for (std::uint64_t n = 0; n < changes; ++n) ASSERT_OK(tx->put(where, key_of(n), std::to_string(i)));
    ASSERT_OK(tx->commit());
  }
  EXPECT_EQ(gauge("active_transactions"), 1u);
  EXPECT_GE(counter("records_stamped"), changes) << "else the table was never full";
  EXPECT_EQ(scan(held, where), (Records{{"k", "v"}}));
  ASSERT_OK(held.commit());
  EXPECT_EQ(now(where, key_of(0)), std::to_string(commits - 1));
}

}  // namespace
}  // namespace plimsoll
