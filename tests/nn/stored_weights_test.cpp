// SPDX-License-Identifier: Apache-2.0
// Modules over stored weights: what they compute, how a loader finds and fills them, and what they take.
#include <atom/nn/embedding.hpp>
#include <atom/nn/experts.hpp>
#include <atom/nn/init.hpp>
#include <atom/nn/latent_attention.hpp>

#include "attention_checks.hpp"
#include "stored.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/policy/causal.hpp>
#include <map>

using namespace test;
using Matrix = StoredMatrix<Cpu>;

// Named, since nvcc warns of an unnamed one that a template which only a concept names is never used.
namespace stored_weights_test {

// Every weight of `stored` becomes one of the type where its rows are whole blocks, else of bfloat16; `dense` gets the
// values. Returns how many.
template <class M> int store_all(M& stored, M& dense, BlockType type) {
  std::map<std::string, StoredValues> all;
  nn::for_each_weight(stored, [&](const std::string& name, auto& weight, auto& matrix, Role) {
    const Shape shape = nn::weight_shape(weight, matrix);
    const BlockType fits = shape[-1] % info_of(type).values == 0 ? type : BlockType::bf16;
    all.emplace(name, stored_values(fits, shape, static_cast<unsigned>(all.size())));
    nn::set_weight(weight, matrix, all.at(name).matrix());
  });
  nn::for_each_weight(dense, [&](const std::string& name, auto& weight, auto& matrix, Role) {
    using T = typename std::remove_cvref_t<decltype(weight)>::Scalar;
    nn::set_weight(weight, matrix, all.at(name).template tensor<T>());
  });
  return static_cast<int>(all.size());
}

struct Model {
  nn::Embedding<float, Cpu> embedding{5, 32};
  std::vector<nn::Linear<float, Cpu>> layers{2, {32, 32, true}};
  nn::Linear<float, Cpu> unused;

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("embedding", self.embedding);
    f("layers", self.layers);
    f("unused", self.unused);
  }
};

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  nn::for_each_tensor(model, [&](const std::string& name, const auto&, Role) { names.push_back(name); });
  return names;
}

}  // namespace stored_weights_test
using namespace stored_weights_test;

TEST_CASE("a model is made without weights, filled with stored ones, and counted") {
  std::optional<Model> model;
  {
    const nn::WithoutWeights places;
    CHECK(nn::WithoutWeights::active());
    model.emplace();
  }
  CHECK(!nn::WithoutWeights::active());
  CHECK(names_of(*model) == std::vector<std::string>{"layers.0.bias", "layers.1.bias"});
  CHECK(nn::weight_bytes(*model) == 256);

  std::string found;
  nn::for_each_weight(*model, [&](const std::string& name, auto& weight, auto& stored, Role role) {
    CHECK(!weight.defined());
    CHECK(!stored.defined());
    found += to_text(name, ' ', nn::weight_shape(weight, stored), role == Role::embedding ? " embedding" : "", "; ");
  });
  CHECK(found == "embedding.weight (5, 32) embedding; layers.0.weight (32, 32); layers.1.weight (32, 32); ");
  CHECK_THROWS_WITH((*model).layers[0](Tensor<float, Cpu>::zeros({1, 32})),
                    "[linear] the weight (32, 32) is not loaded");
  CHECK_THROWS_WITH((*model).embedding.dense(),
                    "[stored_matrix] found shape (5, 32), expected a matrix that is loaded");

  Model dense;
  CHECK(store_all(*model, dense, BlockType::q8_0) == 3);
  CHECK(names_of(*model) == std::vector<std::string>{"layers.0.bias", "layers.1.bias"});
  CHECK(nn::parameter_count(*model) == nn::parameter_count(dense));
  CHECK(nn::weight_bytes(dense) == 4 * (5 * 32 + 2 * 32 * 33));
  CHECK(nn::weight_bytes(*model) == 34 * (5 + 2 * 32) + 4 * 2 * 32);
  CHECK(model->layers[0].in() == 32);
  CHECK(model->layers[0].out() == 32);
  const Model copy = *model;  // shares the bytes
  CHECK(copy.layers[0].stored.part().data == model->layers[0].stored.part().data);

  const auto ids = Tensor<TokenId, Cpu>::from({4, 0, 4}, {3});
  const auto run = [&](const Model& m) { return m.layers[1](m.layers[0](m.embedding(ids))).to_vector(); };
  CHECK(run(*model) == run(dense));
  CHECK(model->embedding.dense().to_vector() == dense.embedding.weight.to_vector());
}

