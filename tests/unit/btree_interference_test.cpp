// What another thread could do to a tree at the worst moment, at each moment in turn: while a key is looked for, leaves split and
// merge, or every page leaves its frame and other pages come into it. The key was there all the time and must be found.
#include <set>
#include <vector>

#include "btree_support.hpp"
#include "interference.hpp"

namespace plimsoll::btree {
namespace {

constexpr int base_keys = 30, extra_keys = 12;

std::string base_key(int n) { return "key/" + std::to_string(100 + n); }
std::string extra_key(int n) { return base_key(20) + "/" + std::to_string(100 + n); }
std::string value_of(Bytes key) {
  std::string value;
  while (value.size() < 300) value += key;
  return value;
}

enum class Disturbance { structure, eviction };

// A tree of some leaves whose middle grows and shrinks by some more.
struct Disturbed {
  Disturbed() : file(taken(f.disk.open("/versions", io::OpenMode::create, true))) {
    f.pool->attach(7, *file);
    plant();
  }
  void plant() {
    tree = f.create_tree();
    grown = false;
    for (int i = 0; i < base_keys; ++i) EXPECT_TRUE(f.put(tree, base_key(i), value_of(base_key(i))));
  }

  bool anything_latched() {
    for (storage::FrameIndex frame = 0; frame < f.pool->frames(); ++frame)
      if ((storage::word_of(f.pool->frame_bytes(frame)).load() & storage::word_latched) != 0) return true;
    return false;
  }
  // The leaves in the middle split; the next time they merge again.
  void change_structure() {
    for (int i = 0; i < extra_keys; ++i) {
      if (grown) {
        EXPECT_TRUE(taken(f.erase(tree, extra_key(i))));
      } else {
        EXPECT_TRUE(f.put(tree, extra_key(i), value_of(extra_key(i))));
      }
    }
    grown = !grown;
  }
  void warm_up() {  // leaves the hints right
    for (int i = 0; i < base_keys; i += 3) EXPECT_TRUE(f.find(tree, base_key(i)));
  }
  void empty_pool() {
    EXPECT_TRUE(f.pool->write_back(Lsn{~std::uint64_t{0}}));
    for (std::uint32_t page = 1; page < 64; ++page) {
      if (page == spared) continue;
      auto latched = f.pool->latch_resident(storage::data_page(page));
      if (latched && storage::kind_of(latched.bytes()) == storage::PageKind::node) f.pool->discard(std::move(latched));
    }
  }
  // Pages of the tree in the pool that are none any more.
  std::size_t strangers() {
    std::set<std::uint32_t> reachable;
    taken(f.trees->check(tree, {}, [&](std::uint32_t page) { return reachable.insert(page), true; }, {}));
    std::size_t count = 0;
    for (std::uint32_t page = 1; page < 64; ++page) {
      const auto latched = f.pool->latch_resident(storage::data_page(page));
      count += latched && tree_of(latched.bytes()) == tree.value && !reachable.contains(page);
    }
    return count;
  }
  // Pages of another file, with numbers that the data file does not have.
  void fill_frames() {
    for (std::uint32_t page = 0; page < 40; ++page)
      f.pool->create(taken(f.pool->take_frame()), storage::page_key(7, 4'000'000 + page));
  }
  bool disturb(Disturbance what) {
    if (anything_latched()) return false;  // another thread would have to wait
    if (what == Disturbance::structure) {
      change_structure();
    } else {
      empty_pool();
      fill_frames();
    }
    return true;
  }

  // With all pages in the pool and with none, from the small tree and from the grown one.
  void at_each_moment(const std::function<void()>& operation,
                      const std::vector<Disturbance>& disturbances = {Disturbance::structure, Disturbance::eviction}) {
    int happened = 0;
    for (const Disturbance what : disturbances)
      for (const Window window : {Window::sampled, Window::validating})
        for (const bool cold : {false, true})
          for (int from = 0; from < 2; ++from, change_structure()) {
            warm_up();
            for (int n = 0; n < 100; ++n, ++happened) {
              if (cold) empty_pool();
              if (!cold && n > 0) warm_up();
              const auto damaged = f.metrics.sum(Counter::checksum_failures);
              {
                const Interference interference(window, n, [&] { return disturb(what); });
                operation();
                if (!interference.happened()) break;
              }
              if (window == Window::validating && !many) {  // that was in time: no page that is gone was even read
                EXPECT_EQ(f.metrics.sum(Counter::checksum_failures), damaged);
                EXPECT_EQ(strangers(), 0u);
              }
              if (what == Disturbance::structure) change_structure();
            }
          }
    EXPECT_GT(happened, 8);
    const auto all = f.content(tree);
    EXPECT_EQ(all.size(), static_cast<std::size_t>(base_keys));
    for (int i = 0; i < base_keys; ++i) EXPECT_TRUE(all.contains(base_key(i))) << i;
  }

  const Interference none;
  TreeFixture f{4096, 64};
  TreeId tree{};
  std::unique_ptr<io::File> file;
  std::uint32_t spared = 0;          // a page that stays in its frame
  bool grown = false, many = false;  // many: pages of several keys are read together, after all were looked at
};

class Interferences : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_interfere) GTEST_SKIP() << "only with PLIMSOLL_PERTURB";
#ifdef PLIMSOLL_LATCHED_READS
    GTEST_SKIP() << "readers latch";
#endif
  }
};

