// What happens to a store as a whole: tables, checkpoints, the background, looking about, closing and opening; and its allocators
// by themselves.
#include <array>
#include <new>
#include <string>

#include "faults/scenario.hpp"
#include "memory/block_pool.hpp"
#include "memory/context.hpp"
#include "memory/slab.hpp"

namespace plimsoll::test {
namespace {

// --- the store as a whole ---

Result<void> tables(Life& life) {
  auto made = life.db().open_table("second", {.create_if_missing = true});
  TRY(made);
  life.must.tables["second"];
  auto name = life.db().table_name(*made);
  TRY(name);
  if (*name != "second") return std::unexpected(wrong("a table's name"));
  const auto written = life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    TRY(tx.put(*made, "a", "b"));
    changes.push_back({"second", "a", "b"});
    return {};
  });
  TRY(written);
  auto all = life.db().tables();
  TRY(all);
  if (all->size() != life.must.tables.size()) return std::unexpected(wrong("tables"));
  TRY(life.db().drop_table("second"));
  life.must.tables.erase("second");
  return {};
}

void without_second_table(Life& life) {
  if (!life.must.tables.contains("second")) return;
  const auto dropped = life.db().drop_table("second");
  ASSERT_TRUE(dropped) << dropped.error().message();
  life.must.tables.erase("second");
}

void make_work(Life& life) {
  for (int round = 0; round < 3; ++round) {
    const auto done =
        life.in_transaction({.durability = Durability::relaxed}, [&](Transaction& tx, Changes& changes) -> Result<void> {
          for (int n = 60; n < 120; ++n) TRY(life.put(tx, changes, key_of(n), small_value(n + round)));
          return {};
        });
    ASSERT_TRUE(done) << done.error().message();
  }
  const auto done = life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    const std::string from = key_of(60), to = key_of(120);
    auto erased = tx.erase_range(life.table, {.from = from, .to = to});
    TRY(erased);
    for (int n = 60; n < 120; ++n) changes.push_back({"t", key_of(n), std::nullopt});
    auto large = tx.erase(life.table, "large" + key_of(0));
    TRY(large);
    changes.push_back({"t", "large" + key_of(0), std::nullopt});
    return {};
  });
  ASSERT_TRUE(done) << done.error().message();
}

Result<void> background(Life& life) {
  for (int round = 0; round < 8; ++round) life.db().run_background();
  return {};
}

Result<void> checkpoint(Life& life) { return life.db().checkpoint(); }

Result<void> verify(Life& life) {
  auto report = life.db().verify();
  TRY(report);
  if (!report->problems.empty()) return std::unexpected(wrong("verify has found problems"));
  return {};
}

Result<void> compact(Life& life) {
  auto report = life.db().compact();
  TRY(report);
  return {};
}

// --- backups ---

constexpr const char *backup_file = "/backup", *restored_path = "/restored";

io::FileSystem& files_of(Life& life) { return *life.options().environment->files; }

void without_backup(Life& life) {
  const auto exists = files_of(life).exists(backup_file);
  ASSERT_TRUE(exists);
  if (*exists) { EXPECT_TRUE(files_of(life).remove(backup_file)); }
}

Result<void> back_up(Life& life) {
  auto made = life.db().backup(backup_file);
  TRY(made);
  auto checked = check_backup(backup_file, {}, life.options().environment);
  TRY(checked);
  if (checked->total.records != life.must.tables["t"].size()) return std::unexpected(wrong("a backup"));
  return {};
}

void remove_store(io::FileSystem& files, const std::string& folder) {
  auto names = files.list(folder);
  ASSERT_TRUE(names);
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (name == "log") {
      remove_store(files, path);
    } else {
      EXPECT_TRUE(files.remove(path));
    }
  }
  EXPECT_TRUE(files.remove(folder));
}

// What a restore that failed leaves is nothing.
void with_backup(Life& life) {
  const auto exists = files_of(life).exists(backup_file);
  ASSERT_TRUE(exists);
  if (!*exists) { EXPECT_TRUE(life.db().backup(backup_file)); }
  for (const std::string name : {"/restored", "/restored.partial"}) {
    const auto left = files_of(life).exists(name);
    ASSERT_TRUE(left);
    EXPECT_FALSE(*left) << name;
  }
}

Result<void> restore(Life& life) {
  auto done = restore_backup(backup_file, restored_path, life.options());
  TRY(done);
  remove_store(files_of(life), restored_path);
  return {};
}

Result<void> look_about(Life& life) {
  const Statistics all = life.db().statistics();
  if (all.accounts.empty() || all.counters.empty()) return std::unexpected(wrong("statistics"));
  life.db().reset_statistics();
  if (!life.db().transactions().empty() || !life.db().wait_graph().empty()) return std::unexpected(wrong("transactions"));
  (void)life.db().memory_contexts();
  auto read = life.db().read_log(life.db().log_start(), [](const LogEntry&) { return true; });
  TRY(read);
  return {};
}

