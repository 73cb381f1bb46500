// old_version_read: one key is updated 10,000 times; a snapshot is opened before the first update and after every 1,000th. Then the
// key is read through the oldest, the middle and the newest snapshot in turns. Reads are timed in batches, and the
// median batch is reported. Every read must answer its snapshot's version.
#pragma once

#include <algorithm>

#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class OldVersionRead final : public Workload {
 public:
  explicit OldVersionRead(Settings settings) : settings_(std::move(settings)), folder_(E::name, settings_) { settings_.keys = 1; }
  ~OldVersionRead() override {
    readers_.clear();
    engine_.reset();
  }

  Result<void> prepare() override {
    PLIMSOLL_TRY(folder_.create());
    Settings here = settings_;
    here.path = folder_.path();
    PLIMSOLL_ASSIGN(engine_, E::open(here));
    PLIMSOLL_TRY(load_rows(*engine_, here, [](std::span<char> out, std::uint64_t number) { fill_value(out, number, 0); }));
    PLIMSOLL_TRY(open_reader(0));
    PLIMSOLL_ASSIGN(auto writer, engine_->session());
    std::vector<char> value(settings_.value_bytes);
    for (std::uint64_t version = 1; version <= updates; ++version) {
      fill_value(std::span<char>(value), 0, version);
      PLIMSOLL_TRY(writer->begin(Access::single_write));
      PLIMSOLL_TRY(writer->put(Key(0).bytes(), {value.data(), value.size()}));
      PLIMSOLL_TRY(writer->commit());
      if (version % updates_between == 0) PLIMSOLL_TRY(open_reader(version));
    }
    return {};
  }

  Result<SliceResult> run(double seconds, unsigned) override {
    const std::array<std::size_t, 3> chosen = {0, readers_.size() / 2, readers_.size() - 1};
    const double processor_before = processor_seconds();
    const std::uint64_t begin = now_ns();
    SliceResult result;
    while (static_cast<double>(now_ns() - begin) * 1e-9 < seconds) {
      for (std::size_t i = 0; i < chosen.size(); ++i) PLIMSOLL_TRY(read_batch(readers_[chosen[i]], timing_[i], result));
    }
    result.seconds = static_cast<double>(now_ns() - begin) * 1e-9;
    result.processor_seconds = processor_seconds() - processor_before;
    return result;
  }

  Result<void> finish(Json& facts) override {
    facts["oldest_us"] = timing_[0].percentile_us(0.5);
    facts["middle_us"] = timing_[1].percentile_us(0.5);
    facts["newest_us"] = timing_[2].percentile_us(0.5);
    add_engine_facts(*engine_, facts);
    for (Reader& reader : readers_) PLIMSOLL_TRY(reader.session->commit());
    return {};
  }
  std::string store_folder() const override { return folder_.path(); }

 private:
  static constexpr std::uint64_t updates = 10'000;
  static constexpr std::uint64_t updates_between = 1'000;
  static constexpr std::uint64_t reads_per_batch = 64;

  struct Reader {
    std::unique_ptr<typename E::Session> session;
    std::uint64_t version = 0;
  };

  // Opens a snapshot and reads through it once, so that an engine that takes its snapshot at the first read has taken it.
  Result<void> open_reader(std::uint64_t version) {
    PLIMSOLL_ASSIGN(auto session, engine_->session());
    PLIMSOLL_TRY(session->begin(Access::snapshot));
    readers_.push_back({std::move(session), version});
    Histogram unused;
    SliceResult ignored;
    return read_batch(readers_.back(), unused, ignored);
  }

  Result<void> read_batch(Reader& reader, Histogram& timing, SliceResult& result) {
    std::uint64_t wrong = 0;
    const std::uint64_t begin = now_ns();
    for (std::uint64_t i = 0; i < reads_per_batch; ++i) {
      PLIMSOLL_ASSIGN(const bool found, reader.session->get(Key(0).bytes(), [&](Bytes value) {
        result.value_sum += sum_of(value);
        wrong += value_version(value) == reader.version ? 0 : 1;
      }));
      wrong += found ? 0 : 1;
    }
    const std::uint64_t spent = now_ns() - begin;
    if (wrong != 0) return fail(ErrorCode::corruption, "the snapshot of version {} read {} wrong values", reader.version, wrong);
    timing.record(spent / reads_per_batch);
    result.operations += reads_per_batch;
    result.latency.record(spent / reads_per_batch);
    return {};
  }

  Settings settings_;
  StoreFolder folder_;
  std::unique_ptr<E> engine_;
  std::vector<Reader> readers_;
  std::array<Histogram, 3> timing_{};
};

}  // namespace plimsoll::bench
