// Database::statistics and its reset: one copy of everything that the store counts, from its owners.
#include "db/store.hpp"

namespace plimsoll::db {

Statistics Store::statistics() const {
  Statistics all;
  all.memory_budget = budget_->limit();
  all.memory_used = budget_->used();
  for (std::size_t i = 0; i < memory::account_count; ++i) {
    const auto account = static_cast<memory::Account>(i);
    const std::size_t cap = budget_->cap(account);
    all.accounts.push_back({.name = std::string(memory::name(account)),
                            .parent = std::string(memory::is_root(account) ? "" : memory::name(memory::parent_of(account))),
                            .used_bytes = budget_->used(account),
                            .peak_bytes = budget_->peak(account),
                            .floor_bytes = budget_->floor(account),
                            .cap_bytes = cap == memory::MemoryBudget::no_cap ? 0 : cap,
                            .leaf = memory::is_leaf(account)});
  }
  all.pressure = budget_->pressure().statistics();
  for (std::size_t i = 0; i < Metrics::counters; ++i)
    all.counters.push_back({std::string(counter_facts[i].name), std::string(counter_facts[i].unit),
                            std::string(counter_facts[i].help), metrics_.sum(static_cast<Counter>(i))});
  const storage::Pool::Counts pages = pool_->counts();
  Gauges gauges;
  gauges.active_transactions = registry_->active();
  gauges.oldest_snapshot = registry_->snapshots().size() == 0 ? 0 : registry_->snapshots().oldest();
  gauges.commit_table_entries = registry_->commit_table().size();
  gauges.version_pages = versions_->pages_in_use();
  gauges.version_bytes = versions_->live_bytes();
  gauges.version_entries_live = versions_->live_entries();
  gauges.frames = pages.frames;
  gauges.dirty_pages = pages.dirty;
  gauges.version_frames = pages.versions;
  gauges.data_file_pages = space_->file_pages();
  gauges.log_bytes_on_disk = log_->bytes_on_disk();
  gauges.durable_lsn = log_->durable().value;
  gauges.end_lsn = log_->end().value;
  gauges.log_cut_lsn = log_->start().value;
  const std::uint64_t values[] = {
#define PLIMSOLL_X(name, unit, help) gauges.name,
      PLIMSOLL_GAUGES(PLIMSOLL_X)
#undef PLIMSOLL_X
  };
  for (std::size_t i = 0; i < std::size(gauge_facts); ++i)
    all.gauges.push_back(
        {std::string(gauge_facts[i].name), std::string(gauge_facts[i].unit), std::string(gauge_facts[i].help), values[i]});
  all.events = events_->newest();
  return all;
}

void Store::reset_statistics() {
  metrics_.reset();
  budget_->reset_peaks();
  budget_->pressure().reset_statistics();
}

}  // namespace plimsoll::db
