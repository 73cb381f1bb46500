#include "recovery/redo.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "btree/leaf.hpp"
#include "log/segment_reader.hpp"
#include "txn/large_value.hpp"
#include "version/entry.hpp"

namespace plimsoll::recovery {

namespace {

using IfBad = storage::Pool::IfBad;

// Which pages a pass over the log is concerned with. Records are redone page by page, so that one pass may do some pages and the
// next one others: pages that do not fit into the pool together would be read and written again and again by a single pass.
struct Part {
  std::uint32_t number = 0, parts = 1;
  bool has(storage::PageKey key) const {
    static constexpr std::uint32_t run = 64;  // neighbours stay together
    return page_of(key) / run % parts == number;
  }
};

class Redo {
 public:
  Redo(const Analysis& analysis, RedoTarget target, Part part) : analysis_(analysis), target_(target), part_(part) {}
  Result<void> look(const log::Record& record);
  std::uint64_t changed() const { return changed_; }

 private:
  // The page if it belongs to this pass and the record's change is missing on it, else an empty guard.
  Result<storage::ExclusivePage> behind(storage::PageKey key, const log::Record& record, std::uint64_t before_lsn, IfBad if_bad);
  Result<void> leaf(const log::Record& record, const log::Update& update);
  Result<void> version(const log::Record& record, const log::Update& update);
  Result<void> extents(const log::Record& record, Bytes descriptor, bool set);
  Result<void> space(storage::ExclusivePage& map, const log::Record& record, const log::PageAction& action);
  Result<void> actions(const log::Record& record);

