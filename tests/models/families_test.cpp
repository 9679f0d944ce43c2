// SPDX-License-Identifier: Apache-2.0
// The switches that open families need: a text's bits do not depend on how it is read, and gradients are differences.
#include "invariance.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/autograd/gradcheck.hpp>

using namespace atom;

namespace {

template <class T> using Model = models::FullTransformer<T, Cpu>;
using Config = models::TransformerConfig;

Config small() {
  return {.vocab = 61, .context = 160, .layers = 2, .heads = 4, .kv_heads = 2, .width = 16, .feed_forward = 24};
}

Config gemma2() {
  Config c = small();
  c.norm_offset = 1;
  c.post_norm = true;
  c.embedding_scale = 4;
  c.attention_cap = 2;
  c.logit_cap = 3;
  c.attention_scale = 0.3;
  c.layer = {{.window = 9}, {}};
  return c;
}
Config gemma3() {
  Config c = gemma2();
  c.attention_cap = c.logit_cap = 0;
  c.qk_norm = nn::QkNorm::per_head;
  c.rope_theta = 1e6;
  c.rope_scaling = {.kind = ops::RopeScaling::Kind::linear, .factor = 8};
  c.layer[0].local_rope = true;
  return c;
}
Config bloom() {
  Config c = Config::gpt2(61, 2, 3, 12, 160);
  c.learned_positions = false;
  c.alibi = true;
  c.embedding_norm = true;
  return c;
}
Config neox() {
  Config c = Config::gpt2(61, 2, 2, 16, 160);
  c.learned_positions = false;
  c.rotary_dim = 4;
  c.residual = nn::Residual::parallel;
  c.tie_embeddings = false;
  return c;
}
Config phi() {
  Config c = neox();
  c.residual = nn::Residual::parallel_one_norm;
  c.head_bias = true;
  return c;
}
Config olmo() {
  Config c = small();
  c.norm = nn::NormKind::layer;
  c.norm_weight = false;
  c.clip_qkv = 0.4;
  return c;
}
Config olmo2() {
  Config c = small();
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = nn::QkNorm::whole;
  return c;
}
Config granite() {
  Config c = small();
  c.embedding_scale = 3;
  c.branch_scale = 0.4;
  c.logit_scale = 0.5;
  c.attention_scale = 0.25;
  return c;
}
Config longrope() {
  Config c = small();
  c.rope_scaling = {.kind = ops::RopeScaling::Kind::longrope,
                    .factor = 4,
                    .original_context = 40,
                    .short_factors = {1, 1.2},
                    .long_factors = {1.5, 4}};
  return c;
}
Config dynamic() {
  Config c = small();
  c.rope_scaling = {.kind = ops::RopeScaling::Kind::dynamic, .factor = 4, .original_context = 120};
  return c;
}

template <class T> Model<T> random_model(const Config& config, std::uint64_t seed) {
  Model<T> model(config, Rng(seed));
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    const double stddev = role == Role::matrix || role == Role::embedding ? 0.3 : 0.2;
    const auto noise = Tensor<T, Cpu>::normal(Rng(seed).key("random " + name), tensor.shape(), static_cast<T>(stddev));
    tensor.assign(role == Role::norm ? (tensor.detach() + noise).to_vector() : noise.to_vector());
  });
  return model;
}

// The logits after every token as a text that ends there has them.
auto alone_by_prefix(const Model<float>& model) {
  return [&model](const std::vector<TokenId>& ids) {
    const NoGrad no_grad;
    std::vector<float> all;
    for (std::size_t n = 1; n <= ids.size(); ++n) {
      const auto logits = model(Tensor<TokenId, Cpu>::from(std::span(ids).first(n), {1, static_cast<Index>(n)}));
      const auto last = ops::slice(logits, 1, static_cast<Index>(n) - 1, 1).to_vector();
      all.insert(all.end(), last.begin(), last.end());
    }
    return all;
  };
}

}  // namespace

TEST_CASE("every family's bits are the same however a text is read", "[families]") {
  unsigned seed = 0;
  for (const Config& config : {gemma2(), gemma3(), bloom(), neox(), phi(), olmo(), olmo2(), granite()}) {
    const auto model = random_model<float>(config, 7 + seed);
    for (int i = 0; i < 12; ++i) check_invariance(model, ++seed, alone(model));
  }
}

TEST_CASE("where angles depend on the length, a text that passes it is read again", "[families]") {
  for (const Config& config : {longrope(), dynamic()}) {
    const auto model = random_model<float>(config, 3);
    for (unsigned seed = 0; seed < 6; ++seed) {
      INFO(static_cast<int>(config.rope_scaling.kind) << " seed " << seed);
      check_invariance(model, seed, alone_by_prefix(model), false);
    }
  }
}

TEST_CASE("gradients of every family are finite differences", "[families]") {
  const auto ids = Tensor<TokenId, Cpu>::from({1, 2, 3, 4, 5, 6, 0, 1, 3, 5}, {2, 5});
  const auto targets = Tensor<TokenId, Cpu>::from({2, 3, 4, -100, 6, 0, 1, 3, 5, 2}, {2, 5});
  for (Config config : {gemma2(), gemma3(), bloom(), neox(), phi(), olmo(), olmo2(), granite(), longrope()}) {
    config.vocab = 7;
    config.feed_forward = 5;
    config.width = 2 * config.heads;
    config.head_dim = 0;
    config.rotary_dim = 0;
    config.rope_scaling.short_factors.resize(std::min<std::size_t>(config.rope_scaling.short_factors.size(), 1));
    config.rope_scaling.long_factors.resize(config.rope_scaling.short_factors.size());
    auto model = random_model<double>(config, 5);
    const auto f = [&] { return model.loss(ids, targets); };
    nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role) {
      INFO(name);
      CHECK(gradcheck(f, {.step = 1e-5, .absolute = 1e-7, .relative = 1e-6}, tensor) <= 1);
    });
  }
}
