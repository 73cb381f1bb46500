// From a workload's name to the workload, on one engine. Included once per engine, in the file that instantiates it.
#pragma once

#include "bench/workloads/async_commit.hpp"
#include "bench/workloads/backup.hpp"
#include "bench/workloads/long_snapshot.hpp"
#include "bench/workloads/mixed.hpp"
#include "bench/workloads/old_version_read.hpp"
#include "bench/workloads/read_uniform.hpp"
#include "bench/workloads/recovery.hpp"
#include "bench/workloads/transfer.hpp"
#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

// Null: the engine does not offer this workload.
template <EngineLike E>
std::unique_ptr<Workload> make_workload(const Settings& settings) {
  const std::string& name = settings.workload;
  if (name == "read_uniform") return std::make_unique<SteadyWorkload<E, ReadWorker<E>>>(settings);
  if (name == "multi_get") return std::make_unique<SteadyWorkload<E, MultiGetWorker<E>>>(settings);
  if (name == "ycsb_a" || name == "ycsb_b" || name == "ycsb_c")
    return std::make_unique<SteadyWorkload<E, MixedWorker<E, 16>>>(settings);
  if (name == "ycsb_f") return std::make_unique<SteadyWorkload<E, MixedWorker<E, 16, true>>>(settings);
  if (name == "durable_commit" || name == "larger_than_memory")
    return std::make_unique<SteadyWorkload<E, MixedWorker<E, 1>>>(settings);
  if (name == "transfer") return std::make_unique<SteadyWorkload<E, TransferWorker<E>>>(settings);
  if (name == "long_snapshot") return std::make_unique<LongSnapshot<E>>(settings);
  if (name == "old_version_read") return std::make_unique<OldVersionRead<E>>(settings);
  if (name == "recovery") return std::make_unique<Recovery<E>>(settings);
  if constexpr (CommitsAsynchronously<typename E::Session>)
    if (name == "async_commit") return std::make_unique<SteadyWorkload<E, AsyncCommitWorker<E>>>(settings);
  if constexpr (MakesBackups<E>)
    if (name == "backup") return std::make_unique<Backup<E>>(settings);
  return nullptr;
}

}  // namespace plimsoll::bench
