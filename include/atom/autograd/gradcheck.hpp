// SPDX-License-Identifier: Apache-2.0
// gradcheck: compares a gradient with central differences, in double.
#pragma once

#include "backward.hpp"

#include <cmath>

namespace atom {

struct GradcheckOptions {
  double step = 1e-6;
  double absolute = 1e-7, relative = 1e-6;  // |a - n| <= absolute + relative * max(|a|, |n|)
};

// Perturbs every element of every input, calls f() -> Tensor<double, D> (any shape; a fixed weighting makes it one
// number), and returns the worst |analytic - numeric| / (absolute + relative * max): at most 1 is a pass.
// The inputs are contiguous, and are leaves afterwards, with their values restored and gradients cleared.
template <class F, class D, class... Inputs>
double gradcheck(F&& f, const GradcheckOptions& options, Tensor<double, D>& first, Inputs&... more) {
  const auto weights_of = [](const Tensor<double, D>& y) {
    std::vector<double> weights(static_cast<std::size_t>(y.size()));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::sin(1.0 + 2.3 * static_cast<double>(i));
    return weights;
  };
  (first.require_grad(), ..., more.require_grad());
  (first.clear_grad(), ..., more.clear_grad());
  const Tensor<double, D> y = f();
  const auto weights = weights_of(y);
  if (y.requires_grad()) backward(y, Tensor<double, D>::from(weights, y.shape(), y.device()));

  const auto value = [&] {
    const NoGrad no_grad;
    const auto values = f().to_vector();
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
    return sum;
  };
  double worst = 0;
  const auto compare = [&](Tensor<double, D>& input) {
    const auto analytic = input.grad().defined() ? input.grad().to_vector()
                                                 : std::vector<double>(static_cast<std::size_t>(input.size()), 0.0);
    auto values = input.to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double kept = values[i];
      values[i] = kept + options.step;
      input.assign(values);
      const double above = value();
      values[i] = kept - options.step;
      input.assign(values);
      const double below = value();
      values[i] = kept;
      const double numeric = (above - below) / (2 * options.step);
      const double scale = std::max(std::abs(analytic[i]), std::abs(numeric));
      const double error = std::abs(analytic[i] - numeric) / (options.absolute + options.relative * scale);
      worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
    }
    input.assign(values);
    input.clear_grad();
  };
  (compare(first), ..., compare(more));
  return worst;
}

template <class F, class D, class... Inputs> double gradcheck(F&& f, Tensor<double, D>& first, Inputs&... more) {
  return gradcheck(f, GradcheckOptions{}, first, more...);
}

}  // namespace atom
