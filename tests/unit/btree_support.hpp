// What the tests of trees share: a store of pages, space and log over a simulated disk, and the little that a transaction layer
// would do: one logged record change at a time. Nothing is compared here; the tests do that.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "btree/node.hpp"
#include "btree/read_latch.hpp"
#include "btree/trees.hpp"
#include "io/simulation/simulated_file_system.hpp"

namespace plimsoll::btree {

class GateOfLog final : public storage::LogGate {
 public:
  explicit GateOfLog(log::Log& log) : log_(log) {}
  Lsn durable() const override { return log_.durable(); }
  Result<void> flush_to(Lsn lsn) override { return log_.flush_to(lsn); }

 private:
  log::Log& log_;
};

template <class T>
T taken(Result<T> result) {
  EXPECT_TRUE(result) << result.error().message();
  if (!result) std::abort();
  return std::move(*result);
}

struct TreeFixture {
  static constexpr std::uint64_t log_begin = 16u << 20;

  explicit TreeFixture(std::uint32_t page_bytes = 4096, std::size_t frames_max = 64,
                       std::size_t budget_bytes = memory::MemoryBudget::least_bytes)
      : budget(budget_bytes) {
    EXPECT_TRUE(disk.make_directory("/log"));
    log::LogOptions options;
    options.directory = "/log";
    options.bytes_max = 1u << 30;
    log = taken(log::Log::create(disk, provider, metrics, system_time(), options, Lsn{log_begin}));
    gate = std::make_unique<GateOfLog>(*log);
    data = taken(disk.open("/data", io::OpenMode::create, true));
    storage::PoolOptions pool_options;
    pool_options.page_bytes = page_bytes;
    pool_options.frames_max = frames_max;
    pool_options.frames_min = 1;
    pool = taken(storage::Pool::open(provider, metrics, *gate, pool_options));
    pool->attach(storage::data_file, *data);
    space = taken(storage::Space::open(*pool, *data, provider));
    trees = std::make_unique<Trees>(*pool, *space, *log, metrics, provider);
  }

  TreeId create_tree() {
    auto credit =
        taken(log->reserve(log::record_bytes(StructureChange::bytes_max(pool->page_bytes())), log::Log::Priority::normal, 0));
    auto frame = taken(pool->take_frame());
    auto reservation = taken(space->reserve(1));
    auto page = pool->create(std::move(frame), storage::data_page(reservation.first()));
    auto map = space->latch_map(reservation);
    std::vector<char> buffer(StructureChange::bytes_max(pool->page_bytes()));
    StructureChange change(*log, credit, buffer);
    change.begin(page);
    change.begin(map);
    Trees::format_root(page.bytes(), pool->page_bytes());
    change.add_image(page);
    change.set_space(map, reservation.first(), 1);
    change.finish();
    return TreeId{reservation.first()};
  }

  // One change of a latched leaf in one record.
  template <class F>
  void change_leaf(LatchedLeaf& leaf, log::Credit& credit, log::Action action, std::string_view what, F&& f) {
    std::vector<char> buffer(what.size() + 256);
    StructureChange change(*log, credit, buffer);
    change.begin(leaf.page());
    f();
    change.add(leaf.page(), action, what);
    change.finish();
  }

  Result<void> put(TreeId tree, Bytes key, Bytes value, std::uint64_t stamp = 1) {
    auto credit = log->reserve(8192 + value.size(), log::Log::Priority::normal, 0);
    if (!credit) return std::unexpected(credit.error());
    auto leaf = trees->latch_with_room(tree, key, value.size(), log::Log::Priority::normal, 0);
    if (!leaf) return std::unexpected(leaf.error());
    std::string what(8 + 8 + 1 + 2 + key.size() + value.size(), '\0');
    log::Writer(what)
        .number<std::uint64_t>(stamp)
        .number<std::uint64_t>(0)
        .number<std::uint8_t>(0)
        .number<std::uint16_t>(static_cast<std::uint16_t>(key.size()))
        .bytes(key)
        .bytes(value);
    change_leaf(*leaf, *credit, log::Action::leaf_put, what, [&] { leaf->put(key, {stamp, 0, 0, value}); });
    return {};
  }

  Result<bool> erase(TreeId tree, Bytes key, bool merge = true) {
    bool sparse = false;
    {
      auto credit = log->reserve(8192, log::Log::Priority::normal, 0);
      if (!credit) return std::unexpected(credit.error());
      auto leaf = trees->latch(tree, key);
      if (!leaf) return std::unexpected(leaf.error());
      if (!leaf->found()) return false;
      change_leaf(*leaf, *credit, log::Action::leaf_erase, key, [&] { leaf->erase(); });
      sparse = leaf->sparse();
    }
    if (sparse && merge) {
      auto merged = trees->merge(tree, key, 0);
      if (!merged) return std::unexpected(merged.error());
    }
    return true;
  }

  std::optional<std::string> find(TreeId tree, Bytes key) {
    for (;;) {
      const LeafPosition position = taken(trees->find(tree, key));
      std::optional<std::string> value;
      bool read = false;
      if (const ReadLatch latch(*pool, position.page); latch) {
        read = true;
        if (position.record) {
          value.emplace(position.record.value_bytes, '\0');
          page_read(value->data(), position.record.value, value->size());
        }
      }
      if (read && position.page.still_valid()) return value;
    }
  }

  // Every key and value by the structural check, which must find nothing.
  std::map<std::string, std::string> content(TreeId tree, TreeCounts* counts = nullptr) {
    std::map<std::string, std::string> all;
    const auto found = taken(trees->check(
        tree, [](std::uint32_t page, std::string_view what) { ADD_FAILURE() << "page " << page << ": " << what; }, {},
        [&](Bytes key, const RecordView& record) { all.emplace(key, std::string(record.value, record.value_bytes)); }));
    EXPECT_EQ(found.records, all.size());
    if (counts != nullptr) *counts = found;
    return all;
  }

  memory::MemoryBudget budget;
  memory::PageProvider provider{budget};
  Metrics metrics;
  io::simulation::SimulatedFileSystem disk;
  std::unique_ptr<log::Log> log;
  std::unique_ptr<GateOfLog> gate;
  std::unique_ptr<io::File> data;
  std::unique_ptr<storage::Pool> pool;
  std::unique_ptr<storage::Space> space;
  std::unique_ptr<Trees> trees;
};

}  // namespace plimsoll::btree
