// Opening and creating a store: one function a phase.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <set>

#include "base/check.hpp"
#include "base/duration.hpp"
#include "base/fail.hpp"
#include "config/table.hpp"
#include "db/store.hpp"
#include "io/memory_file_system.hpp"
#include "recovery/redo.hpp"
#include "storage/doublewrite.hpp"

namespace plimsoll::db {

namespace {

static_assert(config::page_size_least == storage::page_bytes_min && config::page_size_most == storage::page_bytes_max);
static_assert(config::memory_budget_least == memory::MemoryBudget::least_bytes);

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::size_t frames_least = 256;
constexpr std::string_view files_at_creation[] = {storage::data_name, storage::doublewrite_name, storage::lock_name,
                                                  storage::log_directory_name, "superblock.new"};

std::uint32_t slots_of(const Options& options) { return options.max_transactions; }
std::size_t ring_bytes(const Options& options) {
  if (options.log_ring_bytes != 0) return options.log_ring_bytes;
  const std::size_t small = std::clamp<std::size_t>(options.memory_budget / 32, 256u << 10, 8 * mib);
  return std::bit_floor(std::clamp<std::size_t>(options.memory_budget / 128, small, 32 * mib));
}

// A store in memory keeps its log and its pages inside the budget: a small log, and a pool that leaves most of it to the files.
constexpr std::size_t pool_share_in_memory = 5;
Options in_memory(Options options) {
  options.log_segment_bytes = std::clamp<std::size_t>(std::bit_floor(options.memory_budget / 64), 64u << 10, 16 * mib);
  options.log_bytes_max = 4 * options.log_segment_bytes;
  return options;
}

// A longer log means fewer checkpoints, and a longer recovery: what is redone should fit into the pool.
Options completed(Options options, bool in_memory_only) {
  if (in_memory_only) return in_memory(options);
  if (options.log_bytes_max == 0) {
    options.log_bytes_max = std::clamp<std::uint64_t>(options.memory_budget / 4, 128 * mib, 1024 * mib);
    options.log_bytes_max = std::max(options.log_bytes_max, 4 * options.log_segment_bytes);
  }
  return options;
}

}  // namespace

Store::Store(std::string path, const Options& options, Home home)
    : path_(std::move(path)), home_(home), options_(completed(options, home == Home::memory)) {}

Result<std::unique_ptr<Store>> Store::open(std::string_view path, const Options& options, Home home) {
  std::unique_ptr<Store> store(new Store(std::string(io::without_trailing_slashes(path)), options, home));
  PLIMSOLL_TRY(store->check_options());
  PLIMSOLL_TRY(store->open_memory());
  PLIMSOLL_TRY(store->take_environment());
  PLIMSOLL_TRY(store->take_lock());
  PLIMSOLL_TRY(store->read_or_create());
  PLIMSOLL_TRY(store->open_files());
  PLIMSOLL_TRY(store->recover());
  PLIMSOLL_TRY(store->catalogue_->finish_drops([&](TreeId tree, const Error& why) {
    store->events_->add(EventKind::corruption, "a dropped table's pages stay taken (tree {}): {}", tree.value, why.message());
  }));
  store->budget_->pressure().set_baseline();
  if (options.background_threads) store->budget_->pressure().set_wait(saturated_ns(options.memory_deadline));
  store->move_window();  // before anything is superseded
  PLIMSOLL_TRY(store->start_threads());
  store->start_control();
  return store;
}

Result<void> Store::usable() const {
  if (fork_guard_.forked())
    return fail(ErrorCode::invalid_argument,
                "this handle was opened before fork; open the store anew in the child, after the parent has closed it");
  return {};
}

// A budget that is too small is told the least that works, which the table of options does not know.
Result<void> Store::check_options() const {
  Options others = options_;
  others.memory_budget = std::max<std::size_t>(others.memory_budget, config::memory_budget_least);
  PLIMSOLL_TRY(config::check(others));
  return check_least_budget();
}

// What must be there at the same time, whatever happens: fixed tables, ring, write buffers, contexts and a few frames.
Result<void> Store::check_least_budget() const {
  const std::uint64_t slots = slots_of(options_);
  const std::uint64_t fixed = slots * (sizeof(registry::Slot) + sizeof(txn::TransactionImpl) + 104) + 5 * mib;
  std::uint64_t least = memory::MemoryBudget::least_bytes;
  for (int rounds = 0; rounds < 8; ++rounds) {  // the ring's size follows from the budget
    Options with_least = options_;
    with_least.memory_budget = least;
    const std::uint64_t floors_and_reserve = least < 64 * mib ? mib : 8 * mib;  // a few chunks
    least =
        std::max<std::uint64_t>(least, fixed + floors_and_reserve + 2 * ring_bytes(with_least) + frames_least * options_.page_size);
  }
  if (home_ == Home::memory) least = std::max<std::uint64_t>(least, pool_share_in_memory * frames_least * options_.page_size);
  if (options_.memory_budget >= least) return {};
  return fail(ErrorCode::memory_budget_exceeded, "option memory_budget: {} bytes; the least that works with these options is {}",
              options_.memory_budget, least);
}

Result<void> Store::take_environment() {
  if (options_.environment != nullptr) {
    files_ = options_.environment->files;
    time_ = options_.environment->time;
    seed_ = options_.environment->seed;
    redo_frames_ = options_.environment->redo_frames;
    commits_kept_ = options_.environment->commits_kept;
    PLIMSOLL_CHECK(files_ != nullptr && time_ != nullptr);
  } else {
    time_ = &system_time();
    seed_ = time_->wall_ms() ^ (time_->monotonic_ns() << 20) ^ static_cast<std::uint64_t>(getpid());
    if (home_ == Home::memory) {
      PLIMSOLL_ASSIGN(own_files_, io::make_memory_file_system(*provider_));
    } else if (options_.io_backend != IoBackend::plain) {
      auto uring = io::make_uring_file_system();
      if (!uring && options_.io_backend == IoBackend::uring) return std::unexpected(uring.error());
      if (uring) own_files_ = std::move(*uring);
    }
    if (!own_files_) own_files_ = io::make_plain_file_system();
    files_ = own_files_.get();
  }
  if (options_.environment == nullptr) {
    sampler_.emplace("/");
  } else if (options_.environment->memory_root != nullptr) {
    sampler_.emplace(options_.environment->memory_root);
  }
  events_ = std::make_unique<Events>(*time_, options_.events);
  clock_ = std::make_unique<HybridClock>(*time_);
  return {};
}

Result<void> Store::take_lock() {
  PLIMSOLL_ASSIGN(const bool is_store, files_->exists(file(storage::superblock_name)));
  if (!is_store) PLIMSOLL_TRY(make_folder());
  PLIMSOLL_ASSIGN(lock_, files_->lock(file(storage::lock_name)));
  return files_->sync_directory(path_);  // no other name of ours may survive a crash without this one
}

// Its name is durable afterwards, whoever made it: a creation that was interrupted, perhaps.
Result<void> Store::make_folder() {
  PLIMSOLL_ASSIGN(const bool exists, files_->exists(path_));
  if (exists) PLIMSOLL_TRY(check_folder());
  if (!options_.create_if_missing) return fail(ErrorCode::not_found, "no store at {}", path_);
  if (!exists) PLIMSOLL_TRY(files_->make_directory(path_));
  const auto synced = files_->sync_directory(io::folder_of(path_));
  // Who has made the folder answers for it where we may not, or where there is no such thing, as above a mount point.
  const bool is_io_error = !synced && synced.error().os_error() == EIO;
  return exists && !is_io_error ? Result<void>{} : synced;
}

// Never make files in a folder that is not ours.
Result<void> Store::check_folder() {
  PLIMSOLL_ASSIGN(const auto names, files_->list(path_));
  // A creation that was interrupted began with the lock file, and holds nothing but our names.
  if (!names.empty() && std::find(names.begin(), names.end(), storage::lock_name) == names.end())
    return fail(ErrorCode::invalid_argument, "{} is no store, and not empty ({} is there)", path_, names.front());
  for (const std::string& name : names)
    if (std::find(std::begin(files_at_creation), std::end(files_at_creation), name) == std::end(files_at_creation))
      return fail(ErrorCode::invalid_argument, "{} is no store, and not empty ({} is there)", path_, name);
  return {};
}

Result<void> Store::open_memory() {
  budget_ = std::make_unique<memory::MemoryBudget>(options_.memory_budget,
                                                   options_.environment != nullptr ? *options_.environment->time : system_time());
  provider_ = std::make_unique<memory::PageProvider>(*budget_);
  const std::size_t chunk = provider_->chunk_bytes();
  budget_->set_floor(memory::Account::contexts, std::max<std::size_t>(chunk, std::min(options_.memory_budget / 32, 2 * mib)));
  budget_->set_floor(memory::Account::io_buffers, 2 * mib);
  budget_->set_floor(memory::Account::versions, chunk + version::Collector::memo_bytes);
  budget_->set_floor(memory::Account::large_objects, mib / 2);
  budget_->set_reserve(std::max(chunk, std::min(options_.memory_budget / 128, 8 * mib)));
  PLIMSOLL_ASSIGN(blocks_, memory::BlockPool::make(*provider_));
  PLIMSOLL_ASSIGN(slab_, memory::SlabAllocator::make(*blocks_, {.label = "contexts", .time = &budget_->time()}));
  slab_reclaimer_.emplace(*slab_);
  for (std::size_t rung = 0; options_.environment != nullptr && rung < memory::rung_count; ++rung)
    budget_->pressure().enable(static_cast<memory::Rung>(rung), (options_.environment->rungs_off >> rung & 1) == 0);
  return {};
}

Result<void> Store::read_or_create() {
  auto super = storage::read_superblock(*files_, path_);
  if (!super && super.error().code() != ErrorCode::not_found) return std::unexpected(super.error());
  if (super) {
    if (options_.error_if_exists) return fail(ErrorCode::already_exists, "a store exists at {}", path_);
    PLIMSOLL_TRY(storage::confirm_superblock(*files_, path_));  // before recovery removes what an older one needs
    super_ = *super;
    return {};
  }
  created_ = true;
  PLIMSOLL_TRY(wipe_half_created());
  Random random(seed_);
  super_.page_bytes = static_cast<std::uint32_t>(options_.page_size);
  super_.segment_bytes = options_.log_segment_bytes;
  super_.salt = random.next() | 1;
  return create();
}

// What a creation that was interrupted has left: no superblock, so it never was a store.
Result<void> Store::wipe_half_created() {
  const std::string directory = file(storage::log_directory_name);
  PLIMSOLL_ASSIGN(const bool has_log, files_->exists(directory));
  if (has_log) {
    PLIMSOLL_ASSIGN(const auto segments, files_->list(directory));
    for (const std::string& segment : segments) PLIMSOLL_TRY(files_->remove(directory + "/" + segment));
  }
  for (const std::string_view name : files_at_creation) {
    if (name == storage::log_directory_name || name == storage::lock_name) continue;
    PLIMSOLL_ASSIGN(const bool exists, files_->exists(file(name)));
    if (exists) PLIMSOLL_TRY(files_->remove(file(name)));
  }
  return {};
}

log::LogOptions Store::log_options() const {
  log::LogOptions options;
  options.directory = file(storage::log_directory_name);
  options.salt = super_.salt;
  options.segment_bytes = super_.segment_bytes;
  options.ring_bytes = ring_bytes(options_);
  options.bytes_max = std::max<std::uint64_t>(options_.log_bytes_max, 4 * super_.segment_bytes);
  return options;
}

// Everything is durable before the superblock gets its name; then the store exists.
Result<void> Store::create() {
  events_->add(EventKind::open_phase, "creating {}", path_);
  PLIMSOLL_ASSIGN(data_, files_->open(file(storage::data_name), io::OpenMode::create, true));
  PLIMSOLL_ASSIGN(doublewrite_, files_->open(file(storage::doublewrite_name), io::OpenMode::create, true));
  PLIMSOLL_TRY(files_->make_directory(file(storage::log_directory_name)));
  PLIMSOLL_TRY(files_->sync_directory(path_));
  PLIMSOLL_ASSIGN(log_, log::Log::create(*files_, *provider_, metrics_, *time_, log_options(), Lsn{super_.segment_bytes}));
  PLIMSOLL_TRY(open_pool());
  PLIMSOLL_TRY(Catalogue::format(*pool_, *space_, *log_));
  PLIMSOLL_TRY(pool_->write_back(log_->end()));
  super_.clean = true;
  super_.log_end = log_->end().value;
  super_.clock_ceiling = clock_->local().value;
  PLIMSOLL_TRY(data_->sync());
  space_.reset();
  pool_.reset();
  log_.reset();
  data_.reset();
  doublewrite_.reset();
  return storage::create_superblock(*files_, path_, super_);
}

Result<void> Store::open_files() {
  PLIMSOLL_ASSIGN(data_, files_->open(file(storage::data_name), io::OpenMode::read_write, true));
  PLIMSOLL_ASSIGN(doublewrite_, files_->open(file(storage::doublewrite_name), io::OpenMode::read_write, true));
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, data_->size());
  if (bytes < std::uint64_t{super_.page_bytes} * pages_at_creation)
    return fail(ErrorCode::corruption, "{} has been cut to {} bytes", file(storage::data_name), bytes);
  return {};
}

