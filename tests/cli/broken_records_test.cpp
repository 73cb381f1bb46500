// Broken CSV and JSON Lines: files made from a grammar, whole or with one planted fault of a known kind. A whole file loads as what
// it was made from, and comes back from a dump; a broken one is refused with its file, line and reason, and leaves the store as it
// was.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include "cli/broken_files.hpp"
#include "interchange/dumper.hpp"
#include "model/rare_events.hpp"

namespace plimsoll::cli {
namespace {

using namespace broken;

class BrokenRecords : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const char* ending : {".csv", ".tsv", ".jsonl"}) std::remove(path(ending).c_str());
    events_.print("broken records");
    EXPECT_EQ(events_.missing(wanted_), "");
  }
  static std::string path(std::string_view ending) { return fmt::format("broken_records.{}{}", getpid(), ending); }

  // A new one after some rounds: a store in memory keeps its log.
  static Database& renewed(std::optional<Database>& store, std::uint64_t round) {
    static constexpr std::uint64_t rounds_per_store = 25;
    if (round % rounds_per_store == 0) {
      store = fresh();
    } else {
      for (const auto& [name, records] : contents(*store)) EXPECT_TRUE(name == "kept" || store->drop_table(name));
    }
    return *store;
  }
  static Database fresh() {
    auto opened = Database::open_in_memory({.memory_budget = 32_MiB});
    EXPECT_TRUE(opened);
    const auto kept = opened->open_table("kept", {.create_if_missing = true});
    EXPECT_TRUE(kept);
    EXPECT_TRUE(
        opened->transact({.durability = Durability::relaxed}, [&](Transaction& tx) { return tx.put(*kept, "a", "before"); }));
    return std::move(*opened);
  }

  // The format follows from the ending.
  void expect_refused(const std::vector<Fault>& faults, const std::string& ending) {
    for (const Fault& fault : faults) {
      auto db = fresh();
      const Tables before = contents(db);
      wanted_.emplace_back(fault.kind);
      EXPECT_TRUE(rc::check(ending.substr(1) + ": " + fault.kind, [&] {
        const File file = fault.make();
        events_.add(fault.kind);
        const auto failure = load_text(db, path(ending), file.text(), file.options);
        RC_LOG() << fmt::format("{}\n---\nfault in row {}\n", escape(file.text()), file.fault);
        RC_ASSERT(failure.has_value());
        RC_LOG() << failure->message << "\n";
        RC_ASSERT(failure->message.starts_with(fmt::format("{}:{}: ", path(ending), file.line(file.fault))));
        RC_ASSERT(failure->message.find(fault.reason) != std::string::npos);
        RC_ASSERT(failure->message.ends_with("; nothing is loaded"));
        RC_ASSERT(contents(db) == before);
      }));
    }
  }

  // Loads it, and loads what a dump of it says: both times it holds what it was made from.
  void expect_whole(const std::string& kind, const std::string& ending, const std::function<File()>& make, bool objects = false) {
    wanted_.push_back(kind);
    std::optional<Database> loaded_into, loaded_again;
    std::uint64_t round = 0;
    EXPECT_TRUE(rc::check(kind, [&] {
      const File file = make();
      events_.add(kind);
      auto &db = renewed(loaded_into, round), &copy = renewed(loaded_again, round);
      ++round;
      const auto refused = load_text(db, path(ending), file.text(), file.options);
      RC_LOG() << escape(file.text()) << "\n" << (refused ? refused->message : "") << "\n";
      RC_ASSERT(!refused);
      Tables expected = file.holds, now = contents(db);
      expected["kept"]["a"] = "before";
      const Tables loaded = now;
      for (auto& [key, value] : now[std::string(nameless)])
        if (objects) value = nlohmann::ordered_json::parse(value).dump();
      std::erase_if(now, [](const auto& table) { return table.first == nameless && table.second.empty(); });
      RC_ASSERT(now == expected);
      RC_ASSERT(!load_text(copy, path(ending), dumped(db, ending), {}));
      RC_ASSERT(contents(copy) == loaded);
    }));
  }

  static std::string dumped(Database& db, const std::string& ending) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
    Output output(file.get());
    auto transaction = db.begin({.read_only = true});
    RC_ASSERT(transaction.has_value());
    const Format format = ending == ".csv" ? Format::csv : ending == ".tsv" ? Format::tsv : Format::jsonl;
    const Encoding encoding = one_of<Encoding>({Encoding::escaped, Encoding::hex, Encoding::base64});
    const auto writer = make_writer(format, {.encoding = encoding, .name_tables = true});
    Dumper dumper(*transaction, *writer, output);
    RC_ASSERT(dump_all(db, dumper).has_value() && output.finish().has_value());
    std::rewind(file.get());
    std::string text;
    for (int byte; (byte = std::getc(file.get())) != EOF;) text += static_cast<char>(byte);
    return text;
  }

 private:
  test::RareEvents events_;
  std::vector<std::string> wanted_;
};

TEST_F(BrokenRecords, OfCsvAreRefusedForTheirReason) { expect_refused(csv_faults(), ".csv"); }
TEST_F(BrokenRecords, OfJsonLinesAreRefusedForTheirReason) { expect_refused(jsonl_faults(), ".jsonl"); }

TEST_F(BrokenRecords, WholeFilesLoadAsWhatTheyAreMadeFromAndComeBackFromADump) {
  expect_whole("csv of two columns", ".csv", [] { return any_csv(2); });
  expect_whole("csv of three columns", ".csv", [] { return any_csv(3); }, true);
  expect_whole("tsv", ".tsv", [] { return any_csv(2, '\t'); });
  expect_whole("jsonl", ".jsonl", any_jsonl);
}

// Of 16 MiB: once for each format.
TEST_F(BrokenRecords, WithALineOverTheLimitAreRefused) {
  auto db = fresh();
  const Tables before = contents(db);
  const std::string much(line_bytes_max, 'x');
  for (const auto& [ending, text] :
       {std::pair(".csv", "k,v\na,b\nc," + much + "\n"), std::pair(".jsonl", R"({"key":"a","value":"b"})"
                                                                             "\n"
                                                                             R"({"key":"c","value":")" +
                                                                                 much + "\"}\n")}) {
    const auto failure = load_text(db, path(ending), text, {});
    ASSERT_TRUE(failure);
    EXPECT_TRUE(failure->message.starts_with(path(ending) + (ending == ".csv"s ? ":3: " : ":2: "))) << failure->message;
    EXPECT_NE(failure->message.find("is longer than 16"), std::string::npos) << failure->message;
    EXPECT_EQ(contents(db), before);
  }
}

}  // namespace
}  // namespace plimsoll::cli
