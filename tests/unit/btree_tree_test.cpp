// Trees against std::map over a pool far smaller than the tree: inserts, replacements, deletes, merges, scans both ways, redo,
// freeing.
#include <algorithm>

#include "base/random.hpp"
#include "btree_support.hpp"

namespace plimsoll::btree {
namespace {

using Model = std::map<std::string, std::string>;

std::string numbered(std::uint64_t n) {
  char key[16];
  std::snprintf(key, sizeof key, "k%09llu", static_cast<unsigned long long>(n));
  return key;
}

std::string random_key(Random& random, std::size_t bytes_max) {
  static const std::string prefixes[] = {"", "order/", "customer/00000", std::string(90, 'p'), std::string(1, '\0')};
  std::string key = prefixes[random.below(5)];
  const std::size_t more = 1 + random.below(random.one_in(20) ? bytes_max : 6);
  for (std::size_t i = 0; i < more; ++i) key += static_cast<char>(random.one_in(3) ? random.below(256) : 'a' + random.below(4));
  return key.substr(0, bytes_max);
}

Model scan(TreeFixture& f, TreeId tree, bool backward) {
  Model all;
  std::vector<char> buffer(f.pool->page_bytes());
  std::optional<std::string> at;
  for (;;) {
    const LeafCopy leaf = taken(
        f.trees->copy_leaf(tree, at ? std::optional<Bytes>(*at) : std::nullopt, backward, buffer.data(), storage::Access::scan));
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; i < leaf.count(); ++i) {
      EXPECT_EQ(leaf.lower_bound(leaf.key(i, key)), i);
      const auto [place, added] = all.emplace(leaf.key(i, key), std::string(leaf.record(i).value, leaf.record(i).value_bytes));
      EXPECT_TRUE(added) << "met twice: " << place->first;
    }
    const auto next = backward ? leaf.lower_fence() : leaf.upper_fence();
    if (!next) return all;
    at.emplace(*next);
  }
}

TEST(BtreeTree, IsEmptyWhenItIsNew) {
  TreeFixture f;
  const TreeId tree = f.create_tree();
  EXPECT_EQ(f.find(tree, "a"), std::nullopt);
  EXPECT_FALSE(taken(f.erase(tree, "a")));
  EXPECT_FALSE(taken(f.trees->merge(tree, "a", 0)));
  EXPECT_TRUE(scan(f, tree, false).empty());
  EXPECT_TRUE(f.content(tree).empty());
}

class BtreeTreePages : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(PageSizes, BtreeTreePages, testing::Values(4096u, 8192u, 16384u, 32768u));

TEST_P(BtreeTreePages, HoldsWhatAMapHolds) {
  TreeFixture f(GetParam(), 64);
  const TreeId tree = f.create_tree();
  Model model;
  Random random(GetParam());
  const std::size_t key_max = key_bytes_max(GetParam());
  for (int step = 0; step < 6000; ++step) {
    const std::string key = random_key(random, key_max);
    if (random.below(10) < 3 && !model.empty()) {
      auto victim = model.lower_bound(key);
      if (victim == model.end()) victim = model.begin();
      ASSERT_TRUE(taken(f.erase(tree, victim->first)));
      model.erase(victim);
    } else {
      const std::size_t room = record_bytes_max(GetParam()) - record_bytes(key.size(), 0);
      const std::string value(random.below(random.one_in(10) ? room : 60), static_cast<char>('a' + random.below(26)));
      const auto put = f.put(tree, key, value);
      ASSERT_TRUE(put) << put.error().message();
      model[key] = value;
    }
    if (step % 500 == 0) { ASSERT_EQ(f.content(tree), model) << step; }
  }
  EXPECT_EQ(f.content(tree), model);
  EXPECT_EQ(scan(f, tree, false), model);
  EXPECT_EQ(scan(f, tree, true), model);
  for (const auto& [key, value] : model) ASSERT_EQ(f.find(tree, key), value);
  EXPECT_GT(f.metrics.sum(Counter::tree_splits), 0u);
}

TEST(BtreeTree, IsLargerThanThePoolAndShrinksToNothing) {
  TreeFixture f(4096, 64);
  const TreeId tree = f.create_tree();
  constexpr std::uint64_t keys = 20'000;
  Random random(1);
  std::vector<std::uint64_t> order(keys);
  for (std::uint64_t i = 0; i < keys; ++i) order[i] = i;
  for (std::uint64_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  for (const auto i : order) ASSERT_TRUE(f.put(tree, numbered(i), std::string(60, 'v')));
  TreeCounts counts;
  EXPECT_EQ(f.content(tree, &counts).size(), keys);
  EXPECT_GT(counts.leaves, 300u);
  EXPECT_GE(counts.height, 3u);
  EXPECT_GT(f.metrics.sum(Counter::evictions), 0u);
  const std::uint64_t used = taken(f.space->used_pages());
  EXPECT_EQ(used, counts.leaves + counts.inner_nodes + f.space->file_pages() / f.space->pages_per_map() + 1);

  for (std::uint64_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  for (const auto i : order) ASSERT_TRUE(taken(f.erase(tree, numbered(i))));
  EXPECT_TRUE(f.content(tree, &counts).empty());
  EXPECT_LT(counts.leaves, 20u);
  EXPECT_GT(f.metrics.sum(Counter::tree_merges), 100u);
  EXPECT_LT(taken(f.space->used_pages()), 40u);
}

TEST(BtreeTree, AscendingAndDescendingInsertsFillPages) {
  for (const bool ascending : {true, false}) {
    TreeFixture f(8192, 64);
    const TreeId tree = f.create_tree();
    constexpr std::uint64_t keys = 10'000;
    for (std::uint64_t i = 0; i < keys; ++i) ASSERT_TRUE(f.put(tree, numbered(ascending ? i : keys - i), std::string(100, 'v')));
    TreeCounts counts;
    EXPECT_EQ(f.content(tree, &counts).size(), keys);
    EXPECT_GE(static_cast<double>(keys) * 128 / static_cast<double>(counts.leaves * 8192), 0.88) << ascending;
  }
}

TEST(BtreeTree, FindsManyKeysAtOnce) {
  TreeFixture f(4096, 64);
  const TreeId tree = f.create_tree();
  for (std::uint64_t i = 0; i < 5000; ++i) ASSERT_TRUE(f.put(tree, numbered(2 * i), numbered(i)));
  Random random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::string> keys(1 + random.below(150));
    for (auto& key : keys) key = numbered(random.below(10'100));
    const std::vector<Bytes> views(keys.begin(), keys.end());
    std::vector<LeafPosition> out(keys.size());
    ASSERT_TRUE(f.trees->find_many(tree, views, out));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::optional<std::string> value;
      if (out[i].record) value.emplace(out[i].record.value, out[i].record.value_bytes);
      if (out[i].page.still_valid()) { EXPECT_EQ(value, f.find(tree, keys[i])); }
    }
  }
}

TEST(BtreeTree, TakesALeafWithoutWaiting) {
  TreeFixture f(4096, 64);
  const TreeId tree = f.create_tree();
  for (std::uint64_t i = 0; i < 400; ++i) ASSERT_TRUE(f.put(tree, numbered(i), "value"));
  EXPECT_EQ(f.find(tree, numbered(7)), "value");
  const LeafPosition position = taken(f.trees->find(tree, numbered(7)));
  const storage::PageKey page = storage::key_of(position.page.bytes);
  {
    LatchedLeaf leaf = f.trees->try_latch_at(page, position.page.frame, numbered(7));
    ASSERT_TRUE(leaf);
    EXPECT_TRUE(leaf.found());
    EXPECT_EQ(tree_of(leaf.page().bytes()), tree.value);
    EXPECT_FALSE(f.trees->try_latch_at(page, position.page.frame, numbered(7)));  // latched
    EXPECT_FALSE(f.trees->try_latch_resident(tree, numbered(7)));
    leaf.set_header(77, 88);
    leaf.page().hint_changed();
  }
  EXPECT_FALSE(position.page.still_valid());
  EXPECT_FALSE(f.trees->try_latch_at(page, position.page.frame, numbered(399)));  // another leaf's
  EXPECT_FALSE(f.trees->try_latch_at(storage::data_page(tree.value), position.page.frame, numbered(7)));
  LatchedLeaf again = f.trees->try_latch_resident(tree, numbered(7));
  ASSERT_TRUE(again);
  EXPECT_EQ(again.record().stamp(), 77u);
  EXPECT_EQ(again.record().previous(), 88u);
}

TEST(BtreeTree, RefusesWhatNeverFits) {
  TreeFixture f;
  const TreeId tree = f.create_tree();
  const auto too_long = f.trees->latch_with_room(tree, std::string(key_bytes_max(4096) + 1, 'k'), 1, log::Log::Priority::normal, 0);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code(), ErrorCode::invalid_argument);
  EXPECT_FALSE(f.trees->latch_with_room(tree, "k", record_bytes_max(4096), log::Log::Priority::normal, 0));
}

TEST(BtreeTree, FreesAllPagesButTheRoot) {
  TreeFixture f(4096, 64);
  const TreeId tree = f.create_tree(), other = f.create_tree();
  const std::uint64_t before = taken(f.space->used_pages());
  ASSERT_TRUE(f.put(other, "stays", "here"));
  for (std::uint64_t i = 0; i < 8000; ++i) ASSERT_TRUE(f.put(tree, numbered(i * 7919 % 8000), std::string(40, 'v')));
  EXPECT_GT(taken(f.space->used_pages()), before + 100);
  ASSERT_TRUE(f.trees->free_pages(tree, [] { return Result<void>(); }));
  EXPECT_EQ(taken(f.space->used_pages()), before);
  EXPECT_TRUE(f.content(tree).empty());
  ASSERT_TRUE(f.trees->free_pages(tree, [] { return Result<void>(); }));
  ASSERT_TRUE(f.put(tree, "again", "usable"));
  EXPECT_EQ(f.find(tree, "again"), "usable");
  EXPECT_EQ(f.find(other, "stays"), "here");
}

// The log alone rebuilds every page.
class Rebuilt {
 public:
  Rebuilt(TreeFixture& f) : page_bytes_(f.pool->page_bytes()) {
    EXPECT_TRUE(f.log->flush_to(f.log->end()));
    taken(f.log->read(f.log->start(), [&](const log::Record& record) {
      apply(record);
      return true;
    }));
  }

  void collect(std::uint32_t page, Model& model) {
    const Node node(page_at(page));
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; i < node.count(); ++i) {
      if (!node.leaf()) {
        collect(node.child(i), model);
      } else {
        const RecordView record = record_at(node.bytes(), i);
        model.emplace(node.key(i, key), std::string(record.value, record.value_bytes));
      }
    }
  }

 private:
  struct alignas(4096) Page {
    char bytes[storage::page_bytes_max] = {};
  };

  char* page_at(std::uint64_t number) {
    auto& page = pages_[number];
    if (!page) {
      page = std::make_unique<Page>();
      page_store<std::uint64_t>(page->bytes + storage::at::key, number);
    }
    return page->bytes;
  }

  void apply(const log::Record& record) {
    ASSERT_EQ(record.kind, log::Kind::pages);
    log::Reader reader(record.payload);
    for (log::PageAction action; log::read_action(reader, action);) {
      if (action.action == log::Action::space_set || action.action == log::Action::space_clear) continue;
      char* page = page_at(action.page_key);
      if (action.action != log::Action::image) { EXPECT_EQ(storage::lsn_of(page).value, action.before_lsn); }
      EXPECT_TRUE(redo_action(page, page_bytes_, action)) << "action " << static_cast<int>(action.action);
      lsns_[action.page_key] = record.end.value;
      page_store<std::uint64_t>(page + storage::at::lsn, record.end.value);
    }
    EXPECT_TRUE(reader.ok());
  }

  std::uint32_t page_bytes_;
  std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::map<std::uint64_t, std::uint64_t> lsns_;
};

TEST_P(BtreeTreePages, IsRebuiltFromItsLog) {
  TreeFixture f(GetParam(), 64);
  const TreeId tree = f.create_tree();
  Model model;
  Random random(GetParam() + 1);
  for (int step = 0; step < 4000; ++step) {
    const std::string key = random_key(random, key_bytes_max(GetParam()));
    if (random.below(10) < (step < 2500 ? 2u : 8u) && !model.empty()) {
      auto victim = model.lower_bound(key);
      if (victim == model.end()) victim = model.begin();
      ASSERT_TRUE(taken(f.erase(tree, victim->first)));
      model.erase(victim);
    } else {
      const std::string value(random.below(200), static_cast<char>('a' + random.below(26)));
      ASSERT_TRUE(f.put(tree, key, value));
      model[key] = value;
    }
  }
  ASSERT_EQ(f.content(tree), model);
  Model rebuilt;
  Rebuilt(f).collect(tree.value, rebuilt);
  EXPECT_EQ(rebuilt, model);
}

// check() compares neighbours in height: what a single node cannot show.
TEST(BtreeTree, TheCheckFindsDamageBetweenNodes) {
  const auto problems_after = [](auto&& plant) {
    TreeFixture f(4096, 128);
    const TreeId tree = f.create_tree();
    for (std::uint64_t i = 0; i < 2000; ++i) EXPECT_TRUE(f.put(tree, numbered(i), "v"));
    auto root = taken(f.pool->latch(storage::data_page(tree.value)));
    auto child = taken(f.pool->latch(storage::data_page(Node(root.bytes()).child(1))));
    plant(root.bytes(), child.bytes());
    root.hint_changed();
    child.hint_changed();
    root.unlatch();
    child.unlatch();
    std::vector<std::string> problems;
    taken(f.trees->check(tree, [&](std::uint32_t, std::string_view what) { problems.emplace_back(what); }, {}, {}));
    return problems;
  };
  const auto has = [](const std::vector<std::string>& problems, const char* what) {
    return std::ranges::find(problems, what) != problems.end();
  };
  EXPECT_TRUE(problems_after([](char*, char*) {}).empty());
  EXPECT_TRUE(
      has(problems_after([](char*, char* child) { child[storage::at::level] = 3; }), "its level is not one below its parent's"));
  EXPECT_TRUE(has(problems_after([](char*, char* child) { child[storage::at::tree] ^= 1; }), "it belongs to another tree"));
  EXPECT_TRUE(has(problems_after([](char*, char* child) { child[page_load<std::uint16_t>(child + node_at::lower)] = 'a'; }),
                  "its lower fence is not what its parent says"));
  EXPECT_TRUE(has(problems_after([](char* root, char*) { root[Node(root).child_at(1)] = root[Node(root).child_at(0)]; }),
                  "a child appears twice"));
}

}  // namespace
}  // namespace plimsoll::btree
