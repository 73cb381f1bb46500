// Damaged files: whatever bytes are wrong, the answer is an error that names the place; what is not damaged stays readable.
// Without tsan: one thread after the other looks at damaged files: nothing for ThreadSanitizer.
// ctest-labels: fast asan
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Damage : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    filled();
  }
  void TearDown() override {
    damaged_.reset();  // the usual verification does not apply
    std::filesystem::remove_all(folder());
  }
  void filled() {
    const Table first = table("first"), second = table("second");
    fill(first, 3000, 300);
    fill(second, 3000, 300);
    for (std::uint64_t i = 0; i < 3; ++i) put(second, "large" + std::to_string(i), noise(500_KiB, i));
    close();
  }
  std::string file(const std::string& name) const { return path() + "/" + name; }
  std::uint64_t size(const std::string& name) const { return std::filesystem::file_size(file(name)); }
  void flip(const std::string& name, std::uint64_t offset, std::size_t bytes = 8) {
    std::fstream stream(file(name), std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(stream);
    std::string old(bytes, '\0');
    stream.seekg(static_cast<std::streamoff>(offset));
    stream.read(old.data(), static_cast<std::streamsize>(bytes));
    for (char& c : old) c = static_cast<char>(~c);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.write(old.data(), static_cast<std::streamsize>(bytes));
  }
  Result<Database*> reopened() {
    auto opened = Database::open(path(), options);
    if (!opened) return std::unexpected(opened.error());
    damaged_.emplace(std::move(*opened));
    return &*damaged_;
  }
  // How many of the table's records are right; a wrong value is a failure, an error is not.
  std::uint64_t readable(Database& from, const std::string& name, std::vector<ErrorCode>* errors = nullptr) {
    std::uint64_t good = 0;
    auto where = from.open_table(name);
    if (!where) return 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
      auto tx = from.begin({.read_only = true});
      EXPECT_OK(tx);
      auto found = tx->get(*where, key_of(i));
      if (!found) {
        if (errors != nullptr) errors->push_back(found.error().code());
      } else {
        EXPECT_TRUE(*found && (*found)->bytes() == noise(300, i)) << "a wrong answer instead of an error, key " << i;
        ++good;
      }
    }
    return good;
  }

 private:
  std::optional<Database> damaged_;
};

TEST_F(Damage, ADamagedPageIsReportedWithPageAndTableAndTheRestIsReadable) {
  const std::uint64_t pages = size("data") / 8192;
  ASSERT_GT(pages, 200u);
  std::uint64_t found = 0;
  for (std::uint64_t page = 5; page < 200; page += 37) {
    SCOPED_TRACE(page);
    flip("data", page * 8192 + 3000);
    {
      auto opened = reopened();
      ASSERT_OK(opened);
      auto report = (*opened)->verify();
      ASSERT_OK(report);
      bool named = false;
      for (const VerifyProblem& one : report->problems)
        if (one.page == page) {
          named = true;
          EXPECT_TRUE(one.table == "first" || one.table == "second" || one.table.starts_with('(')) << one.table;
          EXPECT_FALSE(one.what.empty());
          EXPECT_EQ(one.file, "data");
        }
      std::vector<ErrorCode> errors;
      const std::uint64_t good = readable(**opened, "first", &errors) + readable(**opened, "second", &errors);
      for (const ErrorCode code : errors) EXPECT_EQ(code, ErrorCode::corruption);
      EXPECT_GE(good, 5800u);
      EXPECT_TRUE(named || errors.empty()) << "reads fail, but verify does not name the page";
      found += named;
      EXPECT_OK((*opened)->close());
    }
    flip("data", page * 8192 + 3000);  // mended
  }
  EXPECT_GE(found, 3u);
  auto opened = reopened();
  ASSERT_OK(opened);
  auto report = (*opened)->verify();
  ASSERT_OK(report);
  EXPECT_TRUE(report->problems.empty());
}

TEST_F(Damage, ADamagedTableCanBeDropped) {
  bool dropped = false;
  const std::uint64_t pages = size("data") / 8192;
  for (std::uint64_t page = 5; page < pages && !dropped; page += 11) {
    SCOPED_TRACE(page);
    flip("data", page * 8192 + 3000);
    auto opened = reopened();
    ASSERT_OK(opened);
    auto report = (*opened)->verify();
    ASSERT_OK(report);
    for (const VerifyProblem& one : report->problems) dropped |= one.page == page && one.table == "second";
    if (dropped) {
      const auto doomed = (*opened)->open_table("second");
      ASSERT_OK(doomed);
      const auto outcome = (*opened)->drop_table("second");
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code(), ErrorCode::corruption);
      EXPECT_NE(outcome.error().message().find("is dropped, but"), std::string::npos) << outcome.error().message();
      // What it has left is in the catalogue, but no table of anybody's.
      const std::string left = std::string("\0drop", 5) + std::to_string(doomed->tree().value);
      EXPECT_CODE((*opened)->open_table(left), not_found);
      EXPECT_CODE((*opened)->drop_table(left), not_found);
    }
    EXPECT_OK((*opened)->close());
    if (!dropped) flip("data", page * 8192 + 3000);  // mended
  }
  ASSERT_TRUE(dropped);
  for (int again = 0; again < 2; ++again) {
    auto opened = reopened();
    ASSERT_OK(opened);
    EXPECT_FALSE((*opened)->open_table("second"));
    EXPECT_EQ(readable(**opened, "first"), 3000u);
    EXPECT_OK((*opened)->close());
  }
}

