// SPDX-License-Identifier: Apache-2.0
// Initial values by role: matrices and embeddings normal, biases 0; norms keep what they were made with. Every
// parameter draws from a stream named after it, so its values depend on the seed and the name alone, not on what else
// the model has.
#pragma once

#include "../core/random.hpp"
#include "module.hpp"

namespace atom::nn {

struct InitOptions {
  double stddev = 0.02;  // Radford et al. 2019
  // Matrices whose output is added to the residual stream (names ending in o.weight, down.weight or down) get
  // stddev / sqrt(residual_branches), so that the stream's variance does not grow with depth.
  Index residual_branches = 1;
};

template <Module M> void initialise(M& module, const Rng& rng, const InitOptions& options = {}) {
  for_each_tensor(module, [&](const std::string& name, auto& tensor, Role role) {
    using T = typename std::remove_cvref_t<decltype(tensor)>::Scalar;
    if (role == Role::buffer || role == Role::norm) return;
    if constexpr (is_differentiable_v<T>) {
      const auto& values = tensor.buffer();
      if (role == Role::bias) {
        fill_zero(values.device(), values.mutable_data(), static_cast<std::size_t>(values.size()) * sizeof(T));
      } else {
        const bool residual = name.ends_with(".o.weight") || name.ends_with(".down.weight") || name.ends_with(".down");
        const double stddev =
            residual ? options.stddev / std::sqrt(static_cast<double>(options.residual_branches)) : options.stddev;
        pointwise_indexed(values.device(), values.mutable_view(),
                          atom::detail::NormalNumbers<T>{rng.key(name), static_cast<T>(stddev)});
      }
      values.overwritten();
    }
  });
}

}  // namespace atom::nn