Result<void> Store::open_log(Lsn start, Lsn end) {
  PLIMSOLL_ASSIGN(log_, log::Log::open(*files_, *provider_, metrics_, *time_, log_options(), start, end));
  return {};
}

Result<void> Store::open_pool() {
  storage::PoolOptions options;
  options.page_bytes = super_.page_bytes;
  options.salt = super_.salt;
  options.frames_max = options_.memory_budget / super_.page_bytes / (home_ == Home::memory ? pool_share_in_memory : 1);
  options.frames_min = frames_least;
  PLIMSOLL_ASSIGN(pool_, storage::Pool::open(*provider_, metrics_, *this, options));
  pool_->attach(storage::data_file, *data_);
  PLIMSOLL_TRY(pool_->attach_doublewrite(*doublewrite_));
  PLIMSOLL_ASSIGN(space_, storage::Space::open(*pool_, *data_, *provider_));
  return {};
}

// Clean: the superblock knows everything. Else: analysis, redo, revert; each open starts a new incarnation.
Result<void> Store::recover() {
  const std::uint64_t begun = time_->monotonic_ns();
  report_.was_clean = super_.clean;
  if (super_.clean) {
    clock_->raise(Timestamp{super_.clock_ceiling});
    PLIMSOLL_TRY(open_log(Lsn{super_.log_end}, Lsn{super_.log_end}));
    PLIMSOLL_TRY(open_pool());
    PLIMSOLL_TRY(start_incarnation());
    PLIMSOLL_TRY(open_transactions(super_.next_sequence, slots_of(options_)));
    pool_->set_client(*this);
    PLIMSOLL_TRY(checkpointer_->take(false, 0));  // an unclean store needs a checkpoint record to begin with
    return remove_old_versions();
  }
  metrics_.add(Counter::recoveries);
  events_->add(EventKind::open_phase, "analysing the log from the checkpoint at {}", super_.checkpoint_lsn);
  PLIMSOLL_ASSIGN(const recovery::Analysis analysis,
                  recovery::analyse(*files_, *provider_, log_options(), Lsn{super_.checkpoint_lsn}));
  clock_->raise(Timestamp{analysis.clock_ceiling});
  PLIMSOLL_TRY(open_old_versions(analysis));
  PLIMSOLL_ASSIGN(report_.torn_pages, storage::repair(*doublewrite_, *provider_, super_.page_bytes, super_.salt,
                                                      [&](std::uint16_t id) { return file_of_pages(id); }));
  metrics_.add(Counter::torn_pages_repaired, report_.torn_pages);
  PLIMSOLL_TRY(open_log(analysis.redo_start, analysis.end));
  PLIMSOLL_TRY(open_pool());
  for (auto& [incarnation, handle] : old_version_files_) pool_->attach(incarnation, *handle);
  events_->add(EventKind::open_phase, "redoing from {} to {}", analysis.redo_start.value, analysis.end.value);
  PLIMSOLL_ASSIGN(report_.records_redone,
                  recovery::redo(*files_, *provider_, log_options(), analysis,
                                 {*pool_, space_->pages_per_map(), metrics_, redo_frames_ != 0 ? redo_frames_ : pool_->frames()}));
  report_.log_bytes = analysis.end.value - analysis.redo_start.value;
  PLIMSOLL_TRY(start_incarnation());
  const auto slots = std::max<std::uint32_t>(slots_of(options_), static_cast<std::uint32_t>(analysis.slots.size()));
  PLIMSOLL_TRY(open_transactions(analysis.next_sequence, slots));
  PLIMSOLL_TRY(adopt_unfinished(analysis));
  // Makes the end of the losers durable. The pages that were redone stay dirty, and the log below them stays: the next checkpoints
  // write them.
  PLIMSOLL_TRY(checkpointer_->take(false, ~std::uint64_t{0}));
  PLIMSOLL_TRY(remove_old_versions());
  report_.seconds = static_cast<double>(time_->monotonic_ns() - begun) / 1e9;
  events_->add(EventKind::open_phase, "recovered: {} losers, {} prepared, {} torn pages", report_.losers, report_.prepared,
               report_.torn_pages);
  return {};
}

