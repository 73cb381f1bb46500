// What transactions do: reading, writing, and every way to end.
#include <array>
#include <string>
#include <vector>

#include "faults/scenario.hpp"

namespace plimsoll::test {
namespace {

// --- reading ---

Result<void> read_points(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes&) -> Result<void> {
    for (int n = 0; n < many; n += 60) {
      auto found = tx.get(life.table, key_of(n));
      TRY(found);
      TRY(expect_value(*found, small_value(n)));
    }
    auto large = tx.get(life.table, "large" + key_of(1));
    TRY(large);
    TRY(expect_value(*large, large_value(1)));
    auto locked = tx.get_for_update(life.table, key_of(5));
    TRY(locked);
    TRY(expect_value(*locked, small_value(5)));
    auto there = tx.exists(life.table, key_of(7));
    TRY(there);
    if (!*there) return std::unexpected(wrong("exists"));
    return {};
  });
}

Result<void> read_many(Life& life) {
  return life.in_transaction({.read_only = true}, [&](Transaction& tx, Changes&) -> Result<void> {
    const std::array<std::string, 4> keys = {key_of(3), key_of(200), "absent", "large" + key_of(2)};
    const std::array<Bytes, 4> asked = {keys[0], keys[1], keys[2], keys[3]};
    std::array<std::optional<Value>, 4> found;
    TRY(tx.multi_get(life.table, asked, found));
    TRY(expect_value(found[0], small_value(3)));
    TRY(expect_value(found[1], small_value(200)));
    if (found[2]) return std::unexpected(wrong("an absent key"));
    TRY(expect_value(found[3], large_value(2)));
    auto count = tx.count(life.table);
    TRY(count);
    if (*count != life.must.tables["t"].size()) return std::unexpected(wrong("count"));
    return {};
  });
}

Result<void> walk(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes&) -> Result<void> {
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      auto cursor = tx.cursor(life.table, {}, direction);
      TRY(cursor);
      std::size_t seen = 0;
      for (;;) {
        auto more = cursor->next();
        TRY(more);
        if (!*more) break;
        ++seen;
        const auto record = life.must.tables["t"].find(std::string(cursor->key()));
        if (record == life.must.tables["t"].end() || (!cursor->large() && record->second != cursor->value()))
          return std::unexpected(wrong("a cursor"));
      }
      if (seen != life.must.tables["t"].size()) return std::unexpected(wrong("a cursor has left something out"));
      TRY(cursor->seek(key_of(9)));
    }
    return {};
  });
}

// Pages come back into a pool that has given its memory away.
// More contexts at once than magazines and depot keep blocks for.
Result<void> many_cursors(Life& life) {
  constexpr std::size_t many = 24;
  return life.in_transaction({.read_only = true}, [&](Transaction& tx, Changes&) -> Result<void> {
    std::vector<Cursor> open;
    while (open.size() < many) {
      auto cursor = tx.cursor(life.table);
      if (!cursor) return std::unexpected(cursor.error());
      open.push_back(std::move(*cursor));
      auto first = open.back().next();
      if (!first) return std::unexpected(first.error());
      EXPECT_EQ(open.back().key(), open.front().key());
    }
    return {};
  });
}

Result<void> read_all(Life& life) {
  auto found = read_state(life.db());
  TRY(found);
  if (*found != life.must) return std::unexpected(wrong("a scan"));
  return {};
}

// --- writing ---

Result<void> write_points(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    TRY(life.put(tx, changes, key_of(1), small_value(1) + "!"));
    TRY(tx.insert(life.table, "inserted", "i"));
    changes.push_back({"t", "inserted", "i"});
    TRY(tx.update(life.table, key_of(2), "u"));
    changes.push_back({"t", key_of(2), "u"});
    auto erased = tx.erase(life.table, key_of(4));
    TRY(erased);
    changes.push_back({"t", key_of(4), std::nullopt});
    TRY(life.put(tx, changes, "large" + key_of(0), large_value(7, 90'000)));
    return {};
  });
}

void without_inserted(Life& life) {
  const auto done = life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    auto erased = tx.erase(life.table, "inserted");
    TRY(erased);
    changes.push_back({"t", "inserted", std::nullopt});
    return {};
  });
  ASSERT_TRUE(done) << done.error().message();
}

Result<void> write_many(Life& life) {
  return life.in_transaction({.durability = Durability::relaxed}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    for (int n = 1000; n < 1150; ++n) TRY(life.put(tx, changes, key_of(n), small_value(n)));
    return {};
  });
}

Result<void> erase_range(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    const std::string from = key_of(20), to = key_of(60);
    auto erased = tx.erase_range(life.table, {.from = from, .to = to});
    TRY(erased);
    for (int n = 20; n < 60; ++n) changes.push_back({"t", key_of(n), std::nullopt});
    return {};
  });
}

