// The order of slices and controls within a run.
#include "bench/workloads/runner.hpp"

#include <algorithm>

#include "bench/limits/machine_workers.hpp"

namespace plimsoll::bench {
namespace {

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(1_MiB); }

bool has_sync_control(const Settings& settings) {
  return settings.workload == "durable_commit" || settings.workload == "async_commit";
}

// Slices of at most one second of the engine and of the raw overwrite + fdatasync, in turns.
Result<SliceResult> run_against_sync_probe(Workload& workload, const Settings& settings, Json& facts) {
  PLIMSOLL_ASSIGN(const auto file, ProbeFile::create(settings.path, 16_MiB));
  std::vector<std::unique_ptr<SyncWorker>> probe;
  probe.push_back(std::make_unique<SyncWorker>(*file, 4_KiB));
  SliceResult engine_total;
  SliceResult probe_total;
  while (engine_total.seconds < settings.seconds) {
    const double slice = std::min(1.0, settings.seconds);
    PLIMSOLL_ASSIGN(const SliceResult of_engine, workload.run(slice, settings.threads));
    PLIMSOLL_ASSIGN(const SliceResult of_probe, run_slice<SyncWorker>(probe, {.seconds = slice}));
    engine_total.add(of_engine);
    probe_total.add(of_probe);
  }
  facts["probe_ops_per_s"] = probe_total.rate();
  facts["probe_p99_us"] = probe_total.latency.percentile_us(0.99);
  facts["ratio_to_probe"] = probe_total.rate() > 0 ? engine_total.rate() / probe_total.rate() : 0;
  if (settings.workload == "durable_commit")  // an asynchronous commit's latency is that of the call alone
    facts["p99_ratio_to_probe"] =
        engine_total.latency.percentile_us(0.99) / std::max(probe_total.latency.percentile_us(0.99), 1e-3);
  return engine_total;
}

Result<SliceResult> run_with_scaling(Workload& workload, const Settings& settings, Json& facts) {
  static constexpr double slice = 0.5;
  SliceResult all_threads;
  SliceResult one_thread;
  double arithmetic_all = 0;
  double arithmetic_one = 0;
  while (all_threads.seconds < settings.seconds) {
    PLIMSOLL_ASSIGN(const SliceResult many, workload.run(slice, settings.threads));
    PLIMSOLL_ASSIGN(const double arithmetic_many, arithmetic_rate(settings.threads, slice / 2));
    PLIMSOLL_ASSIGN(const SliceResult one, workload.run(slice, 1));
    PLIMSOLL_ASSIGN(const double arithmetic_single, arithmetic_rate(1, slice / 2));
    all_threads.add(many);
    one_thread.add(one);
    arithmetic_all += arithmetic_many;
    arithmetic_one += arithmetic_single;
  }
  PLIMSOLL_CHECK(one_thread.operations > 0 && arithmetic_one > 0);
  facts["one_thread_ops_per_s"] = one_thread.rate();
  facts["scaling"] = all_threads.rate() / one_thread.rate();
  facts["arithmetic_scaling"] = arithmetic_all / arithmetic_one;
  facts["share_of_arithmetic_scaling"] = all_threads.rate() / one_thread.rate() / (arithmetic_all / arithmetic_one);
  return all_threads;
}

}  // namespace

bool is_sliceable(std::string_view workload) {
  return workload != "backup" && workload != "long_snapshot" && workload != "old_version_read" && workload != "recovery";
}

Result<double> arithmetic_rate(unsigned threads, double seconds) {
  std::vector<std::unique_ptr<ArithmeticWorker>> workers;
  for (unsigned thread = 0; thread < threads; ++thread) workers.push_back(std::make_unique<ArithmeticWorker>(thread));
  PLIMSOLL_ASSIGN(const SliceResult result, run_slice<ArithmeticWorker>(workers, {.seconds = seconds, .sample_every = 1024}));
  return result.rate();
}

Json run_facts(std::string_view engine, const Settings& settings, const SliceResult& result, const std::string& store) {
  Json facts;
  facts["engine"] = engine;
  facts["workload"] = settings.workload;
  facts["threads"] = settings.threads;
  facts["seconds"] = result.seconds;
  facts["ops_per_s"] = result.rate();
  facts["p50_us"] = result.latency.percentile_us(0.50);
  facts["p95_us"] = result.latency.percentile_us(0.95);
  facts["p99_us"] = result.latency.percentile_us(0.99);
  facts["p999_us"] = result.latency.percentile_us(0.999);
  facts["aborts"] = result.aborts;
  facts["rss_peak_mib"] = mib(resident_peak_bytes());
  facts["budget_mib"] = mib(settings.memory_budget);
  facts["disk_mib"] = mib(disk_bytes(store));
  facts["version_bytes_peak"] = nullptr;
  facts["page_cache_mib"] = mib(page_cache_bytes(store));
  facts["cpu_us_per_op"] = result.operations > 0 ? result.processor_seconds * 1e6 / static_cast<double>(result.operations) : 0;
  facts["keys"] = settings.keys;
  facts["value_bytes"] = settings.value_bytes;
  facts["durability"] = name(settings.durability);
  facts["distribution"] = name(settings.distribution);
  facts["seed"] = settings.seed;
  facts["value_sum"] = result.value_sum;
  return facts;
}

Result<Json> run_workload(std::string_view engine, Workload& workload, const Settings& settings, bool scaling) {
  if (scaling && !is_sliceable(settings.workload))
    return fail(ErrorCode::invalid_argument, "{} does not run in slices: --scaling has no meaning", settings.workload);
  reset_resident_peak();
  PLIMSOLL_TRY(workload.prepare());
  if (settings.load_only) return Json{{"engine", engine}, {"workload", settings.workload}, {"loaded", workload.store_folder()}};
  if (is_sliceable(settings.workload))
    PLIMSOLL_TRY(workload.run(std::min(2.0, settings.seconds / 5), settings.threads));  // warm up

  Json controls = Json::object();
  Result<SliceResult> result = has_sync_control(settings)        ? run_against_sync_probe(workload, settings, controls)
                               : scaling && settings.threads > 1 ? run_with_scaling(workload, settings, controls)
                                                                 : workload.run(settings.seconds, settings.threads);
  if (!result) return std::unexpected(result.error());
  Json facts = run_facts(engine, settings, *result, workload.store_folder());
  facts.update(controls);
  PLIMSOLL_TRY(workload.finish(facts));
  return facts;
}

}  // namespace plimsoll::bench
