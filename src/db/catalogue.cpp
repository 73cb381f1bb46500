#include "db/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "txn/large_value.hpp"

namespace plimsoll::db {

namespace {

constexpr TreeId catalogue{catalogue_root};
constexpr std::size_t name_bytes_max = 255, payload_bytes = 4096;
constexpr std::uint64_t stamp_of_entries = 1;  // committed before everything

std::uint32_t root_of(const btree::RecordView& record) {
  PLIMSOLL_CHECK(record.value_bytes == sizeof(std::uint32_t));
  return page_load<std::uint32_t>(record.value);
}

std::string leaf_put_data(Bytes name, Bytes value) {
  std::array<char, 512> buffer;
  log::Writer writer(buffer);
  writer.number<std::uint64_t>(stamp_of_entries).number<std::uint64_t>(0).number<std::uint8_t>(0);
  writer.number<std::uint16_t>(static_cast<std::uint16_t>(name.size())).bytes(name).bytes(value);
  return std::string(writer.view());
}

}  // namespace

// One record: the first space map page and the two roots.
Result<void> Catalogue::format(storage::Pool& pool, storage::Space& space, log::Log& log) {
  PLIMSOLL_ASSIGN(const storage::Reservation run, space.reserve(pages_at_creation - 1));
  PLIMSOLL_CHECK(run.first() == catalogue_root);
  PLIMSOLL_ASSIGN(storage::FreeFrame first, pool.take_frame());
  PLIMSOLL_ASSIGN(storage::FreeFrame second, pool.take_frame());
  const std::uint32_t page_bytes = pool.page_bytes();
  std::string payload(btree::StructureChange::bytes_max(page_bytes), 0);
  PLIMSOLL_ASSIGN(log::Credit credit, log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, 0));
  storage::ExclusivePage tables = pool.create(std::move(first), storage::data_page(catalogue_root));
  storage::ExclusivePage garbage = pool.create(std::move(second), storage::data_page(garbage_root));
  storage::ExclusivePage map = space.latch_map(run);
  btree::StructureChange change(log, credit, payload);
  for (storage::ExclusivePage* page : {&tables, &garbage, &map}) change.begin(*page);
  for (storage::ExclusivePage* page : {&tables, &garbage}) {
    btree::Trees::format_root(page->bytes(), page_bytes);
    change.add_image(*page);
  }
  change.set_space(map, catalogue_root, pages_at_creation - 1);
  const auto span = change.finish();
  for (storage::ExclusivePage* page : {&tables, &garbage, &map}) page->unlatch();
  return log.flush_to(span.end);
}

bool Catalogue::is_named(const std::vector<TableInfo>& all, TreeId tree) {
  return std::ranges::any_of(all, [&](const TableInfo& table) { return table.tree == tree && !is_internal(table.name); });
}

Result<TreeId> Catalogue::find(Bytes name) {
  if (is_internal(name)) return fail(ErrorCode::not_found, "table names do not begin with a NUL byte");
  PLIMSOLL_ASSIGN(const btree::LatchedLeaf leaf, engine_.trees.latch(catalogue, name));
  if (!leaf.found()) return fail(ErrorCode::not_found, "no table named \"{}\"", name);
  return TreeId{root_of(leaf.record())};
}

