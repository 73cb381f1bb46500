// Every file of a store emptied, cut, overwritten or removed, after an orderly close and after a kill: opening either says what is
// wrong or works, and no key ever reads as something that was never written. Each attempt runs in a process of its own, so that a
// crash is a failure of that attempt. Also the end of a log that is torn: only the newest transactions go. One thread.
// ctest-labels: fast asan
#include <sys/wait.h>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class DamagedFiles : public StoreTest {
 protected:
  static constexpr std::uint64_t records = 2000, updated = 300;

  void SetUp() override {
    StoreTest::SetUp();
    options.background_threads = false;
    options.log_segment_bytes = 1_MiB;
    options.log_bytes_max = 16_MiB;
  }
  static std::string value(std::uint64_t i, int round) { return noise(200, i * 2 + static_cast<std::uint64_t>(round)); }

  // Runs `body` in a child; its exit status, or 1000 + the signal that ended it.
  static int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  // records in round 0, a checkpoint, then some of them in round 1, durably; closed, or killed with a transaction open.
  void make_store(bool clean) {
    std::filesystem::remove_all(path());
    const int made = in_child([&] {
      auto made_db = Database::open(path(), options);
      if (!made_db) return 1;
      auto where = made_db->open_table("t", {.create_if_missing = true});
      const auto write = [&](std::uint64_t from, std::uint64_t to, int round) {
        return made_db->transact({}, [&](Transaction& tx) -> Result<void> {
          for (std::uint64_t i = from; i < to; ++i)
            if (auto put = tx.put(*where, key_of(i), value(i, round)); !put) return put;
          return {};
        });
      };
      if (!where || !write(0, records, 0) || !made_db->checkpoint()) return 2;
      for (std::uint64_t i = 0; i < updated; ++i)
        if (!write(i, i + 1, 1)) return 3;
      if (clean) return made_db->close() ? 0 : 4;
      auto open = made_db->begin();
      if (!open || !open->put(*where, key_of(0), "unfinished")) return 5;
      _exit(0);
    });
    ASSERT_EQ(made, 0);
  }
  std::vector<std::string> files() {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path()))
      if (entry.is_regular_file()) all.push_back(entry.path().string());
    std::sort(all.begin(), all.end());
    return all;
  }
  // 0: refused with a fitting error; 1: open, and whatever was read was right, old or an error; else what went wrong.
  int outcome() {
    return in_child([&] {
      auto opened = Database::open(path(), options);
      if (!opened) {
        const ErrorCode code = opened.error().code();
        if (opened.error().details().empty()) return 20;
        return code == ErrorCode::corruption || code == ErrorCode::not_found || code == ErrorCode::io_error ||
                       code == ErrorCode::version_mismatch || code == ErrorCode::invalid_argument
                   ? 0
                   : 21;
      }
      if (!opened->verify()) return 22;
      auto where = opened->open_table("t");
      if (!where) return where.error().code() == ErrorCode::corruption || where.error().code() == ErrorCode::not_found ? 1 : 23;
      for (std::uint64_t i = 0; i < records; ++i) {
        auto tx = opened->begin({.read_only = true});
        if (!tx) return 24;
        auto found = tx->get(*where, key_of(i));
        if (found && *found && (*found)->bytes() != value(i, 0) && (*found)->bytes() != value(i, 1)) return 25;
      }
      static_cast<void>(opened->transact({}, [&](Transaction& tx) { return tx.put(*where, "new", "v"); }));
      static_cast<void>(opened->close());
      return 1;
    });
  }
  // How many of the updated records are there in the newer round, which must be a prefix; -1: it is none, -2: not all readable.
  int prefix() {
    return in_child([&] {
      auto opened = Database::open(path(), options);
      if (!opened) return 253;
      auto where = opened->open_table("t");
      auto tx = opened->begin({.read_only = true});
      if (!where || !tx) return 253;
      std::uint64_t newer = 0;
      for (std::uint64_t i = 0; i < records; ++i) {
        auto found = tx->get(*where, key_of(i));
        if (!found || !*found) return 253;
        const bool is_new = (*found)->bytes() == value(i, 1);
        if (!is_new && (*found)->bytes() != value(i, 0)) return 253;
        if (is_new && newer != i) return 254;
        newer += is_new;
      }
      auto report = opened->verify();
      if (!report || !report->problems.empty()) return 253;
      return static_cast<int>(newer * 200 / updated);
    });
  }
};