  const Analysis& analysis_;
  RedoTarget target_;
  const Part part_;
  std::uint64_t changed_ = 0;
};

std::unexpected<Error> does_not_fit(const log::Record& record, storage::PageKey key) {
  return fail(ErrorCode::corruption, "log position {}: the change does not fit page {} of file {}", record.begin.value,
              page_of(key), file_of(key));
}

// A change that makes the page anew needs none that can be read (zero). A map or a version page can begin as an empty one: the map
// only if it was never written, since the log does not know the bits that a damaged one had.
Result<storage::ExclusivePage> Redo::behind(storage::PageKey key, const log::Record& record, std::uint64_t before_lsn,
                                            IfBad if_bad) {
  if (!part_.has(key) || analysis_.is_freed(key.value, record.end)) return storage::ExclusivePage();
  PLIMSOLL_ASSIGN(storage::ExclusivePage page, target_.pool.latch_for_redo(key, if_bad));
  if (page.lsn() >= record.end) {
    page.will_change(record.begin);  // its write may have been lost by a sync that failed: the checkpoint after recovery repeats it
    return storage::ExclusivePage();
  }
  if (if_bad == IfBad::fail && page.lsn().value != before_lsn)
    return fail(ErrorCode::corruption, "page {} of file {} is stale: its LSN is {}, the log expects {}", page_of(key), file_of(key),
                page.lsn().value, before_lsn);
  page.will_change(record.begin);
  return page;
}

Result<void> Redo::leaf(const log::Record& record, const log::Update& update) {
  const storage::PageKey key = storage::data_page(update.leaf);
  PLIMSOLL_ASSIGN(storage::ExclusivePage page, behind(key, record, update.leaf_before_lsn, IfBad::fail));
  if (!page) return {};
  if (storage::kind_of(page.bytes()) != storage::PageKind::node) return does_not_fit(record, key);
  if ((update.after_flags & version::flag_absent) != 0) {
    btree::apply_erase(page.bytes(), update.key);
  } else {
    btree::apply_put(page.bytes(), update.key, {update.after_stamp, update.after_previous, update.after_flags, update.after});
  }
  page.set_lsn(record.end);
  ++changed_;
  return {};
}

Result<void> Redo::version(const log::Record& record, const log::Update& update) {
  if (update.version == 0 || !analysis_.has_entries(update.transaction)) return {};
  PLIMSOLL_ASSIGN(storage::ExclusivePage page, behind(version::page_of(update.version), record, 0, IfBad::zero));
  if (!page) return {};
  page_store<std::uint8_t>(page.bytes() + storage::at::kind, static_cast<std::uint8_t>(storage::PageKind::version));
  version::Entry entry;
  entry.writer = update.transaction;
  entry.previous_entry = update.previous_entry;
  entry.stamp = update.before_stamp;
  entry.previous = update.before_previous;
  entry.tree = update.tree;
  entry.leaf = update.leaf;
  entry.bytes = static_cast<std::uint16_t>(version::entry_bytes(update.key.size(), update.before.size()));
  entry.flags = update.before_flags;
  entry.entry_flags = version::entry_filled;
  entry.key = update.key;
  entry.value = update.before;
  const std::uint32_t offset = version::offset_of(update.version);
  if (offset + entry.bytes > target_.pool.page_bytes() || offset % 8 != 0)
    return does_not_fit(record, version::page_of(update.version));
  version::write_entry(page.bytes(), offset, entry);
  page.set_lsn(record.end);
  return {};
}

Result<void> Redo::space(storage::ExclusivePage& map, const log::Record& record, const log::PageAction& action) {
  log::Reader data(action.data);
  const auto first = data.number<std::uint32_t>(), count = data.number<std::uint32_t>();
  if (map.lsn().value == 0) storage::format_map(map.bytes(), map.key());
  if (std::uint64_t{first} + count > map.key().value + target_.pages_per_map) return does_not_fit(record, map.key());
  if (action.action == log::Action::space_set) {
    storage::Space::set_bits(map.bytes(), first, count);
  } else {
    storage::Space::clear_bits(map.bytes(), first, count);
  }
  return {};
}

// The bits of a large value's extents go with its update and revert records; several extents may share a map page, so the page's
// LSN moves only after all of them.
Result<void> Redo::extents(const log::Record& record, Bytes descriptor, bool set) {
  txn::LargeValue value;
  if (!txn::LargeValue::decode(descriptor, value))
    return fail(ErrorCode::corruption, "log position {}: a damaged large value descriptor", record.begin.value);
  if (set && value.shared) return {};  // the version below brought the extents
  for (std::uint32_t i = 0; i < value.count; ++i) {
    const storage::PageKey key = storage::data_page(value.extent[i].first / target_.pages_per_map * target_.pages_per_map);
    bool done = false;
    for (std::uint32_t j = 0; j < i; ++j)
      done |= value.extent[j].first / target_.pages_per_map == value.extent[i].first / target_.pages_per_map;
    if (done) continue;
    PLIMSOLL_ASSIGN(storage::ExclusivePage page, behind(key, record, 0, IfBad::zero_if_never_written));
    if (!page) continue;
    if (page.lsn().value == 0) storage::format_map(page.bytes(), key);
    for (std::uint32_t j = i; j < value.count; ++j) {
      const txn::Extent& extent = value.extent[j];
      if (extent.first / target_.pages_per_map * target_.pages_per_map != page_of(key)) continue;
      if (set) storage::Space::set_bits(page.bytes(), extent.first, extent.pages);
      if (!set) storage::Space::clear_bits(page.bytes(), extent.first, extent.pages);
    }
    page.set_lsn(record.end);
  }
  return {};
}

// A page may have several actions, one behind the other (the pages that a drop frees share a map): its LSN moves after the last.
Result<void> Redo::actions(const log::Record& record) {
  log::Reader from(record.payload);
  storage::ExclusivePage page;
  std::optional<storage::PageKey> at;
  const auto leave = [&] {
    if (page) page.set_lsn(record.end);
    page.unlatch();
  };
  for (log::PageAction action; log::read_action(from, action);) {
    const bool of_space = action.action == log::Action::space_set || action.action == log::Action::space_clear;
    const storage::PageKey key{action.page_key};
    if (at != key) {
      leave();
      const IfBad if_bad = of_space                              ? IfBad::zero_if_never_written
                           : action.action == log::Action::image ? IfBad::zero
                                                                 : IfBad::fail;
      PLIMSOLL_ASSIGN(page, behind(key, record, of_space ? 0 : action.before_lsn, if_bad));
      at = key;
    }
    if (!page) continue;
    if (of_space) {
      PLIMSOLL_TRY(space(page, record, action));
      continue;
    }
    if (!btree::redo_action(page.bytes(), target_.pool.page_bytes(), action)) return does_not_fit(record, key);
    ++changed_;
  }
  leave();
  return {};
}

Result<void> Redo::look(const log::Record& record) {
  switch (record.kind) {
    case log::Kind::update:
    case log::Kind::revert: {
      log::Update update;
      if (!log::read_update(record.payload, update))
        return fail(ErrorCode::corruption, "log position {}: an update record with a good checksum makes no sense",
                    record.begin.value);
      PLIMSOLL_TRY(leaf(record, update));
      PLIMSOLL_TRY(version(record, update));
      const bool after_large = record.kind == log::Kind::update && (update.after_flags & btree::flag_large) != 0;
      if (after_large) PLIMSOLL_TRY(extents(record, update.after, true));
      if (record.kind == log::Kind::revert && !update.before.empty()) PLIMSOLL_TRY(extents(record, update.before, false));
      break;
    }
    case log::Kind::pages: PLIMSOLL_TRY(actions(record)); break;
    default: break;
  }
  return {};
}

// Looks ahead at the records from `from` on that are in the reader's buffer, and has the pages that they change read together: one
// page at a time would leave the device idle. A page that cannot be read shows when its record's turn comes. Answers how far it
// looked.
Result<Lsn> read_ahead(log::SegmentReader& reader, Lsn from, const Analysis& analysis, Part part, storage::Pool& pool) {
  static constexpr std::size_t keys_max = 32;
  static constexpr int records_max = 1000;
  std::array<storage::PageKey, keys_max> keys;
  std::size_t count = 0;
  const auto add = [&](storage::PageKey key, Lsn record_end) {
    if (count == keys_max || !part.has(key) || analysis.is_freed(key.value, record_end)) return;
    if (std::find(keys.begin(), keys.begin() + count, key) == keys.begin() + count) keys[count++] = key;
  };
  for (int records = 0; from < analysis.end && count < keys_max && records < records_max; ++records) {
    if (records != 0 && !reader.holds_record_at(from.value)) break;
    log::Record record;
    PLIMSOLL_ASSIGN(const log::Validity validity, reader.record_at(from.value, analysis.end.value, record));
    PLIMSOLL_CHECK(validity == log::Validity::valid);  // analysis has just read it
    from = record.end;
    log::Update update;
    if ((record.kind == log::Kind::update || record.kind == log::Kind::revert) && log::read_update(record.payload, update)) {
      add(storage::data_page(update.leaf), record.end);
    } else if (record.kind == log::Kind::pages) {
      log::Reader actions(record.payload);
      for (log::PageAction action; log::read_action(actions, action);) add(storage::PageKey{action.page_key}, record.end);
    }
  }
  pool.prefetch(std::span(keys).first(count), storage::Access::normal);
  return from;
}

// As many passes as let the pages of each fit into three quarters of the pool; one if that were too many: reading the log costs,
// too.
std::uint32_t passes_for(std::uint64_t pages, std::uint64_t frames) {
  static constexpr std::uint64_t passes_max = 32;
  const std::uint64_t fit = std::max<std::uint64_t>(frames / 4 * 3, 1);
  if (pages > fit * passes_max) return 1;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>((pages + fit - 1) / fit, 1));
}

Result<std::uint64_t> redo_part(log::SegmentReader& reader, const Analysis& analysis, RedoTarget target, Part part) {
  Redo pass(analysis, target, part);
  for (Lsn at = analysis.redo_start; at < analysis.end;) {
    PLIMSOLL_ASSIGN(const Lsn until, read_ahead(reader, at, analysis, part, target.pool));
    while (at < until) {
      log::Record record;
      PLIMSOLL_ASSIGN(const log::Validity validity, reader.record_at(at.value, analysis.end.value, record));
      PLIMSOLL_CHECK(validity == log::Validity::valid);
      PLIMSOLL_TRY(pass.look(record));
      at = record.end;
    }
  }
  return pass.changed();
}

}  // namespace

Result<std::uint64_t> redo(io::FileSystem& files, memory::PageProvider& provider, const log::LogOptions& options,
                           const Analysis& analysis, RedoTarget target) {
  PLIMSOLL_ASSIGN(log::SegmentReader reader, log::SegmentReader::make(files, provider, options));
  const std::uint32_t passes = passes_for(analysis.pages_named.count(), target.frames);
  std::uint64_t changed = 0;
  for (std::uint32_t part = 0; part < passes; ++part) {
    PLIMSOLL_ASSIGN(const std::uint64_t more, redo_part(reader, analysis, target, {part, passes}));
    changed += more;
  }
  target.metrics.add(Counter::records_redone, changed);
  return changed;
}

}  // namespace plimsoll::recovery
