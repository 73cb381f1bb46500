// read_uniform: read-only transactions of --gets point reads. multi_get: the same rows asked for in one call, where the engine has
// such a call.
#pragma once

#include "bench/workloads/worker_base.hpp"

namespace plimsoll::bench {

template <EngineLike E>
class ReadWorker : public WorkerBase<E> {
 public:
  using WorkerBase<E>::WorkerBase;
  static constexpr unsigned sample_every = 16;

  Result<std::uint64_t> step() {
    const unsigned gets = this->settings_.gets_per_transaction;
    PLIMSOLL_TRY(this->session_->begin(gets == 1 ? Access::single_read : Access::snapshot));
    for (unsigned i = 0; i < gets; ++i) PLIMSOLL_TRY(this->read(this->rows_.next()));
    PLIMSOLL_TRY(this->session_->commit());
    return gets;
  }
};

template <EngineLike E>
class MultiGetWorker : public ReadWorker<E> {
 public:
  MultiGetWorker(E& engine, const Settings& settings, unsigned thread) : ReadWorker<E>(engine, settings, thread) {
    for (unsigned i = 0; i < settings.gets_per_transaction; ++i) keys_.emplace_back(0);
    bytes_.resize(keys_.size());
  }
  static constexpr unsigned sample_every = 1;

  Result<std::uint64_t> step() {
    if constexpr (!requires { this->session_->multi_get(std::span<const Bytes>(bytes_), [](Bytes) {}); }) {
      return ReadWorker<E>::step();
    } else {
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        keys_[i] = Key(this->rows_.next());
        bytes_[i] = keys_[i].bytes();
      }
      PLIMSOLL_TRY(this->session_->begin(Access::snapshot));
      PLIMSOLL_ASSIGN(const std::size_t found, this->session_->multi_get(std::span<const Bytes>(bytes_),
                                                                         [this](Bytes value) { this->sum_ += sum_of(value); }));
      if (found != keys_.size())
        return fail(ErrorCode::corruption, "{} of {} rows are missing", keys_.size() - found, keys_.size());
      PLIMSOLL_TRY(this->session_->commit());
      return found;
    }
  }

 private:
  std::vector<Key> keys_;
  std::vector<Bytes> bytes_;
};

}  // namespace plimsoll::bench
