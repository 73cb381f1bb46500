// `limits`: what this machine allows at best, as anchors for every figure of an engine. One JSON object (or lines for people).
#include <fmt/core.h>

#include <functional>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/limits/machine_workers.hpp"
#include "bench/limits/memory_tree.hpp"
#include "bench/work_folder.hpp"
#include "bench/workloads/runner.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll::bench {
namespace {

struct Limits {
  std::string folder;
  double seconds = 1;  // for each probe
  std::uint64_t keys = 1'000'000;
  std::size_t file_bytes = 1_GiB;
};

template <class Worker, class Make>
Result<SliceResult> on_threads(unsigned threads, double seconds, unsigned sample_every, Make make) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned thread = 0; thread < threads; ++thread) workers.push_back(make(thread));
  return run_slice<Worker>(workers, {.seconds = seconds, .sample_every = sample_every});
}

Result<void> add_sync_limits(const Limits& limits, Json& facts) {
  PLIMSOLL_ASSIGN(const auto file, ProbeFile::create(limits.folder, 64_MiB));
  const auto with_piece = [&](std::size_t piece) {
    return on_threads<SyncWorker>(1, limits.seconds, 1, [&](unsigned) { return std::make_unique<SyncWorker>(*file, piece); });
  };
  PLIMSOLL_ASSIGN(const SliceResult small, with_piece(4_KiB));
  facts["direct_io"] = file->direct();
  facts["sync_overwrites_4kib_per_s"] = small.rate();
  facts["sync_overwrite_4kib_p50_us"] = small.latency.percentile_us(0.50);
  facts["sync_overwrite_4kib_p99_us"] = small.latency.percentile_us(0.99);
  PLIMSOLL_ASSIGN(const SliceResult large, with_piece(1_MiB));
  facts["sync_writes_1mib_gib_per_s"] = large.rate() / 1024;
  return {};
}

Result<void> add_read_limits(const Limits& limits, Json& facts) {
  PLIMSOLL_ASSIGN(const auto file, ProbeFile::create(limits.folder, limits.file_bytes));
  for (const std::size_t piece : {4_KiB, 16_KiB}) {
    for (const unsigned threads : {1u, 32u}) {
      PLIMSOLL_ASSIGN(const SliceResult result, on_threads<RandomReadWorker>(threads, limits.seconds, 1, [&](unsigned thread) {
                        return std::make_unique<RandomReadWorker>(*file, piece, thread);
                      }));
      facts[fmt::format("random_reads_{}kib_{}_threads_per_s", piece / 1_KiB, threads)] = result.rate();
    }
  }
  return {};
}

Result<void> add_memory_limits(const Limits& limits, Json& facts) {
  PLIMSOLL_ASSIGN(const SliceResult copy,
                  on_threads<CopyWorker>(1, limits.seconds, 1, [](unsigned) { return std::make_unique<CopyWorker>(); }));
  facts["memory_copy_gib_per_s"] = copy.rate() / 1024;
  PLIMSOLL_ASSIGN(const SliceResult touch, on_threads<FirstTouchWorker>(1, limits.seconds, 1, [](unsigned) {
                    return std::make_unique<FirstTouchWorker>();
                  }));
  facts["first_touch_us_per_page"] = 1e6 / touch.rate();
  const MemoryTree tree(limits.keys, 100);
  for (const unsigned threads : {1u, 2u}) {
    PLIMSOLL_ASSIGN(const SliceResult reads, on_threads<MemoryTreeWorker>(threads, limits.seconds, 64, [&](unsigned thread) {
                      return std::make_unique<MemoryTreeWorker>(tree, limits.keys, thread + 1);
                    }));
    facts[fmt::format("memory_tree_{}_threads_gets_per_s", threads)] = reads.rate();
  }
  facts["memory_tree_keys"] = limits.keys;
  return {};
}

Result<Json> measure(const Limits& limits) {
  Json facts;
  facts["engine"] = "machine";
  facts["workload"] = "limits";
  PLIMSOLL_TRY(add_sync_limits(limits, facts));
  PLIMSOLL_TRY(add_read_limits(limits, facts));
  PLIMSOLL_TRY(add_memory_limits(limits, facts));
  PLIMSOLL_ASSIGN(const double one, arithmetic_rate(1, limits.seconds));
  PLIMSOLL_ASSIGN(const double two, arithmetic_rate(2, limits.seconds));
  facts["arithmetic_scaling_2_threads"] = two / one;
  return facts;
}

int run(int argc, char** argv) {
  CLI::App app("Measures what this machine allows: synchronous writes, random reads, memory, an in-memory tree.", "limits");
  Limits limits;
  std::string path;
  std::string file_size = "1GiB";
  bool as_json = false;
  app.add_option("--path", path, "folder on the file system to measure (default: a fresh one, removed at the end)");
  app.add_option("--seconds", limits.seconds, "for each probe")->check(plain_number)->check(CLI::Range(0.01, 3600.0));
  app.add_option("--keys", limits.keys, "rows of the in-memory tree")->check(plain_number)->check(CLI::Range(1, 1'000'000'000));
  app.add_option("--file-size", file_size, "size of the file that random reads go to");
  app.add_flag("--json", as_json, "print one JSON object");
  if (const auto status = parse(app, argc, argv)) return *status;
  const auto bytes = parse_size(file_size);
  if (!bytes || *bytes == 0 || *bytes % 1_MiB != 0) {
    fmt::print(stderr, "limits: --file-size {}: whole MiB are wanted, like 1GiB\n", file_size);
    return exit_wrong_usage;
  }
  limits.file_bytes = *bytes;

  const auto folder = WorkFolder::make(path, false);
  if (!folder) return report_failure("limits", folder.error(), as_json);
  limits.folder = (*folder)->path();
  const Result<Json> facts = measure(limits);
  if (!facts) return report_failure("limits", facts.error(), as_json);
  print_run(facts->dump(), as_json);
  return exit_done;
}

}  // namespace
}  // namespace plimsoll::bench

int main(int argc, char** argv) { return plimsoll::bench::run(argc, argv); }
