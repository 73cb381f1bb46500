// The superblock is written whole or not at all, and what is wrong with it is said in words.
#include "storage/superblock.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/crc32c.hpp"
#include "io/simulation/simulated_file_system.hpp"

namespace plimsoll::storage {
namespace {

using io::simulation::SimulatedFileSystem;

class SuperblockTest : public ::testing::Test {
 protected:
  SuperblockTest() {
    EXPECT_TRUE(files.make_directory("/s"));
    EXPECT_TRUE(files.sync_directory("/"));
    block.page_bytes = 16384;
    block.segment_bytes = 1 << 20;
    block.salt = 42;
    block.incarnation = 7;
    block.checkpoint_lsn = 1000;
    block.log_end = 2000;
    block.clock_ceiling = 3000;
    block.next_sequence = 4000;
  }
  void create() { ASSERT_TRUE(create_superblock(files, "/s", block)); }
  // Changes the bytes of the file.
  void patch(std::uint64_t offset, std::string_view bytes) {
    const auto file = files.open("/s/superblock", io::OpenMode::read_write, false);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write(offset, bytes));
    ASSERT_TRUE((*file)->sync());
  }
  Error error() {
    const auto answer = read_superblock(files, "/s");
    EXPECT_FALSE(answer);
    return answer.error();
  }

  SimulatedFileSystem files;
  Superblock block;
};

TEST_F(SuperblockTest, ComesBackAsItWasWritten) {
  create();
  block.clean = true;
  for (std::uint64_t i = 2; i < 7; ++i) {
    block.checkpoint_lsn += 10;
    ASSERT_TRUE(write_superblock(files, "/s", block));
    const auto read = read_superblock(files, "/s");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->sequence, i);
    EXPECT_EQ(read->page_bytes, 16384u);
    EXPECT_EQ(read->segment_bytes, 1u << 20);
    EXPECT_EQ(read->salt, 42u);
    EXPECT_TRUE(read->clean);
    EXPECT_EQ(read->incarnation, 7u);
    EXPECT_EQ(read->checkpoint_lsn, block.checkpoint_lsn);
    EXPECT_EQ(read->log_end, 2000u);
    EXPECT_EQ(read->clock_ceiling, 3000u);
    EXPECT_EQ(read->next_sequence, 4000u);
  }
}

TEST_F(SuperblockTest, AFolderWithoutOneIsNoStore) {
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  EXPECT_EQ(error().details(), "/s is no store: it has no file superblock");
}

TEST_F(SuperblockTest, OneDamagedBlockLeavesTheOther) {
  create();
  block.checkpoint_lsn = 1111;
  ASSERT_TRUE(write_superblock(files, "/s", block));  // the second block
  patch(4096 + 100, "x");
  EXPECT_EQ(read_superblock(files, "/s")->checkpoint_lsn, 1000u);
  ASSERT_TRUE(write_superblock(files, "/s", block));  // over the damaged one
  patch(100, "x");
  EXPECT_EQ(read_superblock(files, "/s")->checkpoint_lsn, 1111u);
  patch(4096 + 100, "y");
  EXPECT_EQ(error().code(), ErrorCode::corruption);
  EXPECT_EQ(error().details(), "/s/superblock: both blocks are damaged");
  EXPECT_EQ(write_superblock(files, "/s", block).error().code(), ErrorCode::corruption);
}

TEST_F(SuperblockTest, ForeignShortAndNewerFilesAreNamed) {
  create();
  patch(8, std::string_view("\x09\0\0\0", 4));
  EXPECT_EQ(error().code(), ErrorCode::version_mismatch);
  EXPECT_EQ(error().details(), "/s/superblock has format version 9, this library reads version 2");
  // Version 1 is refused by name too: its doublewrite area would be read wrongly.
  std::string block_1(4096, '\0');
  {
    const auto file = files.open("/s/superblock", io::OpenMode::read_only, false);
    ASSERT_TRUE(file && (*file)->read(0, block_1));
  }
  block_1[8] = 1;
  const std::uint32_t crc = crc32c(0, block_1.data(), block_1.size() - 4);
  std::memcpy(block_1.data() + block_1.size() - 4, &crc, 4);
  patch(0, block_1);
  EXPECT_EQ(error().code(), ErrorCode::version_mismatch);
  EXPECT_EQ(error().details(), "/s/superblock has format version 1, this library reads version 2");
  patch(0, std::string(8192, '#'));
  EXPECT_EQ(error().details(), "/s/superblock is no superblock of a store");
  {
    const auto file = files.open("/s/superblock", io::OpenMode::read_write, false);
    ASSERT_TRUE((*file)->resize(5000));
  }
  EXPECT_EQ(error().details(), "/s/superblock is cut off: 5000 of 8192 bytes");
}

TEST_F(SuperblockTest, ImpossibleValuesAreRefused) {
  block.page_bytes = 5000;
  create();
  EXPECT_EQ(error().code(), ErrorCode::corruption);
  EXPECT_EQ(error().details(), "/s/superblock: page size 5000 is not a power of two in 4096 .. 32768");
}

TEST_F(SuperblockTest, APowerFailureLeavesTheOldOrTheNewOne) {
  for (std::uint64_t nth = 1; nth <= 4; ++nth) {
    SimulatedFileSystem disk;
    ASSERT_TRUE(disk.make_directory("/s"));
    ASSERT_TRUE(disk.sync_directory("/"));
    ASSERT_TRUE(create_superblock(disk, "/s", block));
    Superblock next = block;
    next.checkpoint_lsn = 5555;
    disk.power_fails_at(nth);
    const bool done = write_superblock(disk, "/s", next).has_value();
    Random random(nth);
    for (unsigned state = 0; state < 20; ++state) {
      const auto read = read_superblock(*disk.crash_copy(random), "/s");
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_TRUE(read->checkpoint_lsn == 5555 || (!done && read->checkpoint_lsn == 1000));
    }
  }
}

TEST_F(SuperblockTest, AFailedCreationLeavesNoStoreAndCanBeRepeated) {
  for (std::uint64_t nth = 1; nth <= 6; ++nth) {
    SimulatedFileSystem disk;
    ASSERT_TRUE(disk.make_directory("/s"));
    ASSERT_TRUE(disk.sync_directory("/"));
    disk.power_fails_at(nth);
    const bool done = create_superblock(disk, "/s", block).has_value();
    Random random(nth);
    for (unsigned state = 0; state < 20; ++state) {
      const auto after = disk.crash_copy(random);
      const auto read = read_superblock(*after, "/s");
      EXPECT_TRUE(read || (!done && read.error().code() == ErrorCode::not_found));
      if (!read) { EXPECT_TRUE(create_superblock(*after, "/s", block)); }
    }
  }
}

TEST(VersionFiles, AreNamedByIncarnation) {
  EXPECT_EQ(version_file_name(1), "versions.0001");
  EXPECT_EQ(version_file_name(65535), "versions.65535");
}

}  // namespace
}  // namespace plimsoll::storage
