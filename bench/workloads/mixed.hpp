// Single reads and single updates in a given proportion: ycsb_a, b, c and larger_than_memory differ in settings alone, and
// durable_commit is a mix without reads. ycsb_f replaces the update by a read-modify-write.
#pragma once

#include "bench/workloads/worker_base.hpp"

namespace plimsoll::bench {

template <EngineLike E, unsigned SampleEvery, bool ReadBeforeWrite = false>
class MixedWorker : public WorkerBase<E> {
 public:
  using WorkerBase<E>::WorkerBase;
  static constexpr unsigned sample_every = SampleEvery;

  Result<std::uint64_t> step() {
    const std::uint64_t row = this->rows_.next();
    if (this->rows_.random().below(100) < this->settings_.read_percent) {
      PLIMSOLL_TRY(this->session_->begin(Access::single_read));
      PLIMSOLL_TRY(this->read(row));
    } else {
      PLIMSOLL_TRY(this->session_->begin(ReadBeforeWrite ? Access::read_write : Access::single_write));
      if constexpr (ReadBeforeWrite) {
        PLIMSOLL_ASSIGN(const bool found,
                        this->session_->get_to_update(Key(row).bytes(), [this](Bytes value) { this->sum_ += sum_of(value); }));
        if (!found) return fail(ErrorCode::corruption, "row {} is missing", row);
      }
      PLIMSOLL_TRY(this->session_->put(Key(row).bytes(), this->new_value(row)));
    }
    PLIMSOLL_TRY(this->session_->commit());
    return 1;
  }
};

}  // namespace plimsoll::bench