Result<void> less_memory(Life& life) {
  const Result<void> lowered = life.db().set_memory_budget(16_MiB);
  life.db().release_memory(4_MiB);
  const Result<void> raised = life.db().set_memory_budget(Life::memory_budget);
  EXPECT_TRUE(raised) << raised.error().message();
  return lowered;
}

Result<void> close(Life& life) {
  const auto closed = life.db().close();
  life.drop_handle();
  return closed;
}

// --- opening ---

// What a scenario opens: made once, copied for each run.
struct Image {
  std::unique_ptr<io::simulation::SimulatedFileSystem> disk;
  State must;

  void use(Life& life) const {
    Random random(1);
    life.use_disk(disk->crash_copy(random));
    life.must = must;
  }
};

void use_closed_store(Life& life) {
  static const Image image = [] {
    Life first;
    first.open();
    first.populate();
    make_work(first);
    EXPECT_TRUE(first.db().close());
    first.drop_handle();
    return Image{first.copy_disk(), first.must};
  }();
  image.use(life);
}

// A loser with a large value, a prepared transaction, a table dropped, pages that were never written, and some that were torn
// perhaps.
void use_crashed_store(Life& life) {
  static const Image image = [] {
    Life first;
    first.open();
    first.populate();
    EXPECT_TRUE(first.db().checkpoint());
    auto loser = first.db().begin({}), prepared = first.db().begin({});
    for (int n = 200; n < 260; ++n) EXPECT_TRUE(loser->put(first.table, key_of(n), "lost"));
    EXPECT_TRUE(loser->put(first.table, "large" + key_of(1), large_value(17)));
    EXPECT_TRUE(prepared->put(first.table, "prepared", "p"));
    EXPECT_TRUE(prepared->prepare("in doubt"));
    first.must.prepared["in doubt"];
    make_work(first);
    Random random(3);
    State must = first.must;
    auto disk = first.copy_disk();
    first.abort(*loser);
    return Image{std::move(disk), std::move(must)};
  }();
  image.use(life);
}

Result<void> open(Life& life) { return life.try_open(); }

Result<void> open_in_memory(Life& life) {
  auto db = Database::open_in_memory({.memory_budget = 16_MiB,
                                      .max_transactions = 16,
                                      .memory_deadline = std::chrono::milliseconds(0),
                                      .background_threads = false});
  TRY(db);
  auto table = db->open_table("m", {.create_if_missing = true});
  TRY(table);
  for (int n = 0; n < 40; ++n) {
    auto tx = db->begin();
    TRY(tx);
    Result<void> done = tx->put(*table, key_of(n), n % 4 == 0 ? large_value(n) : small_value(n));
    if (done) done = tx->commit();
    if (!done) {
      life.abort(*tx);
      return done;
    }
  }
  return db->close();
}

// The allocators' own interfaces, beyond what the engine uses of them.
Result<void> allocators(Life&) {
  memory::MemoryBudget budget(memory::MemoryBudget::least_bytes);
  memory::PageProvider provider(budget);
  auto pool = memory::BlockPool::make(provider);
  TRY(pool);
  auto slab = memory::SlabAllocator::make(*pool, {.guard_every = 2, .guard_places = 4});
  TRY(slab);
  bool refused = false;
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{5000}, std::size_t{300'000}}) {
    try {
      void* const at = slab->std::pmr::memory_resource::allocate(bytes, 8);
      slab->std::pmr::memory_resource::deallocate(at, bytes, 8);
    } catch (const std::bad_alloc&) { refused = true; }
    std::size_t got = 0;
    if (char* const block = slab->take(bytes, got)) {
      slab->give(block, got);
    } else {
      refused = true;
    }
  }
  {
    memory::Context context(*slab, "test");
    try {
      EXPECT_NE(context.std::pmr::memory_resource::allocate(100'000, 8), nullptr);
    } catch (const std::bad_alloc&) { refused = true; }
  }
  if (refused) return std::unexpected(Error(ErrorCode::memory_budget_exceeded));
  return {};
}
constexpr Scenario all[] = {
    {.name = "tables", .run = tables, .prepare = without_second_table},
    {.name = "checkpoint", .run = checkpoint, .prepare = make_work},
    {.name = "background", .run = background, .prepare = make_work},
    {.name = "verify", .run = verify},
    {.name = "compact", .run = compact, .prepare = make_work},
    {.name = "backup", .run = back_up, .prepare = without_backup},
    {.name = "restore", .run = restore, .prepare = with_backup},
    {.name = "statistics", .run = look_about},
    {.name = "less_memory", .run = less_memory},
    {.name = "close", .run = close, .prepare = make_work, .kind = Scenario::ends},
    {.name = "create", .run = open, .kind = Scenario::begins},
    {.name = "open", .run = open, .prepare = use_closed_store, .kind = Scenario::begins},
    {.name = "recover", .run = open, .prepare = use_crashed_store, .kind = Scenario::begins},
    {.name = "open_in_memory", .run = open_in_memory, .kind = Scenario::begins, .on_memory_disk = true},
    {.name = "allocators", .run = allocators, .kind = Scenario::begins},
};

}  // namespace

std::span<const Scenario> scenarios_of_stores() { return all; }

}  // namespace plimsoll::test
