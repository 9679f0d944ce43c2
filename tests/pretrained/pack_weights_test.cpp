// SPDX-License-Identifier: Apache-2.0
// Models with packed weights: the same bits where nothing is rounded, however a text is read, and near them elsewhere.
#include <atom/pretrained/pack_weights.hpp>

#include "../models/invariance.hpp"

using namespace atom;

namespace {

using Model = models::FullTransformer<float>;

models::TransformerConfig dense_config() { return models::TransformerConfig::llama(61, 2, 4, 64, 256); }

models::TransformerConfig sparse_config() {
  auto c = dense_config();
  c.moe = {.experts = 4, .active = 2, .expert_width = 32};
  c.tie_embeddings = true;
  return c;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += double(a[i] - b[i]) * double(a[i] - b[i]);
    size += double(b[i]) * double(b[i]);
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE("pack_weights: logits keep their bits in float32, and come near in fewer bits") {
  const std::vector<TokenId> ids = {5, 1, 60, 7, 7, 0, 33};
  for (const auto& config : {dense_config(), sparse_config()}) {
    Model model(config, Rng(1));
    const auto expected = alone(model)(ids);
    Model as_is(config, Rng(1));
    pretrained::pack_weights(as_is);
    CHECK(same(alone(as_is)(ids), expected));
    const auto count = nn::parameter_count(model);
    const std::pair<BlockType, double> bounds[] = {
        {BlockType::f32, 0}, {BlockType::bf16, 0.01}, {BlockType::q8_0, 0.02}, {BlockType::q4_0, 0.3}};
    for (const auto& [type, bound] : bounds) {
      INFO(name_of(type));
      Model packed(config, Rng(1));
      pretrained::pack_weights(packed, {.type = type});
      CHECK(nn::parameter_count(packed) == count);
      CHECK(distance(alone(packed)(ids), expected) <= bound);
      check_invariance(packed, 3, alone(packed));
      check_invariance(packed, 4, alone_by_token(packed));
      pretrained::pack_weights(packed);  // nothing is left to do
      CHECK(nn::parameter_count(packed) == count);
    }
  }
}

TEST_CASE("pack_weights: what is refused") {
  Model model(dense_config(), Rng(1));
  CHECK_THROWS_WITH(pretrained::pack_weights(model, {.type = BlockType::iq4_nl}),
                    Catch::Contains("[weights] matrices of type IQ4_NL are not made, expected one of F32, F16"));
  model.blocks[0].attention.o.weight.buffer().mutable_data()[3] = INFINITY;
  CHECK_THROWS_WITH(pretrained::pack_weights(model, {.type = BlockType::q8_0}),
                    Catch::Contains("Q8_0 holds finite numbers"));
}
