#include "storage/space.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/latch.hpp"

namespace plimsoll::storage {
namespace {

constexpr std::size_t reservations_max = 1024;  // a dozen for each of 80 threads in the middle of a split
constexpr auto reservation_wait = std::chrono::seconds(2);
constexpr std::uint64_t growth_min = 1_MiB, growth_max = 64_MiB, growth_share = 16;
// Less than a group (of the largest pages) below what 32 bits hold, so that the number behind a last group that is not whole fits,
// too.
constexpr std::uint32_t file_pages_max = std::numeric_limits<std::uint32_t>::max() - page_bytes_max * 8;

// Blocks are taken for so much of the file at once. For a number of these units the space remembers that nothing is missing in
// them; for others it asks the file system, which costs little.
constexpr std::uint64_t unit_bytes = 4_MiB;
constexpr std::size_t units_remembered = 1024;

struct Run {
  std::uint32_t first = 0, count = 0;
  std::uint32_t end() const { return first + count; }
};

unsigned char bits_at(const char* map, std::uint32_t byte) { return page_load<unsigned char>(map + space_bits_at + byte); }

// The first run of `count` clear bits in [from, end); bytes without a clear bit are skipped.
std::optional<std::uint32_t> find_clear(const char* map, std::uint32_t from, std::uint32_t end, std::uint32_t count) {
  std::uint32_t length = 0;
  for (std::uint32_t bit = from; bit < end; ++bit) {
    if (bit % 8 == 0 && bits_at(map, bit / 8) == 0xFF) {
      length = 0;
      bit += 7;
      continue;
    }
    length = Space::test_bit(map, bit) ? 0 : length + 1;
    if (length == count) return bit + 1 - count;
  }
  return std::nullopt;
}

void change_bits(char* map, std::uint32_t first, std::uint32_t count, bool value) {
  if (kind_of(map) == PageKind::none && lsn_of(map).value == 0) format_map(map, key_of(map));
  PLIMSOLL_CHECK(kind_of(map) == PageKind::space_map);
  const std::uint32_t base = page_of(key_of(map));
  PLIMSOLL_CHECK(first > base && count != 0 && first - base + count <= (page_bytes_max - space_bits_at) * 8);
  for (std::uint32_t bit = first - base; bit < first - base + count; ++bit) {
    char* byte = map + space_bits_at + bit / 8;
    const auto before = page_load<unsigned char>(byte);
    const auto mask = static_cast<unsigned char>(1u << bit % 8);
    PLIMSOLL_CHECK(((before & mask) != 0) != value);  // else a page would belong to two owners
    page_store<unsigned char>(byte, static_cast<unsigned char>(before ^ mask));
  }
}

}  // namespace

void format_map(char* map_page, PageKey key) {
  PLIMSOLL_CHECK(key_of(map_page) == key && lsn_of(map_page).value == 0);
  page_store<std::uint8_t>(map_page + at::kind, static_cast<std::uint8_t>(PageKind::space_map));
  page_store<unsigned char>(map_page + space_bits_at, 1);
}

struct Space::Impl {
  Impl(Pool& the_pool, io::File& the_data) : pool(the_pool), data(the_data), page_bytes(the_pool.page_bytes()) {}

  Result<ExclusivePage> latch_map_page(std::uint32_t group);
  std::optional<Run> overlapping(Run run) const PLIMSOLL_REQUIRES(mutex);
  std::optional<std::uint32_t> claim_in_group(const ExclusivePage& map, std::uint32_t from, std::uint32_t end, std::uint32_t count)
      PLIMSOLL_REQUIRES(mutex);
  Result<std::optional<Run>> claim(std::uint32_t count, FrameIndex& map_frame);
  std::optional<Run> free_in_group(const ExclusivePage& map, std::uint32_t from, std::uint32_t end, std::uint32_t most) const
      PLIMSOLL_REQUIRES(mutex);
  Result<std::optional<Run>> claim_free(std::uint32_t from, std::uint32_t most, FrameIndex& map_frame);
  Result<void> provide_blocks(Run run);
  Result<void> provide_unit(std::uint32_t unit, Run run);
  std::uint32_t unit_pages() const { return static_cast<std::uint32_t>(unit_bytes / page_bytes); }
  std::atomic<std::uint64_t>& remembered(std::uint32_t unit) { return whole_units[unit % units_remembered]; }
  // Whether no block is missing in the unit's part of the file below page `end`. The last unit grows with the file.
  bool has_blocks(std::uint32_t unit, std::uint32_t end) {
    const std::uint64_t known = remembered(unit).load(std::memory_order_acquire);
    return known >> 32 == unit && static_cast<std::uint32_t>(known) >= end;
  }
  Result<void> wait_for_place();
  std::uint64_t pages_to_grow(std::uint64_t pages, std::uint64_t count) const;
  Result<void> grow(std::uint32_t seen_pages, std::uint32_t count);
  void lower_hint(std::uint32_t page) PLIMSOLL_REQUIRES(mutex) { hint = std::min(hint, page); }
  void release(Run run);
  std::uint32_t pages_per_map() const { return static_cast<std::uint32_t>((page_bytes - space_bits_at) * 8); }