TEST_CASE("a weight takes nothing of another shape") {
  nn::Linear<float, Cpu> layer(32, 4, false);
  const auto other = stored_values(BlockType::q4_0, {5, 32}).matrix();
  CHECK_THROWS_WITH(nn::set_weight(layer.weight, layer.stored, other),
                    "[set_weight] found shape (5, 32), expected values of shape (4, 32)");
  CHECK_THROWS_WITH(nn::set_weight(layer.weight, layer.stored, Matrix::place({4, 32})),
                    "[set_weight] found shape (4, 32), expected values of shape (4, 32)");
  CHECK_THROWS_WITH(nn::set_weight(layer.weight, layer.stored, Tensor<float, Cpu>()),
                    "[set_weight] found shape (), expected values of shape (4, 32)");
  CHECK(layer.weight.defined());
}

TEST_CASE("initial values and leaves pass stored weights by") {
  Model model, dense;
  store_all(model, dense, BlockType::q4_0);
  const auto before = model.layers[0].dense().to_vector();
  nn::initialise(model, Rng(1));
  nn::require_grad(model);
  CHECK(model.layers[0].dense().to_vector() == before);
  CHECK(model.layers[0].bias.requires_grad());
  CHECK(!model.layers[0].weight.defined());
}

TEST_CASE("experts over stored weights have the bits of those over their values") {
  for (const BlockType type : {BlockType::mxfp4, BlockType::f8_e4m3, BlockType::q4_0}) {
    const nn::ExpertsShape shape{
        .width = 32, .hidden = 64, .experts = 6, .active = 2, .bias = true, .shared_hidden = 32, .shared_gate = true};
    nn::Experts<float, Cpu> dense(shape), stored(shape);
    CHECK(store_all(stored, dense, type) == 8);
    const auto x = wave<float>({2, 7, 32}, 0.3);
    const auto run = [&](const auto& module, Cpu device) {
      nn::Pass<float, Cpu> pass;
      auto in = Tensor<float, Cpu>::from(x.span(), x.shape(), device).require_grad();
      const auto y = module(in, Tensor<float, Cpu>(), pass, 0, nn::TopKRouter{});
      backward(y, wave<float>({2, 7, 32}, 0.2));
      return std::pair(y.to_vector(), in.grad().to_vector());
    };
    const auto wanted = run(dense, {});
    CHECK(run(stored, {}) == wanted);
    CHECK(wanted.first != x.to_vector());
  }
}

TEST_CASE("latent attention over stored weights has the bits of that over their values") {
  const nn::LatentShape shape{
      .width = 32, .heads = 2, .q_rank = 32, .kv_rank = 32, .nope_dim = 16, .rope_dim = 8, .value_dim = 16};
  nn::LatentAttention<float, Cpu> dense(shape), stored(shape);
  CHECK(store_all(stored, dense, BlockType::q5_1) == 5);
  const ops::RopeTable<float, Cpu> table(ops::rope_frequencies(8, 100), 16, RopePairing::half_split, 1, Cpu{});
  const std::vector<std::vector<float>> texts = {wave<float>({5, 32}, 0.3).to_vector()};
  const nn::KvCacheShape cache{
      .capacity = 8, .kv_heads = 1, .head_dim = shape.kept_dim(), .windows = {0}, .value_dim = shape.kv_rank};
  const auto cached = [&](const auto& module) {
    return through_cache<std::decay_t<decltype(module)>, float>(module, texts, cache, &table, Causal{}, {{5}});
  };
  CHECK(cached(stored) == cached(dense));
  const auto whole = [&](const auto& module) {
    nn::Pass<float, Cpu> pass{.rope = table};
    return module(wave<float>({1, 5, 32}, 0.3), Tensor<float, Cpu>(), pass, 0, Causal{}).to_vector();
  };
  CHECK(whole(stored) == whole(dense));
}
