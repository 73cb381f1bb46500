// No heap in the steady state: once warm, a successful transaction does not call the allocator, whatever it does, and neither do
// the background threads because of it. This program's malloc and its kin count what is asked of them while a phase is being
// measured, by any thread; a phase that allocates is shown with the chain of calls of its first allocation. What does allocate is
// the making of log segments, one every so many thousand transactions: the phases stay within a segment that is ready, and the last
// test bounds it.
#include <execinfo.h>

#include <array>
#include <cerrno>
#include <latch>

#include "behaviour/support.hpp"
#include "sanitized.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};
std::array<void*, 24> first_calls;  // of the first allocation counted
int first_depth = 0;

[[maybe_unused]] void count_allocation() {
  if (!counting.load(std::memory_order_relaxed)) return;
  if (allocations.fetch_add(1, std::memory_order_relaxed) == 0) first_depth = backtrace(first_calls.data(), first_calls.size());
}

}  // namespace

#ifndef PLIMSOLL_TEST_SANITIZED  // a sanitizer's own allocator must stay
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  count_allocation();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  count_allocation();
  return __libc_calloc(count, bytes);
}
void* realloc(void* at, std::size_t bytes) {
  count_allocation();
  return __libc_realloc(at, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  count_allocation();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** at, std::size_t alignment, std::size_t bytes) {
  *at = memalign(alignment, bytes);
  return *at == nullptr ? ENOMEM : 0;
}
}
#endif

namespace plimsoll {
namespace {

constexpr bool counts = !sanitized;

class ZeroHeap : public StoreTest {
 protected:
  static constexpr std::uint64_t keys = 4000;

  void SetUp() override {
    if (!counts) GTEST_SKIP() << "the sanitizer's allocator is in the way";
    StoreTest::SetUp();
    options.log_segment_bytes = 32_MiB;
    options.log_bytes_max = 256_MiB;
    std::array<void*, 2> prime;
    backtrace(prime.data(), prime.size());  // loads what it needs
    where_ = table();
    fill(where_, keys, 100);
    settle();  // the next segment is ready
  }
  void TearDown() override {
    counting = false;
    if (counts) StoreTest::TearDown();
  }

  // "k00000017" without a string.
  struct Key {
    std::array<char, 16> text;
    explicit Key(std::uint64_t number) {
      std::snprintf(text.data(), text.size(), "k%08llu", static_cast<unsigned long long>(number));
    }
    operator Bytes() const { return {text.data(), 9}; }  // NOLINT(google-explicit-constructor)
  };
  std::uint64_t any() { return next_ = (next_ * 6364136223846793005ull + 1442695040888963407ull), (next_ >> 33) % keys; }

  // What `body` allocates in `rounds` rounds, after a fifth as many to get warm.
  template <class Body>
  std::uint64_t allocated(std::uint64_t rounds, Body body) {
    for (std::uint64_t i = 0; i < rounds / 5; ++i) body(i);
    allocations = 0;
    counting = true;
    for (std::uint64_t i = 0; i < rounds; ++i) body(rounds / 5 + i);
    counting = false;
    return allocations;
  }
  template <class Body>
  void expect_none(const char* phase, std::uint64_t rounds, Body body) {
    const std::uint64_t count = allocated(rounds, body);
    EXPECT_EQ(count, 0u) << phase << ": in " << rounds << " rounds";
    if (count == 0) return;
    std::fprintf(stderr, "%s allocates here:\n", phase);
    backtrace_symbols_fd(first_calls.data(), first_depth, 2);
  }
  // Every call must succeed: errors may allocate, and would hide what was to be measured.
  template <class T>
  static void must(const Result<T>& result) {
    if (result) return;
    counting = false;
    ADD_FAILURE() << result.error().message();
  }
  template <class Body>
  void in_transaction(Body body, const TransactionOptions& how = {.durability = Durability::relaxed}) {
    auto tx = db().begin(how);
    must(tx);
    body(*tx);
    must(tx->commit());
  }

