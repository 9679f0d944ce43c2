// SPDX-License-Identifier: Apache-2.0
// NodeQueue: the nodes that backward has still to visit, newest first.
#pragma once

#include "../tensor/node.hpp"

#include <algorithm>

namespace atom {

// A heap of nodes, newest first. Memory comes from the caching allocator: none is requested in a warm step.
class NodeQueue {
 public:
  NodeQueue() = default;
  NodeQueue(const NodeQueue&) = delete;
  NodeQueue& operator=(const NodeQueue&) = delete;
  ~NodeQueue() {
    for (std::size_t i = 0; i < count_; ++i) {
      heap_[i]->queued = false;
      heap_[i]->release();
    }
    if (heap_) host_deallocate(heap_, capacity_ * sizeof(NodeBase*));
  }

  bool empty() const { return count_ == 0; }
  void push(NodeBase* node) {
    if (std::exchange(node->queued, true)) return;
    if (count_ == capacity_) grow();
    node->retain();
    heap_[count_++] = node;
    std::push_heap(heap_, heap_ + count_, older);
  }
  Ref<NodeBase> pop() {
    std::pop_heap(heap_, heap_ + count_, older);
    NodeBase* node = heap_[--count_];
    node->queued = false;
    return Ref<NodeBase>::adopt(node);
  }

 private:
  static bool older(const NodeBase* a, const NodeBase* b) { return a->id() < b->id(); }
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 64 : 2 * capacity_;
    auto* heap = static_cast<NodeBase**>(host_allocate(capacity * sizeof(NodeBase*)));
    std::copy_n(heap_, count_, heap);
    if (heap_) host_deallocate(heap_, capacity_ * sizeof(NodeBase*));
    heap_ = heap;
    capacity_ = capacity;
  }

  NodeBase** heap_ = nullptr;
  std::size_t count_ = 0, capacity_ = 0;
};

namespace detail {
inline void queue_push(NodeQueue& ready, NodeBase* node) {
  if (node && !node->leaf()) ready.push(node);
}
}  // namespace detail

}  // namespace atom
