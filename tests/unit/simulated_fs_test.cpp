// The simulated file system: injected faults, the full disk, and the states that a power failure may leave. The central property:
// what was synced is always there, and what was not synced may be lost in every way that a real disk knows, but in no other.
// Without tsan: the simulated disk has one mutex: nothing for ThreadSanitizer.
// ctest-labels: fast asan
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "io/simulation/name_table.hpp"
#include "io/simulation/simulated_file_system.hpp"

namespace plimsoll::io::simulation {
namespace {

constexpr std::size_t sector = Inode::sector_bytes;

std::unique_ptr<File> create(FileSystem& disk, std::string_view path) {
  auto file = disk.open(path, OpenMode::create, false);
  EXPECT_TRUE(file) << file.error().message();
  return file ? std::move(*file) : nullptr;
}

// The whole content, or nothing if there is no such file.
std::optional<std::string> content(FileSystem& disk, std::string_view path) {
  auto file = disk.open(path, OpenMode::read_only, false);
  if (!file) return std::nullopt;
  std::string text(*(*file)->size(), '?');
  EXPECT_TRUE((*file)->read(0, text));
  return text;
}

// A file /f whose name and present content are durable.
std::unique_ptr<File> durable_file(FileSystem& disk, std::string_view text) {
  auto file = create(disk, "/f");
  EXPECT_TRUE(file->write(0, text));
  EXPECT_TRUE(file->sync());
  EXPECT_TRUE(disk.sync_directory("/"));
  return file;
}

TEST(FaultTest, TheNthCallFailsOnceOrFromThenOn) {
  SimulatedFileSystem disk;
  const auto file = create(disk, "/f");
  disk.inject({.operation = Operation::write, .nth = 2, .os_error = EIO});
  EXPECT_TRUE(file->write(0, std::string_view("a")));
  const auto second = file->write(1, std::string_view("b"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_error(), EIO);
  EXPECT_TRUE(file->write(2, std::string_view("c")));
  EXPECT_EQ(content(disk, "/f"), std::string("a\0c", 3));
  disk.inject({.operation = Operation::read, .nth = 2, .from_then_on = true});
  std::string text(1, ' ');
  EXPECT_TRUE(file->read(0, text));
  EXPECT_FALSE(file->read(0, text));
  EXPECT_FALSE(file->read(0, text));
  disk.clear_faults();
  EXPECT_TRUE(file->read(0, text));
  EXPECT_EQ(disk.faults_fired(), 3u);
}

TEST(FaultTest, EveryOperationCanFailAndThenChangesNothing) {
  SimulatedFileSystem disk;
  const auto file = durable_file(disk, "text");
  const std::uint64_t image = disk.image_hash();
  const auto fails = [&](Operation operation, auto call) {
    disk.inject({.operation = operation, .os_error = EACCES});
    const auto result = call();
    EXPECT_FALSE(result) << name(operation);
    if (!result) { EXPECT_EQ(result.error().os_error(), EACCES) << name(operation); }
    EXPECT_EQ(disk.image_hash(), image) << name(operation);
  };
  std::string buffer(4, ' ');
  fails(Operation::read, [&] { return file->read(0, buffer); });
  fails(Operation::write, [&] { return file->write(0, std::string_view("else")); });
  fails(Operation::resize, [&] { return file->resize(1); });
  fails(Operation::allocate, [&] { return file->allocate(0, 10'000); });
  fails(Operation::deallocate, [&] { return file->deallocate(0, block_bytes); });
  fails(Operation::look, [&] { return file->size(); });
  fails(Operation::look, [&] { return file->allocated(); });
  fails(Operation::look, [&] { return disk.exists("/f"); });
  fails(Operation::look, [&] { return disk.list("/"); });
  fails(Operation::look, [&] { return disk.lock_holder("/f"); });
  fails(Operation::open, [&] { return disk.open("/f", OpenMode::read_only, false); });
  fails(Operation::create, [&] { return disk.open("/g", OpenMode::create, false); });
  fails(Operation::create, [&] { return disk.lock("/lock"); });
  fails(Operation::lock, [&] { return disk.lock("/f"); });
  fails(Operation::rename, [&] { return disk.rename("/f", "/g"); });
  fails(Operation::remove, [&] { return disk.remove("/f"); });
  fails(Operation::make_directory, [&] { return disk.make_directory("/d"); });
  fails(Operation::sync_directory, [&] { return disk.sync_directory("/"); });
  fails(Operation::sync, [&] { return file->sync(); });
  EXPECT_EQ(disk.faults_fired(), 19u);
}

TEST(FaultTest, AShortWriteLandsAPrefix) {
  SimulatedFileSystem disk;
  const auto file = create(disk, "/f");
  disk.inject({.operation = Operation::write, .os_error = EIO, .lands_bytes = 3});
  EXPECT_FALSE(file->write(0, std::string_view("abcdef")));
  EXPECT_EQ(content(disk, "/f"), "abc");
}

TEST(FaultTest, AFailedSyncPoisonsAndLaterSyncsDoNotBringTheBytesBack) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SimulatedFileSystem disk;
    const auto file = durable_file(disk, "old");
    ASSERT_TRUE(file->write(0, std::string_view("new")));
    disk.inject({.operation = Operation::sync});
    EXPECT_EQ(file->sync().error().code(), ErrorCode::io_error);
    EXPECT_FALSE(file->write(0, std::string_view("x")));
    EXPECT_FALSE(file->write_durable(0, std::string_view("x")));
    EXPECT_FALSE(file->sync());
    EXPECT_FALSE(file->resize(0));
    EXPECT_FALSE(file->allocate(0, 1));
    std::string text(3, ' ');
    ASSERT_TRUE(file->read(0, text));
    EXPECT_EQ(text, "new");
    // The kernel believes that the pages are clean: the sync of a second handle says yes, and means later writes only.
    const auto again = disk.open("/f", OpenMode::read_write, false);
    ASSERT_TRUE((*again)->write(2, std::string_view("!")));
    ASSERT_TRUE((*again)->sync());
    Random random(seed);
    disk.crash(random);
    const auto after = content(disk, "/f");
    EXPECT_TRUE(after == "ol!" || after == "ne!") << *after;
    lost = lost || after == "ol!";
  }
  EXPECT_TRUE(lost);
}

TEST(FaultTest, AFailedDurableWritePoisons) {
  for (const Operation operation : {Operation::write, Operation::sync}) {
    SimulatedFileSystem disk;
    const auto file = create(disk, "/f");
    disk.inject({.operation = operation});
    EXPECT_FALSE(file->write_durable(0, std::string_view("x")));
    EXPECT_FALSE(file->write_durable(0, std::string_view("x")));
    EXPECT_EQ(disk.faults_fired(), 1u);
  }
}

TEST(FaultTest, OperationsHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < operations; ++i) names.insert(name(static_cast<Operation>(i)));
  EXPECT_EQ(names.size(), operations);
  EXPECT_EQ(name(Operation::look), "look");
}

TEST(FaultTest, CallsAreCountedAndRecorded) {
  SimulatedFileSystem disk;
  disk.record(true);
  const auto file = create(disk, "/f");
  ASSERT_TRUE(file->write_durable(7, std::string_view("abc")));
  EXPECT_EQ(disk.count(Operation::write), 1u);
  EXPECT_EQ(disk.count(Operation::sync), 1u);
  EXPECT_EQ(disk.changes(), 3u);
  const auto calls = disk.calls();
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].operation, Operation::create);
  EXPECT_EQ(calls[1].operation, Operation::write);
  EXPECT_EQ(calls[1].path, "/f");
  EXPECT_EQ(calls[1].offset, 7u);
  EXPECT_EQ(calls[1].bytes, 3u);
  EXPECT_EQ(calls[2].operation, Operation::sync);
}

TEST(FullDiskTest, WritesStopAtTheLimitAndGoOnWhenThereIsRoom) {
  SimulatedFileSystem disk;
  disk.set_disk_bytes(4 * block_bytes);
  const auto first = create(disk, "/1");
  ASSERT_TRUE(first->write(0, std::string(3 * block_bytes, '1')));
  const auto second = create(disk, "/2");
  const auto full = second->write(0, std::string(2 * block_bytes, '2'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::no_space);
  EXPECT_EQ(*second->size(), block_bytes);  // the prefix for which there was room
  EXPECT_EQ(disk.disk_bytes_used(), 4 * block_bytes);
  EXPECT_TRUE(first->write(0, std::string(100, 'x')));  // an overwrite needs none
  EXPECT_EQ(second->allocate(0, 2 * block_bytes).error().code(), ErrorCode::no_space);
  EXPECT_EQ(second->write_durable(block_bytes, std::string_view("x")).error().code(), ErrorCode::no_space);
  const auto again = disk.open("/2", OpenMode::read_write, false);
  ASSERT_TRUE(disk.remove("/1"));
  EXPECT_TRUE((*again)->write(0, std::string(2 * block_bytes, '2')));
  ASSERT_TRUE((*again)->resize(0));
  EXPECT_EQ(disk.disk_bytes_used(), 0u);
}

TEST(FullDiskTest, AllocatedBlocksCannotMeetAFullDisk) {
  SimulatedFileSystem disk;
  const auto file = create(disk, "/f");
  ASSERT_TRUE(file->allocate(0, 8 * block_bytes));
  ASSERT_TRUE(file->sync());
  disk.set_disk_bytes(block_bytes);
  EXPECT_TRUE(file->write(0, std::string(8 * block_bytes, 'x')));
  EXPECT_TRUE(file->write_durable(0, std::string(block_bytes, 'y')));
  EXPECT_FALSE(file->write(8 * block_bytes, std::string_view("z")));
}

TEST(CrashTest, SyncedBytesAndNamesSurviveAlways) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    const auto file = durable_file(disk, std::string(3'000, 'a'));
    ASSERT_TRUE(file->write_durable(1'000, std::string(500, 'b')));
    ASSERT_TRUE(file->write_durable(5'000, std::string(10, 'c')));
    disk.crash(random);
    std::string expected(5'010, '\0');
    expected.replace(0, 3'000, 3'000, 'a').replace(1'000, 500, 500, 'b').replace(5'000, 10, 10, 'c');
    EXPECT_EQ(content(disk, "/f"), expected);
  }
}

// An unsynced write below a durable one must not come back over it, one above it may; a cut is undone or not.
TEST(CrashTest, ADurableWriteWinsOverEarlierUnsyncedOnes) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    const auto file = durable_file(disk, "........");
    ASSERT_TRUE(file->write(0, std::string_view("1111")));
    ASSERT_TRUE(file->resize(5));
    ASSERT_TRUE(file->write_durable(2, std::string_view("DDDD")));
    ASSERT_TRUE(file->write(4, std::string_view("22")));
    disk.crash(random);
    const auto after = content(disk, "/f");
    ASSERT_TRUE(after);
    EXPECT_TRUE(after->substr(2, 2) == "DD") << *after;
    EXPECT_TRUE(after->substr(4, 2) == "DD" || after->substr(4, 2) == "22") << *after;
    EXPECT_TRUE(after->size() == 6 || after->size() == 8);
    seen.insert(*after);
  }
  EXPECT_EQ(seen.size(), 8u);  // each of the three uncertain changes, kept or lost
}

TEST(CrashTest, OverlappingUnsyncedWritesSurviveAsAnySubsetInOrder) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    const auto file = durable_file(disk, "....");
    ASSERT_TRUE(file->write(0, std::string_view("aaa")));
    ASSERT_TRUE(file->write(1, std::string_view("bbb")));
    disk.crash(random);
    seen.insert(*content(disk, "/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"....", "aaa.", ".bbb", "abbb"}));
}

TEST(CrashTest, AnUnsyncedWriteIsTornBySectors) {
  SimulatedFileSystem disk;
  const auto file = durable_file(disk, std::string(8 * sector, 'o'));
  ASSERT_TRUE(file->write(sector / 2, std::string(6 * sector, 'n')));
  std::uint64_t torn = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const auto state = disk.crash_copy(random);
    const std::string text = *content(*state, "/f");
    ASSERT_EQ(text.size(), 8 * sector);
    for (std::size_t i = 0; i < text.size(); i += sector / 2) {  // uniform within each part of a sector
      EXPECT_EQ(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                           text.begin() + static_cast<std::ptrdiff_t>(i + sector / 2), text[i]),
                static_cast<std::ptrdiff_t>(sector / 2));
    }
    EXPECT_EQ(text.front(), 'o');
    EXPECT_EQ(text.back(), 'o');
    torn += state->last_crash().writes_torn;
  }
  EXPECT_GT(torn, 0u);
}

TEST(CrashTest, ASizeMaySurviveWithoutItsBytesAndTheOtherWayRound) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    const auto file = durable_file(disk, "ab");
    ASSERT_TRUE(file->write(2, std::string_view("cd")));
    disk.crash(random);
    seen.insert(*content(disk, "/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"ab", "abcd", std::string("ab\0\0", 4)}));
}

TEST(CrashTest, ANameWithoutADirectorySyncMayBeLostWhateverWasSynced) {
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    ASSERT_TRUE(disk.make_directory("/d"));
    ASSERT_TRUE(disk.sync_directory("/"));
    ASSERT_TRUE(create(disk, "/d/a")->sync());
    ASSERT_TRUE(create(disk, "/d/b")->sync());
    disk.crash(random);
    seen.insert(*disk.list("/d"));
  }
  EXPECT_EQ(seen, (std::set<std::vector<std::string>>{{}, {"a"}, {"b"}, {"a", "b"}}));
}

TEST(CrashTest, ALostDirectoryTakesItsFilesAlong) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    ASSERT_TRUE(disk.make_directory("/d"));
    ASSERT_TRUE(create(disk, "/d/a")->sync());
    ASSERT_TRUE(disk.sync_directory("/d"));
    disk.crash(random);
    lost = lost || !*disk.exists("/d");
    EXPECT_EQ(*disk.exists("/d"), *disk.exists("/d/a"));
  }
  EXPECT_TRUE(lost);
}

// The usual way to make a file: what has the name is complete.
TEST(CrashTest, ARenameIsAtomicAndFollowsItsCreation) {
  std::set<bool> seen;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    {
      const auto next = create(disk, "/next");
      ASSERT_TRUE(next->write(0, std::string_view("new")));
      ASSERT_TRUE(next->sync());
    }
    ASSERT_TRUE(disk.rename("/next", "/f"));
    if (seed % 2 == 0) { ASSERT_TRUE(disk.sync_directory("/")); }
    disk.crash(random);
    const bool renamed = *disk.exists("/f");
    if (seed % 2 == 0) { EXPECT_TRUE(renamed); }
    if (renamed) { EXPECT_EQ(content(disk, "/f"), "new"); }
    if (*disk.exists("/next")) {
      EXPECT_FALSE(renamed);
      EXPECT_EQ(content(disk, "/next"), "new");
    }
    seen.insert(renamed);
  }
  EXPECT_EQ(seen.size(), 2u);
}

// The creation of the new file may not survive without the rename that saved the old one.
TEST(CrashTest, ChangesOfOneNameSurviveInOrder) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    durable_file(disk, "old");
    ASSERT_TRUE(disk.rename("/f", "/saved"));
    create(disk, "/f");
    disk.crash(random);
    EXPECT_TRUE(content(disk, "/f") == "old" || content(disk, "/saved") == "old");
  }
}

