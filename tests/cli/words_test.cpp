// The words of the shell's input, as completion sees them: where the last one begins, how a text is written as one, and the names
// of files.
#include "shell/words.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "shell/file_names.hpp"

namespace plimsoll::cli {
namespace {

using Names = std::vector<std::string>;

std::string typed_word(std::string_view line) { return std::string(line.substr(last_word(line))); }

TEST(Words, TheLastWordBeginsBehindABlankOrTheEndOfAStatementOutsideOfQuotes) {
  EXPECT_EQ(typed_word(""), "");
  EXPECT_EQ(typed_word("get"), "get");
  EXPECT_EQ(typed_word("get "), "");
  EXPECT_EQ(typed_word("get a;.re"), ".re");
  EXPECT_EQ(typed_word("get\tk"), "k");
  EXPECT_EQ(typed_word(".read 'my fi"), "'my fi");
  EXPECT_EQ(typed_word(".read 'it''s m"), "'it''s m");
  EXPECT_EQ(typed_word("put 'a b' 'c;d"), "'c;d");
  EXPECT_EQ(typed_word("put 'a b' c"), "c");
  EXPECT_EQ(typed_word("put x'00 f"), "x'00 f");
  EXPECT_EQ(typed_word("put \"a \\\" b"), "\"a \\\" b");
  EXPECT_EQ(typed_word("put \"a\\\\\" b"), "b");
  EXPECT_EQ(typed_word("put it's k"), "k");  // inside a plain word it is no quote
  EXPECT_EQ(typed_word("put a''b c"), "c");
}

TEST(Words, ATextAsAWordIsReadBackAsItself) {
  for (const std::string text :
       {"plain", "a b", "it's", "semi;colon", "", "--x", "#x", "\"q\"", "tab\there", "x'00'", "back\\slash", "\xff"}) {
    for (const bool quoted : {false, true}) {
      const auto statements = split_statements("get " + as_word(text, quoted));
      ASSERT_TRUE(statements) << text;
      ASSERT_EQ(statements->size(), 1u) << text;
      ASSERT_EQ(statements->front().size(), 2u) << text;
      EXPECT_EQ(statements->front()[1].text, text);
    }
    const std::string word = as_word(text, true);
    EXPECT_EQ(text_so_far(word.substr(0, word.size() - 1)), text);
    EXPECT_EQ(text_so_far(word), std::nullopt) << "it is closed";
  }
  EXPECT_EQ(as_word("plain"), "plain");
  EXPECT_EQ(as_word("a b"), "'a b'");
  EXPECT_EQ(text_so_far("pla"), "pla");
  EXPECT_EQ(text_so_far("\"pla"), std::nullopt);
  EXPECT_EQ(text_so_far("x'00"), std::nullopt);
}

class FileNames : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "plimsoll-names-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern + "/";
    for (const char* file : {"numbers.csv", "notes", "my file", "it's", ".hidden", "bad\nname"})
      std::ofstream(folder_ + file) << "x";
    std::filesystem::create_directories(folder_ + "inner/deep");
    std::filesystem::create_directory(folder_ + "my folder");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // Without the folder.
  Names names(const std::string& typed, std::string quote = "") const {
    Names found = file_names(quote + folder_ + typed);
    for (std::string& name : found) {
      const std::size_t at = name.find(folder_);
      EXPECT_NE(at, name.npos) << name;
      name.erase(at, folder_.size());
    }
    std::ranges::sort(found);
    return found;
  }
  std::string folder_;
};

TEST_F(FileNames, AreThoseThatBeginSo) {
  EXPECT_EQ(names("n"), (Names{"notes", "numbers.csv"}));
  EXPECT_EQ(names("in"), (Names{"inner/"}));
  EXPECT_EQ(names("inner/"), (Names{"inner/deep/"}));
  EXPECT_EQ(names("."), (Names{".hidden"}));
  EXPECT_EQ(names("x"), Names{});
  EXPECT_EQ(names("nowhere/"), Names{});
  EXPECT_EQ(names("").size(), 6u) << "neither the hidden one nor the one that cannot be typed";
}

TEST_F(FileNames, AreQuotedWhereTheyMustBeAndWhereTheUserDoes) {
  EXPECT_EQ(names("my"), (Names{"'my file'", "'my folder/"}));
  EXPECT_EQ(names("it"), (Names{"'it''s'"}));
  EXPECT_EQ(names("my f", "'"), (Names{"'my file'", "'my folder/"}));
  EXPECT_EQ(names("note", "'"), (Names{"'notes'"}));
  EXPECT_EQ(names("it''", "'"), (Names{"'it''s'"}));
  EXPECT_EQ(names("note", "\""), Names{});
}

}  // namespace
}  // namespace plimsoll::cli
