#include "log/wait_queue.hpp"

#include <utility>

#include "base/check.hpp"

namespace plimsoll::log {

WaitQueue::~WaitQueue() {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(first_ == nullptr && !led_);
}

bool WaitQueue::join(std::uint64_t position) {
  Node node{.position = position};
  {
    const MutexLock lock(mutex_);
    // The leader moves durable_ before it takes the mutex to look for nodes: seen here, or the node is seen there.
    if (closed_ || durable_.load(std::memory_order_acquire) >= position) return false;
    if (!std::exchange(led_, true)) return true;
    *last_ = &node;
    last_ = &node.next;
  }
  node.state.wait(waiting, std::memory_order_acquire);
  const auto state = node.state.load(std::memory_order_acquire);
  PLIMSOLL_CHECK(state != waiting && node.next == nullptr);
  return state == leads;
}

// The node dies on its owner's stack at the store; what follows only uses its address to find sleepers.
void WaitQueue::wake(Node* node, State state) {
  node->next = nullptr;
  node->state.store(state, std::memory_order_release);
  node->state.notify_one();
}

void WaitQueue::wake_all(Node* list) {
  while (list != nullptr) {
    Node* const next = list->next;
    wake(list, done);
    list = next;
  }
}

WaitQueue::Node* WaitQueue::take_done() {
  const std::uint64_t durable = durable_.load(std::memory_order_acquire);
  Node* taken = nullptr;
  Node** taken_last = &taken;
  Node** link = &first_;
  while (Node* node = *link) {
    if (node->position > durable && !closed_) {
      link = &node->next;
      continue;
    }
    *link = std::exchange(node->next, nullptr);
    *taken_last = node;
    taken_last = &node->next;
  }
  last_ = link;
  return taken;
}

WaitQueue::Node* WaitQueue::take_first() {
  Node* node = first_;
  if (node == nullptr) return nullptr;
  first_ = node->next;
  if (first_ == nullptr) last_ = &first_;
  return node;
}

void WaitQueue::advanced() {
  Node* woken = nullptr;
  {
    const MutexLock lock(mutex_);
    PLIMSOLL_DCHECK(led_);
    woken = take_done();
  }
  wake_all(woken);
}

void WaitQueue::leave() {
  Node* woken = nullptr;
  Node* successor = nullptr;
  {
    const MutexLock lock(mutex_);
    PLIMSOLL_CHECK(led_);
    woken = take_done();
    successor = take_first();
    led_ = successor != nullptr;
  }
  if (successor != nullptr) wake(successor, leads);  // first of all: the device is idle
  wake_all(woken);
}

void WaitQueue::close() {
  Node* woken = nullptr;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    woken = take_done();
  }
  wake_all(woken);
}

}  // namespace plimsoll::log