io::File* Store::file_of_pages(std::uint16_t id) {
  if (id == storage::data_file) return data_.get();
  for (auto& [incarnation, handle] : old_version_files_)
    if (incarnation == id) return handle.get();
  return nullptr;
}

// Those in which an unfinished transaction has entries; all entries of one lie in the file of the life in which it wrote. The
// entries of others are not redone, and nobody reads them.
Result<void> Store::open_old_versions(const recovery::Analysis& analysis) {
  for (const recovery::Recovered& found : analysis.slots) {
    const std::uint16_t incarnation = version::incarnation_of(found.last_entry);
    if (!found.id || found.last_entry == 0 || file_of_pages(incarnation) != nullptr) continue;
    PLIMSOLL_ASSIGN(auto handle, files_->open(file(storage::version_file_name(incarnation)), io::OpenMode::read_write, true));
    old_version_files_.emplace_back(incarnation, std::move(handle));
  }
  return {};
}

// The number is durable before an address can carry it.
Result<void> Store::start_incarnation() {
  do {
    super_.incarnation = static_cast<std::uint16_t>(super_.incarnation == 0xFFFF ? 1 : super_.incarnation + 1);
  } while (file_of_pages(super_.incarnation) != nullptr);
  const std::string name = file(storage::version_file_name(super_.incarnation));
  PLIMSOLL_ASSIGN(const bool exists, files_->exists(name));
  if (exists) PLIMSOLL_TRY(files_->remove(name));
  PLIMSOLL_ASSIGN(version_file_, files_->open(name, io::OpenMode::create, true));
  PLIMSOLL_TRY(files_->sync_directory(path_));
  pool_->attach(super_.incarnation, *version_file_);
  return {};
}

