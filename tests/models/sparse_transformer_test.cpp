// SPDX-License-Identifier: Apache-2.0
// Models with experts, latent attention and multi-token prediction: gradients of the whole, bits, memory of the cache.
#include "catch.hpp"
#include "invariance.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <atom/models/transformer.hpp>
#include <atom/optim/balance.hpp>

using namespace atom;
using models::FullTransformer;
using models::TransformerConfig;

namespace {

TransformerConfig deepseek() {
  return {.vocab = 61,
          .context = 160,
          .layers = 3,
          .heads = 4,
          .width = 32,
          .feed_forward = 48,
          .rope_pairing = RopePairing::interleaved,
          .latent = {.q_rank = 12, .kv_rank = 16, .nope_dim = 8, .rope_dim = 6, .value_dim = 10},
          .tie_embeddings = false,
          .moe = {.experts = 8,
                  .active = 3,
                  .expert_width = 12,
                  .shared_width = 12,
                  .select_bias = true,
                  .first_dense = 1,
                  .router = {.score = nn::RouterScore::sigmoid,
                             .normalise = true,
                             .scale = 2.5,
                             .groups = 4,
                             .top_groups = 2,
                             .sequence_balance = 1e-2}},
          .mtp = 1};
}

// Layers with a window, a chunk and no positions; experts in every other one.
TransformerConfig mixed() {
  TransformerConfig c{.vocab = 61, .context = 160, .layers = 4, .heads = 4, .kv_heads = 2, .width = 32};
  c.qk_norm = nn::QkNorm::per_head;
  c.sinks = true;
  c.temperature_floor = 40;
  c.moe = {.experts = 6, .active = 2, .expert_width = 16, .router = {.normalise = true}};
  c.layer = {{.window = 20},
             {.sparse = true},
             {.chunk = 24, .qk_norm = false, .sparse = true},
             {.rotates = false, .temperature = true}};
  return c;
}

template <class T> FullTransformer<T, Cpu> random_model(TransformerConfig config, unsigned seed) {
  FullTransformer<T, Cpu> model(config, Rng(seed));
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    if (role == Role::norm) return;
    tensor.assign(Tensor<T, Cpu>::normal(Rng(seed).key(name), tensor.shape(), T(0.25)).to_vector());
  });
  return model;
}

}  // namespace

TEST_CASE("gradients of a whole sparse model", "[sparse_transformer]") {
  auto config = deepseek();
  config.width = 8;
  config.heads = 2;
  config.layers = 2;
  config.vocab = 7;
  config.feed_forward = 6;
  config.latent = {.q_rank = 5, .kv_rank = 4, .nope_dim = 3, .rope_dim = 2, .value_dim = 3};
  config.moe.expert_width = config.moe.shared_width = 3;
  auto model = random_model<double>(config, 5);
  const auto ids = Tensor<TokenId, Cpu>::from({1, 2, 3, 4, 5, 6, 0, 1, 3, 5}, {2, 5});
  const auto targets = Tensor<TokenId, Cpu>::from({2, 3, 4, -100, 6, 0, 1, 3, 5, 2}, {2, 5});
  const models::LossOptions options{.mode = nn::training(Rng(1).key("noise")), .tokens = 12};
  const auto f = [&] {  // what `loss` leaves out of its value
    const auto parts = model.losses(ids, targets, options);
    return parts.cross_entropy + parts.router + parts.mtp * config.mtp_weight;
  };
  const auto loss = model.loss(ids, targets, options);
  CHECK(loss.item() == model.losses(ids, targets, options).cross_entropy.item());
  backward(loss);
  std::vector<std::vector<double>> of_loss;
  nn::for_each_tensor(model, [&](const std::string&, auto& tensor, Role role) {
    if (role != Role::buffer) of_loss.push_back(tensor.grad().to_vector());
  });
  nn::clear_grad(model);
  backward(f());
  std::size_t i = 0;
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    if (role == Role::buffer) return;
    INFO(name);
    const auto expected = tensor.grad().to_vector();
    for (std::size_t j = 0; j < expected.size(); ++j)
      REQUIRE(std::abs(of_loss[i][j] - expected[j]) <= 1e-12 * (1 + std::abs(expected[j])));
    ++i;
  });
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    if (role == Role::buffer) return;
    INFO(name);
    REQUIRE(gradcheck(f, {.step = 1e-5, .absolute = 1e-7, .relative = 1e-6}, tensor) <= 1);
  });
}

