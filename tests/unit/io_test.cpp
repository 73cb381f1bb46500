// Every function of the file interface, against all three implementations; then what only real files have: locks between processes,
// O_DIRECT, batches of every size on a ring.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "io/file.hpp"
#include "io/plain_file.hpp"
#include "io/ring_pool.hpp"
#include "io/simulation/simulated_file_system.hpp"
#include "io/transfer.hpp"

namespace plimsoll::io {
namespace {

enum class Kind { plain, uring, simulated };

// A folder of the test's own, removed afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "plimsoll-io-XXXXXX").string();
    const char* made = ::mkdtemp(pattern.data());
    path_ = made != nullptr ? made : "";
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Zeroed memory on a block boundary.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : data_(static_cast<char*>(std::aligned_alloc(block_bytes, bytes))), bytes_(bytes) {
    std::memset(data_, 0, bytes);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* data() { return data_; }
  std::span<char> span() { return {data_, bytes_}; }
  std::span<char> block(std::size_t i) { return {data_ + i * block_bytes, block_bytes}; }
  void fill(std::uint64_t seed) {
    Random random(seed);
    for (char& c : span()) c = static_cast<char>(random.next());
  }

 private:
  char* const data_;
  const std::size_t bytes_;
};

class IoTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::plain) files_ = make_plain_file_system();
    if (GetParam() == Kind::uring) {
      auto made = make_uring_file_system();
      if (!made) GTEST_SKIP() << made.error().message();
      files_ = std::move(*made);
    }
    if (GetParam() == Kind::simulated) files_ = std::make_unique<simulation::SimulatedFileSystem>();
    root_ = GetParam() == Kind::simulated ? "/data" : folder_.path() + "/data";
    ASSERT_TRUE(files_->make_directory(root_));
  }
  std::string at(std::string_view name) const { return root_ + "/" + std::string(name); }
  std::unique_ptr<File> create(std::string_view name, bool direct = false) {
    auto made = files_->open(at(name), OpenMode::create, direct);
    EXPECT_TRUE(made) << made.error().message();
    return made ? std::move(*made) : nullptr;
  }
  static std::string read(File& file, std::uint64_t offset, std::size_t bytes) {
    std::string text(bytes, '?');
    const auto done = file.read(offset, text);
    EXPECT_TRUE(done) << done.error().message();
    return text;
  }

  TemporaryFolder folder_;
  std::unique_ptr<FileSystem> files_;
  std::string root_;
};

TEST_P(IoTest, ReadsWhatWasWrittenAndZeroesPastTheEnd) {
  const auto file = create("a");
  ASSERT_TRUE(file->write(3, std::string_view("hello")));
  EXPECT_EQ(*file->size(), 8u);
  EXPECT_EQ(read(*file, 0, 12), std::string("\0\0\0hello\0\0\0\0", 12));
  EXPECT_EQ(read(*file, 1'000'000, 3), std::string(3, '\0'));
  ASSERT_TRUE(file->write(5, std::string_view("LL")));
  EXPECT_EQ(read(*file, 3, 5), "heLLo");
  EXPECT_TRUE(file->sync());
  EXPECT_TRUE(file->write(0, std::string_view()));
  EXPECT_EQ(*file->size(), 8u);
}

TEST_P(IoTest, AFileOutlivesItsHandleAndItsFileSystem) {
  auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string_view("kept")));
  file.reset();
  auto again = files_->open(at("a"), OpenMode::read_only, false);
  ASSERT_TRUE(again);
  files_.reset();
  EXPECT_EQ(read(**again, 0, 4), "kept");
  const auto refused = (*again)->write(0, std::string_view("no"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::io_error);
}

TEST_P(IoTest, OpenSaysWhatIsWrong) {
  EXPECT_EQ(files_->open(at("none"), OpenMode::read_write, false).error().code(), ErrorCode::not_found);
  EXPECT_EQ(files_->open(at("none/none"), OpenMode::create, false).error().code(), ErrorCode::not_found);
  create("a");
  const auto twice = files_->open(at("a"), OpenMode::create, false);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code(), ErrorCode::already_exists);
  EXPECT_EQ(twice.error().os_error(), EEXIST);
  EXPECT_NE(twice.error().details().find("data/a"), std::string_view::npos);
  EXPECT_EQ(files_->open(root_, OpenMode::read_write, false).error().code(), ErrorCode::io_error);
}