  Table where_;
  std::uint64_t next_ = 1;
  std::array<char, 4096> bytes_{};
};

TEST_F(ZeroHeap, TheCounterNotices) {
  const auto planted = [&](auto plant) { return allocated(10, [&](std::uint64_t) { plant(); }); };
  EXPECT_EQ(planted([] {}), 0u);
  EXPECT_GE(planted([] { operator delete(operator new(4)); }), 10u);
  EXPECT_GE(planted([] { std::free(std::malloc(10)); }), 10u);
  EXPECT_GE(planted([] { std::free(std::calloc(2, 10)); }), 10u);
  EXPECT_GE(planted([] { std::free(std::realloc(nullptr, 10)); }), 10u);
  EXPECT_GE(planted([] { std::free(std::aligned_alloc(64, 128)); }), 10u);
  EXPECT_GE(planted([] { operator delete(operator new(64, std::align_val_t(64)), std::align_val_t(64)); }), 10u);
  EXPECT_GE(planted([] { std::string(100, 'x'); }), 10u);
  EXPECT_GE(planted([] { std::thread([] { std::vector<int>(100); }).join(); }), 10u) << "of other threads, too";
  std::string long_key(100, 'x');
  EXPECT_GE(planted([&] { in_transaction([&](Transaction& tx) { must(tx.get(where_, std::string(long_key))); }); }), 10u);
}

TEST_F(ZeroHeap, Reads) {
  expect_none("get", 5000, [&](std::uint64_t) { in_transaction([&](Transaction& tx) { must(tx.get(where_, Key(any()))); }); });
  expect_none("get of what is absent", 5000,
              [&](std::uint64_t) { in_transaction([&](Transaction& tx) { must(tx.get(where_, Key(keys + any()))); }); });
  expect_none("get, read-only", 5000, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) { must(tx.get(where_, Key(any()))); }, {.read_only = true});
  });
  expect_none("exists", 5000,
              [&](std::uint64_t) { in_transaction([&](Transaction& tx) { must(tx.exists(where_, Key(any()))); }); });
  expect_none("many values held", 500, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) {
      std::array<std::optional<Value>, 100> held;
      for (auto& value : held) {
        auto found = tx.get(where_, Key(any()));
        must(found);
        value = std::move(*found);
      }
    });
  });
  expect_none("multi_get", 2000, [&](std::uint64_t) {
    std::array<Key, 20> names = {Key(any()), Key(any()), Key(any()), Key(any()), Key(any()), Key(any()), Key(any()),
                                 Key(any()), Key(any()), Key(any()), Key(any()), Key(any()), Key(any()), Key(any()),
                                 Key(any()), Key(any()), Key(any()), Key(any()), Key(any()), Key(any())};
    std::array<Bytes, 20> asked;
    std::array<std::optional<Value>, 20> answers;
    for (std::size_t i = 0; i < asked.size(); ++i) asked[i] = names[i];
    in_transaction([&](Transaction& tx) { must(tx.multi_get(where_, asked, answers)); });
  });
}

TEST_F(ZeroHeap, Scans) {
  for (const Direction direction : {Direction::forward, Direction::backward})
    expect_none("scan", 1000, [&](std::uint64_t) {
      in_transaction([&](Transaction& tx) {
        const Key from(any());
        auto cursor =
            tx.cursor(where_, direction == Direction::forward ? Range{.from = Bytes(from)} : Range{.to = Bytes(from)}, direction);
        must(cursor);
        for (int n = 0; n < 200; ++n) {
          auto more = cursor->next();
          must(more);
          if (!*more) break;
        }
      });
    });
  expect_none("scan of own writes, seek", 500, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) {
      auto cursor = tx.cursor(where_);
      must(cursor);
      for (int n = 0; n < 20; ++n) {
        const Key key(any());
        must(tx.put(where_, key, Bytes(bytes_.data(), 100)));
        must(cursor->seek(key));
        must(cursor->next());
      }
    });
  });
  expect_none("count", 200, [&](std::uint64_t) { in_transaction([&](Transaction& tx) { must(tx.count(where_)); }); });
}