TEST_CASE("a sparse model's bits do not depend on how a text is read", "[sparse_transformer]") {
  const auto latent = random_model<float>(deepseek(), 1);
  auto uncompressed_config = deepseek();
  uncompressed_config.latent.q_rank = 0;
  const auto uncompressed = random_model<float>(uncompressed_config, 2);
  const auto layers = random_model<float>(mixed(), 3);
  for (unsigned seed = 0; seed < 80; ++seed) {
    check_invariance(latent, seed, alone_by_token(latent), false);
    if (seed < 40) check_invariance(uncompressed, seed + 1000, alone_by_token(uncompressed), false);
    check_invariance(layers, seed + 2000, alone(layers));
  }
}

TEST_CASE("the form of training and that of the cache agree", "[sparse_transformer]") {
  const auto compare = [](const auto& model, double tolerance) {
    using T = typename std::remove_cvref_t<decltype(model)>::Scalar;
    const NoGrad no_grad;
    std::vector<TokenId> ids(70);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i * i % 61);
    const auto whole = model(Tensor<TokenId, Cpu>::from(ids, {1, 70})).to_vector();
    auto cache = model.make_cache(1);
    const auto last =
        model.next_logits(Tensor<TokenId, Cpu>::from(ids, {1, 70}), std::vector<std::int32_t>{70}, cache).to_vector();
    double worst = 0, most = 0;
    for (std::size_t i = 0; i < last.size(); ++i) {
      const T expected = whole[69 * 61 + i];
      worst = std::max(worst, std::abs(static_cast<double>(last[i] - expected)));
      most = std::max(most, std::abs(static_cast<double>(expected)));
    }
    CHECK(worst <= tolerance * std::max(most, 1.0));
  };
  compare(random_model<float>(deepseek(), 1), 1e-5);
  compare(random_model<double>(deepseek(), 1), 1e-12);
}

TEST_CASE("a latent cache holds what its formula says", "[sparse_transformer]") {
  const auto model = random_model<float>(deepseek(), 1);
  CHECK(model.make_cache().bytes_per_token() == 3 * (16 + 6) * 4);
  auto config = deepseek();
  config.latent = {};
  CHECK(random_model<float>(config, 1).make_cache().bytes_per_token() == 3 * 2 * 32 * 4);
}

TEST_CASE("a probe sees every router, and the model without it pays nothing", "[sparse_transformer]") {
  auto model = random_model<float>(deepseek(), 1);
  std::vector<Index> layers;
  model.on_routing = [&](const auto& event) {
    CHECK(event.ids.shape() == Shape{10, 3});
    layers.push_back(event.layer);
  };
  const auto ids = Tensor<TokenId, Cpu>::full({2, 5}, 3);
  model.loss(ids, ids);
  CHECK(layers == std::vector<Index>{1, 2});
}

TEST_CASE("a plain Transformer refuses what it was compiled without", "[sparse_transformer]") {
  CHECK_THROWS_WITH((models::Transformer<float, Cpu>(deepseek(), Rng(1))), Catch::Contains("need a FullTransformer"));
  CHECK_THROWS_WITH((FullTransformer<float, Cpu>({.vocab = 5, .moe = {.experts = 2, .active = 3}}, Rng(1))),
                    Catch::Contains("moe.active is in 1..2: found 3"));
}