TEST_P(IoTest, ResizeCutsAndExtendsWithZeroes) {
  const auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string(10'000, 'x')));
  ASSERT_TRUE(file->resize(5'000));
  EXPECT_EQ(*file->size(), 5'000u);
  ASSERT_TRUE(file->resize(9'000));
  EXPECT_EQ(*file->size(), 9'000u);
  EXPECT_EQ(read(*file, 4'999, 3), std::string("x\0\0", 3));
  EXPECT_EQ(read(*file, 8'000, 1'000), std::string(1'000, '\0'));
}

TEST_P(IoTest, AllocateGrowsAndKeepsWhatIsThere) {
  const auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string_view("first")));
  ASSERT_TRUE(file->allocate(0, 3 * block_bytes));
  EXPECT_EQ(*file->size(), 3 * block_bytes);
  EXPECT_EQ(read(*file, 0, 6), std::string("first\0", 6));
  ASSERT_TRUE(file->allocate(block_bytes, block_bytes));  // once more is nothing
  EXPECT_EQ(*file->size(), 3 * block_bytes);
  EXPECT_TRUE(file->allocate(0, 0));
}

TEST_P(IoTest, DeallocateGivesBlocksBackAndKeepsTheSize) {
  constexpr std::uint64_t from = 1u << 20, gone = 2 * from, all = 4 * from;
  const auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string(all, 'x')));
  ASSERT_TRUE(file->sync());
  const std::uint64_t before = *file->allocated();
  EXPECT_GE(before, all);
  ASSERT_TRUE(file->deallocate(from, gone));
  EXPECT_LE(*file->allocated(), before - gone / 2);
  EXPECT_EQ(*file->size(), all);
  EXPECT_EQ(read(*file, from - 1, 2), std::string("x\0", 2));
  EXPECT_EQ(read(*file, from + gone - 1, 2), std::string("\0x", 2));
  ASSERT_TRUE(file->write(from + block_bytes, std::string_view("again")));
  EXPECT_EQ(read(*file, from + block_bytes - 1, 7), std::string("\0again\0", 7));
  ASSERT_TRUE(file->allocate(from, gone));
  EXPECT_GE(*file->allocated(), all);
  EXPECT_EQ(read(*file, from + block_bytes, 5), "again");
}

TEST_P(IoTest, WriteDurableWritesAndExtends) {
  for (const bool direct : {false, true}) {
    const auto file = create(direct ? "direct" : "cached", direct);
    Buffer block(block_bytes);
    block.fill(1);
    ASSERT_TRUE(file->write_durable(2 * block_bytes, block.span()));
    EXPECT_EQ(*file->size(), 3 * block_bytes);
    Buffer back(block_bytes);
    ASSERT_TRUE(file->read(2 * block_bytes, back.span()));
    EXPECT_TRUE(std::ranges::equal(block.span(), back.span()));
    EXPECT_TRUE(file->sync());
  }
}

TEST_P(IoTest, DirectReadsPastAnOddEndAreZeroFilled) {
  const auto odd = create("a");
  ASSERT_TRUE(odd->write(0, std::string(block_bytes + 700, 'y')));
  const auto file = files_->open(at("a"), OpenMode::read_write, true);
  ASSERT_TRUE(file);
  Buffer buffer(4 * block_bytes);
  std::ranges::fill(buffer.span(), '?');
  ASSERT_TRUE((*file)->read(0, buffer.span()));
  EXPECT_EQ(std::ranges::count(buffer.span(), 'y'), static_cast<std::ptrdiff_t>(block_bytes + 700));
  EXPECT_EQ(std::ranges::count(buffer.span(), '\0'), static_cast<std::ptrdiff_t>(3 * block_bytes - 700));
}

TEST_P(IoTest, BatchesOfEverySizeTransferEverything) {
  for (const std::size_t count : {0u, 1u, 2u, 63u, 64u, 65u, 300u}) {
    const auto file = create("batch" + std::to_string(count), true);
    Buffer out((count + 1) * block_bytes);
    out.fill(count);
    std::vector<Transfer> transfers;
    for (std::size_t i = 0; i < count; ++i) {
      transfers.push_back(
          {.offset = (count - 1 - i) * block_bytes, .data = out.block(i).data(), .bytes = block_bytes, .error = 99});
    }
    EXPECT_TRUE(file->write_batch(transfers));
    for (const Transfer& transfer : transfers) EXPECT_EQ(transfer.error, 0);
    EXPECT_EQ(*file->size(), count * block_bytes);
    Buffer in((count + 1) * block_bytes);
    for (std::size_t i = 0; i < count; ++i) transfers[i].data = in.block(i).data();
    EXPECT_TRUE(file->read_batch(transfers));
    EXPECT_EQ(std::memcmp(out.data(), in.data(), count * block_bytes), 0);
  }
}

TEST_P(IoTest, BatchesReadPastTheEndAsZeroes) {
  const auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string(6'000, 'z')));
  std::vector<std::string> texts(3, std::string(5'000, '?'));
  std::vector<Transfer> transfers;
  for (std::size_t i = 0; i < texts.size(); ++i)
    transfers.push_back({.offset = i * 5'000, .data = texts[i].data(), .bytes = 5'000});
  EXPECT_TRUE(file->read_batch(transfers));
  EXPECT_EQ(texts[0], std::string(5'000, 'z'));
  EXPECT_EQ(texts[1], std::string(1'000, 'z') + std::string(4'000, '\0'));
  EXPECT_EQ(texts[2], std::string(5'000, '\0'));
}

TEST_P(IoTest, EachTransferOfABatchCarriesItsOwnError) {
  create("a");
  const auto file = files_->open(at("a"), OpenMode::read_only, false);
  ASSERT_TRUE(file);
  std::string text(10, 'x');
  std::vector<Transfer> transfers(3, Transfer{.offset = 0, .data = text.data(), .bytes = text.size()});
  EXPECT_FALSE((*file)->write_batch(transfers));
  for (const Transfer& transfer : transfers) EXPECT_EQ(transfer.error, EBADF);
  EXPECT_TRUE((*file)->read_batch(transfers));
  for (const Transfer& transfer : transfers) EXPECT_EQ(transfer.error, 0);
}

TEST_P(IoTest, ManyThreadsRunBatchesAtOnce) {
  const auto file = create("a", true);
  constexpr std::size_t threads = 24;  // more than there are rings
  constexpr std::size_t blocks = 20;
  std::vector<std::jthread> workers;
  std::atomic<int> failures{0};
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      Buffer out(blocks * block_bytes);
      Buffer in(blocks * block_bytes);
      out.fill(t);
      std::vector<Transfer> transfers(blocks);
      for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < blocks; ++i)
          transfers[i] = {(t * blocks + i) * block_bytes, out.block(i).data(), block_bytes, 0};
        if (!file->write_batch(transfers)) ++failures;
        for (std::size_t i = 0; i < blocks; ++i) transfers[i].data = in.block(i).data();
        if (!file->read_batch(transfers)) ++failures;
        if (!std::ranges::equal(out.span(), in.span())) ++failures;
      }
    });
  }
  workers.clear();
  EXPECT_EQ(failures.load(), 0);
}

TEST_P(IoTest, NamesAreListedRenamedAndRemoved) {
  create("b");
  ASSERT_TRUE(create("a")->write(0, std::string_view("the new one")));
  ASSERT_TRUE(files_->make_directory(at("dir")));
  ASSERT_TRUE(files_->make_directory(at("dir")));
  EXPECT_EQ(files_->make_directory(at("a")).error().code(), ErrorCode::already_exists);
  EXPECT_EQ(*files_->list(root_), (std::vector<std::string>{"a", "b", "dir"}));
  EXPECT_EQ(*files_->list(at("dir")), std::vector<std::string>{});
  EXPECT_EQ(files_->list(at("none")).error().code(), ErrorCode::not_found);
  for (const char* there : {"b", "dir", "a"})
    EXPECT_EQ(files_->rename(at("a"), at(there)).error().code(), ErrorCode::already_exists);
  ASSERT_TRUE(files_->remove(at("b")));
  ASSERT_TRUE(files_->rename(at("a"), at("b")));
  EXPECT_EQ(*files_->list(root_), (std::vector<std::string>{"b", "dir"}));
  EXPECT_EQ(read(**files_->open(at("b"), OpenMode::read_only, false), 0, 11), "the new one");
  EXPECT_EQ(files_->rename(at("a"), at("c")).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(*files_->exists(at("b")));
  EXPECT_TRUE(*files_->exists(root_ + "/"));
  EXPECT_FALSE(*files_->exists(at("a")));
  EXPECT_FALSE(*files_->exists(at("a/b")));
  ASSERT_TRUE(files_->remove(at("b")));
  EXPECT_EQ(files_->remove(at("b")).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(files_->sync_directory(root_));
  EXPECT_EQ(files_->sync_directory(at("none")).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(files_->remove(root_));  // not empty
  ASSERT_TRUE(files_->remove(at("dir")));
  EXPECT_TRUE(files_->remove(root_));
}

TEST_P(IoTest, ARemovedFileCanStillBeReadByWhoHasIt) {
  const auto file = create("a");
  ASSERT_TRUE(file->write(0, std::string_view("still")));
  ASSERT_TRUE(files_->remove(at("a")));
  EXPECT_EQ(read(*file, 0, 5), "still");
}

TEST_P(IoTest, ALockExcludesASecondHandleOfTheSameProcess) {
  EXPECT_EQ(*files_->lock_holder(at("lock")), 0u);
  auto lock = files_->lock(at("lock"));
  ASSERT_TRUE(lock) << lock.error().message();
  const auto pid = static_cast<std::uint64_t>(::getpid());
  EXPECT_EQ(*files_->lock_holder(at("lock")), pid);
  const auto second = files_->lock(at("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::busy);
  EXPECT_NE(second.error().details().find(std::to_string(pid)), std::string_view::npos);
  EXPECT_TRUE(files_->lock(at("other")));
  lock->reset();
  EXPECT_EQ(*files_->lock_holder(at("lock")), 0u);
  EXPECT_TRUE(files_->lock(at("lock")));
  EXPECT_EQ(files_->lock(at("none/lock")).error().code(), ErrorCode::not_found);
}

std::string kind_name(const testing::TestParamInfo<Kind>& kind) {
  if (kind.param == Kind::plain) return "plain";
  return kind.param == Kind::uring ? "uring" : "simulated";
}
INSTANTIATE_TEST_SUITE_P(All, IoTest, testing::Values(Kind::plain, Kind::uring, Kind::simulated), kind_name);

// Runs a function in a forked child; its exit status.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FileLockTest, AForkedChildNeitherHoldsNorReleasesIt) {
  const TemporaryFolder folder;
  const auto files = make_plain_file_system();
  const std::string path = folder.path() + "/lock";
  auto lock = files->lock(path);
  ASSERT_TRUE(lock);
  const auto parent = static_cast<std::uint64_t>(::getpid());
  const auto child_body = [&] {
    if (files->lock(path)) return 1;
    lock->reset();  // the child's copy
    if (files->lock_holder(path).value_or(0) != parent) return 2;
    return files->lock(path) ? 3 : 0;
  };
  EXPECT_EQ(in_child(child_body), 0);
  EXPECT_EQ(in_child([] { return 0; }), 0);  // exits with its copy open
  EXPECT_EQ(*files->lock_holder(path), parent);
  EXPECT_EQ(in_child([&] { return files->lock(path) ? 1 : 0; }), 0);
  lock->reset();
  EXPECT_EQ(in_child([&] { return files->lock(path) ? 0 : 1; }), 0);
}

TEST(FileLockTest, TheParentsReleaseReachesAChildThatLivesOn) {
  const TemporaryFolder folder;
  const auto files = make_plain_file_system();
  const std::string path = folder.path() + "/lock";
  auto lock = files->lock(path);
  ASSERT_TRUE(lock);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  lock->reset();
  EXPECT_TRUE(files->lock(path));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(FileLockTest, AKilledHolderLeavesNoLock) {
  const TemporaryFolder folder;
  const auto files = make_plain_file_system();
  const std::string path = folder.path() + "/lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = files->lock(path);
    if (!lock || ::write(ready[1], "r", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(*files->lock_holder(path), static_cast<std::uint64_t>(child));
  const auto refused = files->lock(path);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().details().find(std::to_string(child)), std::string_view::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(*files->lock_holder(path), 0u);
  EXPECT_TRUE(files->lock(path));
  ::close(ready[0]);
  ::close(ready[1]);
}

// /proc refuses O_DIRECT.
TEST(PlainFileTest, ARefusedDirectOpenIsSilentlyDoneWithout) {
  const auto files = make_plain_file_system();
  const auto file = files->open("/proc/self/comm", OpenMode::read_write, true);
  ASSERT_TRUE(file) << file.error().message();
  Buffer buffer(block_bytes);
  ASSERT_TRUE((*file)->read(0, buffer.span()));
  EXPECT_NE(buffer.data()[0], '\0');
}

TEST(PlainFileTest, DirectFilesLeaveNothingInThePageCache) {
  const TemporaryFolder folder;
  const auto files = make_plain_file_system();
  const auto file = files->open(folder.path() + "/a", OpenMode::create, true);
  ASSERT_TRUE(file);
  const auto* plain = dynamic_cast<PlainFile*>(file->get());
  ASSERT_NE(plain, nullptr);
  const int probe = ::open((folder.path() + "/a").c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  if (probe < 0) GTEST_SKIP() << "no O_DIRECT on " << folder.path();
  ::close(probe);
  EXPECT_NE(::fcntl(plain->fd(), F_GETFL) & O_DIRECT, 0);
  Buffer buffer(64 * block_bytes);
  buffer.fill(5);
  ASSERT_TRUE((*file)->write(0, buffer.span()));
  ASSERT_TRUE((*file)->sync());
  // A cached read that may not wait finds nothing: EAGAIN.
  const int cached = ::open((folder.path() + "/a").c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  iovec piece{&byte, 1};
  EXPECT_EQ(::preadv2(cached, &piece, 1, 0, RWF_NOWAIT), -1);
  ::close(cached);
}

#ifndef NDEBUG
TEST(PlainFileDeathTest, UnalignedTransfersOfADirectFileAreABug) {
  const TemporaryFolder folder;
  const auto files = make_plain_file_system();
  const auto file = files->open(folder.path() + "/a", OpenMode::create, true);
  ASSERT_TRUE(file);
  Buffer buffer(2 * block_bytes);
  EXPECT_DEATH(static_cast<void>((*file)->write(1, buffer.block(0))), "");
  EXPECT_DEATH(static_cast<void>((*file)->write(0, buffer.span().subspan(0, 512))), "");
  EXPECT_DEATH(static_cast<void>((*file)->write(0, buffer.span().subspan(512, block_bytes))), "");
}
#endif

// /dev/full takes no byte; a character device cannot be synced either, which poisons.
TEST(PlainFileTest, AFullDiskIsNoSpaceAndAFailedSyncPoisons) {
  const auto files = make_plain_file_system();
  const auto file = files->open("/dev/full", OpenMode::read_write, false);
  ASSERT_TRUE(file);
  const auto full = (*file)->write(0, std::string_view("x"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::no_space);
  EXPECT_EQ((*file)->sync().error().os_error(), EINVAL);
  const auto after = (*file)->write(0, std::string_view("x"));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code(), ErrorCode::io_error);
  EXPECT_EQ((*file)->sync().error().os_error(), EIO);
  EXPECT_EQ((*file)->write_durable(0, std::string_view("x")).error().code(), ErrorCode::io_error);
  EXPECT_EQ((*file)->resize(1).error().code(), ErrorCode::io_error);
  EXPECT_EQ((*file)->allocate(0, 1).error().code(), ErrorCode::io_error);
  std::string text(2, 'x');
  Transfer transfer{.offset = 0, .data = text.data(), .bytes = 2};
  EXPECT_FALSE((*file)->write_batch({&transfer, 1}));
  EXPECT_EQ(transfer.error, EIO);
  EXPECT_TRUE((*file)->read(0, text));  // reads go on
  EXPECT_EQ(text, std::string(2, '\0'));
}

// A file size limit makes the kernel write a prefix, and then nothing.
TEST(PlainFileTest, AShortWriteIsContinuedAndThenReported) {
  const TemporaryFolder folder;
  const auto body = [&](FileSystem& files, const std::string& path) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10 * block_bytes, 10 * block_bytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const auto file = files.open(path, OpenMode::create, true);
    if (!file) return 2;
    Buffer buffer(24 * block_bytes);
    buffer.fill(9);
    const auto written = (*file)->write(0, buffer.span());
    if (written || written.error().os_error() != EFBIG) return 3;
    if ((*file)->size().value_or(0) != 10 * block_bytes) return 4;
    std::vector<Transfer> transfers;
    for (std::uint64_t i = 0; i < 3; ++i)
      transfers.push_back({i * 8 * block_bytes, buffer.block(i * 8).data(), 8 * block_bytes, 0});
    if ((*file)->write_batch(transfers)) return 5;
    if (transfers[0].error != 0 || transfers[1].error != EFBIG || transfers[2].error != EFBIG) return 6;
    Buffer back(10 * block_bytes);
    if (!(*file)->read(0, back.span())) return 7;
    return std::memcmp(back.data(), buffer.data(), 10 * block_bytes) == 0 ? 0 : 8;
  };
  EXPECT_EQ(in_child([&] { return body(*make_plain_file_system(), folder.path() + "/plain"); }), 0);
  EXPECT_EQ(in_child([&] {
              const auto files = make_uring_file_system();
              return files ? body(**files, folder.path() + "/uring") : 0;
            }),
            0);
}

TEST(TransferTest, DirectTransfersGoOnAtABlock) {
  EXPECT_EQ(continue_at(false, block_bytes + 700), block_bytes + 700);
  EXPECT_EQ(continue_at(true, block_bytes + 700), block_bytes);
  EXPECT_EQ(continue_at(true, 700), 0u);
}

TEST(TransferTest, WriteZeroesFillsWholeBlocks) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  const std::string text(100, 'x');
  ASSERT_EQ(write_whole(fd, false, 0, text, 0), 0);
  ASSERT_EQ(write_zeroes(fd, false, block_bytes, 40 * block_bytes), 0);
  EXPECT_EQ(std::filesystem::file_size(path), 40 * block_bytes);
  std::string back(200, '?');
  ASSERT_EQ(read_whole(fd, false, 0, back), 0);
  EXPECT_EQ(back, text + std::string(100, '\0'));
  ::close(fd);
}

// A ring whose descriptor has been closed under it refuses every submission: plain calls then do all the work.
TEST(RingTest, ARefusedSubmissionIsDoneByPlainCalls) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  const int next = ::dup(fd);
  ::close(next);
  Ring ring;
  if (ring.ready() != 0) GTEST_SKIP() << "no io_uring";
  ::close(next);  // the lowest free descriptor went to the ring
  std::string text = "abcdefgh";
  std::vector<Transfer> transfers;
  for (std::size_t i = 0; i < text.size(); ++i) transfers.push_back({i, text.data() + i, 1, 0});
  ring.run(fd, false, Ring::Direction::write, transfers);
  for (const Transfer& transfer : transfers) EXPECT_EQ(transfer.error, 0);
  std::string back(8, '?');
  ASSERT_EQ(read_whole(fd, false, 0, back), 0);
  EXPECT_EQ(back, text);
  ::close(fd);
}

// No descriptor is left for a ring: the pool says so and does nothing.
TEST(RingTest, APoolThatCannotHaveARingRefusesTheBatch) {
  const auto body = [] {
    RingPool pool;
    const rlimit limit{3, 3};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    char byte = 'x';
    std::vector<Transfer> transfers(2, Transfer{.offset = 0, .data = &byte, .bytes = 1, .error = 7});
    if (pool.run(0, false, Ring::Direction::read, transfers)) return 2;
    if (pool.probe() == 0) return 3;
    return transfers[0].error == 7 && byte == 'x' ? 0 : 4;
  };
  EXPECT_EQ(in_child(body), 0);
}

}  // namespace
}  // namespace plimsoll::io