TEST_F(ZeroHeap, Writes) {
  expect_none("put in place", 5000, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) { must(tx.put(where_, Key(any()), Bytes(bytes_.data(), 100))); });
  });
  expect_none("put of other sizes", 5000, [&](std::uint64_t i) {
    in_transaction([&](Transaction& tx) { must(tx.put(where_, Key(any()), Bytes(bytes_.data(), 20 + i * 37 % 180))); });
  });
  expect_none("get_for_update", 5000,
              [&](std::uint64_t) { in_transaction([&](Transaction& tx) { must(tx.get_for_update(where_, Key(any()))); }); });
  expect_none("update", 5000, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) { must(tx.update(where_, Key(any()), Bytes(bytes_.data(), 100))); });
  });
  expect_none("insert, with the splits that this takes", 5000, [&](std::uint64_t i) {
    in_transaction([&](Transaction& tx) { must(tx.insert(where_, Key(keys + i), Bytes(bytes_.data(), 100))); });
  });
  expect_none("erase, with merges", 5000,
              [&](std::uint64_t i) { in_transaction([&](Transaction& tx) { must(tx.erase(where_, Key(keys + i))); }); });
  expect_none("insert and erase", 2000, [&](std::uint64_t i) {
    in_transaction([&](Transaction& tx) { must(tx.insert(where_, Key(2 * keys + i), Bytes(bytes_.data(), 100))); });
    in_transaction([&](Transaction& tx) { must(tx.erase(where_, Key(2 * keys + i))); });
  });
  expect_none("many writes in one transaction", 100, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) {
      for (int n = 0; n < 200; ++n) must(tx.put(where_, Key(any()), Bytes(bytes_.data(), 100)));
    });
  });
  expect_none("erase_range", 200, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) {
      for (std::uint64_t n = 0; n < 20; ++n) must(tx.put(where_, Key(9 * keys + n), Bytes(bytes_.data(), 100)));
    });
    const Key from(9 * keys), to(9 * keys + 20);
    in_transaction([&](Transaction& tx) { must(tx.erase_range(where_, {.from = Bytes(from), .to = Bytes(to)})); });
  });
}

TEST_F(ZeroHeap, EndsOfTransactions) {
  const auto change = [&](Transaction& tx) { must(tx.put(where_, Key(any()), Bytes(bytes_.data(), 100))); };
  expect_none("durable commit", 1000, [&](std::uint64_t) { in_transaction(change, {.durability = Durability::durable}); });
  expect_none("abort", 5000, [&](std::uint64_t) {
    auto tx = db().begin({.durability = Durability::relaxed});
    must(tx);
    change(*tx);
    must(tx->get(where_, Key(any())));
    must(tx->abort());
  });
  expect_none("savepoints", 2000, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) {
      change(tx);
      auto outer = tx.savepoint();
      must(outer);
      change(tx);
      auto inner = tx.savepoint();
      must(inner);
      change(tx);
      must(tx.rollback_to(*inner));
      change(tx);
      must(tx.release(*inner));
      must(tx.rollback_to(*outer));
    });
  });
  expect_none("transact", 5000, [&](std::uint64_t) {
    must(db().transact({.durability = Durability::relaxed},
                       [this](Transaction& tx) -> Result<void> { return tx.put(where_, Key(any()), Bytes(bytes_.data(), 100)); }));
  });
  std::atomic<std::uint64_t> done{0};
  expect_none("commit_async", 2000, [&](std::uint64_t i) {
    auto tx = db().begin();
    must(tx);
    change(*tx);
    must(tx->commit_async([](void* counter, Result<void>) { ++*static_cast<std::atomic<std::uint64_t>*>(counter); }, &done));
    while (i % 100 == 99 && done <= i) std::this_thread::yield();
  });
  expect_none("prepare, commit_prepared", 500, [&](std::uint64_t) {
    auto tx = db().begin();
    must(tx);
    change(*tx);
    must(tx->prepare("global"));
    must(db().commit_prepared("global"));
  });
}