TEST_F(Interferences, AKeyIsFound) {
  Disturbed d;
  d.at_each_moment([&] { EXPECT_EQ(d.f.find(d.tree, base_key(21)), value_of(base_key(21))); });
}

TEST_F(Interferences, ManyKeysAreFound) {
  Disturbed d;
  d.many = true;
  std::vector<std::string> names;
  for (const int i : {18, 20, 21, 22, 29}) names.push_back(base_key(i));
  const std::vector<Bytes> keys(names.begin(), names.end());
  d.at_each_moment([&] {
    std::vector<LeafPosition> out(keys.size());
    ASSERT_TRUE(d.f.trees->find_many(d.tree, keys, out));
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::string value;
      if (out[i].record) {
        value.resize(std::min<std::size_t>(out[i].record.value_bytes, 4096));
        page_read(value.data(), out[i].record.value, value.size());
      }
      EXPECT_TRUE(!out[i].page.still_valid() || value == value_of(keys[i])) << keys[i];
    }
  });
}

TEST_F(Interferences, ALeafIsLatched) {
  Disturbed d;
  d.at_each_moment([&] {
    const LatchedLeaf leaf = taken(d.f.trees->latch(d.tree, base_key(21)));
    ASSERT_TRUE(leaf.found());
    EXPECT_EQ(Bytes(leaf.record().value, leaf.record().value_bytes), value_of(base_key(21)));
  });
  d.at_each_moment([&] {
    const LatchedLeaf leaf = d.f.trees->try_latch_resident(d.tree, base_key(21));
    if (!leaf) return;
    ASSERT_TRUE(leaf.found());
    EXPECT_EQ(Bytes(leaf.record().value, leaf.record().value_bytes), value_of(base_key(21)));
  });
}

// In a new tree each time, where the key moves with the upper half of its leaf.
TEST_F(Interferences, ALeafIsLatchedOnlyIfItStillCoversTheKey) {
  Disturbed d;
  int happened = 0;
  for (int n = 0; n < 20; ++n, ++happened) {
    d.plant();
    d.warm_up();
    const Interference interference(Window::sampled, n, [&] { return d.disturb(Disturbance::structure); });
    const LatchedLeaf leaf = d.f.trees->try_latch_resident(d.tree, base_key(21));
    ASSERT_TRUE(!leaf || leaf.found()) << n;
    if (!interference.happened()) break;
  }
  EXPECT_GT(happened, 2);
}

TEST_F(Interferences, ALeafIsCopied) {
  Disturbed d;
  std::vector<char> buffer(d.f.pool->page_bytes());
  for (const bool before : {false, true})
    d.at_each_moment([&] {
      const std::string at = base_key(21);
      const LeafCopy leaf = taken(d.f.trees->copy_leaf(d.tree, at, before, buffer.data(), storage::Access::scan));
      const auto lower = leaf.lower_fence(), upper = leaf.upper_fence();
      EXPECT_TRUE(!lower || (before ? *lower < at : *lower <= at)) << before;
      EXPECT_TRUE(!upper || (before ? at <= *upper : at < *upper)) << before;
      char key[key_bytes_limit];
      for (std::uint16_t i = 0; i < leaf.count(); ++i)
        EXPECT_EQ(Bytes(leaf.record(i).value, leaf.record(i).value_bytes), value_of(leaf.key(i, key)));
    });
}

TEST_F(Interferences, NeighboursMergeOrStay) {
  Disturbed d;
  for (const int n : {21, 29}) d.at_each_moment([&] { EXPECT_TRUE(d.f.trees->merge(d.tree, base_key(n), 0)); });
}

// Nobody else may use the tree meanwhile; but its pages come and go: all, or all below the root. It has three levels.
TEST_F(Interferences, ATreeIsFreed) {
  Disturbed d;
  const TreeId doomed = d.f.create_tree();
  int happened = 0;
  for (const Window window : {Window::sampled, Window::validating})
    for (const bool root_stays : {false, true})
      for (int n = 0; n < 100; n += n < 12 ? 1 : 16, ++happened) {
        for (int i = 0; i < 60; ++i) {
          const std::string key = std::string(500, static_cast<char>('a' + i / 3)) + std::to_string(i % 3);  // long separators
          ASSERT_TRUE(d.f.put(doomed, key, value_of("value")));
        }
        if (TreeCounts counts; n == 0) {
          d.f.content(doomed, &counts);
          EXPECT_EQ(counts.height, 3u);
        }
        d.spared = root_stays ? doomed.value : 0;
        const Interference interference(window, n, [&] { return d.disturb(Disturbance::eviction); });
        ASSERT_TRUE(d.f.trees->free_pages(doomed, [] { return Result<void>(); }));
        EXPECT_TRUE(d.f.content(doomed).empty());
        if (!interference.happened()) break;
      }
  EXPECT_GT(happened, 8);
}

}  // namespace
}  // namespace plimsoll::btree
