// SPDX-License-Identifier: Apache-2.0
// Gradient descent in 25 lines: recovers slope and intercept from noisy points.
#include <fmt/core.h>
#include <atom/atom.hpp>

int main() try {
  using namespace atom;
  const Index n = 200;
  const Rng rng(7);
  const auto x = Tensor<float>::uniform(rng.key("x"), {n, 1});
  const auto noise = Tensor<float>::normal(rng.key("noise"), {n, 1}, 0.05F);
  const auto y = x * 3.0F + 1.0F + noise;

  nn::Linear<float, Device> line(1, 1, true);
  nn::require_grad(line);
  auto optim = optim::AdamW(line, {.lr = 0.05F, .weight_decay = 0});
  float last = 0;
  for (int step = 0; step <= 300; ++step) {
    const auto loss = ops::mean(ops::square(line(x) - y));
    backward(loss);
    optim.step();  // clears the gradients it used
    last = loss.item();
    if (step % 100 == 0) fmt::print("step {:3}  loss {:.5f}\n", step, last);
  }
  const float slope = line.weight.item(), intercept = line.bias.item();
  fmt::print("y = {:.3f} x + {:.3f}\n", slope, intercept);
  return std::abs(slope - 3) < 0.05F && std::abs(intercept - 1) < 0.05F ? 0 : 1;
} catch (const atom::Error& error) {  // a GPU build without a GPU, for one
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