TEST_F(ZeroHeap, LargeValuesInPieces) {
  expect_none("writing and reading a large value", 100, [&](std::uint64_t i) {
    const Key key(any() % 10);
    in_transaction([&](Transaction& tx) {
      auto writer = tx.open_writer(where_, key);
      must(writer);
      for (std::uint64_t n = 0; n < 20 + i % 7; ++n) must(writer->write(Bytes(bytes_.data(), bytes_.size())));
      must(writer->finish());
    });
    in_transaction([&](Transaction& tx) {
      auto reader = tx.open_reader(where_, key);
      must(reader);
      for (;;) {
        auto got = (*reader)->read(bytes_);
        must(got);
        if (*got == 0) break;
      }
    });
  });
}

// Threads that change the same keys: waiting for each other, and versions that others still see.
TEST_F(ZeroHeap, TransactionsThatWaitForEachOther) {
  constexpr int rounds = 2000;
  std::latch warm(2), begun(2), ended(2);
  std::latch go(1);
  const auto work = [&] {
    const auto round = [&] {
      must(db().transact({.isolation = Isolation::read_committed, .durability = Durability::relaxed},
                         [this](Transaction& tx) -> Result<void> {
                           if (auto locked = tx.get_for_update(where_, Key(1)); !locked) return std::unexpected(locked.error());
                           return tx.put(where_, Key(1), Bytes(bytes_.data(), 100));
                         }));
    };
    // A thread's first block is taken once, and with it what tells the allocator of the thread's end.
    must(db().transact({.durability = Durability::relaxed}, [](Transaction& tx) -> Result<void> {
      if (auto block = tx.allocate(8_KiB); !block) return std::unexpected(block.error());
      return {};
    }));
    for (int i = 0; i < rounds / 5; ++i) round();
    warm.count_down();
    go.wait();
    for (int i = 0; i < rounds; ++i) round();
    ended.count_down();
    begun.wait();  // not ended while others are being counted
  };
  std::thread one(work), other(work);
  warm.wait();
  auto held = reader();
  ASSERT_OK(held.get(where_, Key(1)));
  allocations = 0;
  counting = true;
  go.count_down();
  ended.wait();
  counting = false;
  EXPECT_EQ(allocations, 0u);
  if (allocations != 0) backtrace_symbols_fd(first_calls.data(), first_depth, 2);
  begun.count_down(2);
  one.join();
  other.join();
  ASSERT_OK(held.commit());
}

// Making a segment, and cutting the log with a checkpoint, costs file names and file objects; how often depends on the bytes
// logged.
TEST_F(ZeroHeap, TheLogAllocatesByTheSegment) {
  close();
  options.log_segment_bytes = 256_KiB;
  options.log_bytes_max = 2_MiB;
  std::filesystem::remove_all(path());
  where_ = table();
  fill(where_, keys, 100);
  constexpr std::uint64_t rounds = 20'000, a_segment_costs = 64;
  const std::uint64_t begin = gauge("end_lsn");
  const std::uint64_t count = allocated(rounds, [&](std::uint64_t) {
    in_transaction([&](Transaction& tx) { must(tx.put(where_, Key(any()), Bytes(bytes_.data(), 100))); });
  });
  const std::uint64_t segments = (gauge("end_lsn") - begin) / options.log_segment_bytes;
  EXPECT_GT(segments, 10u);
  EXPECT_GT(count, 0u) << "then the phases above need not keep off segments any more";
  EXPECT_LE(count, segments * a_segment_costs) << segments << " segments in " << rounds << " transactions";
}

}  // namespace
}  // namespace plimsoll
