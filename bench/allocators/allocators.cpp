// The slab allocator against glibc, jemalloc, mimalloc and the pools of std::pmr, all in one process and one run: prints google-
// benchmark's lines, then a table of nanoseconds of processor time an item (the median of seven interleaved repetitions; remote: of
// real time) with Plimsoll's share of the best other one, then the fragmentation of each. --short runs everything once, for what it
// checks: that nothing is left in the budget.
//
//   allocators [--short] [google-benchmark's options]
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "allocators/contexts.hpp"
#include "allocators/drift.hpp"
#include "allocators/opponent.hpp"
#include "allocators/workloads.hpp"

namespace plimsoll::bench {
namespace {

constexpr const char* plimsoll_name = "plimsoll";
constexpr const char* resource_name = "plimsoll_pmr";

// Workload -> allocator -> ns an item.
using Table = std::map<std::string, std::map<std::string, double>>;

class Collector final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const auto items = run.counters.find("items_per_second");
      if (run.error_occurred || items == run.counters.end()) continue;
      if (run.run_type == Run::RT_Aggregate ? run.aggregate_name != "median" : run.repetitions > 1) continue;
      const std::string name = run.run_name.function_name;
      const std::size_t cut = name.find(" ");
      const std::string workload = name.substr(0, cut) + (run.threads > 1 ? "/2T" : "");
      table[workload][name.substr(cut + 1)] = 1e9 / items->second;
    }
  }
  Table table;
};

struct Registrar {
  template <class Body>
  benchmark::internal::Benchmark* add(const std::string& workload, const std::string& allocator, const Body& body) {
    auto* one = benchmark::RegisterBenchmark((workload + " " + allocator).c_str(), body);
    one->Repetitions(once ? 1 : 7)->ReportAggregatesOnly(true);
    if (once) one->Iterations(64);
    return one;
  }

  template <class Allocator>
  void add_all(const std::string& name, Allocator& from, bool any_thread_frees) {
    for (const std::size_t bytes : {64, 256}) {
      const std::string size = "/" + std::to_string(bytes);
      add("pair" + size, name, [&from, bytes](benchmark::State& s) { pair(s, from, bytes); })->Threads(1)->Threads(2);
      add("churn" + size, name, [&from, bytes](benchmark::State& s) { churn(s, from, bytes); })->Threads(1)->Threads(2);
      add("batch" + size, name, [&from, bytes](benchmark::State& s) { batch(s, from, bytes); });
      if (!any_thread_frees) continue;
      add("remote" + size, name, [this, &from, bytes](benchmark::State& s) { remote(s, from, bytes, ring); })
          ->Threads(2)
          ->UseRealTime();
    }
    add("arena/64", name, [&from](benchmark::State& s) { arena(s, from, 64); });
    add("large/16M", name, [&from](benchmark::State& s) { large(s, from, std::size_t{16} << 20); });
  }

  template <class From>
  void add_arenas(const std::string& name, From& from) {
    add("context_bump/64", name, [&from](benchmark::State& s) { bump(s, from, 64); });
    add("context_empty", name, [&from](benchmark::State& s) { come_and_go(s, from, 0); });
    add("context_used", name, [&from](benchmark::State& s) { come_and_go(s, from, 1); });
  }

  void add_trees(const std::string& name, Plimsoll& all) {
    const std::size_t most = once ? 1000 : 1'000'000;
    for (const auto& [shape, word] : {std::pair{Shape::deep, "deep"}, {Shape::wide, "wide"}, {Shape::random, "random"}}) {
      for (const int objects : {0, 1}) {
        const std::size_t contexts = objects == 0 ? most : most / 10;
        const std::string workload = std::string("tree_") + word + (objects == 0 ? "/1M" : "_used/100k");
        add(workload, name,
            [&all, contexts, shape, objects](benchmark::State& s) { end_of_tree(s, all, contexts, shape, objects); })
            ->UseManualTime()
            ->Iterations(1);
      }
    }
  }

  bool once;
  Ring ring;
};

void print(const Table& table, const std::vector<std::string>& allocators) {
  std::printf("\n%-16s", "ns an item");
  for (const std::string& name : allocators) std::printf("%14s", name.c_str());
  std::printf("%14s\n", "ours/best");
  for (const auto& [workload, figures] : table) {
    std::printf("%-16s", workload.c_str());
    double best = std::numeric_limits<double>::infinity();
    for (const std::string& name : allocators) {
      const auto one = figures.find(name);
      if (one == figures.end()) {
        std::printf("%14s", "-");
        continue;
      }
      std::printf("%14.2f", one->second);
      if (name != plimsoll_name && name != resource_name) best = std::min(best, one->second);
    }
    const auto ours = figures.find(plimsoll_name);
    if (ours != figures.end() && best < std::numeric_limits<double>::infinity()) std::printf("%14.2f", ours->second / best);
    std::printf("\n");
  }
}