Result<TreeId> Catalogue::create(Bytes name) {
  if (name.size() > name_bytes_max)
    return fail(ErrorCode::invalid_argument, "table name of {} bytes: {} are allowed", name.size(), name_bytes_max);
  if (is_internal(name)) return fail(ErrorCode::invalid_argument, "a table name must not begin with a NUL byte");
  if (engine_.log.failed())
    return fail(ErrorCode::read_only, "the log has failed; the store can only be read until it is opened again");
  MutexLock lock(mutex_);
  const auto there = find_to_change(name);
  if (there) return fail(ErrorCode::already_exists, "table \"{}\" exists already", name);
  if (there.error().code() != ErrorCode::not_found) return there;
  PLIMSOLL_ASSIGN(const storage::Reservation page, engine_.space.reserve(1));
  PLIMSOLL_ASSIGN(storage::FreeFrame frame, engine_.pool.take_frame());
  const std::uint32_t page_bytes = engine_.pool.page_bytes(), root_number = page.first();
  std::array<char, payload_bytes> payload;
  const std::uint64_t until = deadline();
  PLIMSOLL_ASSIGN(log::Credit credit, engine_.log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, until));
  const Bytes value{reinterpret_cast<const char*>(&root_number), sizeof root_number};
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf,
                  engine_.trees.latch_with_room(catalogue, name, value.size(), log::Log::Priority::normal, until));
  PLIMSOLL_CHECK(!leaf.found());
  storage::ExclusivePage root = engine_.pool.create(std::move(frame), storage::data_page(root_number));
  storage::ExclusivePage map = engine_.space.latch_map(page);
  btree::StructureChange change(engine_.log, credit, payload);
  change.begin(leaf.page());
  change.begin(root);
  change.begin(map);
  btree::Trees::format_root(root.bytes(), page_bytes);
  change.add_image(root);
  leaf.put(name, {stamp_of_entries, 0, 0, value});
  change.add(leaf.page(), log::Action::leaf_put, leaf_put_data(name, value));
  change.set_space(map, root_number, 1);
  const auto span = change.finish();
  leaf.unlatch();
  root.unlatch();
  map.unlatch();
  PLIMSOLL_TRY(engine_.log.flush_to(span.end));
  return TreeId{root_number};
}

// The name goes at once; the pages are freed afterwards, and by the next open if that is interrupted.
Result<void> Catalogue::drop(Bytes name) {
  MutexLock lock(mutex_);
  PLIMSOLL_ASSIGN(const TreeId tree, find_to_change(name));
  memory::Context context(engine_.contexts, "drop");
  PLIMSOLL_ASSIGN(char* const buffer, page_buffer(context));  // before anything has happened
  if (!dropped_.note(tree)) return fail(ErrorCode::busy, "table \"{}\" cannot be dropped while transactions run", name);
  const std::string marker = fmt::format("{}drop{}", '\0', tree.value);
  // The marker first, then the name. A marker beside the name means nothing: the drop has failed, or a crash came in between.
  const auto mark_and_unname = [&]() -> Result<Lsn> {
    PLIMSOLL_TRY(cut_log_());
    PLIMSOLL_ASSIGN(const Lsn marked, change_entry(marker, tree));
    PLIMSOLL_TRY(engine_.log.flush_to(marked));
    return change_entry(name, std::nullopt);
  };
  const Result<Lsn> unnamed = mark_and_unname();
  if (!unnamed) {
    dropped_.take_back(tree);
    return std::unexpected(unnamed.error());
  }
  PLIMSOLL_TRY(engine_.log.flush_to(*unnamed));
  const auto freed = free_dropped(marker, tree, buffer);
  if (freed) return {};
  return fail(freed.error().code(), "table \"{}\" is dropped, but its pages stay taken until a later open can free them: {}", name,
              freed.error().details());
}

// For room in the log.
std::uint64_t Catalogue::deadline() const {
  return engine_.lock_deadline_ns == 0 ? ~std::uint64_t{0} : engine_.time.monotonic_ns() + engine_.lock_deadline_ns;
}

// Adds the entry, or (no tree) erases it. After an error nothing has changed.
Result<Lsn> Catalogue::change_entry(Bytes name, std::optional<TreeId> tree) {
  std::array<char, payload_bytes> payload;
  const std::uint64_t until = deadline();
  PLIMSOLL_ASSIGN(log::Credit credit, engine_.log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, until));
  const std::uint32_t root = tree ? tree->value : 0;
  const Bytes value{reinterpret_cast<const char*>(&root), sizeof root};
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf,
                  engine_.trees.latch_with_room(catalogue, name, value.size(), log::Log::Priority::normal, until));
  btree::StructureChange change(engine_.log, credit, payload);
  change.begin(leaf.page());
  if (tree) {
    leaf.put(name, {stamp_of_entries, 0, 0, value});
    change.add(leaf.page(), log::Action::leaf_put, leaf_put_data(name, value));
  } else {
    leaf.erase();
    change.add(leaf.page(), log::Action::leaf_erase, name);
  }
  return change.finish().end;
}

