// A stream whose disk is full or fails in the middle: the value is not there, whatever its writer does next, and the transaction
// goes on.
#include <gtest/gtest.h>

#include "io/simulation/simulated_file_system.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::SimulatedFileSystem;

class StreamFaultsTest : public ::testing::Test {
 protected:
  SimulatedFileSystem disk_;
  SteppingTime time_;
  Environment environment_{&disk_, &time_, 9};
};

TEST_F(StreamFaultsTest, AWriterThatCouldNotWriteAPieceCannotFinish) {
  auto db = Database::open(store_path, tiny_store(environment_));
  ASSERT_TRUE(db);
  auto table = db->open_table("t", {.create_if_missing = true});
  ASSERT_TRUE(table);
  ASSERT_TRUE(db->transact({}, [&](Transaction& tx) { return tx.put(*table, "k", "old"); }));
  const std::string piece(50'000, 'p');
  auto tx = db->begin();
  ASSERT_TRUE(tx);
  ASSERT_TRUE(tx->put(*table, "small", "v"));
  {
    auto writer = tx->open_writer(*table, "k");
    ASSERT_TRUE(writer) << writer.error().message();
    disk_.set_disk_bytes(disk_.disk_bytes_used() + 1'000'000);
    bool refused = false;
    for (int i = 0; i < 200 && !refused; ++i) {
      const auto written = writer->write(piece);
      refused = !written;
      if (refused) { EXPECT_EQ(written.error().code(), ErrorCode::no_space) << written.error().message(); }
    }
    ASSERT_TRUE(refused) << "the disk never filled up";
    disk_.set_disk_bytes(std::numeric_limits<std::uint64_t>::max());
    EXPECT_FALSE(writer->write(piece)) << "a value with a hole";
    EXPECT_FALSE(writer->finish()) << "a value with a hole";
    EXPECT_FALSE(writer->finish());
  }
  auto found = tx->get(*table, "k");
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->bytes(), "old");
  {
    auto writer = tx->open_writer(*table, "k");
    ASSERT_TRUE(writer);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(writer->write(piece));
    ASSERT_TRUE(writer->finish());
  }
  ASSERT_TRUE(tx->commit());
  auto reads = db->begin({.read_only = true});
  ASSERT_TRUE(reads);
  auto whole = reads->get(*table, "k");
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ((*whole)->bytes().size(), 40 * piece.size());
  whole->reset();
  ASSERT_TRUE(reads->commit());
  auto report = db->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
}

}  // namespace
}  // namespace plimsoll::test
