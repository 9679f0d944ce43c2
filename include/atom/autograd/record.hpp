// SPDX-License-Identifier: Apache-2.0
// record: the one way from a kernel's Buffer to a differentiable Tensor. It states the backward rule beside the
// forward.
//
//   auto y = Buffer<T, D>(x.device(), x.shape());
//   my_kernel(x.device(), y.mutable_view(), x.buffer().view());
//   return record<"my_op">(y, [x = save(x)](const Buffer<T, D>& dy) { return my_gradient(dy, *x); }, x);
//
// The rule gets the output's gradient, contiguous, and returns one gradient for each input, in order: `grads(da, db)`,
// or the bare gradient when there is one input. Each is a Buffer in the input's shape (any strides), or a function of
// `Into` that writes it in place and is not called when nobody wants that gradient. Such a function runs after the rule
// returned: it may refer to dy and to what the rule captured, but holds the rule's local values by value.
#pragma once

#include "../tensor/tensor.hpp"
#include "node_queue.hpp"

#include <span>
#include <tuple>

namespace atom {

// ---- the grad switch ------------------------------------------------------------------------------------------------
namespace detail {
inline thread_local bool grad_enabled = true;
}
inline bool grad_enabled() { return detail::grad_enabled; }

// While one lives, this thread records nothing: results carry no graph.
class NoGrad {
 public:
  NoGrad() : before_(std::exchange(detail::grad_enabled, false)) {}
  ~NoGrad() { detail::grad_enabled = before_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

namespace detail {
inline thread_local bool recomputing = false;

// The opposite, while a backward rule computes a block again.
class Recompute {
 public:
  Recompute() : grad_before_(std::exchange(grad_enabled, true)), before_(std::exchange(recomputing, true)) {}
  ~Recompute() {
    grad_enabled = grad_before_;
    recomputing = before_;
  }
  Recompute(const Recompute&) = delete;
  Recompute& operator=(const Recompute&) = delete;

 private:
  bool grad_before_, before_;
};
}  // namespace detail
// Whether this thread computes a block a second time (checkpoint): what a step counts has been counted.
inline bool recomputing() { return detail::recomputing; }

// ---- saved values ---------------------------------------------------------------------------------------------------
namespace detail {
struct SavedValueOverwritten {};
}  // namespace detail

// A buffer kept for backward, together with its version: `*saved` throws if the memory was overwritten since.
template <class T, class D> class Saved {
 public:
  explicit Saved(Buffer<T, D> value) : value_(std::move(value)), version_(value_.defined() ? value_.version() : 0) {}

  const Buffer<T, D>& operator*() const {
    if (value_.defined() && value_.version() != version_) throw detail::SavedValueOverwritten();
    return value_;
  }
  const Buffer<T, D>* operator->() const { return &**this; }

 private:
  Buffer<T, D> value_;
  std::uint64_t version_;
};

template <class T, class D> Saved<T, D> save(Buffer<T, D> value) { return Saved<T, D>(std::move(value)); }
template <class T, class D> Saved<T, D> save(const Tensor<T, D>& value) { return Saved<T, D>(value.buffer()); }

// ---- gradients ------------------------------------------------------------------------------------------------------
template <class... Each> struct Grads { std::tuple<Each...> each; };
// The gradients of a rule's inputs, in their order.
template <class... Each> Grads<std::decay_t<Each>...> grads(Each&&... each) {
  return {std::tuple<std::decay_t<Each>...>(std::forward<Each>(each)...)};
}

namespace detail {

template <std::size_t N> struct OpName {
  char text[N];
  consteval OpName(const char (&name)[N]) { std::copy_n(name, N, text); }
};

template <class Result> struct AsGrads {
  static auto wrap(Result&& result) { return Grads<Result>{std::tuple<Result>(std::move(result))}; }
  static constexpr std::size_t count = 1;
};
template <class... Each> struct AsGrads<Grads<Each...>> {
  static auto wrap(Grads<Each...>&& result) { return std::move(result); }
  static constexpr std::size_t count = sizeof...(Each);
};

template <class Gradient, class T, class D> constexpr bool is_gradient_for() {
  return std::is_same_v<Gradient, Buffer<T, D>> || std::is_invocable_v<Gradient&, Into<T, D>>;
}
template <class Result, class D, class... Ts> struct AreGradients : AreGradients<Grads<Result>, D, Ts...> {};
template <class... Each, class D, class... Ts> struct AreGradients<Grads<Each...>, D, Ts...> {
  static constexpr bool value = (is_gradient_for<Each, Ts, D>() && ...);
};

// The graph node of one operation's result, but for its rule: what a program compiles once and not for every operation.
template <class T, class D> class Operation : public Node<T, D> {
 public:
  bool leaf() const override { return false; }
  bool spent() const override { return spent_; }
  void propagate(NodeQueue& ready) override {
    const Buffer<T, D> dy = contiguous(this->take_gradient());
    try {
      run_rule(dy);
    } catch (const SavedValueOverwritten&) {
      fail("backward", "a value saved by '", std::string_view(this->op()), "' was overwritten before backward used it");
    }
    for (NodeBase* const input : inputs_) queue_push(ready, input);
    spend();
  }

 protected:
  // `inputs`: nodes or null, each with a count of its own; they lie in the derived class.
  Operation(const char* op, D device, const Shape& shape, std::span<NodeBase*> inputs)
      : Node<T, D>(op, device, shape), inputs_(inputs) {}

  virtual void run_rule(const Buffer<T, D>& dy) = 0;
  virtual void drop_rule() noexcept = 0;
  // Forgets rule and inputs, so that memory is given back while backward runs.
  void spend() noexcept {
    if (!std::exchange(spent_, true)) drop_rule();
    NodeBase* dying = nullptr;
    drop_inputs(dying);
    NodeBase::destroy(dying);
  }
  void drop_inputs(NodeBase*& dying) noexcept override {
    for (NodeBase*& input : inputs_) NodeBase::drop(std::exchange(input, nullptr), dying);
  }

 private:
  std::span<NodeBase*> inputs_;
  bool spent_ = false;
};

template <class T, class D, class Rule, class... Ts> class OpNode final : public Operation<T, D> {
 public:
  OpNode(const char* op, D device, const Shape& shape, Rule&& rule, const Ref<Node<Ts, D>>&... inputs)
      : Operation<T, D>(op, device, shape, inputs_), rule_(std::move(rule)), inputs_{Ref(inputs).detach()...} {}
  ~OpNode() override { this->spend(); }

 private:
  void run_rule(const Buffer<T, D>& dy) override {
    auto gradients = AsGrads<std::invoke_result_t<Rule&, const Buffer<T, D>&>>::wrap(rule_(dy));
    deliver(gradients, std::index_sequence_for<Ts...>());
  }
  void drop_rule() noexcept override { rule_.~Rule(); }

  template <class Gradients, std::size_t... I> void deliver(Gradients& gradients, std::index_sequence<I...>) {
    ((inputs_[I] ? static_cast<Node<Ts, D>*>(inputs_[I])->receive(std::move(std::get<I>(gradients.each)), this->op())
                 : void()),
     ...);
  }

  union {
    Rule rule_;  // until it is spent
  };
  NodeBase* inputs_[sizeof...(Ts)];
};

template <OpName Name, class T, class D, class Rule, class... Ts>
Tensor<T, D> make_node(Buffer<T, D> value, Rule rule, const Tensor<Ts, D>&... inputs) {
  static constexpr auto name = Name;
  auto node = Ref<Node<T, D>>::adopt(
      new OpNode<T, D, Rule, Ts...>(name.text, value.device(), value.shape(), std::move(rule), inputs.node()...));
  return Tensor<T, D>::with_node(std::move(value), std::move(node));
}

}  // namespace detail

// The tensor of `value`, computed from `inputs`, with its backward rule (see the head of this file). Name: the op's own
// name, which its case in tests/ops/op_cases.hpp carries too. An undefined input, or one without a gradient, is
// skipped.
template <detail::OpName Name, class T, class D, class Rule, class... Ts>
Tensor<T, D> record(Buffer<T, D> value, Rule rule, const Tensor<Ts, D>&... inputs) {
  static_assert(std::is_invocable_v<Rule&, const Buffer<T, D>&>,
                "record<\"op\">(buffer, rule, inputs...): the rule is missing or does not take the output's gradient");
  static_assert(sizeof...(Ts) > 0, "record: name the inputs after the rule");
  if constexpr (std::is_invocable_v<Rule&, const Buffer<T, D>&> && sizeof...(Ts) > 0) {
    using Result = std::invoke_result_t<Rule&, const Buffer<T, D>&>;
    constexpr bool right_number = detail::AsGrads<Result>::count == sizeof...(Ts);
    static_assert(right_number, "record: the rule must return one gradient for each input, in order");
    if constexpr (right_number) {
      constexpr bool right_types = detail::AreGradients<Result, D, Ts...>::value;
      static_assert(
          right_types,
          "record: each gradient is a Buffer of its input's type, or a function that takes Into of that type");
      if constexpr (right_types && is_differentiable_v<T>)
        if (grad_enabled() && (inputs.requires_grad() || ...))
          return detail::make_node<Name>(std::move(value), std::move(rule), inputs...);
    }
  }
  return constant(std::move(value));
}

}  // namespace atom