Result<void> Store::open_transactions(std::uint64_t next_sequence, std::uint32_t slots) {
  contexts_.emplace(*slab_, budget_->pressure(), *time_);
  PLIMSOLL_ASSIGN(registry_, registry::Registry::make(*provider_, metrics_, *clock_, *time_, slots, commits_kept_, next_sequence));
  trees_ = std::make_unique<btree::Trees>(*pool_, *space_, *log_, metrics_, *provider_);
  PLIMSOLL_ASSIGN(versions_, version::Store::open(*pool_, *version_file_, *provider_, *log_, metrics_, super_.incarnation));
  chains_ = std::make_unique<version::Chains>(*pool_, *versions_, *registry_, *log_);
  PLIMSOLL_ASSIGN(memory::Mapping memo, provider_->map(memory::Account::versions, version::Collector::memo_bytes));
  collector_ = std::make_unique<version::Collector>(std::move(memo), *pool_, *versions_, *registry_, *log_, *trees_, *chains_,
                                                    metrics_, budget_->pressure());
  engine_.reset(new txn::Engine{*provider_, *contexts_, *pool_, *space_, *data_, *log_, *trees_, *registry_, *versions_, *chains_,
                                *collector_, metrics_, *clock_, *time_, TreeId{garbage_root}, super_.salt,
                                saturated_ns(options_.transaction_deadline), saturated_ns(options_.lock_deadline)});
  catalogue_ = std::make_unique<Catalogue>(*engine_, [this] { return cut_log(); });
  PLIMSOLL_TRY(catalogue_->open());
  engine_->is_dropped = [this](TreeId tree, std::uint32_t opened) { return catalogue_->is_dropped(tree, opened); };
  engine_->table_name = [this](TreeId tree) { return table_name(tree); };
  PLIMSOLL_ASSIGN(transactions_, txn::TransactionManager::make(*engine_));
  checkpointer_ =
      std::make_unique<recovery::Checkpointer>(*engine_, *transactions_, [this](Lsn at) { return write_super(at, false); });
  log_->set_before_flush(
      [this]() -> Result<void> { return engine_->data_unsynced.exchange(false) ? data_->sync() : Result<void>{}; });
  log_->set_on_durable([this](Lsn lsn) { on_durable(lsn); });
  log_->set_on_failure([this](const Error& error) { log_failed(error); });
  return {};
}

