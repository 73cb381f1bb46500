// Many threads on one small tree in a pool that evicts: what a thread reads was written whole, what it wrote last it finds, and the
// tree is sound afterwards.
#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "base/random.hpp"
#include "btree_support.hpp"

namespace plimsoll::btree {
namespace {

constexpr unsigned threads = 4;
constexpr std::uint64_t keys = 3000;
#if defined(__SANITIZE_THREAD__)
constexpr int steps = 1500;
#else
constexpr int steps = 8000;
#endif

std::string key_of_number(std::uint64_t n) {
  std::string key = "shared/prefix/" + std::to_string(10'000 + n * 7919 % keys);
  if (n % 97 == 0) key += std::string(300, 'x');
  return key;
}

// A value that a torn or misplaced read would not have: the key, over and over.
std::string value_for(Bytes key, std::size_t times) {
  std::string value;
  for (std::size_t i = 0; i < times; ++i) value += key.substr(0, 40);
  return value;
}
bool whole_value(Bytes key, Bytes value) {
  const Bytes piece = key.substr(0, 40);
  return value.size() % piece.size() == 0 && value == value_for(key, value.size() / piece.size());
}

// Each thread owns the keys that are its number modulo `threads` and knows what they hold; it reads everybody's.
struct Worker {
  Worker(TreeFixture& fixture, TreeId tree_id, unsigned number) : f(fixture), tree(tree_id), me(number), random(number + 1) {}

  void run(int rounds) {
    for (int i = 0; i < rounds && !failed; ++i) {
      const std::uint64_t n = random.below(keys) / threads * threads + me;
      switch (random.below(6)) {
        case 0:
        case 1: write(n); break;
        case 2: erase(n); break;
        case 3: check_own(n); break;
        case 4: read_any(random.below(keys)); break;
        default: i % 16 == 0 ? copy(random.below(keys)) : read_many(); break;
      }
    }
  }
  // All that is left of its own but every sixteenth: the neighbourhood empties under everybody's hands.
  void thin_out() {
    for (auto it = mine.begin(); it != mine.end() && !failed;) {
      const std::uint64_t n = it++->first;
      if (n / threads % 16 != 0) erase(n);
    }
  }
  void write(std::uint64_t n) {
    const std::string key = key_of_number(n), value = value_for(key, 1 + random.below(8));
    require(f.put(tree, key, value).has_value());
    mine[n] = value;
  }
  void erase(std::uint64_t n) {
    const auto erased = f.erase(tree, key_of_number(n), true);
    if (!erased) ADD_FAILURE() << erased.error().message();
    require(erased.has_value() && *erased == mine.contains(n));
    mine.erase(n);
  }
  void check_own(std::uint64_t n) {
    const auto found = f.find(tree, key_of_number(n));
    const auto expected = mine.find(n);
    require(expected == mine.end() ? !found : found == expected->second);
  }
  void read_any(std::uint64_t n) {
    const std::string key = key_of_number(n);
    const auto found = f.find(tree, key);
    require(!found || whole_value(key, *found));
  }
  void read_many() {
    std::array<std::string, 8> names;
    std::array<Bytes, 8> views;
    for (std::size_t i = 0; i < names.size(); ++i) views[i] = names[i] = key_of_number(random.below(keys));
    std::array<LeafPosition, 8> out;
    std::array<std::string, 8> seen;
    require(f.trees->find_many(tree, views, out).has_value());
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::string value;
      const ReadLatch latch(*f.pool, out[i].page);
      if (!latch) continue;
      if (out[i].record) {
        value.resize(out[i].record.value_bytes);
        page_read(value.data(), out[i].record.value, value.size());
      }
      seen[i] = value;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      require(!out[i].page.still_valid() || seen[i].empty() || whole_value(views[i], seen[i]));
    }
  }
  void copy(std::uint64_t n) {
    std::vector<char> buffer(f.pool->page_bytes());
    const std::string from = key_of_number(n);
    const auto leaf = f.trees->copy_leaf(tree, from, n % 2 == 0, buffer.data(), storage::Access::scan);
    require(leaf.has_value());
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; leaf && i < leaf->count(); ++i) {
      require(whole_value(leaf->key(i, key), Bytes(leaf->record(i).value, leaf->record(i).value_bytes)));
    }
  }
  void require(bool fine) {
    if (!fine) failed = true;
  }

  TreeFixture& f;
  const TreeId tree;
  const unsigned me;
  Random random;
  std::map<std::uint64_t, std::string> mine;
  bool failed = false;
};

void run_all(std::vector<Worker>& workers, const std::function<void(Worker&)>& work) {
  std::vector<std::thread> running;
  for (auto& worker : workers) running.emplace_back([&] { work(worker); });
  for (auto& thread : running) thread.join();
}

void expect_content(TreeFixture& f, TreeId tree, const std::vector<Worker>& workers) {
  std::map<std::string, std::string> expected;
  for (const auto& worker : workers) {
    EXPECT_FALSE(worker.failed) << "thread " << worker.me;
    for (const auto& [n, value] : worker.mine) expected.emplace(key_of_number(n), value);
  }
  EXPECT_EQ(f.content(tree), expected);
}

TEST(BtreeThreads, InsertEraseFindAndCopyOnOverlappingLeaves) {
  TreeFixture f(4096, 128);
  const TreeId tree = f.create_tree();
  std::vector<Worker> workers;
  for (unsigned i = 0; i < threads; ++i) workers.emplace_back(f, tree, i);
  run_all(workers, [](Worker& worker) { worker.run(steps); });
  expect_content(f, tree, workers);
  EXPECT_GT(f.metrics.sum(Counter::tree_splits), 0u);
  run_all(workers, [](Worker& worker) { worker.thin_out(); });
  expect_content(f, tree, workers);
  EXPECT_GT(f.metrics.sum(Counter::tree_merges), 0u);
}

// Nothing but changes of one leaf: whoever copies or checks it without looking back has half of one.
TEST(BtreeThreads, OneLeafIsAlwaysWhole) {
  TreeFixture f(4096, 64);
  const TreeId tree = f.create_tree();
  constexpr int keys_of_leaf = 8;
  std::atomic<bool> over{false}, failed{false};
  std::thread writer([&] {
    Random random(1);
    for (int i = 0; i < steps; ++i) {
      const std::string key = key_of_number(random.below(keys_of_leaf) + 1);
      if (!f.put(tree, key, value_for(key, 1 + random.below(8))) || !f.erase(tree, key, false)) failed = true;
      if (!f.put(tree, key, value_for(key, 1 + random.below(8)))) failed = true;
    }
    over = true;
  });
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      std::vector<char> buffer(f.pool->page_bytes());
      while (!over) {
        const auto look = [&](Bytes key, const RecordView& record) {
          if (!whole_value(key, Bytes(record.value, record.value_bytes))) failed = true;
        };
        if (reader == 0) {
          taken(f.trees->check(tree, [&](std::uint32_t, std::string_view) { failed = true; }, {}, look));
        } else {
          const LeafCopy leaf = taken(f.trees->copy_leaf(tree, std::nullopt, false, buffer.data(), storage::Access::normal));
          char key[key_bytes_limit];
          for (std::uint16_t i = 0; i < leaf.count(); ++i) look(leaf.key(i, key), leaf.record(i));
        }
      }
    });
  }
  writer.join();
  for (auto& reader : readers) reader.join();
  EXPECT_FALSE(failed);
}

}  // namespace
}  // namespace plimsoll::btree
