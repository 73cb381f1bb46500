// Opening what cannot be opened: every case is an error that says what is wrong, and leaves what it found untouched.
// Without tsan: stores that do not open start no threads: nothing for ThreadSanitizer.
// ctest-labels: fast asan
#include <sys/wait.h>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class OpenErrors : public StoreTest {
 protected:
  Result<Database> attempt() { return Database::open(path(), options); }
  // The error of opening with these options, which must name the option and say the range or the least.
  void expect_refused(const Options& bad, ErrorCode code, std::string_view option) {
    auto opened = Database::open(path(), bad);
    ASSERT_FALSE(opened) << option;
    EXPECT_EQ(opened.error().code(), code) << opened.error().message();
    EXPECT_NE(opened.error().message().find(option), std::string::npos) << opened.error().message();
    EXPECT_FALSE(std::filesystem::exists(path())) << "a refused open must not create anything";
  }
  void write_file(const std::string& name, std::string_view bytes) {
    std::ofstream(path() + "/" + name, std::ios::binary) << bytes;
  }
};

TEST_F(OpenErrors, OptionsOutOfRangeNameOptionValueAndRange) {
  const auto with = [&](auto change) {
    Options bad = options;
    change(bad);
    return bad;
  };
  expect_refused(with([](Options& o) { o.page_size = 2_KiB; }), ErrorCode::invalid_argument, "page_size");
  expect_refused(with([](Options& o) { o.page_size = 64_KiB; }), ErrorCode::invalid_argument, "page_size");
  expect_refused(with([](Options& o) { o.page_size = 9000; }), ErrorCode::invalid_argument, "page_size");
  expect_refused(with([](Options& o) { o.page_size = 0; }), ErrorCode::invalid_argument, "page_size");
  expect_refused(with([](Options& o) { o.max_transactions = 0; }), ErrorCode::invalid_argument, "max_transactions");
  expect_refused(with([](Options& o) { o.max_transactions = 131'073; }), ErrorCode::invalid_argument, "max_transactions");
  expect_refused(with([](Options& o) { o.log_segment_bytes = 1000; }), ErrorCode::invalid_argument, "log_segment_bytes");
  expect_refused(with([](Options& o) { o.log_segment_bytes = 3_MiB; }), ErrorCode::invalid_argument, "log_segment_bytes");
  expect_refused(with([](Options& o) { o.log_bytes_max = 5_MiB; }), ErrorCode::invalid_argument, "log_bytes_max");
  expect_refused(with([](Options& o) { o.log_ring_bytes = 12345; }), ErrorCode::invalid_argument, "log_ring_bytes");
  expect_refused(with([](Options& o) { o.retention = std::chrono::milliseconds(-1); }), ErrorCode::invalid_argument, "retention");
  expect_refused(with([](Options& o) { o.lock_deadline = std::chrono::milliseconds(-1); }), ErrorCode::invalid_argument,
                 "lock_deadline");
  expect_refused(with([](Options& o) { o.transaction_deadline = std::chrono::milliseconds(-1); }), ErrorCode::invalid_argument,
                 "transaction_deadline");
  for (const std::size_t bytes : {std::size_t{1} << 52, ~std::size_t{0} / 2, ~std::size_t{0}})
    expect_refused(with([&](Options& o) { o.memory_budget = bytes; }), ErrorCode::invalid_argument, "memory_budget");
  expect_refused(with([](Options& o) { o.log_ring_bytes = ~std::size_t{0}; }), ErrorCode::invalid_argument, "log_ring_bytes");
  expect_refused(with([](Options& o) { o.log_bytes_max = ~std::size_t{0}; }), ErrorCode::invalid_argument, "log_bytes_max");
  EXPECT_OK(attempt());
}

TEST_F(OpenErrors, ABudgetThatIsTooSmallIsToldTheLeastAndTheLeastWorks) {
  for (const std::uint32_t transactions : {64u, 4096u, 65'536u}) {
    SCOPED_TRACE(transactions);
    Options small = options;
    small.max_transactions = transactions;
    small.memory_budget = 1_MiB;
    auto refused = Database::open(path(), small);
    ASSERT_FALSE(refused);
    EXPECT_CODE(refused, memory_budget_exceeded);
    std::uint64_t least = 0;  // the largest number in the message
    const std::string message = refused.error().message();
    for (std::size_t i = 0; i < message.size(); ++i)
      if (std::isdigit(static_cast<unsigned char>(message[i])) != 0 &&
          (i == 0 || std::isdigit(static_cast<unsigned char>(message[i - 1])) == 0))
        least = std::max<std::uint64_t>(least, std::stoull(message.substr(i)));
    EXPECT_GE(least, 16_MiB) << message;
    small.memory_budget = least - 1;
    EXPECT_CODE(Database::open(path(), small), memory_budget_exceeded);
    small.memory_budget = least;
    auto opened = Database::open(path(), small);
    ASSERT_OK(opened);
    auto where = opened->open_table("t", {.create_if_missing = true});
    ASSERT_OK(where);
    EXPECT_OK(opened->transact({}, [&](Transaction& tx) -> Result<void> {
      for (std::uint64_t i = 0; i < 20'000; ++i)
        if (auto put = tx.put(*where, key_of(i), noise(100, i)); !put) return put;
      return {};
    }));
    EXPECT_LE(opened->statistics().memory_used, least);
    EXPECT_OK(opened->close());
    std::filesystem::remove_all(path());
  }
}

TEST_F(OpenErrors, AStoreThatIsMissingOrThereAlready) {
  options.create_if_missing = false;
  EXPECT_CODE(attempt(), not_found);
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::filesystem::create_directory(path());
  EXPECT_CODE(attempt(), not_found);
  EXPECT_TRUE(std::filesystem::is_empty(path()));
  options.create_if_missing = true;
  open();  // an empty folder will do
  close();
  options.error_if_exists = true;
  EXPECT_CODE(attempt(), already_exists);
  options.error_if_exists = false;
  EXPECT_OK(attempt());
}

TEST_F(OpenErrors, AForeignFolderIsLeftAlone) {
  std::filesystem::create_directory(path());
  write_file("precious.txt", "mine");
  EXPECT_CODE(attempt(), invalid_argument);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path())) ++files;
  EXPECT_EQ(files, 1u);
  std::filesystem::remove_all(path());
  std::ofstream(path()) << "a file, not a folder";
  EXPECT_FALSE(attempt());
  EXPECT_TRUE(std::filesystem::is_regular_file(path()));
}

TEST_F(OpenErrors, FilesWithOurNamesInAForeignFolderAreNotDestroyed) {
  std::filesystem::create_directory(path());
  write_file("data", std::string(100'000, 'x'));  // somebody else's: a folder called data, log or lock is common
  auto opened = attempt();
  EXPECT_FALSE(opened) << "took over a folder that held a foreign file called data";
  EXPECT_EQ(std::filesystem::file_size(path() + "/data"), 100'000u) << "and destroyed it";
}

TEST_F(OpenErrors, AForeignFileAsSuperblock) {
  std::filesystem::create_directory(path());
  write_file("superblock", noise(8192, 1));
  EXPECT_CODE(attempt(), corruption);
  write_file("superblock", "short");
  EXPECT_CODE(attempt(), corruption);
  write_file("superblock", "");
  EXPECT_CODE(attempt(), corruption);
}

// The version stands at offset 8 of both blocks of the superblock, in every version of the format.
TEST_F(OpenErrors, ANewerFormatVersionIsNamedAndLeftAlone) {
  open();
  close();
  std::fstream superblock(path() + "/superblock", std::ios::in | std::ios::out | std::ios::binary);
  for (const std::streamoff block : {0, 4096}) {
    superblock.seekp(block + 8);
    superblock.write("\x63\0\0\0", 4);
  }
  superblock.close();
  auto opened = attempt();
  EXPECT_CODE(opened, version_mismatch);
  EXPECT_NE(told(opened).find("99"), std::string::npos) << told(opened);
  auto what = identify(path());
  ASSERT_OK(what);
  EXPECT_EQ(what->format_version, 99u);
}

TEST_F(OpenErrors, ASecondHandleIsBusyAndNamesTheProcess) {
  const Table where = table();
  put(where, "k", "v");
  auto second = attempt();
  ASSERT_FALSE(second);
  EXPECT_CODE(second, busy);
  EXPECT_NE(second.error().message().find(std::to_string(getpid())), std::string::npos) << second.error().message();
  EXPECT_EQ(now(where, "k"), "v");
  close();
  EXPECT_OK(attempt());
}

TEST_F(OpenErrors, ASecondProcessIsBusyAndAHandleAfterForkIsRefused) {
  const Table where = table();
  put(where, "k", "v");
  auto tx = begin();
  ASSERT_OK(tx.put(where, "k", "parent"));
  auto value = tx.get(where, "k");
  auto cursor = tx.cursor(where);
  auto stream = tx.open_reader(where, "k");
  auto writer = tx.open_writer(where, "streamed");
  auto point = tx.savepoint();
  ASSERT_TRUE(value && cursor && stream && writer && point);
  const std::string pid = std::to_string(getpid());
  const pid_t child = fork();
  if (child == 0) {
    int wrong = 0;
    auto second = Database::open(path(), options);
    if (second || second.error().code() != ErrorCode::busy || second.error().message().find(pid) == std::string::npos) wrong |= 1;
    auto begun = db().begin();
    if (begun || begun.error().code() != ErrorCode::invalid_argument) wrong |= 2;
    auto got = tx.get(where, "k");
    if (got || got.error().code() != ErrorCode::invalid_argument) wrong |= 4;
    if (auto closed = db().close(); closed || closed.error().code() != ErrorCode::invalid_argument) wrong |= 8;
    if (db().verify() || db().checkpoint() || db().open_table("x", {.create_if_missing = true})) wrong |= 16;
    const auto refused = [](const auto& outcome) { return !outcome && outcome.error().code() == ErrorCode::invalid_argument; };
    char bytes[8];
    if (!refused(tx.put(where, "k", "child")) || !refused(tx.commit()) || !refused(tx.abort()) || !refused(tx.savepoint()) ||
        !refused(tx.rollback_to(*point)) || !refused(tx.prepare("gid")) || !refused(tx.count(where)))
      wrong |= 32;
    if (!refused(cursor->next()) || !refused((*stream)->read(bytes)) || !refused(writer->write("child")) ||
        !refused(writer->finish()))
      wrong |= 64;
    if (!refused(db().transact({}, [](Transaction&) -> Result<void> { return {}; })) || !refused(db().kill(tx.id())) ||
        !refused(db().drop_table("t")) || !refused(db().set_external_floor(Timestamp{})) || !refused(db().usable()) ||
        db().run_background())
      wrong |= 128;
    { Value dies = std::move(**value); }
    { Cursor dies = std::move(*cursor); }
    { ValueReader dies = std::move(**stream); }
    { ValueWriter dies = std::move(*writer); }
    { Transaction dies = std::move(tx); }
    { Database dies = std::move(db()); }
    _exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "the child ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_CODE(attempt(), busy);  // the child's end has not taken the parent's lock away
  EXPECT_EQ((*value)->bytes(), "parent");
  ASSERT_TRUE(cursor->next().value_or(false));
  ASSERT_OK(writer->write("whole"));
  ASSERT_OK(writer->finish());
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where).size(), 2u);
  EXPECT_EQ(now(where, "k"), "parent");
  EXPECT_EQ(now(where, "streamed"), "whole");
}

TEST_F(OpenErrors, TheStoreOfAKilledProcessOpensAndKeepsWhatWasAcknowledged) {
  const pid_t child = fork();
  if (child == 0) {
    open();
    const Table where = table();
    for (std::uint64_t i = 0; i < 50; ++i) {
      auto tx = db().begin();
      if (!tx || !tx->put(where, key_of(i), "v") || !tx->commit()) _exit(1);
    }
    auto unfinished = db().begin();
    if (!unfinished || !unfinished->put(where, "unfinished", "v")) _exit(1);
    ::kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto what = identify(path());
  ASSERT_OK(what);
  EXPECT_TRUE(what->is_store);
  EXPECT_FALSE(what->clean);
  EXPECT_EQ(what->holder_pid, 0u);
  open();
  EXPECT_FALSE(db().recovery_report().was_clean);
  EXPECT_EQ(scan(table()).size(), 50u);
  EXPECT_EQ(now(table(), "unfinished"), std::nullopt);
}

TEST_F(OpenErrors, PageSizeAndSegmentSizeStayThoseOfTheCreation) {
  options.page_size = 16_KiB;
  put(table(), "k", "v");
  close();
  options.page_size = 4_KiB;
  options.log_segment_bytes = 1_MiB;
  open();
  EXPECT_EQ(db().page_size(), 16_KiB);
  EXPECT_EQ(now(table(), "k"), "v");
}

}  // namespace
}  // namespace plimsoll