TEST_F(Damage, EveryByteOfAPageIsCovered) {
  for (std::uint64_t at = 0; at < 8192; at += 509) {
    flip("data", 20 * 8192 + at, 1);
    auto opened = reopened();
    if (opened) {
      auto report = (*opened)->verify();
      EXPECT_TRUE(!report || !report->problems.empty()) << "byte " << at << " of page 20 can change unnoticed";
      EXPECT_OK((*opened)->close());
    } else {
      EXPECT_CODE(opened, corruption);
    }
    flip("data", 20 * 8192 + at, 1);
  }
}

TEST_F(Damage, ADamagedLargeValueIsReportedAndNotReturned) {
  std::ifstream data(file("data"), std::ios::binary);
  std::string all((std::istreambuf_iterator<char>(data)), {});
  const std::size_t at = all.find(noise(500_KiB, 1).substr(1000, 4000));  // the small values have the same first 300 bytes
  ASSERT_NE(at, std::string::npos);
  flip("data", at + 100'000, 1);
  auto opened = reopened();
  ASSERT_OK(opened);
  auto second = (*opened)->open_table("second");
  ASSERT_OK(second);
  auto tx = (*opened)->begin();
  ASSERT_OK(tx);
  EXPECT_CODE(tx->get(*second, "large1"), corruption);
  EXPECT_EQ(text(tx->get(*second, "large0")), noise(500_KiB, 0));
  auto reader = tx->open_reader(*second, "large1");
  ASSERT_OK(reader);
  std::string piece(64_KiB, '\0');
  std::optional<ErrorCode> error;
  for (;;) {
    auto got = (*reader)->read(piece);
    if (!got) error = got.error().code();
    if (!got || *got == 0) break;
  }
  EXPECT_EQ(error, ErrorCode::corruption) << "a stream of damaged bytes ended without an error";
  reader->reset();
  ASSERT_OK(tx->abort());
  auto report = (*opened)->verify();
  ASSERT_OK(report);
  bool named = false;
  for (const VerifyProblem& one : report->problems) named |= one.table == "second";
  EXPECT_TRUE(named) << "verify does not find the damaged large value";
}

TEST_F(Damage, DamagedSuperblockBlocks) {
  flip("superblock", 16);  // one of the two
  auto one = reopened();
  ASSERT_OK(one);
  EXPECT_EQ(readable(**one, "first"), 3000u);
  EXPECT_OK((*one)->close());
  flip("superblock", 16);
  flip("superblock", 4096 + 16);
  EXPECT_CODE(reopened(), corruption);  // both
  auto what = identify(path());
  EXPECT_TRUE(!what || !what->description.empty());
}

TEST_F(Damage, ATruncatedDataFile) {
  std::filesystem::resize_file(file("data"), size("data") / 2);
  auto opened = reopened();
  if (!opened) {
    EXPECT_CODE(opened, corruption);
    return;
  }
  auto report = (*opened)->verify();
  EXPECT_TRUE(!report || !report->problems.empty());
  std::vector<ErrorCode> errors;
  readable(**opened, "second", &errors);
  EXPECT_FALSE(errors.empty());
  for (const ErrorCode code : errors) EXPECT_TRUE(code == ErrorCode::corruption || code == ErrorCode::io_error) << name(code);
}

TEST_F(Damage, AnEmptiedOrMissingDataFile) {
  std::filesystem::resize_file(file("data"), 0);
  EXPECT_CODE(reopened(), corruption);
  std::filesystem::remove(file("data"));
  EXPECT_FALSE(reopened());
  EXPECT_FALSE(std::filesystem::exists(file("data"))) << "made a new one in silence";
}

TEST_F(Damage, AMissingLogOfACleanStore) {
  std::filesystem::remove_all(file("log"));
  auto opened = reopened();
  if (opened) {
    EXPECT_EQ(readable(**opened, "first"), 3000u);  // clean: the pages are all there
  } else {
    EXPECT_TRUE(opened.error().code() == ErrorCode::corruption || opened.error().code() == ErrorCode::not_found) << told(opened);
  }
}

TEST_F(Damage, AFileOfAnotherStore) {
  const std::string other = folder() + "/other";
  {
    auto opened = Database::open(other, options);
    ASSERT_OK(opened);
    ASSERT_OK(opened->close());
  }
  std::filesystem::copy_file(other + "/data", file("data"), std::filesystem::copy_options::overwrite_existing);
  auto opened = reopened();
  if (opened) {
    auto report = (*opened)->verify();
    EXPECT_TRUE(!report || !report->problems.empty());
    EXPECT_EQ(readable(**opened, "first"), 0u);
  } else {
    EXPECT_CODE(opened, corruption);
  }
}

}  // namespace
}  // namespace plimsoll