  Pool& pool;
  io::File& data;
  const std::uint32_t page_bytes;
  void set_file_pages(std::uint32_t pages) PLIMSOLL_REQUIRES(grow_mutex) { file_pages.store(pages, std::memory_order_release); }
  std::atomic<std::uint32_t> file_pages{0};
  Mutex grow_mutex{LatchRank::space};
  Mutex blocks_mutex{LatchRank::space};  // blocks of the file are taken or given back
  // By number modulo their count: a unit's number, and the page up to which no block is missing in it (0: nothing is known).
  std::atomic<std::uint64_t>* whole_units = nullptr;
  Mutex mutex{LatchRank::space};
  CondVar place_freed;
  memory::Mapping memory;
  Run* live PLIMSOLL_GUARDED_BY(mutex) = nullptr;
  std::size_t live_count PLIMSOLL_GUARDED_BY(mutex) = 0;
  std::uint32_t hint PLIMSOLL_GUARDED_BY(mutex) = 0;  // no page below is free and unreserved
  Lsn newest_free PLIMSOLL_GUARDED_BY(mutex){};
};

// The group's map page; a formatted one if it was never written. That is no logged change: lost with its frame, it is made again.
Result<ExclusivePage> Space::Impl::latch_map_page(std::uint32_t group) {
  const PageKey key = data_page(group * pages_per_map());
  PLIMSOLL_ASSIGN(ExclusivePage page, pool.latch_or_zero(key));
  if (kind_of(page.bytes()) == PageKind::none && page.lsn().value == 0) {
    format_map(page.bytes(), key);
    page.hint_changed();
  }
  if (kind_of(page.bytes()) != PageKind::space_map || !test_bit(page.bytes(), 0)) {
    return fail(ErrorCode::corruption, "data file, page {}: it should be a space map, its kind is {}", page_of(key),
                static_cast<unsigned>(kind_of(page.bytes())));
  }
  return page;
}

std::optional<Run> Space::Impl::overlapping(Run run) const {
  const Run* end = live + live_count;
  const Run* found =
      std::find_if<const Run*>(live, end, [&](const Run& other) { return other.first < run.end() && run.first < other.end(); });
  return found == end ? std::nullopt : std::optional(*found);
}

// The map page is latched: its bits stand still.
std::optional<std::uint32_t> Space::Impl::claim_in_group(const ExclusivePage& map, std::uint32_t from, std::uint32_t end,
                                                         std::uint32_t count) {
  const std::uint32_t base = page_of(map.key());
  while (const auto bit = find_clear(map.bytes(), from - base, end - base, count)) {
    const Run run{base + *bit, count};
    const auto taken = overlapping(run);
    if (!taken) {
      PLIMSOLL_CHECK(live_count < reservations_max);
      live[live_count++] = run;
      if (count == 1 && hint >= from) hint = run.end();
      return run.first;
    }
    from = taken->end();
    if (from >= end) break;
  }
  return std::nullopt;
}

// Looks through the file as it is, from the hint on; empty: nothing fits.
Result<std::optional<Run>> Space::Impl::claim(std::uint32_t count, FrameIndex& map_frame) {
  std::uint32_t from = 0;
  {
    const MutexLock lock(mutex);
    from = hint;
  }
  for (std::uint32_t pages = file_pages.load(std::memory_order_acquire); from < pages;) {
    const std::uint32_t group = from / pages_per_map();
    const std::uint32_t end = std::min(pages, (group + 1) * pages_per_map());
    PLIMSOLL_ASSIGN(const ExclusivePage map, latch_map_page(group));
    const MutexLock lock(mutex);
    if (live_count == reservations_max) return std::optional<Run>(Run{});
    if (const auto first = claim_in_group(map, from, end, count)) {
      pool.pin(map);
      map_frame = map.frame();
      return Run{*first, count};
    }
    if (count == 1 && hint >= from) hint = std::max(hint, end);
    from = end;
  }
  return std::nullopt;
}

// The first run of clear bits that nobody has reserved.
std::optional<Run> Space::Impl::free_in_group(const ExclusivePage& map, std::uint32_t from, std::uint32_t end,
                                              std::uint32_t most) const {
  const std::uint32_t base = page_of(map.key());
  while (const auto bit = find_clear(map.bytes(), from - base, end - base, 1)) {
    Run run{base + *bit, 1};
    if (const auto taken = overlapping(run)) {
      from = taken->end();
      if (from >= end) break;
      continue;
    }
    while (run.count < most && run.end() < end && !test_bit(map.bytes(), run.end() - base)) ++run.count;
    while (const auto taken = overlapping(run)) run.count = taken->first - run.first;
    return run;
  }
  return std::nullopt;
}

Result<std::optional<Run>> Space::Impl::claim_free(std::uint32_t from, std::uint32_t most, FrameIndex& map_frame) {
  for (const std::uint32_t pages = file_pages.load(std::memory_order_acquire); from < pages;) {
    const std::uint32_t group = from / pages_per_map();
    const std::uint32_t end = std::min(pages, (group + 1) * pages_per_map());
    PLIMSOLL_ASSIGN(const ExclusivePage map, latch_map_page(group));
    const MutexLock lock(mutex);
    if (live_count == reservations_max) return std::optional<Run>(Run{});
    if (const auto run = free_in_group(map, from, end, most)) {
      live[live_count++] = *run;
      pool.pin(map);
      map_frame = map.frame();
      return run;
    }
    from = end;
  }
  return std::nullopt;
}

// Reserved pages may lie where blocks were given back: a page that is written back later must not meet a full disk.
Result<void> Space::Impl::provide_blocks(Run run) {
  for (std::uint32_t unit = run.first / unit_pages(); unit <= (run.end() - 1) / unit_pages(); ++unit)
    if (!has_blocks(unit, std::min(run.end() - 1, unit * unit_pages() + (unit_pages() - 1)) + 1))
      PLIMSOLL_TRY(provide_unit(unit, run));
  return {};
}

Result<void> Space::Impl::provide_unit(std::uint32_t unit, Run run) {
  const MutexLock lock(blocks_mutex);
  const std::uint32_t pages = file_pages.load(std::memory_order_acquire), first = unit * unit_pages();
  const Run whole{first, std::min(unit_pages(), pages - first)};
  const Run part{std::max(run.first, first), std::min(run.end(), whole.end()) - std::max(run.first, first)};
  PLIMSOLL_ASSIGN(const std::uint64_t before, data.allocated());
  for (const Run wanted : {whole, part}) {
    const auto allocated = data.allocate(std::uint64_t{wanted.first} * page_bytes, std::uint64_t{wanted.count} * page_bytes);
    if (!allocated && allocated.error().code() == ErrorCode::no_space && wanted.count != part.count) continue;
    PLIMSOLL_TRY(allocated);
    PLIMSOLL_ASSIGN(const std::uint64_t after, data.allocated());
    if (after != before) PLIMSOLL_TRY(data.sync());  // as in grow()
    if (wanted.count == whole.count) remembered(unit).store(std::uint64_t{unit} << 32 | whole.end(), std::memory_order_release);
    break;
  }
  return {};
}

Result<void> Space::Impl::wait_for_place() {
  const MutexLock lock(mutex);
  if (live_count == reservations_max && !place_freed.wait_for(mutex, reservation_wait) && live_count == reservations_max) {
    return fail(ErrorCode::memory_budget_exceeded, "{} reservations of pages are under way", reservations_max);
  }
  return {};
}

// How much longer a file of `pages` must be to have a run of `count` behind its end, where a run never crosses a group and a
// group's first page is its map.
std::uint64_t Space::Impl::pages_to_grow(std::uint64_t pages, std::uint64_t count) const {
  const std::uint64_t in_group = pages % pages_per_map();
  if (in_group == 0) return 1 + count;
  const std::uint64_t rest = pages_per_map() - in_group;
  return count <= rest ? count : rest + 1 + count;
}

// `seen_pages` had no room: makes the file longer unless somebody else has.
Result<void> Space::Impl::grow(std::uint32_t seen_pages, std::uint32_t count) {
  const MutexLock lock(grow_mutex);
  const std::uint32_t pages = file_pages.load(std::memory_order_acquire);
  if (pages != seen_pages) return {};
  const std::uint64_t bytes = std::uint64_t{pages} * page_bytes;
  const std::uint64_t least = pages_to_grow(pages, count);
  const std::uint64_t step = std::max(least, std::clamp(bytes / growth_share, growth_min, growth_max) / page_bytes);
  for (const std::uint64_t more : {step, least}) {
    if (pages + more > file_pages_max) continue;
    const Result<void> allocated = data.allocate(bytes, more * page_bytes);
    if (!allocated && allocated.error().code() == ErrorCode::no_space) continue;
    PLIMSOLL_TRY(allocated);
    PLIMSOLL_TRY(data.sync());  // the new length: what recovery writes there must find its blocks
    set_file_pages(static_cast<std::uint32_t>(pages + more));
    return {};
  }
  return fail(ErrorCode::no_space, "the data file of {} pages cannot grow by {} pages of {} bytes", pages, least, page_bytes);
}

void Space::Impl::release(Run run) {
  const MutexLock lock(mutex);
  Run* end = live + live_count;
  Run* found = std::find_if(live, end, [&](const Run& other) { return other.first == run.first; });
  PLIMSOLL_CHECK(found != end && found->count == run.count);
  *found = live[--live_count];
  lower_hint(run.first);  // its bits may not have been set
  place_freed.notify_one();
}

Space::Space() = default;
Space::~Space() = default;

Result<std::unique_ptr<Space>> Space::open(Pool& pool, io::File& data, memory::PageProvider& provider) {
  std::unique_ptr<Space> space(new Space());
  space->impl_ = std::make_unique<Impl>(pool, data);
  Impl& impl = *space->impl_;
  PLIMSOLL_ASSIGN(impl.memory,
                  provider.map(memory::Account::translation,
                               reservations_max * sizeof(Run) + units_remembered * sizeof(std::atomic<std::uint64_t>)));
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, data.size());
  if (bytes / impl.page_bytes > file_pages_max) {
    return fail(ErrorCode::corruption, "the data file of {} bytes has more than {} pages of {} bytes", bytes, file_pages_max,
                impl.page_bytes);
  }
  impl.file_pages = static_cast<std::uint32_t>(bytes / impl.page_bytes);
  const MutexLock lock(impl.mutex);
  impl.live = impl.memory.as<Run>();
  impl.whole_units = reinterpret_cast<std::atomic<std::uint64_t>*>(impl.memory.data() + reservations_max * sizeof(Run));
  std::uninitialized_value_construct_n(impl.whole_units, units_remembered);
  return space;
}

