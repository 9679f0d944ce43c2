// SPDX-License-Identifier: Apache-2.0
// backward: walks the graph from a result to the leaves, newest node first, and frees it on the way.
#pragma once

#include "record.hpp"

namespace atom {

// Adds the gradient of sum(y * dy) to every leaf that y depends on. dy: the shape of y.
// The graph is used up: a second call through any part of it is an error. Leaves accumulate over calls.
template <class T, class D> void backward(const Tensor<T, D>& y, const Tensor<T, D>& dy) {
  check(y.requires_grad(), "backward", "the result depends on nothing that requires a gradient");
  check(y.shape() == dy.shape(), "backward", "gradient ", dy.shape(), " for a result of shape ", y.shape());
  const NoGrad no_grad;
  NodeQueue ready;
  y.node()->receive(dy.buffer(), "backward");
  detail::queue_push(ready, y.node().get());
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
