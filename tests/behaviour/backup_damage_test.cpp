// Backups that are damaged, cut off, mixed up or none at all are refused, and the error names what is wrong.
#include "backup_support.hpp"
#include "plimsoll/backup.hpp"

namespace plimsoll {
namespace {

class DamagedBackupTest : public StoreWithBackups {
 protected:
  static constexpr std::size_t block = 64_KiB;

  void SetUp() override {
    StoreWithBackups::SetUp();
    const Table where = table();
    fill(where, 500, 300);
    put(where, "large", noise(100'000, 3));
    backup();
    good_ = bytes_of(file());
    put(where, "large", noise(100'000, 4));
    backup(1);
    ASSERT_EQ(good_.size() % block, 0u);
    ASSERT_GE(good_.size() / block, 5u);
  }
  static std::string bytes_of(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::string damaged() const { return folder() + "/damaged"; }
  Error refusal(const std::string& bytes) {
    std::ofstream(damaged(), std::ios::binary | std::ios::trunc) << bytes;
    auto checked = check_backup(damaged());
    EXPECT_FALSE(checked);
    if (checked) return Error(ErrorCode::busy, "it was not refused");
    EXPECT_NE(checked.error().details().find(damaged()), std::string_view::npos) << checked.error().message();
    return checked.error();
  }
  void expect_refused(const std::string& bytes, ErrorCode code, std::string_view told) {
    const Error error = refusal(bytes);
    EXPECT_EQ(error.code(), code) << error.message();
    EXPECT_NE(error.details().find(told), std::string_view::npos) << error.message();
  }
  void expect_not_restored(ErrorCode code) {
    auto done = restore_backup(damaged(), folder() + "/restored", options);
    EXPECT_EQ(code_of(done), code);
    expect_nothing_restored();
  }

  std::string good_;
};

TEST_F(DamagedBackupTest, EveryByteOfEveryBlockIsCovered) {
  const std::size_t step = scaled(997, 9973);
  for (std::size_t at = 0; at < good_.size(); at += at % block < 80 ? 1 : std::min(step, block - at % block)) {
    std::string bytes = good_;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const Error error = refusal(bytes);
    if (at < 8) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << "byte " << at << ": " << error.message();
    } else if (at >= 36 && at < 40) {
      EXPECT_EQ(error.code(), ErrorCode::version_mismatch) << "byte " << at << ": " << error.message();
    } else {
      EXPECT_EQ(error.code(), ErrorCode::corruption) << "byte " << at << ": " << error.message();
      EXPECT_NE(error.details().find(fmt::format("block {} of {}", at / block, good_.size() / block)), std::string_view::npos)
          << "byte " << at << ": " << error.message();
    }
    if (HasFailure()) return;
  }
  std::string bytes = good_;
  bytes[bytes.size() - block - 1] ^= 1;
  expect_refused(bytes, ErrorCode::corruption, "damaged");
  expect_not_restored(ErrorCode::corruption);
}

TEST_F(DamagedBackupTest, OneThatIsCutOffIsNamedSo) {
  for (std::size_t bytes = block; bytes < good_.size(); bytes += block) {
    expect_refused(good_.substr(0, bytes), ErrorCode::corruption, "cut off");
    expect_not_restored(ErrorCode::corruption);
    for (const std::size_t odd : {bytes - 1, bytes + 1, bytes + 4096}) {
      expect_refused(good_.substr(0, odd), ErrorCode::corruption, "cut off");
      expect_not_restored(ErrorCode::corruption);
    }
  }
  for (const std::size_t bytes : {0, 1, 7}) expect_refused(good_.substr(0, bytes), ErrorCode::invalid_argument, "no backup");
  expect_refused(good_.substr(0, 8), ErrorCode::version_mismatch, "version 0");
}

TEST_F(DamagedBackupTest, BlocksOfElsewhereAreNamed) {
  const std::string other = bytes_of(file(1));
  const auto with = [&](std::size_t at, const std::string& from, std::size_t number) {
    return std::string(good_).replace(at * block, block, from, number * block, block);
  };
  expect_refused(with(2, other, 2), ErrorCode::corruption, "block 2 of");
  expect_refused(with(2, other, 2), ErrorCode::corruption, "another backup");
  expect_refused(with(2, good_, 3), ErrorCode::corruption, "out of place");
  expect_not_restored(ErrorCode::corruption);
  expect_refused(with(0, good_, 1), ErrorCode::version_mismatch, "version");  // another block's bytes are no version
  expect_refused(good_ + good_.substr(0, block), ErrorCode::corruption, "others follow");
  expect_refused(good_ + std::string(block, '\0'), ErrorCode::corruption, "others follow");
  expect_refused(good_ + "x", ErrorCode::corruption, "cut off");
  std::string twice = good_;
  twice.insert(3 * block, good_, 2 * block, block);
  expect_refused(twice, ErrorCode::corruption, "out of place");
  std::string missing = good_;
  missing.erase(2 * block, block);
  expect_refused(missing, ErrorCode::corruption, "out of place");
}

TEST_F(DamagedBackupTest, OtherFilesAndVersionsAreNamed) {
  expect_refused(std::string(block * 3, '\0'), ErrorCode::invalid_argument, "no backup");
  expect_refused("{\"key\":\"a\",\"value\":\"1\"}\n", ErrorCode::invalid_argument, "no backup");
  expect_not_restored(ErrorCode::invalid_argument);
  expect_refused(bytes_of(path() + "/superblock") + std::string(block, 'x'), ErrorCode::invalid_argument, "no backup");
  std::string bytes = good_;
  bytes[36] = 1;  // without follow_from
  expect_refused(bytes, ErrorCode::version_mismatch, "version 1");
  bytes[36] = 3;
  expect_refused(bytes, ErrorCode::version_mismatch, "version 3");
  expect_not_restored(ErrorCode::version_mismatch);
  EXPECT_FALSE(check_backup(folder()));
}

}  // namespace
}  // namespace plimsoll
