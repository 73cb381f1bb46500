// The accounts of the memory budget: a tree, declared once. Leaves say who holds what; inner ones sum up, and can be capped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plimsoll::memory {

// name, parent, weight, meaning. A parent stands above its children. Of several that could give memory back, the one that holds
// most for its weight is asked first.
#define PLIMSOLL_ACCOUNTS(X)                                                  \
  X(store, store, 1, "everything")                                            \
  X(buffer_pool, store, 1, "pages and what finds them")                       \
  X(frames, buffer_pool, 4, "pages of the buffer pool")                       \
  X(translation, buffer_pool, 1, "page table and frame descriptors")          \
  X(log_ring, store, 1, "log records not yet written")                        \
  X(transactions, store, 1, "what transactions and their owners hold")        \
  X(registry, transactions, 1, "transaction slots and commit table")          \
  X(contexts, transactions, 1, "values, cursors and buffers of transactions") \
  X(large_objects, transactions, 1, "extents of streamed values in flight")   \
  X(versions, store, 1, "segment table of the version store")                 \
  X(io_buffers, store, 1, "write-out, doublewrite and log reading")           \
  X(recovery, store, 1, "analysis of an unclean store")                       \
  X(tables, store, 1, "names and roots of the tables")                        \
  X(memory_files, store, 4, "files of a store that lives in memory")          \
  X(withheld, store, 1, "what the host has taken back from the budget, for a while")

enum class Account : std::uint8_t {
#define PLIMSOLL_X(name, parent, weight, meaning) name,
  PLIMSOLL_ACCOUNTS(PLIMSOLL_X)
#undef PLIMSOLL_X
      count_
};
inline constexpr std::size_t account_count = static_cast<std::size_t>(Account::count_);

struct AccountFacts {
  std::string_view name;
  Account parent;  // the root's is itself
  std::size_t weight;
  std::string_view meaning;
};
inline constexpr AccountFacts account_facts[] = {
#define PLIMSOLL_X(name, parent, weight, meaning) {#name, Account::parent, weight, meaning},
    PLIMSOLL_ACCOUNTS(PLIMSOLL_X)
#undef PLIMSOLL_X
};

constexpr const AccountFacts& facts_of(Account account) { return account_facts[static_cast<std::size_t>(account)]; }
constexpr std::string_view name(Account account) { return facts_of(account).name; }
constexpr std::string_view meaning(Account account) { return facts_of(account).meaning; }
constexpr Account parent_of(Account account) { return facts_of(account).parent; }
constexpr bool is_root(Account account) { return parent_of(account) == account; }
// Nobody charges an inner account directly.
constexpr bool is_leaf(Account account) {
  for (const AccountFacts& facts : account_facts)
    if (facts.parent == account) return false;
  return true;
}

}  // namespace plimsoll::memory