std::uint32_t Space::pages_per_map() const { return impl_->pages_per_map(); }

Result<Reservation> Space::reserve(std::uint32_t count) {
  if (count == 0 || count >= pages_per_map()) {
    return fail(ErrorCode::invalid_argument, "{} adjacent pages were asked for; 1 .. {} are possible", count, pages_per_map() - 1);
  }
  for (;;) {
    const std::uint32_t pages = file_pages();
    Reservation reservation;
    PLIMSOLL_ASSIGN(const auto run, impl_->claim(count, reservation.map_frame_));
    if (!run) {
      PLIMSOLL_TRY(impl_->grow(pages, count));
    } else if (run->count == 0) {
      PLIMSOLL_TRY(impl_->wait_for_place());
    } else {
      reservation.space_ = this;
      reservation.first_ = run->first;
      reservation.count_ = run->count;
      PLIMSOLL_TRY(impl_->provide_blocks(*run));
      return reservation;
    }
  }
}

Result<Reservation> Space::reserve_free(std::uint32_t from, std::uint32_t most) {
  for (;;) {
    Reservation reservation;
    PLIMSOLL_ASSIGN(const auto run, impl_->claim_free(from, most, reservation.map_frame_));
    if (!run) return reservation;
    if (run->count == 0) {
      PLIMSOLL_TRY(impl_->wait_for_place());
      continue;
    }
    reservation.space_ = this;
    reservation.first_ = run->first;
    reservation.count_ = run->count;
    return reservation;
  }
}

