// SPDX-License-Identifier: Apache-2.0
// A node of the autograd graph as a tensor sees it: a gradient slot, an id, an owner count. What an operation adds
// (its rule and inputs) is in autograd/record.hpp.
#pragma once

#include "../backend/pointwise.hpp"
#include "buffer.hpp"

namespace atom {

// Where a backward rule writes one gradient: contiguous, in the input's shape. Overwrite it, or add when `accumulate`.
template <class T, class D> struct Into {
  Buffer<T, D> buffer;
  bool accumulate;
};

class NodeQueue;  // of nodes ready for backward, autograd/backward.hpp

class NodeBase {
 public:
  explicit NodeBase(const char* op) : op_(op), id_(next_id()) {}
  NodeBase(const NodeBase&) = delete;
  NodeBase& operator=(const NodeBase&) = delete;
  virtual ~NodeBase() = default;

  static void* operator new(std::size_t bytes) { return host_allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { host_deallocate(memory, bytes); }

  const char* op() const { return op_; }
  std::uint64_t id() const { return id_; }  // grows with creation: an input's id is below its consumer's

  // Of an operation: whether backward has used it up; hands the inputs their gradients and queues those that go on.
  virtual bool leaf() const { return true; }
  virtual bool spent() const { return false; }
  virtual void propagate(NodeQueue& /*ready*/) {}

  void retain() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (drop_owner()) destroy(this);
  }

  bool queued = false;  // in a running backward's queue

 protected:
  // A chain of any length is freed without recursion: nodes without owners wait in a linked list.
  virtual void drop_inputs(NodeBase*& /*dying*/) noexcept {}
  static void drop(NodeBase* node, NodeBase*& dying) noexcept {
    if (!node || !node->drop_owner()) return;
    node->next_dying_ = dying;
    dying = node;
  }
  [[gnu::noinline]] static void destroy(NodeBase* dying) noexcept {
    while (dying) {
      NodeBase* node = dying;
      dying = node->next_dying_;
      node->drop_inputs(dying);
      delete node;
    }
  }

 private:
  bool drop_owner() noexcept { return owners_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> counter = 0;
    return counter.fetch_add(1, std::memory_order_relaxed);
  }

  const char* op_;
  std::uint64_t id_;
  NodeBase* next_dying_ = nullptr;
  std::atomic<int> owners_ = 1;
};

namespace detail {
struct Add {
  template <class S> ATOM_HD S operator()(S a, S b) const { return a + b; }
};
struct Copy {
  template <class S> ATOM_HD S operator()(S a) const { return a; }
};
}  // namespace detail

// A contiguous copy.
template <class T, class D> [[gnu::noinline]] Buffer<T, D> copy_of(const Buffer<T, D>& source) {
  Buffer<T, D> result(source.device(), source.shape());
  if (source.contiguous())
    copy(source.device(), result.mutable_data(), source.data(), static_cast<std::size_t>(source.size()) * sizeof(T));
  else
    pointwise(source.device(), result.mutable_view(), detail::Copy{}, source.view());
  return result;
}

// The buffer itself if it is contiguous, else a copy that is.
template <class T, class D> Buffer<T, D> contiguous(const Buffer<T, D>& source) {
  return source.contiguous() ? source : copy_of(source);
}

// The gradient slot of one tensor. A tensor that requires a gradient and was made by no operation has a plain Node: a
// leaf.
template <class T, class D> class Node : public NodeBase {
 public:
  Node(const char* op, D device, const Shape& shape) : NodeBase(op), device_(device), shape_(shape) {}

  const Shape& shape() const { return shape_; }
  bool has_gradient() const { return filled_; }
  // Undefined when there is none.
  Buffer<T, D> gradient() const { return filled_ ? gradient_ : Buffer<T, D>(); }
  Buffer<T, D> take_gradient() {
    filled_ = false;
    return std::exchange(gradient_, {});
  }
  // Forgets the gradient; pinned memory is kept and overwritten by the next one.
  void clear_gradient() {
    filled_ = false;
    if (!pinned_) gradient_ = {};
  }
  // From now on the gradient lives in `place` (contiguous, this shape): an optimiser's arena.
  void pin_gradient(Buffer<T, D> place) {
    check(place.shape() == shape_ && place.contiguous(), "pin_gradient", "place ", place.shape(), " for ", shape_);
    if (filled_)
      copy(device_, place.mutable_data(), gradient_.data(), static_cast<std::size_t>(place.size()) * sizeof(T));
    gradient_ = std::move(place);
    pinned_ = true;
  }

  // Adds a gradient that was computed already: kept as it is when it is the first.
  [[gnu::noinline]] void receive(Buffer<T, D> gradient, const char* from) {
    check(gradient.defined() && gradient.shape() == shape_, "backward", "'", from, "' gave a gradient of shape ",
          gradient.shape(), " to an input of shape ", shape_);
    if (!filled_ && !pinned_) {
      gradient_ = std::move(gradient);
    } else {
      if (filled_) {
        own_gradient();
        pointwise(device_, gradient_.mutable_view(), detail::Add{}, std::as_const(gradient_).view(), gradient.view());
      } else {
        pointwise(device_, gradient_.mutable_view(), detail::Copy{}, gradient.view());
      }
    }
    filled_ = true;
  }

  // Lets `write(Into<T, D>)` compute a gradient in place.
  template <class Write>
  requires std::is_invocable_v<Write&, Into<T, D>>
  void receive(Write&& write, const char*) {
    write(place());
    filled_ = true;
  }

 private:
  [[gnu::noinline]] Into<T, D> place() {
    if (filled_)
      own_gradient();
    else if (!pinned_)
      gradient_ = Buffer<T, D>(device_, shape_);
    return {gradient_, filled_};
  }
  void own_gradient() {
    if (!pinned_ && !gradient_.exclusive()) gradient_ = copy_of(gradient_);
  }

  D device_;
  Shape shape_;
  Buffer<T, D> gradient_;
  bool filled_ = false, pinned_ = false;
};

}  // namespace atom