// The registry is rebuilt; losers are reverted, prepared ones wait for their coordinator.
Result<void> Store::adopt_unfinished(const recovery::Analysis& analysis) {
  for (const recovery::Recovered& found : analysis.slots) {
    if (!found.id) continue;
    const bool prepared = found.state == TransactionState::prepared;  // one that was about to be is a loser
    registry_->adopt(found.id, prepared ? TransactionState::prepared : TransactionState::aborted);
    const auto global_id = analysis.global_ids.find(registry::slot_of(found.id));
    transactions_->transaction(registry::slot_of(found.id))
        .adopt(found.last_entry, global_id == analysis.global_ids.end() ? Bytes{} : Bytes(global_id->second));
  }
  pool_->set_client(*this);  // not before the registry knows who is unfinished: it stamps the marks of all others
  for (const recovery::Recovered& found : analysis.slots) {
    if (!found.id) continue;
    txn::TransactionImpl& transaction = transactions_->transaction(registry::slot_of(found.id));
    if (!transaction.needs_revert()) {
      ++report_.prepared;
      continue;
    }
    PLIMSOLL_TRY(revert(transaction));
    ++report_.losers;
    metrics_.add(Counter::losers_reverted);
  }
  return {};
}

// A loser may have written more than the log can hold of its revert at once, and the log may be nearly full to begin with.
Result<void> Store::revert(txn::TransactionImpl& loser) {
  constexpr double nearly_full = 0.75;
  if (log_->wants_cut(nearly_full)) PLIMSOLL_TRY(checkpointer_->take(false, 0));
  for (;;) {
    PLIMSOLL_ASSIGN(const bool done, loser.revert_loser());
    if (done) return {};
    PLIMSOLL_TRY(checkpointer_->take(false, 0));
  }
}

// Nobody follows an address into an older incarnation once its unfinished transactions are ended and that is durable. Those that
// are prepared keep theirs, until the next opening.
Result<void> Store::remove_old_versions() {
  std::set<std::uint16_t> kept;
  for (std::uint32_t i = 0; i < registry_->slots_high(); ++i)
    if (const std::uint64_t entry = transactions_->transaction(i).last_entry(); entry != 0)
      kept.insert(version::incarnation_of(entry));
  std::erase_if(old_version_files_, [&](const auto& one) {
    if (kept.contains(one.first)) return false;
    pool_->detach(one.first);
    return true;
  });
  PLIMSOLL_ASSIGN(const auto names, files_->list(path_));
  for (const std::string& name : names) {
    const auto incarnation = storage::incarnation_of_version_file(name);
    if (incarnation && *incarnation != super_.incarnation && !kept.contains(*incarnation)) PLIMSOLL_TRY(files_->remove(file(name)));
  }
  return {};
}

}  // namespace plimsoll::db
