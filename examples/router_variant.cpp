// SPDX-License-Identifier: Apache-2.0
// A new router in one struct: experts chosen by the cosine between a token and a vector of each expert (Chi et al.
// 2022), their number fixed, their weights a softmax with a temperature. The gradient check holds it to finite
// differences, and a model trains with it.
#include <fmt/core.h>
#include <atom/atom.hpp>

struct CosineRouter {
  double temperature = 0.2;

  template <class T, class D> atom::nn::Routing<T, D> operator()(const atom::nn::RouterInput<T, D>& in) const {
    using namespace atom;
    const auto unit = [](const Tensor<T, D>& rows) {  // each row of length 1
      return ops::rms_norm(rows, {}, 1e-12) * static_cast<T>(1 / std::sqrt(static_cast<double>(rows.dim(1))));
    };
    const auto cosines = ops::linear(unit(in.x), unit(in.linear.weight), Tensor<T, D>());  // (n, e)
    const auto ids = ops::top_k(cosines, in.active);
    const auto chosen = ops::gather(cosines, ids) * static_cast<T>(1 / temperature);
    nn::Routing<T, D> routing{.ids = ids, .weights = ops::softmax(chosen)};
    if (in.mode.training)  // a nudge towards even load
      routing.loss = nn::balance_loss(ops::softmax(cosines), ids, in.x.dim(0)) * T(0.01);
    return routing;
  }
};

int main() try {
  using namespace atom;
  const Rng rng(3);
  nn::Experts<double, Device> experts({.width = 6, .hidden = 4, .experts = 5, .active = 2});
  nn::initialise(experts, rng, {.stddev = 0.5});
  auto x = Tensor<double>::normal(rng.key("x"), {1, 7, 6}, 1.0);
  const double worst = gradcheck(
      [&] {
        nn::Pass<double, Device> pass{.mode = nn::training(rng.key("noise"))};
        return experts(x, {}, pass, 0, CosineRouter{}) + pass.losses;
      },
      x, experts.router.weight, experts.up);
  fmt::print("gradient error: {:.3f} of what is allowed\n", worst);

  // The same struct in a model.
  const models::TransformerConfig config{
      .vocab = 5, .context = 32, .layers = 2, .heads = 2, .width = 16, .moe = {.experts = 4, .expert_width = 16}};
  auto model = models::FullTransformer<float, Device, CosineRouter>(config, rng, CosineRouter{.temperature = 0.1});
  auto optim = optim::AdamW(model, {.lr = 1e-2F});
  const auto ids = Tensor<TokenId>::from({0, 1, 2, 3, 4, 0, 1, 2}, {1, 8});
  const auto next = Tensor<TokenId>::from({1, 2, 3, 4, 0, 1, 2, 3}, {1, 8});
  float loss = 0;
  for (int step = 0; step < 60; ++step) {
    const auto l = model.loss(ids, next, {.mode = nn::training(rng.key("noise", static_cast<std::uint64_t>(step)))});
    backward(l);
    optim.step();
    loss = l.item();
  }
  fmt::print("loss after 60 steps: {:.4f}; continues 0 1 2 with", loss);
  for (const TokenId id : sample::generate(model, {0, 1, 2}, {.tokens = 5, .temperature = 0})) fmt::print(" {}", id);
  fmt::print("\n");
  return worst <= 1 && loss < 0.1F ? 0 : 1;
} catch (const atom::Error& error) {  // a GPU build without a GPU, for one
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
