// A store and all its parts, wired. Opening happens in named phases (open.cpp), closing in reverse order of the members. No
// algorithms here.
//
// Background threads (background.cpp): the log writer (relaxed commits reach the disk within 10 ms, spare segments), the page
// provider (free frames), the collector, and the housekeeper (checkpoints, deadlines, retention). With background_threads off,
// run_background() does one round of each.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "db/catalogue.hpp"
#include "db/environment.hpp"
#include "db/events.hpp"
#include "db/job.hpp"
#include "io/line_socket.hpp"
#include "io/memory_sampler.hpp"
#include "memory/slab.hpp"
#include "plimsoll/backup.hpp"
#include "plimsoll/database.hpp"
#include "recovery/analysis.hpp"
#include "recovery/checkpoint.hpp"
#include "storage/superblock.hpp"
#include "txn/manager.hpp"

namespace plimsoll::db {

class Store final : public storage::LogGate, public storage::PageClient {
 public:
  enum class Home : std::uint8_t { folder, memory };
  static Result<std::unique_ptr<Store>> open(std::string_view path, const Options& options, Home home = Home::folder);
  ~Store() override;  // as a crash would leave it, unless close() came before

  Result<void> close();
  void give_up() { stop_threads(); }  // close failed: like a crash
  void release_lock() { lock_.reset(); }

  // What the public API calls (database.cpp, verify.cpp, compaction.cpp, statistics.cpp).
  Result<void> usable() const;  // not after fork
  Result<Transaction> begin(const TransactionOptions& options);
  Result<void> checkpoint();
  Result<bool> cut_log();
  Result<VerifyReport> verify(const VerifyWatcher& watch);
  Result<CompactReport> compact(const CompactWatcher& watch);
  Statistics statistics() const;
  void reset_statistics();  // counters, and the peaks of the accounts
  bool run_background();
  void reaped(TxnId id, const char* why) { events_->add(EventKind::reaped, "transaction {}: {}", id.value, why); }
  Result<void> kill(TxnId id);

  txn::Engine& engine() { return *engine_; }
  txn::TransactionManager& transactions() { return *transactions_; }
  registry::Registry& registry() { return *registry_; }
  memory::MemoryBudget& budget() { return *budget_; }
  Catalogue& catalogue() { return *catalogue_; }
  Job<BackupReport>& backup_job() { return backup_job_; }
  Job<VerifyReport>& check_job() { return check_job_; }
  Job<CompactReport>& compact_job() { return compact_job_; }
  log::Log& log() { return *log_; }
  HybridClock& clock() { return *clock_; }
  Metrics& metrics() { return metrics_; }
  const Options& options() const { return options_; }
  const RecoveryReport& recovery_report() const { return report_; }
  std::uint64_t salt() const { return super_.salt; }
  std::uint32_t page_bytes() const { return super_.page_bytes; }
  Random back_off_random();
  std::string table_name(TreeId tree);  // for messages

  // storage::LogGate, storage::PageClient
  Lsn durable() const override { return log_->durable(); }
  Result<void> flush_to(Lsn lsn) override { return log_->flush_to(lsn); }
  void before_write(char* page, storage::FrameIndex frame) override;
  bool scratch(storage::PageKey key) const override { return versions_ && versions_->scratch(key); }

  void set_durable_callback(std::function<void(Lsn)> callback);

 private:
  Store(std::string path, const Options& options, Home home);

  // open.cpp: the phases, in order
  Result<void> check_options() const;
  Result<void> take_environment();
  Result<void> take_lock();
  Result<void> make_folder();
  Result<void> check_folder();
  Result<void> read_or_create();
  Result<void> open_memory();
  Result<void> open_files();
  Result<void> recover();  // or nothing, after a clean close
  Result<void> open_log(Lsn start, Lsn end);
  Result<void> open_pool();
  Result<void> open_transactions(std::uint64_t next_sequence, std::uint32_t slots);
  Result<void> adopt_unfinished(const recovery::Analysis& analysis);
  Result<void> revert(txn::TransactionImpl& loser);
  Result<void> open_old_versions(const recovery::Analysis& analysis);
  io::File* file_of_pages(std::uint16_t id);
  Result<void> start_incarnation();
  Result<void> remove_old_versions();
  Result<void> start_threads();
  Result<void> create();
  Result<void> wipe_half_created();
  Result<void> check_least_budget() const;
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  log::LogOptions log_options() const;
  Result<void> write_super(Lsn checkpoint, bool clean);
  void log_failed(const Error& error);
  void on_durable(Lsn lsn);

  // background.cpp
  void start_control();
  void stop_threads();
  bool write_log();
  bool provide_pages();
  bool collect_versions();
  bool keep_house();
  void move_window();
  void tell_of_damage();
  void tell_of_pressure();
  void watch_system();

  const std::string path_;
  const Home home_;
  const Options options_;
  const ForkGuard fork_guard_;
  io::FileSystem* files_ = nullptr;
  TimeSource* time_ = nullptr;
  std::uint64_t seed_ = 0;
  std::uint32_t redo_frames_ = 0, commits_kept_ = 0;  // of the environment
  std::unique_ptr<io::FileSystem::Lock> lock_;
  storage::Superblock super_;
  Mutex super_mutex_{LatchRank::writer};
  bool super_doubtful_ PLIMSOLL_GUARDED_BY(super_mutex_) = false;  // the last write failed: is it durable?
  storage::Superblock& super_to_write() PLIMSOLL_REQUIRES(super_mutex_) { return super_; }
  bool created_ = false;
  Metrics metrics_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<memory::MemoryBudget> budget_;
  std::unique_ptr<memory::PageProvider> provider_;
  std::optional<io::MemorySampler> sampler_;
  std::atomic<std::uint64_t> next_sample_ns_{0};
  std::unique_ptr<io::FileSystem> own_files_;
  std::optional<memory::BlockPool> blocks_;
  std::optional<memory::SlabAllocator> slab_;
  std::optional<memory::SlabReclaimer> slab_reclaimer_;
  std::optional<memory::ContextSet> contexts_;
  std::unique_ptr<HybridClock> clock_;
  std::unique_ptr<io::File> data_, doublewrite_, version_file_;
  std::vector<std::pair<std::uint16_t, std::unique_ptr<io::File>>> old_version_files_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<storage::Pool> pool_;
  std::unique_ptr<storage::Space> space_;
  std::unique_ptr<btree::Trees> trees_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<version::Store> versions_;
  std::unique_ptr<version::Chains> chains_;
  std::unique_ptr<version::Collector> collector_;
  std::unique_ptr<txn::Engine> engine_;
  std::unique_ptr<txn::TransactionManager> transactions_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<recovery::Checkpointer> checkpointer_;
  RecoveryReport report_;
  std::function<void(Lsn)> durable_callback_ PLIMSOLL_GUARDED_BY(callback_mutex_);
  Mutex callback_mutex_{LatchRank::events};
  std::atomic<bool> stopping_{false}, failing_{false};
  std::atomic<std::uint64_t> damaged_told_{0}, pressure_told_{0};
  bool closed_ = false;
  std::vector<std::thread> threads_;
  Job<BackupReport> backup_job_;
  Job<VerifyReport> check_job_;
  Job<CompactReport> compact_job_;
  std::unique_ptr<io::LineServer> control_;  // last: it asks all others
};

}  // namespace plimsoll::db
