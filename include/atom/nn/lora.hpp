// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters (LoRA, Hu et al. 2021): a model is frozen, and two thin matrices in each of some linear layers,
// over weights of any type, are trained in its place:
//
//   nn::add_lora(model, {.rank = 16, .alpha = 32, .targets = {"q", "v"}});
//   auto optim = optim::AdamW(model, {.lr = 1e-4F});  // of the adapters alone
//   ... nn::merge_lora(model);                        // or pretrained::save_adapter
#pragma once

#include "../core/random.hpp"
#include "../ops/activation.hpp"
#include "../ops/elementwise.hpp"
#include "../ops/matmul.hpp"
#include "linear.hpp"

namespace atom::nn {

namespace detail {

template <class T, class D>
Tensor<T, D> lora_forward(const Linear<T, D>& layer, const Tensor<T, D>& x, const ops::LinearOptions<T, D>& options) {
  const Lora<T, D>& lora = *layer.lora;
  const auto& residual = options.residual;
  const auto thin = ops::linear(x, lora.a, {}) * static_cast<T>(lora.scale());  // (..., r)
  if (options.activation == Activation::none)
    return ops::linear(x, layer.matrix(), layer.bias,
                       {.residual = ops::linear(thin, lora.b, {}, {.residual = residual})});
  const auto y = ops::activate(options.activation,
                               ops::linear(x, layer.matrix(), layer.bias, {.residual = ops::linear(thin, lora.b, {})}));
  return residual.defined() ? y + residual : y;
}

template <class T, class D> Tensor<T, D> lora_whole(const Linear<T, D>& layer) {
  const Lora<T, D>& lora = *layer.lora;
  return layer.matrix().tensor() + ops::matmul(lora.b, lora.a * static_cast<T>(lora.scale()));
}

template <class F> struct LinearsOnly {
  using WithModules = void;
  F& f;

  template <class T, class D> void operator()(const std::string&, const Tensor<T, D>&, Role) {}
  template <class M> void module(const std::string&, M&) {}
  template <class T, class D> void module(const std::string& name, Linear<T, D>& layer) { found(name, layer); }
  template <class T, class D> void module(const std::string& name, const Linear<T, D>& layer) { found(name, layer); }

 private:
  template <class Layer> void found(const std::string& name, Layer& layer) {
    if (layer.matrix().shape().rank() > 0) f(name, layer);
  }
};

}  // namespace detail

// f(const std::string& name, Linear<T, D>& layer) for every linear layer inside a module that has a weight or a place.
template <Module M, class F> void for_each_linear(M& module, F&& f) {
  for_each_tensor(module, detail::LinearsOnly<std::remove_reference_t<F>>{f});
}

// Puts an adapter of a (r, in) and b (out, r) into a layer, in the place of one that is there. Error: shapes.
template <class T, class D>
void set_lora(Linear<T, D>& layer, Tensor<T, D> a, Tensor<T, D> b, double alpha, bool rank_stabilised = false) {
  const Index rank = a.rank() == 2 ? a.dim(0) : 0;
  check(rank > 0 && a.shape() == Shape{rank, layer.in()} && b.shape() == Shape{layer.out(), rank}, "lora", "found a ",
        a.shape(), " and b ", b.shape(), ", expected (r, ", layer.in(), ") and (", layer.out(), ", r)");
  layer.lora = Lora<T, D>{.a = std::move(a),
                          .b = std::move(b),
                          .alpha = alpha,
                          .rank_stabilised = rank_stabilised,
                          .forward = &detail::lora_forward<T, D>,
                          .whole = &detail::lora_whole<T, D>};
}

struct LoraOptions {
  Index rank = 8;
  double alpha = 16;  // what an adapter says is scaled by alpha / rank, or alpha / sqrt(rank)
  bool rank_stabilised = false;
  // Names of layers, or their last parts: "q", "attention.q", "blocks.0.attention.q". None: all layers but the head and
  // routers.
  std::vector<std::string> targets = {};
  std::uint64_t seed = 0;
};

namespace detail {
// Whether `pattern` is `name`, or its last parts.
inline bool names_layer(std::string_view pattern, std::string_view name) {
  return name == pattern ||
         (name.size() > pattern.size() && name.ends_with(pattern) && name[name.size() - pattern.size() - 1] == '.');
}
}  // namespace detail

// Freezes the model and puts an adapter into each target, whose two matrices are then all that requires a gradient: a
// uniform in +-1 / sqrt(in), b 0, so that the model computes what it did. Nothing is changed on an error: a rank below
// 1; a target that no layer has; a weight that is not loaded; an adapter that is there.
template <Module M> void add_lora(M& model, const LoraOptions& options = {}) {
  check(options.rank > 0, "lora", "rank is at least 1: found ", options.rank);
  const auto is_target = [&](const std::string& name) {
    if (options.targets.empty())
      return !detail::names_layer("head", name) && !detail::names_layer("router", name) &&
             !detail::names_layer("shared_gate", name);
    return std::ranges::any_of(options.targets, [&](const auto& target) { return detail::names_layer(target, name); });
  };
  std::vector<std::string> missing = options.targets;
  for_each_linear(model, [&](const std::string& name, const auto& layer) {
    std::erase_if(missing, [&](const auto& target) { return detail::names_layer(target, name); });
    if (!is_target(name)) return;
    check(!layer.lora, "lora", "the layer '", name, "' has an adapter");
    check(layer.matrix().defined(), "lora", "the weight of '", name, "' is not loaded");
  });
  check(missing.empty(), "lora", "no linear layer is named '", missing.empty() ? "" : missing[0], "'");

  freeze(model);
  const Rng rng(options.seed);
  for_each_linear(model, [&]<class T, class D>(const std::string& name, Linear<T, D>& layer) {
    if (!is_target(name)) return;
    const D device = layer.matrix().device();
    const T bound = static_cast<T>(1 / std::sqrt(static_cast<double>(layer.in())));
    auto a = Tensor<T, D>::uniform(rng.key(name + ".lora.a"), {options.rank, layer.in()}, -bound, bound, device);
    auto b = Tensor<T, D>::zeros({layer.out(), options.rank}, device);
    set_lora(layer, a.require_grad(), b.require_grad(), options.alpha, options.rank_stabilised);
  });
}

// Takes the adapters out again.
template <Module M> void remove_lora(M& model) {
  for_each_linear(model, [](const std::string&, auto& layer) { layer.lora.reset(); });
}

struct MergeOptions {
  bool dequantise = false;  // stored weights become tensors; else one with an adapter is an error
};

// Makes every adapter a part of its layer's weight, which is then a tensor of its own. Nothing is changed on an error:
// a stored weight.
template <Module M> void merge_lora(M& model, const MergeOptions& options = {}) {
  const NoGrad no_grad;
  for_each_linear(model, [&](const std::string& name, const auto& layer) {
    if (layer.lora && layer.stored.defined())
      check(options.dequantise, "lora", "the weight of '", name, "' is stored as ", name_of(layer.stored.type()),
            ", which cannot hold a merged adapter: set MergeOptions::dequantise to make it a tensor");
  });
  for_each_linear(model, [](const std::string&, auto& layer) {
    if (!layer.lora) return;
    set_weight(layer.weight, layer.stored, layer.dense());
    layer.lora.reset();
  });
}

// Number of values that training changes.
template <Module M> Index trainable_count(const M& model) {
  Index count = 0;
  for_each_tensor(model, [&](const std::string&, const auto& tensor, Role) {
    if (tensor.requires_grad()) count += tensor.size();
  });
  return count;
}

}  // namespace atom::nn
