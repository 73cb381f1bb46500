// One workload on one engine, as the commands see it: prepared once, run in slices, finished once. SteadyWorkload is the common
// case: a loaded store, one worker class per thread, a check of the data at the end.
#pragma once

#include <fmt/core.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/workloads/driver.hpp"
#include "bench/workloads/load.hpp"

namespace plimsoll::bench {

using Json = nlohmann::ordered_json;

class Workload {
 public:
  virtual ~Workload() = default;
  virtual Result<void> prepare() = 0;                                     // opens the store and fills it
  virtual Result<SliceResult> run(double seconds, unsigned threads) = 0;  // threads <= settings.threads
  virtual Result<void> finish(Json& facts) = 0;                           // verifies, adds what only this workload knows
  virtual std::string store_folder() const = 0;
};

// The folder of a store under settings.path, and whether it holds the wanted rows already.
class StoreFolder {
 public:
  StoreFolder(std::string_view engine, const Settings& settings)
      : path_(fmt::format("{}/{}-{}", settings.path, engine, settings.dataset())),
        marker_(path_ + ".loaded"),
        keep_(settings.keep) {}
  StoreFolder(const StoreFolder&) = delete;
  StoreFolder& operator=(const StoreFolder&) = delete;
  ~StoreFolder() {
    if (!keep_) erase();
  }

  const std::string& path() const { return path_; }
  bool loaded() const { return keep_ && std::filesystem::exists(marker_); }
  Result<void> create() {
    erase();
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) return fail_os(error.value(), "create folder {}", path_);
    return {};
  }
  void set_loaded() { std::ofstream(marker_) << "loaded\n"; }

 private:
  void erase() {
    remove_folder(path_);
    std::error_code ignored;
    std::filesystem::remove(marker_, ignored);
  }
  std::string path_;
  std::string marker_;
  bool keep_;
};

// Engines that can tell more than the common figures have add_facts(Json&).
template <EngineLike E>
void add_engine_facts(E& engine, Json& facts) {
  if constexpr (requires { engine.add_facts(facts); }) engine.add_facts(facts);
}

// Opens the engine in `folder`, loaded with the rows that `fill` makes.
template <EngineLike E, class Fill>
Result<std::unique_ptr<E>> open_loaded(StoreFolder& folder, const Settings& settings, Fill fill) {
  const bool loaded = folder.loaded();
  if (!loaded) PLIMSOLL_TRY(folder.create());
  Settings here = settings;
  here.path = folder.path();
  PLIMSOLL_ASSIGN(auto engine, E::open(here));
  if (loaded) return engine;
  PLIMSOLL_TRY(load_rows(*engine, here, fill));
  folder.set_loaded();
  return engine;
}

// Worker(E&, const Settings&, unsigned thread) opens no session before begin(); it has the driver's members and
//   Result<void> begin();                                           opens its session
//   static constexpr unsigned sample_every;
//   static void fill(std::span<char> out, std::uint64_t number);    the value of a row at load
//   static Result<void> verify(E&, const Settings&);                after the run
template <EngineLike E, class Worker>
class SteadyWorkload final : public Workload {
 public:
  explicit SteadyWorkload(Settings settings) : settings_(std::move(settings)), folder_(E::name, settings_) {}
  ~SteadyWorkload() override {
    workers_.clear();
    engine_.reset();
  }

  Result<void> prepare() override {
    PLIMSOLL_ASSIGN(engine_, open_loaded<E>(folder_, settings_, Worker::fill));
    if (!settings_.direct_io) PLIMSOLL_TRY(Worker::verify(*engine_, settings_));  // and every engine has read all of it once
    for (unsigned thread = 0; thread < settings_.threads; ++thread) {
      auto worker = std::make_unique<Worker>(*engine_, settings_, thread);
      PLIMSOLL_TRY(worker->begin());
      workers_.push_back(std::move(worker));
    }
    return {};
  }

  Result<SliceResult> run(double seconds, unsigned threads) override {
    PLIMSOLL_CHECK(threads > 0 && threads <= workers_.size());
    SliceOptions options{.seconds = seconds, .sample_every = Worker::sample_every};
    if constexpr (requires { engine_->version_bytes(); })
      options.on_tick = [this](double, std::uint64_t) {
        version_bytes_peak_ = std::max(version_bytes_peak_, engine_->version_bytes());
      };
    return run_slice<Worker>(std::span(workers_).first(threads), options);
  }

  Result<void> finish(Json& facts) override {
    if constexpr (requires { engine_->version_bytes(); }) facts["version_bytes_peak"] = version_bytes_peak_;
    add_engine_facts(*engine_, facts);
    workers_.clear();
    return Worker::verify(*engine_, settings_);
  }

  std::string store_folder() const override { return folder_.path(); }

 private:
  Settings settings_;
  StoreFolder folder_;
  std::unique_ptr<E> engine_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::uint64_t version_bytes_peak_ = 0;
};

}  // namespace plimsoll::bench
