// Structs of the C interface that grew: what a program compiled with an older header hands in, and what it gets back.
#include "capi/sized.hpp"

#include <gtest/gtest.h>

namespace plimsoll::capi {
namespace {

struct Old {
  std::size_t size;
  std::uint64_t first;
};
struct Grown {
  std::size_t size;
  std::uint64_t first;
  std::uint64_t second;
};

}  // namespace

template <>
struct FirstSize<Grown> {
  static constexpr std::size_t value = sizeof(Old);
};

namespace {

// An old struct with something behind it that is none of the library's.
struct Caller {
  Old old{sizeof(Old), 7};
  std::uint64_t other = 99;
  Grown* grown() { return reinterpret_cast<Grown*>(&old); }
};

TEST(CapiSized, AnOlderStructReadsWithDefaults) {
  Caller caller;
  const auto read = read_sized(caller.grown(), "options");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size, sizeof(Grown));
  EXPECT_EQ(read->first, 7u);
  EXPECT_EQ(read->second, 0u);
}

TEST(CapiSized, AnOlderStructIsFilledAsFarAsItGoes) {
  Caller caller;
  write_sized(caller.grown(), Grown{0, 1, 2});
  EXPECT_EQ(caller.old.size, sizeof(Old));
  EXPECT_EQ(caller.old.first, 1u);
  EXPECT_EQ(caller.other, 99u);
}

TEST(CapiSized, TodaysStructIsTakenWhole) {
  Grown grown{sizeof(Grown), 1, 2};
  const auto read = read_sized(&grown, "options");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->second, 2u);
  write_sized(&grown, Grown{0, 3, 4});
  EXPECT_EQ(grown.size, sizeof(Grown));
  EXPECT_EQ(grown.second, 4u);
}

TEST(CapiSized, NullMeansAllDefaultsForOptionsAndIsRefusedForResults) {
  const auto read = read_sized<Grown>(nullptr, "options");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size, sizeof(Grown));
  EXPECT_EQ(read->first, 0u);
  EXPECT_FALSE(check_size<Grown>(nullptr, "info"));
}

TEST(CapiSized, OtherSizesAreRefused) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, sizeof(Old) - 1, sizeof(Grown) + 1, ~std::size_t{0}}) {
    const Grown grown{size, 1, 2};
    const auto read = read_sized(&grown, "options");
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(read.error().message().find("options->size"), std::string::npos);
  }
}

}  // namespace
}  // namespace plimsoll::capi