Result<void> Space::give_back_blocks(const Reservation& reserved) {
  PLIMSOLL_CHECK(reserved.space_ == this && reserved.count_ != 0);
  const Run run{reserved.first_, reserved.count_};
  const MutexLock lock(impl_->blocks_mutex);
  for (std::uint32_t unit = run.first / impl_->unit_pages(); unit <= (run.end() - 1) / impl_->unit_pages(); ++unit) {
    if (impl_->has_blocks(unit, 1)) impl_->remembered(unit).store(0, std::memory_order_release);
  }
  return impl_->data.deallocate(std::uint64_t{run.first} * impl_->page_bytes, std::uint64_t{run.count} * impl_->page_bytes);
}

Result<Reservation> Space::prepare_free(std::uint32_t page) {
  Reservation reservation;
  PLIMSOLL_ASSIGN(const ExclusivePage map, impl_->latch_map_page(page / pages_per_map()));
  impl_->pool.pin(map);
  reservation.space_ = this;
  reservation.first_ = page;
  reservation.map_frame_ = map.frame();
  return reservation;
}

ExclusivePage Space::latch_map(const Reservation& reservation) {
  PLIMSOLL_CHECK(reservation.space_ == this);
  ExclusivePage map = impl_->pool.latch_resident(map_of(reservation.first_));
  PLIMSOLL_CHECK(map && map.frame() == reservation.map_frame_);
  return map;
}