Result<char*> Catalogue::page_buffer(memory::Context& context) const {
  char* const buffer = context.allocate(engine_.pool.page_bytes());
  if (buffer == nullptr) return fail(ErrorCode::memory_budget_exceeded, "no memory to look through tables ({})", context.label());
  return buffer;
}

Result<void> Catalogue::free_dropped(Bytes marker, TreeId tree, char* buffer) {
  PLIMSOLL_TRY(engine_.collector.forget(tree));
  PLIMSOLL_TRY(free_large_values(tree, buffer));
  const auto make_room = [this]() -> Result<void> {
    PLIMSOLL_TRY(cut_log_());
    return {};
  };
  PLIMSOLL_TRY(engine_.trees.free_pages(tree, make_room));
  for (;;) {
    PLIMSOLL_ASSIGN(const bool freed, free_root(marker, tree));
    if (freed) return {};
  }
}

// The root, an empty leaf by now, goes together with the marker. False: it was evicted meanwhile.
Result<bool> Catalogue::free_root(Bytes marker, TreeId tree) {
  PLIMSOLL_ASSIGN(const storage::Reservation map_of_root, engine_.space.prepare_free(tree.value));
  std::array<char, payload_bytes> payload;
  PLIMSOLL_ASSIGN(log::Credit credit,
                  engine_.log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, deadline()));
  PLIMSOLL_TRY(engine_.pool.read(storage::data_page(tree.value)));
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf, engine_.trees.latch(catalogue, marker));
  PLIMSOLL_CHECK(leaf.found());
  storage::ExclusivePage root = engine_.pool.latch_resident(storage::data_page(tree.value));
  if (!root) return false;
  storage::ExclusivePage map = engine_.space.latch_map(map_of_root);
  btree::StructureChange change(engine_.log, credit, payload);
  change.begin(leaf.page());
  change.begin(map);
  leaf.erase();
  change.add(leaf.page(), log::Action::leaf_erase, marker);
  change.clear_space(map, tree.value, 1);
  const Lsn end = change.finish().end;
  engine_.pool.discard(std::move(root));
  leaf.unlatch();
  engine_.space.note_freed(tree.value, end);
  map.unlatch();
  return true;
}

// Record by record, before the pages go: an interrupted drop goes on where it stopped.
Result<void> Catalogue::free_large_values(TreeId tree, char* buffer) {
  std::array<char, 1024> key_buffer;
  std::optional<std::string> at;
  for (;;) {
    PLIMSOLL_TRY(cut_log_());
    PLIMSOLL_ASSIGN(const btree::LeafCopy leaf, engine_.trees.copy_leaf(tree, at ? std::optional<Bytes>(*at) : std::nullopt, false,
                                                                        buffer, storage::Access::scan));
    for (std::uint16_t i = 0; i < leaf.count(); ++i)
      if ((leaf.record(i).flags & btree::flag_large) != 0) PLIMSOLL_TRY(free_large_value(tree, leaf.key(i, key_buffer.data())));
    const auto fence = leaf.upper_fence();
    if (!fence || (at && *fence == *at)) return {};  // a drop that was interrupted has cut off what lay behind this fence
    at = std::string(*fence);
  }
}

