// Who waits for the log to become durable, and who leads. One thread at a time is the leader and flushes; the others sleep, each on
// a node on its own stack. The leader wakes those that have become durable, and when it leaves it makes the one that has waited
// longest its successor. Thread-safe. Nobody sleeps here unless there is a leader; the leader never does.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/latch.hpp"

namespace plimsoll::log {

class WaitQueue {
 public:
  explicit WaitQueue(const std::atomic<std::uint64_t>& durable) : durable_(durable) {}
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // True: the caller is the leader now and must leave(). False: the position is durable, or the queue is closed.
  bool join(std::uint64_t position);
  // The leader's. advanced() after the durable position has moved; leave() does the same and gives the lead away.
  void advanced();
  void leave();
  // Nothing will become durable any more: wakes all, now and later.
  void close();

 private:
  enum State : std::uint32_t { waiting, done, leads };
  struct Node {
    std::uint64_t position = 0;
    Node* next = nullptr;
    std::atomic<std::uint32_t> state{waiting};
  };
  static void wake(Node* node, State state);
  static void wake_all(Node* list);
  Node* take_done() PLIMSOLL_REQUIRES(mutex_);
  Node* take_first() PLIMSOLL_REQUIRES(mutex_);

  const std::atomic<std::uint64_t>& durable_;
  Mutex mutex_{LatchRank::log_flush};
  Node* first_ PLIMSOLL_GUARDED_BY(mutex_) = nullptr;  // in order of arrival
  Node** last_ PLIMSOLL_GUARDED_BY(mutex_) = &first_;  // where the next one is hung
  bool led_ PLIMSOLL_GUARDED_BY(mutex_) = false;
  bool closed_ PLIMSOLL_GUARDED_BY(mutex_) = false;
};

}  // namespace plimsoll::log
