// SPDX-License-Identifier: Apache-2.0
// backward: walks the graph from a result to the leaves, newest node first, and frees it on the way.
#pragma once

#include "record.hpp"

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
template <class T, class D> void queue_push(NodeQueue& ready, const Ref<Node<T, D>>& node) {
  if (node && !node->leaf()) ready.push(node.get());
}
}  // namespace detail

// Adds the gradient of sum(y * dy) to every leaf that y depends on. dy: the shape of y.
// The graph is used up: a second call through any part of it is an error. Leaves accumulate over calls.
template <class T, class D> void backward(const Tensor<T, D>& y, const Tensor<T, D>& dy) {
  check(y.requires_grad(), "backward", "the result depends on nothing that requires a gradient");
  check(y.shape() == dy.shape(), "backward", "gradient ", dy.shape(), " for a result of shape ", y.shape());
  const NoGrad no_grad;
  NodeQueue ready;
  y.node()->receive(dy.buffer(), "backward");
  detail::queue_push(ready, y.node());
  while (!ready.empty()) {
    const Ref<NodeBase> node = ready.pop();
    check(!node->spent(), "backward", "the graph through '", node->op(),
          "' was used by an earlier backward: compute the result again");
    node->propagate(ready);
  }
}

// The gradient of a loss of one element. Error: it has more.
template <class T, class D> void backward(const Tensor<T, D>& loss) {
  check(loss.size() == 1, "backward", "a loss has one element: found shape ", loss.shape());
  backward(loss, Tensor<T, D>::full(loss.shape(), T(1), loss.device()));
}

}  // namespace atom
