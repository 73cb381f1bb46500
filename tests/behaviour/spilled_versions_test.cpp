// Old versions that a snapshot needs cannot be collected. From the critical level on, those that nobody reads are written to their
// file ahead of need (rung `versions`), and stay readable.
#include "behaviour/support.hpp"
#include "db/environment.hpp"
#include "io/plain_file_system.hpp"
#include "memory/pressure.hpp"
#include "test_time.hpp"

namespace plimsoll {
namespace {

class SpilledVersions : public StoreTest {
 protected:
  static constexpr std::uint64_t updated_rows = 2000;
  static constexpr std::size_t row_bytes = 1000;

  void SetUp() override {
    StoreTest::SetUp();
    environment_ = {.files = files_.get(), .time = &clock_, .seed = 1};
    options.environment = &environment_;
    options.background_threads = false;
  }
  RungStats versions() { return db().statistics().pressure.rungs[static_cast<std::size_t>(memory::Rung::versions)]; }
  void update_all(Table where, std::uint64_t round) {
    for (std::uint64_t i = 0; i < updated_rows; i += 500) {
      auto tx = begin();
      for (std::uint64_t n = i; n < i + 500; ++n) ASSERT_OK(tx.put(where, key_of(n), noise(row_bytes, n + round * updated_rows)));
      ASSERT_OK(tx.commit());
    }
  }
  void take_rungs_unasked() {
    clock_.advance(30'000'000);
    db().run_background();
  }

  TestTime clock_{TestTime::Runs::by_itself};
  std::unique_ptr<io::FileSystem> files_ = io::make_plain_file_system();
  Environment environment_;
};

TEST_F(SpilledVersions, AreInTheirFileBeforeAWriterNeedsTheirFrames) {
  const Table where = table();
  fill(where, updated_rows, row_bytes);
  auto pinned = reader();
  EXPECT_EQ(text(pinned.get(where, key_of(0))), noise(row_bytes, 0));
  update_all(where, 1);
  update_all(where, 2);
  take_rungs_unasked();
  EXPECT_EQ(counter("version_pages_spilled"), 0u) << "there is room, and no pressure";
  const std::uint64_t pages = gauge("version_pages");
  ASSERT_GT(pages, 200u);
  db().set_pressure_level(PressureLevel::critical);
  for (int round = 0; round < 20; ++round) take_rungs_unasked();
  const std::uint64_t spilled = counter("version_pages_spilled");
  EXPECT_GE(versions().fired, 20u);
  EXPECT_GT(spilled, pages * 9 / 10);
  for (int round = 0; round < 5; ++round) take_rungs_unasked();
  EXPECT_EQ(counter("version_pages_spilled"), spilled) << "what is clean is not written again";
  const std::uint64_t evictions = counter("evictions");
  update_all(where, 3);
  EXPECT_EQ(counter("evictions"), evictions) << "there are frames";
  for (std::uint64_t i = 0; i < updated_rows; i += 7) EXPECT_EQ(text(pinned.get(where, key_of(i))), noise(row_bytes, i));
  db().set_pressure_level(PressureLevel::normal);
  const std::size_t used = db().statistics().memory_used, released = db().release_memory(4_MiB);
  std::printf("%llu pages, %llu spilled; released %zu of %zu bytes; the rung: taken %llu times, freed %llu bytes\n",
              static_cast<unsigned long long>(pages), static_cast<unsigned long long>(spilled), released, used,
              static_cast<unsigned long long>(versions().fired), static_cast<unsigned long long>(versions().freed_bytes));
  EXPECT_OK(pinned.abort());
}

}  // namespace
}  // namespace plimsoll
