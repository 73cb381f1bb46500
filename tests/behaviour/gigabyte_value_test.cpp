// The largest value, through a stream, in a store that may use 32 MiB; and one byte more.
// ctest-labels: medium
// ctest-timeout: 1800
#include <sys/mman.h>
#include <sys/resource.h>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class GigabyteValue : public StoreTest {
 protected:
  static constexpr std::size_t piece_bytes = 1_MiB, pieces = 1_GiB / piece_bytes;

  // The same piece with another head: cheap to make, and no two are equal.
  static void mark(std::string& piece, std::uint64_t number) {
    const std::string head = std::to_string(number * 2654435761u) + ":";
    piece.replace(0, head.size(), head);
  }
  void write_whole(Transaction& tx, Table where, Bytes key) {
    std::string piece = noise(piece_bytes, 5);
    auto writer = tx.open_writer(where, key);
    ASSERT_OK(writer);
    for (std::uint64_t i = 0; i < pieces; ++i) {
      mark(piece, i);
      ASSERT_OK(writer->write(piece));
      ASSERT_LE(db().statistics().memory_used, options.memory_budget);
    }
    ASSERT_OK(writer->finish());
  }
  void expect_whole(Transaction& tx, Table where, Bytes key) {
    auto opened = tx.open_reader(where, key);
    ASSERT_OK(opened);
    ASSERT_TRUE(*opened);
    ASSERT_EQ((*opened)->size(), 1_GiB);
    std::string expected = noise(piece_bytes, 5), piece(piece_bytes, '\0');
    for (std::uint64_t i = 0; i < pieces; ++i) {
      mark(expected, i);
      for (std::size_t have = 0; have < piece_bytes;) {
        auto got = (*opened)->read(std::span(piece).subspan(have));
        ASSERT_OK(got);
        ASSERT_GT(*got, 0u);
        have += *got;
      }
      ASSERT_EQ(piece == expected, true) << "piece " << i;
    }
    EXPECT_EQ((*opened)->read(piece).value_or(1), 0u);
  }
  static std::uint64_t peak_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  }
};

TEST_F(GigabyteValue, GoesInAndOutThroughAStreamWithin32MiB) {
  ASSERT_EQ(options.memory_budget, 32_MiB);
  const Table where = table();
  put(where, "a", "before");
  const std::uint64_t before = peak_bytes();
  {
    auto tx = begin();
    write_whole(tx, where, "large");
    expect_whole(tx, where, "large");
    ASSERT_OK(tx.commit());
  }
  {
    auto tx = reader();
    expect_whole(tx, where, "large");
    EXPECT_CODE(tx.get(where, "large"), memory_budget_exceeded);
    ASSERT_OK(tx.commit());
  }
  EXPECT_LE(peak_bytes() - std::min(peak_bytes(), before), 48_MiB) << "the process held more than the budget";
  reopen();
  {
    auto tx = reader();
    expect_whole(tx, table(), "large");
    EXPECT_EQ(text(tx.get(table(), "a")), "before");
    ASSERT_OK(tx.commit());
  }
  const std::uint64_t pages = gauge("data_file_pages");
  erase(table(), "large");
  ASSERT_TRUE(eventually(
      [&] {
        auto report = db().verify();
        return report && report->free_pages >= 1_GiB / db().page_size();
      },
      std::chrono::minutes(2)));
  EXPECT_EQ(gauge("data_file_pages"), pages);
}

TEST_F(GigabyteValue, AStreamThatIsRefusedAByteMoreIsNoValue) {
  const Table where = table();
  auto tx = begin({});
  auto writer = tx.open_writer(where, "large");
  ASSERT_OK(writer);
  const std::string piece = noise(piece_bytes, 5);
  for (std::uint64_t i = 0; i < pieces; ++i) ASSERT_OK(writer->write(piece));
  EXPECT_CODE(writer->write("x"), invalid_argument);
  EXPECT_CODE(writer->finish(), invalid_argument);
  EXPECT_EQ(text(tx.get(where, "large")), std::nullopt);
}

TEST_F(GigabyteValue, AByteMoreThanAGibibyteIsRefusedWithoutLookingAtIt) {
  const Table where = table();
  void* memory = mmap(nullptr, 1_GiB + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const Bytes too_large(static_cast<const char*>(memory), 1_GiB + 1);
  const std::uint64_t pages = gauge("data_file_pages");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "kept"));
  EXPECT_CODE(tx.put(where, "k", too_large), invalid_argument);
  EXPECT_CODE(tx.insert(where, "new", too_large), invalid_argument);
  EXPECT_CODE(tx.update(where, "k", too_large), invalid_argument);
  auto refused = tx.put(where, "k", too_large);
  EXPECT_NE(told(refused).find(std::to_string(1_GiB)), std::string::npos) << told(refused);
  EXPECT_EQ(text(tx.get(where, "k")), "kept");
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"k", "kept"}}));
  EXPECT_LE(gauge("data_file_pages"), pages + 16);
  munmap(memory, 1_GiB + 4096);
}

}  // namespace
}  // namespace plimsoll