// The record and the allocation bits of its extents go together.
Result<bool> Catalogue::free_large_value(TreeId tree, Bytes key) {
  std::array<char, payload_bytes> payload;
  std::array<storage::Reservation, txn::extents_max> pinned;
  std::array<storage::ExclusivePage, txn::extents_max> maps;
  txn::LargeValue value;
  {
    PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf, engine_.trees.latch(tree, key));
    const btree::RecordView record = leaf.record();
    if (!record || !txn::LargeValue::decode({record.value, record.value_bytes}, value))
      return fail(ErrorCode::corruption, "the descriptor of a large value in tree {} is damaged", tree.value);
  }
  std::sort(value.extent.begin(), value.extent.begin() + value.count,
            [](const txn::Extent& a, const txn::Extent& b) { return a.first < b.first; });
  for (std::uint32_t i = 0; i < value.count; ++i) { PLIMSOLL_ASSIGN(pinned[i], engine_.space.prepare_free(value.extent[i].first)); }
  PLIMSOLL_ASSIGN(log::Credit credit,
                  engine_.log.reserve(log::record_bytes(payload.size()), log::Log::Priority::normal, deadline()));
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf, engine_.trees.latch(tree, key));
  PLIMSOLL_CHECK(leaf.found());  // nobody else uses a dropped tree
  btree::StructureChange change(engine_.log, credit, payload);
  change.begin(leaf.page());
  leaf.erase();
  change.add(leaf.page(), log::Action::leaf_erase, key);
  std::size_t map = 0;
  for (std::uint32_t i = 0; i < value.count; ++i) {
    if (i == 0 || engine_.space.map_of(value.extent[i].first) != engine_.space.map_of(value.extent[i - 1].first)) {
      map = i;
      maps[i] = engine_.space.latch_map(pinned[i]);
      change.begin(maps[i]);
    }
    change.clear_space(maps[map], value.extent[i].first, value.extent[i].pages);
  }
  const Lsn end = change.finish().end;
  leaf.unlatch();
  for (std::uint32_t i = 0; i < value.count; ++i) engine_.space.note_freed(value.extent[i].first, end);
  for (storage::ExclusivePage& page : maps) page.unlatch();
  return true;
}

// What cannot be freed now (a page of it is damaged, say) stays taken, with its marker, and is tried again by the next open.
Result<void> Catalogue::finish_drops(const std::function<void(TreeId, const Error&)>& failed) {
  PLIMSOLL_ASSIGN(const std::vector<TableInfo> all, list(true));
  memory::Context context(engine_.contexts, "drop");
  PLIMSOLL_ASSIGN(char* const buffer, page_buffer(context));
  for (const TableInfo& table : all) {
    if (!is_internal(table.name)) continue;
    PLIMSOLL_TRY(cut_log_());
    if (is_named(all, table.tree)) {
      PLIMSOLL_TRY(change_entry(table.name, std::nullopt));
    } else {
      const auto freed = free_dropped(table.name, table.tree, buffer);
      if (!freed) failed(table.tree, freed.error());
    }
  }
  return {};
}

Result<Standing> Catalogue::standing() {
  const MutexLock lock(mutex_);
  PLIMSOLL_ASSIGN(std::vector<TableInfo> tables, list(false));
  return Standing{std::move(tables), engine_.drops.load(std::memory_order_seq_cst)};
}

Result<std::vector<TableInfo>> Catalogue::list(bool internal) {
  std::vector<TableInfo> tables;
  memory::Context context(engine_.contexts, "catalogue");
  PLIMSOLL_ASSIGN(char* const buffer, page_buffer(context));
  std::array<char, 1024> key_buffer;
  std::optional<std::string> at;
  for (;;) {
    PLIMSOLL_ASSIGN(const btree::LeafCopy leaf, engine_.trees.copy_leaf(catalogue, at ? std::optional<Bytes>(*at) : std::nullopt,
                                                                        false, buffer, storage::Access::normal));
    for (std::uint16_t i = 0; i < leaf.count(); ++i) {
      const Bytes name = leaf.key(i, key_buffer.data());
      if (internal || !is_internal(name)) tables.push_back({std::string(name), TreeId{root_of(leaf.record(i))}});
    }
    const auto fence = leaf.upper_fence();
    if (!fence) return tables;
    at = std::string(*fence);
  }
}

}  // namespace plimsoll::db
