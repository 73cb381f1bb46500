// Nodes against std::map: whatever is put, erased and split, a node holds what the map holds, and is valid by check_node().
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "btree/change.hpp"
#include "btree/node_check.hpp"
#include "btree/node_update.hpp"
#include "btree/search.hpp"
#include "btree/split.hpp"

namespace plimsoll::btree {
namespace {

struct alignas(4096) Page {
  char bytes[storage::page_bytes_max] = {};
};

std::vector<std::string> problems_of(const char* node, std::uint32_t page_bytes) {
  std::vector<std::string> problems;
  check_node(node, page_bytes, [&](std::string_view what) { problems.emplace_back(what); });
  return problems;
}

// Not smaller at the begin of a run: there is always enough to do.
template <class T>
T draw(const rc::Gen<T>& gen) {
  return *rc::gen::resize(100, gen);
}

// Keys that meet: few alphabets, shared prefixes, zero bytes, empty suffixes.
rc::Gen<std::string> any_key(std::size_t bytes_max) {
  const auto letters = rc::gen::element('\0', '\1', 'a', 'b', '\x7f', '\xff');
  const auto tail = [=](std::size_t most) {
    return rc::gen::mapcat(rc::gen::inRange<std::size_t>(0, most + 1),
                           [=](std::size_t n) { return rc::gen::container<std::string>(n, letters); });
  };
  const auto prefix =
      rc::gen::element<std::string>("", "k", "prefix", "seven77", "eight888", std::string(60, 'p'), std::string(200, 'q'));
  return rc::gen::map(
      rc::gen::tuple(prefix, tail(8),
                     rc::gen::weightedOneOf<std::string>({{9, rc::gen::just(std::string())}, {1, tail(bytes_max)}})),
      [=](const std::tuple<std::string, std::string, std::string>& t) {
        auto key = std::get<0>(t) + std::get<1>(t) + std::get<2>(t);
        if (key.empty()) key = "x";
        return key.substr(0, bytes_max);
      });
}

std::uint32_t any_page_bytes() { return *rc::gen::element<std::uint32_t>(4096, 8192, 16384, 32768); }

using Model = std::map<std::string, std::string>;

void expect_same(const char* leaf, std::uint32_t page_bytes, const Model& model) {
  RC_ASSERT(problems_of(leaf, page_bytes).empty());
  RC_ASSERT(record_count(leaf) == model.size());
  char buffer[key_bytes_limit];
  std::uint16_t i = 0;
  for (const auto& [key, value] : model) {
    RC_ASSERT(std::string(key_at(leaf, i, buffer)) == key);
    const RecordView record = record_at(leaf, i);
    RC_ASSERT(std::string(record.value, record.value_bytes) == value);
    RC_ASSERT(record.stamp() == key.size() && record.previous() == value.size());
    const LeafPlace place = search_leaf(leaf, page_bytes, key);
    RC_ASSERT(place.found && place.slot == i && place.record.at == record.at);
    ++i;
  }
}

// Puts the record if it fits, into node and model.
bool put(char* leaf, Model& model, const std::string& key, const std::string& value) {
  const std::uint32_t page_bytes = Node(leaf).page_bytes();
  const LeafPlace place = search_leaf(leaf, page_bytes, key);
  RC_ASSERT(place.found == model.contains(key));
  if (!leaf_fits(leaf, shared_with_prefix(leaf, key), key.size(), value.size(), place.record)) return false;
  leaf_put(leaf, key, {key.size(), value.size(), static_cast<std::uint8_t>(key.size() % 4), value});
  model[key] = value;
  return true;
}

std::string any_value(std::size_t most) {
  return std::string(draw(rc::gen::inRange<std::size_t>(0, most)), *rc::gen::element('v', '\0', 'w'));
}

void random_changes(char* leaf, Model& model, std::size_t steps) {
  const std::uint32_t page_bytes = Node(leaf).page_bytes();
  for (std::size_t i = 0; i < steps; ++i) {
    if (!model.empty() && *rc::gen::inRange(0, 3) == 0) {
      auto victim = std::next(model.begin(), draw(rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(model.size()))));
      apply_erase(leaf, victim->first);
      model.erase(victim);
    } else {
      const std::string key = draw(any_key(key_bytes_max(page_bytes)));
      const std::size_t value_max = record_bytes_max(page_bytes) - record_bytes(key.size(), 0);
      put(leaf, model, key, any_value(*rc::gen::element<std::size_t>(1, 40, value_max)));
    }
  }
}

RC_GTEST_PROP(BtreeLeaf, HoldsWhatAMapHolds, ()) {
  const auto page = std::make_unique<Page>();
  const std::uint32_t page_bytes = any_page_bytes();
  format_node(page->bytes, page_bytes, 0, 7);
  Model model;
  random_changes(page->bytes, model, draw(rc::gen::inRange<std::size_t>(1, 150)));
  expect_same(page->bytes, page_bytes, model);
}

RC_GTEST_PROP(BtreeLeaf, SplitsIntoTwoValidHalvesAndMergesBack, ()) {
  const auto page = std::make_unique<Page>(), right = std::make_unique<Page>(), merged = std::make_unique<Page>();
  const std::uint32_t page_bytes = any_page_bytes();
  format_node(page->bytes, page_bytes, 0, 7);
  Model model;
  random_changes(page->bytes, model, draw(rc::gen::inRange<std::size_t>(20, 120)));
  if (model.size() < 2) return;
  std::string key = draw(any_key(key_bytes_max(page_bytes)));
  char buffer[key_bytes_limit];
  const SplitPoint point = choose_split(page->bytes, key, buffer);
  write_node(right->bytes, part(page->bytes, point.at, Node(page->bytes).count(), point.separator, std::nullopt));
  keep_first(page->bytes, point.at, point.separator);
  const auto middle = model.lower_bound(std::string(point.separator));
  expect_same(page->bytes, page_bytes, Model(model.begin(), middle));
  expect_same(right->bytes, page_bytes, Model(middle, model.end()));
  RC_ASSERT(Node(page->bytes).upper_fence() == point.separator && Node(right->bytes).lower_fence() == point.separator);

  Content both = part(page->bytes, 0, Node(page->bytes).count(), std::nullopt, std::nullopt);
  both.pieces[1] = {right->bytes, 0, Node(right->bytes).count()};
  if (bytes_needed(both) > page_bytes) return;
  write_node(merged->bytes, both);
  expect_same(merged->bytes, page_bytes, model);
}

RC_GTEST_PROP(BtreeLeaf, TakesALargestRecordWhenItHoldsOne, ()) {
  const auto page = std::make_unique<Page>();
  const std::uint32_t page_bytes = any_page_bytes();
  const std::size_t key_bytes = key_bytes_max(page_bytes);
  const std::string low(key_bytes, 'a'), high(key_bytes, 'z');
  write_node(page->bytes, {page_bytes, 7, 0, {}, {}, low, high});
  Model model;
  const std::size_t value_bytes = record_bytes_max(page_bytes) - record_header_bytes - key_bytes - 7;
  RC_ASSERT(put(page->bytes, model, std::string(key_bytes, *rc::gen::element('b', 'c')), std::string(value_bytes, 'v')));
  RC_ASSERT(put(page->bytes, model, std::string(key_bytes, 'd'), std::string(value_bytes, 'w')));
  expect_same(page->bytes, page_bytes, model);
}

// Children are numbered by a counter; the model maps separators to them.
RC_GTEST_PROP(BtreeInner, RoutesAsAMapDoes, ()) {
  const auto page = std::make_unique<Page>();
  const std::uint32_t page_bytes = any_page_bytes();
  format_inner(page->bytes, page_bytes, 1, 7, {1, storage::no_frame});
  std::map<std::string, std::uint32_t> model{{"", 1}};
  std::uint32_t next = 2;
  for (std::size_t step = 0, steps = draw(rc::gen::inRange<std::size_t>(1, 200)); step < steps; ++step) {
    const std::string separator = draw(any_key(key_bytes_max(page_bytes)));
    if (model.contains(separator)) {
      inner_erase(page->bytes, inner_find(page->bytes, separator).value());
      model.erase(separator);
    } else if (inner_fits(page->bytes, separator)) {
      inner_insert(page->bytes, separator, {next, next + 100});
      model[separator] = next++;
    }
  }
  RC_ASSERT(problems_of(page->bytes, page_bytes).empty());
  RC_ASSERT(Node(page->bytes).count() == model.size());
  for (int i = 0; i < 20; ++i) {
    const std::string key = draw(any_key(key_bytes_max(page_bytes)));
    const auto at = std::prev(model.upper_bound(key)), below = key.empty() ? model.begin() : std::prev(model.lower_bound(key));
    const ChildRef child = child_of(page->bytes, page_bytes, search_inner(page->bytes, page_bytes, key));
    RC_ASSERT(child.page == at->second);
    RC_ASSERT(child.hint == (child.page == 1 ? storage::no_frame : child.page + 100));
    RC_ASSERT(child_of(page->bytes, page_bytes, search_inner(page->bytes, page_bytes, key, Side::below)).page == below->second);
  }
}

TEST(BtreeNode, RoomSaysExactlyWhatFits) {
  const auto page = std::make_unique<Page>();
  format_node(page->bytes, 8192, 0, 7);
  Model model;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(put(page->bytes, model, "account/" + std::to_string(1000 + i), std::string(100, 'v')));
  const std::string key = "account/0999";
  const std::size_t shared = shared_with_prefix(page->bytes, key), room = leaf_room(page->bytes, shared, key.size(), {});
  const std::size_t value = room - record_header_bytes - (key.size() - shared);
  EXPECT_TRUE(leaf_fits(page->bytes, shared, key.size(), value, {}));
  EXPECT_FALSE(leaf_fits(page->bytes, shared, key.size(), value + 1, {}));
  leaf_put(page->bytes, key, {1, 2, 0, std::string(value, 'x')});
  EXPECT_TRUE(problems_of(page->bytes, 8192).empty());
  EXPECT_LT(leaf_room(page->bytes, shared, key.size(), {}), 130u);
}

TEST(BtreeNode, AscendingInsertsFillTheLeftPage) {
  const auto page = std::make_unique<Page>();
  format_node(page->bytes, 8192, 0, 7);
  Model model;
  int i = 1000;
  while (put(page->bytes, model, "account/" + std::to_string(i), std::string(100, 'v'))) ++i;
  char buffer[key_bytes_limit];
  const SplitPoint point = choose_split(page->bytes, "account/" + std::to_string(i), buffer);
  EXPECT_GE(point.at * 100u, Node(page->bytes).count() * 93u);
  EXPECT_LT(point.at, Node(page->bytes).count());
  EXPECT_LE(point.separator.size(), std::string("account/1000").size());
}

// A key that shares nothing would blow up all others: it gets a leaf of its own.
TEST(BtreeNode, AForeignKeyIsSplitAway) {
  const auto page = std::make_unique<Page>();
  format_node(page->bytes, 4096, 0, 7);
  write_node(page->bytes, whole(page->bytes));
  Model model;
  const std::string prefix(400, 'p');
  for (int i = 0; i < 4; ++i) put(page->bytes, model, prefix + std::to_string(i), "v");
  write_node(page->bytes, whole(page->bytes));
  int i = 10;
  while (put(page->bytes, model, prefix + std::to_string(i), "v")) ++i;
  EXPECT_GT(model.size(), 20u);
  EXPECT_FALSE(leaf_fits(page->bytes, 0, 1, 10, {}));
  char buffer[key_bytes_limit];
  const SplitPoint after = choose_split(page->bytes, "z", buffer);
  EXPECT_EQ(after.separator, "z");
  EXPECT_EQ(after.at, Node(page->bytes).count());
  EXPECT_EQ(choose_split(page->bytes, "a", buffer).at, 0);
}

// The worked example of docs/file-format-nodes.md.
TEST(BtreeNode, IsLaidOutAsDocumented) {
  const auto page = std::make_unique<Page>();
  format_node(page->bytes, 4096, 0, 7);
  leaf_put(page->bytes, "account/17", {1, 0, 0, "a"});
  leaf_put(page->bytes, "account/18", {1, 0, 0, "bb"});
  write_node(page->bytes, whole(page->bytes));
  const Node node(page->bytes);
  const auto u16 = [&](std::size_t at) { return page_load<std::uint16_t>(page->bytes + at); };
  EXPECT_EQ(page_load<std::uint64_t>(page->bytes + 32), 0x006163636F756E74u);
  EXPECT_EQ(u16(40), 2);
  EXPECT_EQ(u16(44), 4032);
  EXPECT_EQ(u16(46), 0);
  EXPECT_EQ(u16(48), 9);
  EXPECT_EQ(u16(52), 0xFFFF);
  EXPECT_EQ(u16(56), 0xFFFF);
  EXPECT_EQ(u16(60), 4080);
  EXPECT_EQ(std::string(page->bytes + 4080, 9), "account/1");
  EXPECT_EQ(page_load<std::uint32_t>(page->bytes + 128), 0x37000000u);
  EXPECT_EQ(page_load<std::uint32_t>(page->bytes + 132), 0x38000000u);
  EXPECT_EQ(u16(128 + 4u * node.capacity()), 4056);
  EXPECT_EQ(u16(130 + 4u * node.capacity()), 4032);
}

TEST(BtreeNode, AnImageBringsBackTheWholeNode) {
  const auto page = std::make_unique<Page>(), other = std::make_unique<Page>();
  format_node(page->bytes, 8192, 0, 7);
  Model model;
  for (int i = 0; i < 30; ++i) put(page->bytes, model, "k" + std::to_string(i * 7919), std::string(50, 'v'));
  const Node node(page->bytes);
  const std::size_t low = node.arrays_end() - storage::at::kind, high = 8192u - node.heap_begin();
  std::string data(4, '\0');
  log::Writer(data).number<std::uint16_t>(static_cast<std::uint16_t>(low)).number<std::uint16_t>(static_cast<std::uint16_t>(high));
  data.append(page->bytes + storage::at::kind, low).append(page->bytes + node.heap_begin(), high);
  std::fill_n(other->bytes + storage::page_header_bytes, 8000, '\x55');
  EXPECT_TRUE(redo_action(other->bytes, 8192, {0, 0, log::Action::image, data}));
  EXPECT_TRUE(problems_of(other->bytes, 8192).empty());
  EXPECT_EQ(record_count(other->bytes), 30);
  EXPECT_FALSE(redo_action(other->bytes, 8192, {0, 0, log::Action::image, std::string_view(data).substr(0, 100)}));
}

TEST(BtreeNode, RedoRefusesWhatDoesNotFitThePage) {
  const auto leaf = std::make_unique<Page>(), inner = std::make_unique<Page>();
  format_node(leaf->bytes, 4096, 0, 7);
  format_inner(inner->bytes, 4096, 1, 7, {5, 0});
  const auto refused = [](char* page, log::Action action, std::string_view data) {
    return !redo_action(page, 4096, {0, 0, action, data});
  };
  EXPECT_TRUE(refused(leaf->bytes, log::Action::leaf_erase, "absent"));
  EXPECT_TRUE(refused(leaf->bytes, log::Action::inner_insert, std::string_view("\1\0\0\0k", 5)));
  EXPECT_TRUE(refused(leaf->bytes, log::Action::keep_first, std::string_view("\1\0k", 3)));
  EXPECT_TRUE(refused(inner->bytes, log::Action::inner_erase, "absent"));
  EXPECT_TRUE(refused(inner->bytes, log::Action::leaf_erase, "absent"));
  EXPECT_TRUE(refused(inner->bytes, log::Action::space_set, "12345678"));
  EXPECT_FALSE(refused(inner->bytes, log::Action::inner_insert, std::string_view("\1\0\0\0k", 5)));
  EXPECT_TRUE(refused(inner->bytes, log::Action::inner_insert, std::string_view("\1\0\0\0k", 5)));
  EXPECT_FALSE(refused(inner->bytes, log::Action::inner_erase, "k"));
  EXPECT_FALSE(refused(inner->bytes, log::Action::inner_child, std::string_view("\3\0\0\0", 4)));
  EXPECT_EQ(Node(inner->bytes).child(0), 3u);
}

// Each kind of damage is found: the check is checked.
struct Damage {
  const char* name;
  const char* expected;
  void (*plant)(char* leaf, char* inner);
  bool in_leaf;
};

void poke16(char* at, std::uint16_t value) { page_store<std::uint16_t>(at, value); }

const Damage damages[] = {
    {"heads swapped", "a head differs from its key",
     [](char* leaf, char*) { std::swap_ranges(leaf + Node::head_at(3), leaf + Node::head_at(4), leaf + Node::head_at(4)); }, true},
    {"offsets swapped", "its keys are not in order",
     [](char* leaf, char*) {
       char* at = leaf + Node(leaf).offset_at(3);
       std::swap_ranges(at, at + 2, at + 2);
     },
     true},
    {"fence moved", "a key lies above the upper fence",
     [](char* leaf, char*) { leaf[page_load<std::uint16_t>(leaf + node_at::upper)] = '\0'; }, true},
    {"count raised", "a record lies outside of the heap",
     [](char* leaf, char*) { poke16(leaf + node_at::count, static_cast<std::uint16_t>(Node(leaf).count() + 1)); }, true},
    {"dead bytes wrong", "live and dead bytes do not add up to the heap",
     [](char* leaf, char*) { poke16(leaf + node_at::dead, 8); }, true},
    {"hint wrong", "a hint differs from its head",
     [](char* leaf, char*) { page_store<std::uint32_t>(leaf + node_at::hints, 12345); }, true},
    {"prefix word wrong", "its prefix word differs from its prefix", [](char* leaf, char*) { leaf[node_at::prefix_word + 7] ^= 1; },
     true},
    {"record beyond the page", "a record lies outside of the heap",
     [](char* leaf, char*) { poke16(leaf + Node(leaf).offset_at(0), 8184); }, true},
    {"capacity too large", "its arrays and its heap overlap", [](char* leaf, char*) { poke16(leaf + node_at::capacity, 1600); },
     true},
    {"child twice", "a child appears twice", [](char*, char* inner) { set_child(inner, 2, Node(inner).child_ref(1)); }, false},
    {"child missing", "a child has no page number", [](char*, char* inner) { set_child(inner, 2, {}); }, false},
    {"first separator", "its first child has a separator",
     [](char*, char* inner) { page_store<std::uint32_t>(inner + Node::head_at(0), 1); }, false},
};

TEST(BtreeNode, TheCheckFindsEveryKindOfDamage) {
  for (const Damage& damage : damages) {
    const auto leaf = std::make_unique<Page>(), inner = std::make_unique<Page>();
    write_node(leaf->bytes, {8192, 7, 0, {}, {}, "kea", "kz"});
    format_inner(inner->bytes, 8192, 1, 7, {5, 0});
    Model model;
    for (int i = 0; i < 20; ++i) {
      put(leaf->bytes, model, "key" + std::to_string(100 + i), "v");
      inner_insert(inner->bytes, "key" + std::to_string(100 + i), {static_cast<std::uint32_t>(i + 10), 0});
    }
    write_node(leaf->bytes, whole(leaf->bytes));
    ASSERT_TRUE(problems_of(leaf->bytes, 8192).empty() && problems_of(inner->bytes, 8192).empty());
    damage.plant(leaf->bytes, inner->bytes);
    const auto problems = problems_of(damage.in_leaf ? leaf->bytes : inner->bytes, 8192);
    EXPECT_TRUE(std::ranges::find(problems, damage.expected) != problems.end()) << damage.name;
  }
}

// Whatever bytes a reader meets before it validates, it stays within the page and the slack behind it.
RC_GTEST_PROP(BtreeNode, SearchSurvivesArbitraryBytes, ()) {
  const auto page = std::make_unique<Page>();
  auto* words = reinterpret_cast<std::uint64_t*>(page->bytes);
  std::uint64_t seed = *rc::gen::arbitrary<std::uint64_t>();
  for (std::size_t i = 0; i < 4096 / 8; ++i) words[i] = seed = seed * 6364136223846793005u + 1442695040888963407u;
  if (*rc::gen::arbitrary<bool>()) poke16(page->bytes + node_at::capacity, 32), poke16(page->bytes + node_at::hint_distance, 16);
  poke16(page->bytes + node_at::count, draw(rc::gen::inRange<std::uint16_t>(0, 33)));
  poke16(page->bytes + node_at::prefix_bytes, *rc::gen::element<std::uint16_t>(0, 3, 9, 2000));
  const std::string key = draw(any_key(512));
  const LeafPlace place = search_leaf(page->bytes, 4096, key);
  if (place.record) {
    RC_ASSERT(place.record.at >= page->bytes && place.record.value + place.record.value_bytes <= page->bytes + 4096);
  }
  child_of(page->bytes, 4096, search_inner(page->bytes, 4096, key));
  check_node(page->bytes, 4096, [](std::string_view) {});
}

}  // namespace
}  // namespace plimsoll::btree