// In a process of its own, so that what others have left behind is not counted.
template <class Make>
bool print_drift(const std::string& name, std::size_t total, const Make& make) {
  std::fflush(stdout);
  const pid_t child = fork();
  PLIMSOLL_CHECK(child >= 0);
  if (child == 0) {
    const DriftResult result = make(total);
    std::printf("%-16s%14.3f%14.0f%14.3f\n", name.c_str(), result.after_delete, result.delete_ms, result.after_drift);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

template <class Allocator>
bool print_plain_drift(const std::string& name, std::size_t total) {
  return print_drift(name, total, [](std::size_t bytes) {
    Allocator from;
    PlainHeap<Allocator> heap(from);
    return drift(heap, bytes);
  });
}

bool print_drifts(std::size_t total) {
  std::printf("%-16s%14s%14s%14s   (memory held / live; %zu MiB)\n", "fragmentation", "90% deleted", "ms", "sizes drifted",
              total >> 20);
  bool good = print_drift(plimsoll_name, total, [](std::size_t bytes) {
    Plimsoll all;
    MovableHeap movable(all, drift_sizes);
    return drift(movable, bytes);
  });
  if (Jemalloc().found()) good &= print_plain_drift<Jemalloc>("jemalloc", total);
  if (Mimalloc().found()) good &= print_plain_drift<Mimalloc>("mimalloc", total);
  good &= print_plain_drift<UnsynchronizedPool>("pmr_unsync", total);
  good &= print_plain_drift<Glibc>("glibc", total);
  return good;
}

// Libraries that are loaded late find little room for their thread-local variables, unless the loader is told before the process
// begins.
void make_room_for_libraries(char** argv) {
  if (getenv("GLIBC_TUNABLES") != nullptr) return;
  setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384", 1);
  execv("/proc/self/exe", argv);
}

int run(int argc, char** argv) {
  make_room_for_libraries(argv);
  bool once = false;
  std::string interleaved = "--benchmark_enable_random_interleaving=true";
  std::vector<char*> kept_arguments = {argv[0], interleaved.data()};
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--short") {
      once = true;
    } else {
      kept_arguments.push_back(argv[i]);
    }
  }
  int kept = static_cast<int>(kept_arguments.size());
  benchmark::Initialize(&kept, kept_arguments.data());
  if (benchmark::ReportUnrecognizedArguments(kept, kept_arguments.data())) return 2;

  if (!print_drifts(std::size_t{once ? 8u : 256u} << 20)) return 1;
  Registrar all{.once = once, .ring = {}};
  Collector collector;
  Glibc glibc;
  Jemalloc jemalloc;
  Mimalloc mimalloc;
  UnsynchronizedPool unsynchronized;
  SynchronizedPool synchronized;
  std::vector<std::string> names = {plimsoll_name, resource_name, "glibc"};
  std::size_t left = 0;
  {
    Plimsoll plimsoll;
    PlimsollResource resource(plimsoll);
    all.add_all(plimsoll_name, plimsoll, true);
    all.add_all(resource_name, resource, true);
    std::optional<Contexts> contexts(plimsoll);
    Monotonic monotonic;
    all.add_arenas(plimsoll_name, *contexts);
    all.add_arenas(names.emplace_back("pmr_monotonic"), monotonic);
    all.add_trees(plimsoll_name, plimsoll);
    all.add_all("glibc", glibc, true);
    if (jemalloc.found()) all.add_all(names.emplace_back("jemalloc"), jemalloc, true);
    if (mimalloc.found()) all.add_all(names.emplace_back("mimalloc"), mimalloc, true);
    all.add_all(names.emplace_back("pmr_unsync"), unsynchronized, false);
    all.add_all(names.emplace_back("pmr_sync"), synchronized, true);
    benchmark::RunSpecifiedBenchmarks(&collector);
    contexts.reset();
    left = plimsoll.slab->statistics().live_objects;
    plimsoll.slab.reset();
    plimsoll.blocks.reset();
    left += plimsoll.budget.used();
  }
  print(collector.table, names);
  if (left != 0) std::fprintf(stderr, "allocators: %zu bytes or objects are left\n", left);
  return left == 0 ? 0 : 1;
}

}  // namespace
}  // namespace plimsoll::bench

int main(int argc, char** argv) { return plimsoll::bench::run(argc, argv); }