TEST(CrashTest, ARemovalMayBeUndoneWithItsContent) {
  std::set<bool> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    durable_file(disk, "text");
    ASSERT_TRUE(disk.remove("/f"));
    disk.crash(random);
    const auto after = content(disk, "/f");
    EXPECT_EQ(after.value_or("text"), "text");
    seen.insert(after.has_value());
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(CrashTest, ARenameBetweenDirectoriesBecomesCertainAsAWhole) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    ASSERT_TRUE(disk.make_directory("/1"));
    ASSERT_TRUE(disk.make_directory("/2"));
    ASSERT_TRUE(disk.sync_directory("/"));
    ASSERT_TRUE(create(disk, "/1/x")->sync());
    ASSERT_TRUE(disk.rename("/1/x", "/2/y"));
    ASSERT_TRUE(disk.sync_directory("/2"));
    disk.crash(random);
    EXPECT_FALSE(*disk.exists("/1/x"));
    EXPECT_TRUE(*disk.exists("/2/y"));
  }
}

TEST(PowerTest, EveryCallFailsFromTheChangeOnUntilTheCrashIsOver) {
  SimulatedFileSystem disk;
  const auto file = durable_file(disk, "abc");
  const auto lock = disk.lock("/lock");
  disk.power_fails_at(2);
  EXPECT_TRUE(file->write(0, std::string_view("x")));
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(disk.powered());
  std::string text(1, ' ');
  EXPECT_FALSE(file->read(0, text));
  EXPECT_FALSE(disk.exists("/f"));
  EXPECT_FALSE(disk.open("/f", OpenMode::read_only, false));
  EXPECT_FALSE(disk.make_directory("/d"));
  Random random(1);
  disk.crash(random);
  EXPECT_TRUE(disk.powered());
  EXPECT_EQ(file->read(0, text).error().os_error(), EIO);  // a handle from before
  EXPECT_TRUE(disk.lock("/lock"));
  EXPECT_TRUE(content(disk, "/f") == "abc" || content(disk, "/f") == "xbc");
}