Result<void> savepoints(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    TRY(life.put(tx, changes, key_of(30), "before"));
    auto point = tx.savepoint();
    TRY(point);
    TRY(tx.put(life.table, key_of(31), "between"));
    TRY(tx.put(life.table, "large" + key_of(1), large_value(9)));
    TRY(tx.rollback_to(*point));
    auto second = tx.savepoint();
    TRY(second);
    TRY(life.put(tx, changes, key_of(32), "after"));
    TRY(tx.release(*second));
    return {};
  });
}

Result<void> end_by_abort(Life& life) {
  auto tx = life.db().begin({});
  TRY(tx);
  const auto work = [&]() -> Result<void> {
    for (int n = 100; n < 140; ++n) TRY(tx->put(life.table, key_of(n), "aborted"));
    TRY(tx->put(life.table, "large" + key_of(2), large_value(11)));
    const std::string from = key_of(150);
    auto erased = tx->erase_range(life.table, {.from = from});
    TRY(erased);
    return {};
  };
  const auto done = work();
  life.abort(*tx);
  return done;
}

Result<void> streams(Life& life) {
  return life.in_transaction({}, [&](Transaction& tx, Changes& changes) -> Result<void> {
    const std::string value = large_value(13, 300'000);
    auto writer = tx.open_writer(life.table, "stream");
    TRY(writer);
    for (std::size_t at = 0; at < value.size(); at += 50'000) TRY(writer->write(Bytes(value).substr(at, 50'000)));
    TRY(writer->finish());
    changes.push_back({"t", "stream", value});
    auto reader = tx.open_reader(life.table, "large" + key_of(2));
    TRY(reader);
    if (!*reader) return std::unexpected(wrong("a reader of nothing"));
    std::string whole;
    for (std::array<char, 10'000> piece;;) {
      auto got = (*reader)->read(piece);
      TRY(got);
      if (*got == 0) break;
      whole.append(piece.data(), *got);
    }
    if (whole != life.must.tables["t"]["large" + key_of(2)]) return std::unexpected(wrong("a reader"));
    return {};
  });
}

Result<void> dropped_streams(Life& life) {
  auto tx = life.db().begin({});
  TRY(tx);
  const auto work = [&]() -> Result<void> {
    auto writer = tx->open_writer(life.table, "never");
    TRY(writer);
    TRY(writer->write(large_value(1)));
    auto reader = tx->open_reader(life.table, "large" + key_of(1));
    TRY(reader);
    auto cursor = tx->cursor(life.table);
    TRY(cursor);
    auto more = cursor->next();
    TRY(more);
    auto mine = tx->allocate(10'000, 64);
    TRY(mine);
    return {};
  };
  const auto done = work();
  life.abort(*tx);
  return done;
}

Result<void> two_phases(Life& life) {
  for (const char* global_id : {"kept", "given up"}) {
    auto tx = life.db().begin({});
    TRY(tx);
    const bool keep = std::string_view(global_id) == "kept";
    Result<void> done = tx->put(life.table, key_of(40), "prepared");
    if (done) done = tx->prepare(global_id);
    if (!done) {
      life.abort(*tx);
      return done;
    }
    if (keep) {
      if (auto ended = life.db().commit_prepared(global_id); !ended) {
        EXPECT_EQ(life.db().prepared().size(), 1u);
        const auto aborted = life.db().abort_prepared(global_id);
        EXPECT_TRUE(aborted) << aborted.error().message();
        return std::unexpected(ended.error());
      }
      life.must.apply(std::vector<Change>{{"t", key_of(40), "prepared"}});
    } else {
      const auto aborted = life.db().abort_prepared(global_id);
      EXPECT_TRUE(aborted) << "an abort that failed: " << aborted.error().message();
      TRY(aborted);
    }
  }
  return {};
}

Result<void> commit_without_waiting(Life& life) {
  auto tx = life.db().begin({});
  TRY(tx);
  Result<void> done = tx->put(life.table, key_of(50), "async");
  Result<void> later{};
  if (done)
    done = tx->commit_async([](void* to, Result<void> outcome) { *static_cast<Result<void>*>(to) = std::move(outcome); }, &later);
  if (!done) {
    life.abort(*tx);
    return done;
  }
  life.must.apply(std::vector<Change>{{"t", key_of(50), "async"}});
  life.db().run_background();
  TRY(life.db().checkpoint());  // `later` has been set
  return later;
}
constexpr Scenario all[] = {
    {.name = "points", .run = read_points},     {.name = "multi_get", .run = read_many},
    {.name = "cursors", .run = walk},           {.name = "many_cursors", .run = many_cursors},
    {.name = "scan", .run = read_all},          {.name = "writes", .run = write_points, .prepare = without_inserted},
    {.name = "many_writes", .run = write_many}, {.name = "erase_range", .run = erase_range},
    {.name = "savepoints", .run = savepoints},  {.name = "abort", .run = end_by_abort},
    {.name = "streams", .run = streams},        {.name = "dropped_streams", .run = dropped_streams},
    {.name = "prepare", .run = two_phases},     {.name = "commit_async", .run = commit_without_waiting},
};

}  // namespace

std::span<const Scenario> scenarios_of_transactions() { return all; }

}  // namespace plimsoll::test
