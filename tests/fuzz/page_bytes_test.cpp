// Nodes with arbitrary bytes. An optimistic reader may look at a page in the middle of a change, so whatever the bytes are, the
// functions of btree/search.hpp stay within the page: it lies between two pages that cannot be read. And what check_node() calls
// sound can be walked and changed like any other node.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "base/random.hpp"
#include "btree/node_check.hpp"
#include "btree/node_update.hpp"
#include "btree/search.hpp"
#include "fuzz/support.hpp"

namespace plimsoll::btree {
namespace {

class GuardedPage {
 public:
  explicit GuardedPage(std::uint32_t bytes) : bytes_(bytes), all_(bytes + 2 * guard) {
    void* at = mmap(nullptr, all_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    begin_ = static_cast<char*>(at);
    EXPECT_EQ(mprotect(page(), bytes_, PROT_READ | PROT_WRITE), 0);
  }
  ~GuardedPage() { munmap(begin_, all_); }
  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;
  char* page() const { return begin_ + guard; }
  std::uint32_t bytes() const { return bytes_; }
  bool holds(const char* at, std::size_t count) const { return at >= page() && count <= bytes_ && at <= page() + bytes_ - count; }

 private:
  static constexpr std::size_t guard = 64 << 10;  // offsets are 16 bits
  const std::uint32_t bytes_;
  const std::size_t all_;
  char* begin_ = nullptr;
};

std::string any_key(Random& random) {
  static constexpr std::string_view prefixes[] = {"", "k", "prefix", "eight888"};
  std::string key(prefixes[random.below(std::size(prefixes))]);
  const std::uint64_t more = 1 + random.below(random.below(10) == 0 ? 100 : 6);
  for (std::uint64_t i = 0; i < more; ++i) key += static_cast<char>('a' + random.below(4));
  return key;
}

void fill_leaf(const GuardedPage& page, Random& random) {
  format_node(page.page(), page.bytes(), 0, 1);
  const std::uint64_t records = random.below(40);
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string key = any_key(random), value(random.below(60), 'v');
    const LeafPlace place = search_leaf(page.page(), page.bytes(), key);
    if (leaf_fits(page.page(), shared_with_prefix(page.page(), key), key.size(), value.size(), place.record))
      leaf_put(page.page(), key, {random.next(), random.next(), 0, value});
  }
}

void fill_inner(const GuardedPage& page, Random& random) {
  format_inner(page.page(), page.bytes(), static_cast<std::uint8_t>(1 + random.below(3)), 1, {7, 7});
  const std::uint64_t children = random.below(40);
  for (std::uint64_t i = 0; i < children; ++i) {
    const std::string key = any_key(random);
    if (inner_fits(page.page(), key) && !inner_find(page.page(), key))
      inner_insert(page.page(), key, {static_cast<std::uint32_t>(random.next()), 0});
  }
}

void search_everything(const GuardedPage& page, Random& random) {
  const char* node = page.page();
  for (int i = 0; i < 8; ++i) {
    const std::string key = any_key(random);
    const LeafPlace place = search_leaf(node, page.bytes(), key);
    if (place.record) {
      ASSERT_TRUE(page.holds(place.record.at, 16));
      ASSERT_TRUE(page.holds(place.record.value, place.record.value_bytes));
    }
    leaf_candidate(node, page.bytes(), key);
    child_of(node, page.bytes(), search_inner(node, page.bytes(), key, i % 2 == 0 ? Side::at : Side::below));
  }
  for (int i = 0; i < 32; ++i) {
    const auto slot = static_cast<std::uint16_t>(i < 16 ? random.below(64) : random.next());
    child_of(node, page.bytes(), slot);
    for (const std::uint16_t offset : {record_offset(node, page.bytes(), slot), slot}) {
      const RecordView view = record_view(node, page.bytes(), offset);
      if (view) { ASSERT_TRUE(page.holds(view.at, 16) && page.holds(view.value, view.value_bytes)); }
    }
  }
}

bool sound(const GuardedPage& page) {
  bool fine = true;
  check_node(page.page(), page.bytes(), [&](std::string_view) { fine = false; });
  return fine;
}

// The node is sound: all of it can be read, and a change leaves it sound.
void use(const GuardedPage& page, Random& random) {
  char key_buffer[key_bytes_limit];
  const Node node(page.page());
  for (std::uint16_t i = 0; i < node.count(); ++i) {
    ASSERT_LE(node.key(i, key_buffer).size(), key_bytes_limit);
    if (node.leaf()) { ASSERT_TRUE(page.holds(record_at(page.page(), i).value, record_at(page.page(), i).value_bytes)); }
  }
  const std::string key = any_key(random);
  if (!node.covers(key)) return;
  if (!node.leaf()) {
    if (inner_fits(page.page(), key) && !inner_find(page.page(), key)) inner_insert(page.page(), key, {3, 0});
  } else {
    const LeafPlace place = search_leaf(page.page(), page.bytes(), key);
    if (leaf_fits(page.page(), shared_with_prefix(page.page(), key), key.size(), 10, place.record))
      leaf_put(page.page(), key, {1, 2, 0, "0123456789"});
  }
  ASSERT_TRUE(sound(page));
}

TEST(PageBytes, NoBytesLeadASearchOutOfThePageAndWhatIsCalledSoundIs) {
  Random random(1);
  std::uint64_t refused = 0, accepted = 0;
  for (const std::uint32_t bytes : {4096u, 8192u, 32768u}) {
    const GuardedPage page(bytes);
    for (std::uint64_t round = 0; round < scaled(60'000, 500); ++round) {
      SCOPED_TRACE(round);
      random.below(2) == 0 ? fill_leaf(page, random) : fill_inner(page, random);
      ASSERT_TRUE(sound(page));
      damage({page.page() + storage::at::kind, page.bytes() - storage::at::kind}, 200, random);
      search_everything(page, random);
      sound(page) ? ++accepted : ++refused;
      if (sound(page)) use(page, random);
      if (HasFatalFailure()) return;
    }
  }
  std::printf("refused %llu, accepted %llu\n", static_cast<unsigned long long>(refused), static_cast<unsigned long long>(accepted));
  EXPECT_GT(refused, 0u);
  EXPECT_GT(accepted, 0u);
}

}  // namespace
}  // namespace plimsoll::btree