TEST(PowerTest, TheCallInFlightMayHaveTakenEffect) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedFileSystem disk;
    Random random(seed);
    const auto file = durable_file(disk, "abc");
    disk.power_fails_at(1);
    EXPECT_FALSE(file->write_durable(0, std::string_view("xyz")));
    disk.crash(random);
    seen.insert(*content(disk, "/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"abc", "xyz"}));
}

TEST(PowerTest, ACopyOfACrashGoesItsOwnWay) {
  SimulatedFileSystem disk;
  const auto file = durable_file(disk, "abc");
  const auto lock = disk.lock("/f");
  Random random(1);
  const auto copy = disk.crash_copy(random);
  EXPECT_EQ(copy->image_hash(), disk.image_hash());
  EXPECT_TRUE(copy->lock("/f"));
  ASSERT_TRUE((*copy->open("/f", OpenMode::read_write, false))->write(0, std::string_view("xyz")));
  EXPECT_EQ(content(disk, "/f"), "abc");
  ASSERT_TRUE(file->write(1, std::string_view("!")));
  EXPECT_EQ(content(*copy, "/f"), "xyz");
  EXPECT_NE(copy->image_hash(), disk.image_hash());
}

TEST(PowerTest, TheHashIsOfTheBytesNotOfHowTheyAreHeld) {
  SimulatedFileSystem one;
  SimulatedFileSystem other;
  const auto a = create(one, "/f");
  const auto b = create(other, "/f");
  ASSERT_TRUE(a->resize(3 * block_bytes));
  ASSERT_TRUE(b->write(0, std::string(3 * block_bytes, '\0')));
  EXPECT_EQ(one.image_hash(), other.image_hash());
  ASSERT_TRUE(b->resize(3 * block_bytes - 1));
  EXPECT_NE(one.image_hash(), other.image_hash());
  ASSERT_TRUE(b->resize(3 * block_bytes));
  EXPECT_EQ(one.image_hash(), other.image_hash());
  create(one, "/g");
  EXPECT_NE(one.image_hash(), other.image_hash());
}

// A random history that remembers, for each byte of each file, what it may be after a power failure.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {}

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < files; ++i) {
      files_.push_back(create(disk_, path(i)));
      allowed_.emplace_back(file_bytes, std::set<char>{'\0'});
      now_.emplace_back(file_bytes, '\0');
    }
    ASSERT_TRUE(disk_.sync_directory("/"));
    for (std::size_t step = 0; step < steps; ++step) one_step();
  }

  void check(SimulatedFileSystem& state) const {
    for (std::size_t i = 0; i < files; ++i) {
      std::string text = content(state, path(i)).value_or("lost");
      ASSERT_NE(text, "lost");
      ASSERT_LE(text.size(), file_bytes);
      text.resize(file_bytes, '\0');
      for (std::size_t at = 0; at < file_bytes; ++at) {
        ASSERT_TRUE(allowed_[i][at].contains(text[at])) << path(i) << " byte " << at;
      }
    }
  }

  SimulatedFileSystem& disk() { return disk_; }

 private:
  static constexpr std::size_t files = 2;
  static constexpr std::size_t file_bytes = 3 * block_bytes;
  static std::string path(std::size_t i) { return "/file" + std::to_string(i); }

  void one_step() {
    const std::size_t i = random_.below(files);
    const std::uint64_t what = random_.below(10);
    if (what == 0) {
      ASSERT_TRUE(files_[i]->sync());
      for (std::size_t at = 0; at < file_bytes; ++at) allowed_[i][at] = {now_[i][at]};
    } else {
      const std::size_t begin = random_.below(file_bytes);
      const std::size_t bytes = 1 + random_.below(std::min<std::size_t>(file_bytes - begin, 2'000));
      const std::string text(bytes, static_cast<char>('a' + random_.below(26)));
      const bool durable = what == 1;
      ASSERT_TRUE(durable ? files_[i]->write_durable(begin, text) : files_[i]->write(begin, text));
      for (std::size_t at = begin; at < begin + bytes; ++at) {
        now_[i][at] = text[0];
        if (durable) allowed_[i][at].clear();
        allowed_[i][at].insert(text[0]);
      }
    }
  }

  Random random_;
  SimulatedFileSystem disk_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<std::vector<std::set<char>>> allowed_;
  std::vector<std::string> now_;
};

TEST(CrashPropertyTest, EveryByteIsTheDurableOneOrOneWrittenSince) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    History history(seed);
    history.run(40);
    for (std::uint64_t state = 0; state < 10; ++state) {
      Random random(seed * 1'000 + state);
      history.check(*history.disk().crash_copy(random));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(CrashPropertyTest, TenThousandSeedsMeetEveryKindOfDamageAndRepeatExactly) {
  SimulatedFileSystem disk;
  const auto file = durable_file(disk, std::string(4 * block_bytes, 'o'));
  for (std::uint64_t i = 0; i < 6; ++i) ASSERT_TRUE(file->write(i * 2'000, std::string(3'000, static_cast<char>('a' + i))));
  ASSERT_TRUE(file->resize(3 * block_bytes));
  ASSERT_TRUE(file->allocate(0, 5 * block_bytes));
  for (const char* name : {"/x", "/y", "/z"}) create(disk, name);
  ASSERT_TRUE(disk.rename("/y", "/w"));
  std::uint64_t lost = 0, torn = 0, reordered = 0, resizes = 0, names = 0, repeats = 0;
  std::set<std::uint64_t> images;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    Random random(seed);
    const auto state = disk.crash_copy(random);
    const CrashCounts counts = state->last_crash();
    lost += counts.writes_lost > 0 ? 1 : 0;
    torn += counts.writes_torn > 0 ? 1 : 0;
    reordered += counts.writes_reordered > 0 ? 1 : 0;
    resizes += counts.resizes_lost > 0 ? 1 : 0;
    names += counts.names_lost > 0 ? 1 : 0;
    images.insert(state->image_hash());
    if (seed % 10 != 0) continue;
    Random same(seed);
    repeats += disk.crash_copy(same)->image_hash() == state->image_hash() ? 1 : 0;
  }
  // Each is common, none is everywhere.
  for (const std::uint64_t count : {lost, torn, reordered, resizes, names}) {
    EXPECT_GT(count, 1'000u);
    EXPECT_LT(count, 9'900u);
  }
  EXPECT_EQ(repeats, 1'000u);
  EXPECT_GT(images.size(), 1'000u);
}

TEST(SimulatedFileSystemTest, ManyThreadsMayUseItWhileStatesAreTaken) {
  SimulatedFileSystem disk;
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < 4; ++t) {
      workers.emplace_back([&, t] {
        const auto file = create(disk, "/" + std::to_string(t));
        for (std::uint64_t i = 0; i < 200; ++i) {
          if (!file->write(i * 100, std::string(100, static_cast<char>('a' + t)))) ++failures;
          if (i % 10 == 0 && !file->sync()) ++failures;
        }
      });
    }
    Random random(3);
    for (int i = 0; i < 50; ++i) static_cast<void>(disk.crash_copy(random)->image_hash());
  }
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(content(disk, "/2"), std::string(20'000, 'c'));
}

TEST(NameTableTest, PathsAreNormal) {
  EXPECT_EQ(normal_path("//a///b/"), "/a/b");
  EXPECT_EQ(normal_path("/"), "/");
  EXPECT_EQ(normal_path("a/"), "a");
  EXPECT_EQ(parent_directory("/a/b"), "/a");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("a"), "");
}

}  // namespace
}  // namespace plimsoll::io::simulation