void Space::set_bits(char* map_page, std::uint32_t first, std::uint32_t count) { change_bits(map_page, first, count, true); }
void Space::clear_bits(char* map_page, std::uint32_t first, std::uint32_t count) { change_bits(map_page, first, count, false); }

bool Space::test_bit(const char* map_page, std::uint32_t page_in_group) {
  return (bits_at(map_page, page_in_group / 8) >> page_in_group % 8 & 1) != 0;
}

void Space::note_freed(std::uint32_t page, Lsn end) {
  const MutexLock lock(impl_->mutex);
  impl_->lower_hint(page);
  impl_->newest_free = std::max(impl_->newest_free, end);
}

Lsn Space::newest_free() const {
  const MutexLock lock(impl_->mutex);
  return impl_->newest_free;
}

std::uint32_t Space::file_pages() const { return impl_->file_pages.load(std::memory_order_acquire); }

Result<std::uint64_t> Space::used_pages() {
  std::uint64_t used = 0;
  for (std::uint32_t first = 0, pages = file_pages(); first < pages; first += pages_per_map()) {
    PLIMSOLL_ASSIGN(const ExclusivePage map, impl_->latch_map_page(first / pages_per_map()));
    for (std::uint32_t byte = 0; byte < pages_per_map() / 8; ++byte)
      used += static_cast<unsigned>(std::popcount(bits_at(map.bytes(), byte)));
  }
  return used;
}

// The bits are copied a piece at a time, so that `each` runs without a latch.
Result<void> Space::for_each_used(const std::function<void(std::uint32_t)>& each) {
  std::array<unsigned char, 512> piece;
  for (std::uint32_t first = 0, pages = file_pages(); first < pages; first += pages_per_map()) {
    for (std::uint32_t byte = 0; byte < pages_per_map() / 8; byte += piece.size()) {
      const auto bytes = std::min<std::size_t>(piece.size(), pages_per_map() / 8 - byte);
      {
        PLIMSOLL_ASSIGN(const ExclusivePage map, impl_->latch_map_page(first / pages_per_map()));
        page_read(piece.data(), map.bytes() + space_bits_at + byte, bytes);
      }
      for (std::uint32_t bit = 0; bit < bytes * 8; ++bit) {
        if ((piece[bit / 8] >> bit % 8 & 1) != 0) each(first + byte * 8 + bit);
      }
    }
  }
  return {};
}

Reservation::Reservation(Reservation&& other) noexcept
    : space_(std::exchange(other.space_, nullptr)), first_(other.first_), count_(other.count_), map_frame_(other.map_frame_) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(space_, other.space_);
  std::swap(first_, other.first_);
  std::swap(count_, other.count_);
  std::swap(map_frame_, other.map_frame_);
  return *this;
}

Reservation::~Reservation() {
  if (space_ == nullptr) return;
  if (count_ != 0) space_->impl_->release({first_, count_});
  space_->impl_->pool.unpin(map_frame_);
}

}  // namespace plimsoll::storage
