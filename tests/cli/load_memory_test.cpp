// A load holds no more memory for more records: neither for new keys nor for those that it overwrites, each of which it has to know
// when it comes a second time.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "cli/load_support.hpp"

namespace {
std::atomic<std::size_t> heap_bytes{0}, heap_bytes_most{0};
}

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* const at = std::malloc(bytes);
  if (at == nullptr) throw std::bad_alloc();
  const std::size_t now = heap_bytes.fetch_add(malloc_usable_size(at)) + malloc_usable_size(at);
  std::size_t most = heap_bytes_most.load();
  while (most < now && !heap_bytes_most.compare_exchange_weak(most, now)) {}
  return at;
}
[[gnu::noinline]] void operator delete(void* at) noexcept {
  if (at != nullptr) heap_bytes.fetch_sub(malloc_usable_size(at));
  std::free(at);
}
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { operator delete(at); }

namespace plimsoll::cli {
namespace {

constexpr int records = 20'000;
constexpr std::size_t key_bytes = 200;

std::string key(int number) { return fmt::format("{:0{}}", number, key_bytes); }

std::string csv(int from, int to) {
  std::string text = "k,v\n";
  for (int n = from; n < to; ++n) text += key(n) + ",v\n";
  return text;
}

TEST(LoadMemory, DoesNotGrowWithTheKeysThatAreOverwritten) {
  auto db = Database::open_in_memory({.memory_budget = 64_MiB});
  ASSERT_TRUE(db);
  const std::string path = fmt::format("load_memory.{}.csv", getpid());
  for (const int first : {0, records / 2}) {  // all new; half of them overwritten
    const std::string text = csv(first, first + records);
    const std::size_t before = heap_bytes;
    heap_bytes_most = before;
    const auto failure = load_text(*db, path, text, {});
    ASSERT_FALSE(failure) << failure->message;
    EXPECT_LT(heap_bytes_most - before, records / 2 * key_bytes) << "from " << first;
  }
  // Whatever was overwritten long ago is known when it comes again; and so with several transactions.
  const std::string twice = csv(0, 3 * records / 2) + key(17) + ",again\n";
  for (const std::uint64_t lines : {0, 1000}) {
    LoadOptions options;
    options.settings.lines_per_transaction = lines;
    const auto failure = load_text(*db, path, twice, options);
    ASSERT_TRUE(failure);
    EXPECT_NE(failure->message.find(fmt::format(":{}: the key '{}' is there twice", 3 * records / 2 + 2, key(17))),
              std::string::npos)
        << failure->message;
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace plimsoll::cli
