// What a workload needs from an engine. Adapters are plain classes and workloads are templates over them, so that no engine pays
// for the abstraction. An adapter does what the engine's documentation advises for the access it is told about, and nothing more.
//
//   auto engine = E::open(settings);            // creates the store in settings.path, which exists
//   auto session = engine->session();           // one per thread
//   session->begin(Access::single_read);
//   session->get(key, [&](Bytes value) { ... });   // the value is valid inside the call
//   session->commit();
//
// Errors carry a retryable code (is_retryable) when the engine asks for the transaction to be run again; abort() comes first then.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/workloads/settings.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::bench {

enum class Access : std::uint8_t {
  single_read,   // exactly one get
  snapshot,      // reads at one point in time, for as long as it is open
  single_write,  // exactly one put, no read
  read_write,    // reads and writes, isolated
  bulk_load,     // puts of new keys in ascending order; lost without harm in a crash
};

template <class S>
concept SessionLike = requires(S session, Bytes bytes, Access access) {
  { session.begin(access) } -> std::same_as<Result<void>>;
  {
    session.get(bytes, [](Bytes) {})
  } -> std::same_as<Result<bool>>;  // false: absent
  {
    session.get_to_update(bytes, [](Bytes) {})
  } -> std::same_as<Result<bool>>;  // will be put in the same transaction
  {
    session.scan([](Bytes, Bytes) { return true; })
  } -> std::same_as<Result<void>>;  // all rows in order, until false
  { session.put(bytes, bytes) } -> std::same_as<Result<void>>;
  { session.commit() } -> std::same_as<Result<void>>;
  { session.abort() } -> std::same_as<void>;
};

template <class E>
concept EngineLike = requires(E engine, const Settings& settings) {
  requires SessionLike<typename E::Session>;
  { E::open(settings) } -> std::same_as<Result<std::unique_ptr<E>>>;
  { engine.session() } -> std::same_as<Result<std::unique_ptr<typename E::Session>>>;
  { engine.settle() } -> std::same_as<Result<void>>;  // after a load: everything on disk, background work done
};

}  // namespace plimsoll::bench
