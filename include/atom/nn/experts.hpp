// SPDX-License-Identifier: Apache-2.0
// Experts: a sparse feed-forward layer. A router sends each token to a few of many gated experts (Shazeer et al. 2017);
// none is dropped, however uneven the load.
#pragma once

#include "../autograd/checkpoint.hpp"
#include "../ops/clamped_swiglu.hpp"
#include "../ops/experts.hpp"
#include "feed_forward.hpp"
#include "router.hpp"

namespace atom::nn {

struct ExpertsShape {
  Index width = 0, hidden = 0;  // of each expert
  Index experts = 0, active = 0;
  Activation activation = Activation::silu;
  bool clamped = false;  // gpt-oss' activation in its place
  double clamp_alpha = 1.702, clamp_limit = 7;
  bool bias = false, router_bias = false;
  bool select_bias = false;  // a bias of the choice alone, moved by optim::update_balance
  bool scale_input = false;  // weights multiply what experts read (Llama 4), not what they say
  Index shared_hidden = 0;   // of the expert that reads every token; 0: none
  bool shared_gate = false;  // its output times sigmoid(w x)
};

namespace detail {
struct AddLoad {
  const std::int32_t* offsets;
  std::int64_t* load;
  ATOM_HD void operator()(Index e) const { load[e] += offsets[e + 1] - offsets[e]; }
};
}  // namespace detail

template <class T, class D> struct Experts {
  using Scalar = T;
  using DeviceType = D;

  ExpertsShape shape;
  Linear<T, D> router;                                  // (e, c)
  Tensor<T, D> select_bias;                             // (e)
  Tensor<T, D> gate, up, down;                          // (e, f, c), (e, f, c), (e, c, f), or
  StoredMatrix<D> stored_gate, stored_up, stored_down;  // in their place
  Tensor<T, D> gate_bias, up_bias, down_bias;           // (e, f), (e, f), (e, c)
  std::optional<FeedForward<T, D>> shared;
  std::optional<Linear<T, D>> shared_gate;  // (1, c)
  // Assignments to each expert (e) in training passes since optim::update_balance last looked; recomputed passes do
  // not count again. Not saved: a checkpoint is taken between steps.
  Buffer<std::int64_t, D> load;

  Experts() = default;
  [[gnu::cold]] explicit Experts(const ExpertsShape& s, D device = {})
      : shape(s), router(s.width, s.experts, s.router_bias, device) {
    const auto zeros = [&](const Shape& of) { return Tensor<T, D>::zeros(of, device); };
    const Index e = s.experts;
    if (s.select_bias) select_bias = zeros({e});
    detail::make_weight(gate, stored_gate, {e, s.hidden, s.width}, device);
    detail::make_weight(up, stored_up, {e, s.hidden, s.width}, device);
    detail::make_weight(down, stored_down, {e, s.width, s.hidden}, device);
    if (s.bias) gate_bias = zeros({e, s.hidden}), up_bias = zeros({e, s.hidden}), down_bias = zeros({e, s.width});
    if (s.shared_hidden > 0) shared.emplace(s.width, s.shared_hidden, s.activation, true, false, device);
    if (s.shared_gate) shared_gate.emplace(s.width, 1, false, device);
    load = Tensor<std::int64_t, D>::zeros({e}, device).buffer();
  }

  // x (b, t, c) -> (b, t, c), plus the residual if there is one. `layer` numbers the layer for probes and random
  // numbers. A token's bits depend on that token alone.
  template <class Router> Tensor<T, D> operator()(const Tensor<T, D>& x, const Tensor<T, D>& residual, Pass<T, D>& pass,
                                                  Index layer, const Router& policy) const {
    const Index c = shape.width, n = x.size() / c;
    const auto rows = ops::reshape(x, {n, c});
    const Mode mode{pass.mode.training,
                    {pass.mode.key.seed, mix_bits(pass.mode.key.stream ^ (std::uint64_t{1} << 63U) ^
                                                  mix_bits(static_cast<std::uint64_t>(layer)))}};
    const Routing<T, D> routing = policy(RouterInput<T, D>{.linear = router,
                                                           .x = rows,
                                                           .select_bias = select_bias,
                                                           .active = shape.active,
                                                           .length = x.dim(-2),
                                                           .mode = mode});
    const auto order = ops::expert_order(routing.ids, shape.experts);
    pass.add_loss(routing.loss);
    if (pass.mode.training && !recomputing())
      for_each(x.device(), shape.experts, detail::AddLoad{order.offsets.data(), load.mutable_data()});
    if (pass.probe && *pass.probe)
      (*pass.probe)({.layer = layer, .ids = routing.ids, .weights = routing.weights, .training = mode.training});

    const auto weights =
        shape.scale_input ? Tensor<T, D>::full(routing.weights.shape(), T(1), x.device()) : routing.weights;
    const auto input =
        shape.scale_input ? ops::dispatch_scaled(rows, routing.weights, order) : ops::dispatch(rows, order);
    using Stack = ops::Weight<T, D>;
    const auto gates = ops::grouped_linear(input, Stack{gate, stored_gate}, gate_bias, order);
    const auto ups = ops::grouped_linear(input, Stack{up, stored_up}, up_bias, order);
    const auto hidden = shape.clamped ? ops::clamped_swiglu(gates, ups, shape.clamp_alpha, shape.clamp_limit)
                                      : ops::gated(shape.activation, gates, ups);
    const auto said = ops::grouped_linear(hidden, Stack{down, stored_down}, down_bias, order);
    const auto base = beside(rows, residual.defined() ? ops::reshape(residual, {n, c}) : residual);
    return ops::reshape(ops::combine(said, weights, order, base), x.shape());
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("router", self.router);
    f("select_bias", self.select_bias, Role::buffer);
    f("gate", self.gate, self.stored_gate, Role::matrix);
    f("up", self.up, self.stored_up, Role::matrix);
    f("down", self.down, self.stored_down, Role::matrix);
    f("gate_bias", self.gate_bias, Role::bias);
    f("up_bias", self.up_bias, Role::bias);
    f("down_bias", self.down_bias, Role::bias);
    f("shared", self.shared);
    f("shared_gate", self.shared_gate);
  }

 private:
  // What the routed experts' sum is added to: the residual and the shared expert's part, where they exist.
  Tensor<T, D> beside(const Tensor<T, D>& rows, const Tensor<T, D>& residual) const {
    if (!shared) return residual;
    if (!shared_gate) return (*shared)(rows, residual);
    const auto part = (*shared)(rows)*ops::sigmoid((*shared_gate)(rows));
    return residual.defined() ? residual + part : part;
  }
};

}  // namespace atom::nn
