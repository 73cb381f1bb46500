// Proves each rule of the tidy program with a planted bad input, and with a good one beside it that must pass.
#include <gtest/gtest.h>

#include <string>

#include "rules.hpp"

namespace plimsoll::tidy {
namespace {

std::string repeated(const std::string& what, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += what;
  return out;
}

std::string function_of(std::size_t lines) { return "int f(int x) {\n" + repeated("  ++x;\n", lines - 2) + "}\n"; }

TEST(TidyIncludes, ALaterLayerIsRefusedAndAnEarlierOneIsNot) {
  const auto bad = check_includes({"src/log/ring.cpp", "// Ring.\n#include \"btree/node.hpp\"\n"});
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].line, 2u);
  EXPECT_EQ(bad[0].rule, "include-order");
  EXPECT_TRUE(check_includes({"src/btree/node.cpp", "#include \"base/check.hpp\"\n#include \"btree/node.hpp\"\n"}).empty());
}

TEST(TidyIncludes, StorageDoesNotIncludeTheLogAlthoughItComesEarlier) {
  EXPECT_EQ(check_includes({"src/storage/pool.cpp", "#include \"log/ring.hpp\"\n"}).size(), 1u);
  EXPECT_TRUE(check_includes({"src/btree/tree.cpp", "#include \"log/ring.hpp\"\n"}).empty());
}

TEST(TidyIncludes, AHeaderOfNoLayerIsRefused) {
  EXPECT_EQ(check_includes({"src/io/file.cpp", "#include \"cli/main.hpp\"\n"}).size(), 1u);
  EXPECT_EQ(check_includes({"src/io/file.cpp", "#  include \"file.hpp\"\n"}).size(), 1u);
  EXPECT_TRUE(check_includes({"src/io/file.cpp", "#include \"plimsoll/error.hpp\"\n#include <map>\n"}).empty());
}

TEST(TidyIncludes, TheCommandLineAndTheExamplesUsePublicHeadersOnly) {
  EXPECT_EQ(check_includes({"cli/main.cpp", "#include \"db/store.hpp\"\n"}).size(), 1u);
  EXPECT_EQ(check_includes({"examples/a.cpp", "#include \"base/check.hpp\"\n"}).size(), 1u);
  EXPECT_TRUE(check_includes({"cli/main.cpp", "#include \"base/check.hpp\"\n"}).empty());
  EXPECT_TRUE(check_includes({"cli/main.cpp", "#include \"plimsoll/plimsoll.hpp\"\n#include \"render/table.hpp\"\n"}).empty());
}

TEST(TidyLengths, AFileOverTheLimitIsRefused) {
  EXPECT_EQ(check_lengths({"src/a.cpp", repeated("//\n", file_lines_max + 1)}).size(), 1u);
  EXPECT_TRUE(check_lengths({"src/a.cpp", repeated("//\n", file_lines_max)}).empty());
}

TEST(TidyLengths, AFunctionOverTheLimitIsRefusedWhereverItStands) {
  const std::string longest = function_of(function_lines_max);
  const std::string longer = function_of(function_lines_max + 1);
  EXPECT_TRUE(check_lengths({"a.cpp", longest}).empty());
  EXPECT_TRUE(check_lengths({"a.cpp", "namespace n {\n" + longest + longest + "}  // namespace n\n"}).empty());
  const auto plain = check_lengths({"a.cpp", "// One.\n\n" + longer});
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].line, 3u);
  EXPECT_EQ(plain[0].rule, "function-length");
  EXPECT_EQ(check_lengths({"a.cpp", "namespace n {\nclass C {\n public:\n" + longer + "};\n}\n"}).size(), 1u);
  EXPECT_EQ(check_lengths({"a.cpp", "template <class T>\nstruct S final : B<T> {\n" + longer + "};\n"}).size(), 1u);
}

TEST(TidyLengths, BracesInLiteralsCommentsAndDirectivesDoNotCount) {
  const std::string text =
      "#define OPEN do {\n#define CLOSE \\\n  }\nconst char* a = \"{{\"; // {\nchar b = '{';\nauto c = R\"x({{{)x\";\n"
      "/* { */ int d = 1'000; int e[] = {1, 2};\n";
  EXPECT_TRUE(check_lengths({"a.cpp", text}).empty());
  EXPECT_EQ(check_lengths({"a.cpp", text + "{\n"}).size(), 1u);
  EXPECT_EQ(check_lengths({"a.cpp", text + function_of(function_lines_max + 1)}).size(), 1u);
}

TEST(TidyTransactionMaps, OnlyTheRegistryKeepsThingsByTransactionId) {
  const std::string bad = "std::unordered_map<TxnId, int> seen;\n";
  EXPECT_EQ(check_transaction_maps({"src/txn/manager.hpp", bad}).size(), 1u);
  EXPECT_EQ(check_transaction_maps({"src/txn/manager.hpp", "std::set<TxnId> seen;\n"}).size(), 1u);
  EXPECT_TRUE(check_transaction_maps({"src/registry/table.hpp", bad}).empty());
  EXPECT_TRUE(check_transaction_maps({"src/txn/manager.hpp", "// a map<TxnId, int> would be a second registry\n"}).empty());
}

TEST(TidyMemoryCalls, OnlyThePageProviderAsksTheSystemForMemory) {
  const std::string bad = "void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, -1, 0);\n";
  EXPECT_EQ(check_memory_calls({"src/storage/pool.cpp", bad}).size(), 1u);
  EXPECT_EQ(check_memory_calls({"src/memory/slab.cpp", "if (madvise(at, bytes, MADV_DONTNEED) != 0) return;\n"}).size(), 1u);
  EXPECT_TRUE(check_memory_calls({"src/memory/page_provider.cpp", bad}).empty());
  EXPECT_TRUE(check_memory_calls({"bench/report/process.cpp", bad}).empty());
  EXPECT_TRUE(check_memory_calls({"src/memory/slab.cpp", "int mmaps = 0;  // mmap is called elsewhere\n"}).empty());
}

TEST(TidyWords, MarksOfUnfinishedWorkAreRefused) {
  const std::string mark = std::string("TO") + "DO";
  EXPECT_EQ(check_words({"a.cpp", "// " + mark + ": later\n"}).size(), 1u);
  EXPECT_EQ(check_words({"a.cpp", std::string("int FIX") + "ME;\n"}).size(), 1u);
  EXPECT_TRUE(check_words({"a.cpp", "int " + mark + "S;\n"}).empty());
}

TEST(TidyLeadingComment, AFileBeginsWithAComment) {
  EXPECT_EQ(check_leading_comment({"a.cpp", "#pragma once\n"}).size(), 1u);
  EXPECT_EQ(check_leading_comment({"a.cpp", ""}).size(), 1u);
  EXPECT_TRUE(check_leading_comment({"a.cpp", "// What this is.\n"}).empty());
  EXPECT_TRUE(check_leading_comment({"a.cpp", "#include \"a.hpp\"\n", true}).empty());
}

TEST(TidyDocs, EveryRequiredPageMustExist) {
  const auto all = check_docs({});
  ASSERT_GE(all.size(), 10u);
  std::vector<std::string> pages;
  for (const auto& f : all) pages.push_back(f.path.substr(5));
  EXPECT_TRUE(check_docs(pages).empty());
  pages.pop_back();
  EXPECT_EQ(check_docs(pages).size(), 1u);
}

}  // namespace
}  // namespace plimsoll::tidy
