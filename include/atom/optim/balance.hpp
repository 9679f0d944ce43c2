// SPDX-License-Identifier: Apache-2.0
// update_balance: even load on the experts without a loss (Wang et al. 2024, DeepSeek-V3); expert_loads reads the load.
#pragma once

#include "../nn/experts.hpp"

namespace atom::optim {

namespace detail {
template <class T> struct MoveSelectBias {
  const std::int64_t* load;
  T* bias;
  Index experts;
  T rate;
  ATOM_HD void operator()(Index e) const {
    std::int64_t total = 0;
    for (Index i = 0; i < experts; ++i) total += load[i];
    const std::int64_t mine = load[e] * experts;
    bias[e] = bias[e] + (mine < total ? rate : mine > total ? -rate : T(0));
  }
};

// f(layer) for every layer with experts, in visiting order.
template <class M, class F> void for_each_experts(M& model, F&& f) {
  nn::for_each_module(model, [&](auto& layer) {
    if constexpr (requires {
                    layer.select_bias.buffer();
                    layer.load.mutable_data();
                  })
      if (layer.load.defined()) f(layer);
  });
}
}  // namespace detail

// Assignments to each expert since the last update_balance, in training passes: a row for each layer with experts, that
// of the multi-token prediction last. Copies from the device; call it before update_balance, which begins anew.
template <nn::Module M> std::vector<std::vector<std::int64_t>> expert_loads(const M& model) {
  std::vector<std::vector<std::int64_t>> loads;
  detail::for_each_experts(model, [&](const auto& layer) { loads.push_back(constant(layer.load).to_vector()); });
  return loads;
}

// Once after every optimiser step: the bias of each expert that got fewer assignments than the mean of its layer since
// the last call goes up by `rate`, of each that got more down; then the counts begin again. Layers without a
// select_bias only forget their counts.
template <nn::Module M> void update_balance(M& model, double rate) {
  detail::for_each_experts(model, [&](auto& layer) {
    using T = typename std::remove_cvref_t<decltype(layer)>::Scalar;
    const auto& load = layer.load;
    if (layer.select_bias.defined()) {
      const detail::MoveSelectBias<T> move{load.data(), layer.select_bias.buffer().mutable_data(), load.size(),
                                           static_cast<T>(rate)};
      for_each(load.device(), load.size(), move);
      layer.select_bias.buffer().overwritten();
    }
    fill_zero(load.device(), load.mutable_data(), static_cast<std::size_t>(load.size()) * sizeof(std::int64_t));
  });
}

}  // namespace atom::optim