TEST_F(DamagedFiles, WhateverHappensToOneFileTheAnswerIsAnErrorOrRight) {
  for (const bool clean : {true, false}) {
    make_store(clean);
    const std::string kept = folder() + "/kept";
    std::filesystem::remove_all(kept);
    std::filesystem::copy(path(), kept, std::filesystem::copy_options::recursive);
    for (const std::string& file : files()) {
      for (const char* damage : {"emptied", "halved", "cut by a byte", "noise", "zeroed", "removed", "longer"}) {
        SCOPED_TRACE(std::string(clean ? "closed" : "killed") + ", " + std::filesystem::path(file).filename().string() + " " +
                     damage);
        std::filesystem::remove_all(path());
        std::filesystem::copy(kept, path(), std::filesystem::copy_options::recursive);
        const std::uint64_t size = std::filesystem::file_size(file);
        const std::string what = damage;
        if (what == "emptied") std::filesystem::resize_file(file, 0);
        if (what == "halved") std::filesystem::resize_file(file, size / 2);
        if (what == "cut by a byte" && size != 0) std::filesystem::resize_file(file, size - 1);
        if (what == "noise") std::ofstream(file, std::ios::binary) << noise(size, 3);
        if (what == "zeroed") std::ofstream(file, std::ios::binary) << std::string(size, '\0');
        if (what == "removed") std::filesystem::remove(file);
        if (what == "longer") std::ofstream(file, std::ios::binary | std::ios::app) << noise(10'000, 4);
        const int got = outcome();
        EXPECT_TRUE(got == 0 || got == 1) << "outcome " << got;
      }
    }
  }
}

TEST_F(DamagedFiles, AnUndamagedStoreAfterAKillHasEverything) {
  make_store(false);
  EXPECT_EQ(prefix(), 200);
}

// The log of a killed process, cut or overwritten at any place behind the checkpoint: the store opens, what is lost is a suffix.
TEST_F(DamagedFiles, ATornLogLosesASuffixAndNothingElse) {
  make_store(false);
  std::uint64_t end = 0, begin = 0;
  std::vector<std::uint64_t> commits;
  auto dumped = dump_log(path(), Lsn{}, [&](const LogRecordInfo& record) {
    if (record.kind == "commit") commits.push_back(record.lsn.value);
    return true;
  });
  ASSERT_OK(dumped);
  begin = dumped->begin.value;
  end = dumped->end.value;
  ASSERT_GE(commits.size(), updated);
  const std::string kept = folder() + "/kept";
  std::filesystem::copy(path(), kept, std::filesystem::copy_options::recursive);
  int last = 0;
  for (std::uint64_t part = 1; part <= 16; ++part) {
    for (const bool cut : {true, false}) {
      const std::uint64_t at = begin + 200 + (end - begin - 200) * part / 16;
      SCOPED_TRACE(std::to_string(at) + (cut ? " cut" : " damaged"));
      std::filesystem::remove_all(path());
      std::filesystem::copy(kept, path(), std::filesystem::copy_options::recursive);
      char segment[32];  // docs/log-format.md
      std::snprintf(segment, sizeof segment, "/log/%016llx", static_cast<unsigned long long>(at / options.log_segment_bytes));
      const std::uint64_t offset = at % options.log_segment_bytes;
      std::fstream stream(path() + segment, std::ios::in | std::ios::out | std::ios::binary);
      std::string all((std::istreambuf_iterator<char>(stream)), {});
      ASSERT_EQ(all.size(), options.log_segment_bytes) << segment;
      stream.clear();
      stream.seekp(static_cast<std::streamoff>(offset));
      const std::string rest = cut ? std::string(all.size() - offset, '\0') : std::string(1, static_cast<char>(~all[offset]));
      stream.write(rest.data(), static_cast<std::streamsize>(rest.size()));
      stream.close();
      const int got = prefix();
      ASSERT_LE(got, 200) << "253: not readable, 254: no prefix, above: a signal";
      EXPECT_GE(got, last) << "more of the log, but less of its transactions";
      last = std::max(last, cut ? got : last);
    }
  }
}

}  // namespace
}  // namespace plimsoll
