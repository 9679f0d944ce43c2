// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters: what a layer with one computes and learns, over tensors and over stored weights.
#include <atom/nn/lora.hpp>

#include <atom/nn/embedding.hpp>
#include <atom/nn/latent_attention.hpp>

#include "attention_checks.hpp"
#include "stored.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <atom/ops/reduce.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/policy/causal.hpp>
#include <map>

using namespace test;

// Named, since nvcc warns of an unnamed one that a template which only a concept names is never used.
namespace lora_test {

template <class T> using Layer = nn::Linear<T, Cpu>;

// (32, 5) with a bias and an adapter of rank 3; the weight stored in that type, if one is said.
template <class T> Layer<T> some_layer(std::optional<BlockType> type) {
  Layer<T> layer(32, 5, true);
  fill_by_formula(layer);
  if (type) nn::set_weight(layer.weight, layer.stored, stored_values(*type, {5, 32}).matrix());
  nn::set_lora(layer, wave<T>({3, 32}, 0.31), wave<T>({5, 3}, 0.47), 6.0);
  return layer;
}

struct Model {
  using Scalar = float;
  using DeviceType = Cpu;
  nn::Embedding<float, Cpu> embedding{9, 32};
  std::vector<Layer<float>> layers;
  Layer<float> router{32, 4, false}, unused;
  std::optional<Layer<float>> head;

  Model() : layers{{32, 32, true}, {32, 32, true}} {
    head.emplace(32, 9, false);
    nn::for_each_tensor(*this, [](const std::string& name, auto& tensor, Role) {
      tensor.assign(Tensor<float, Cpu>::normal(Rng(3).key(name), tensor.shape(), 0.2F).to_vector());
    });
    nn::require_grad(*this);
  }
  Tensor<float, Cpu> operator()(const Tensor<TokenId, Cpu>& ids) const {
    return (*head)(layers[1](layers[0](embedding(ids), {.activation = Activation::silu})));
  }
  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("embedding", self.embedding);
    f("layers", self.layers);
    f("router", self.router);
    f("unused", self.unused);
    f("head", self.head);
  }
};

constexpr Index width = 1024;
struct Wide {
  std::vector<Layer<float>> layers{1, {width, width, false}};
  template <class Self, class F> static void visit(Self& self, F&& f) { f("layers", self.layers); }
};

std::vector<std::string> adapted(const Model& model) {
  std::vector<std::string> names;
  nn::for_each_linear(model, [&](const std::string& name, const auto& layer) {
    if (layer.lora) names.push_back(name);
  });
  return names;
}

const auto ids = Tensor<TokenId, Cpu>::from({0, 5, 8, 3}, {4});

template <class T> double worst(const std::vector<T>& a, const std::vector<T>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}

}  // namespace lora_test
using namespace lora_test;

TEST_CASE("the gradients of a layer with an adapter are finite differences, over tensors and stored weights") {
  for (const auto type :
       {std::optional<BlockType>(), std::optional(BlockType::q4_0), std::optional(BlockType::f8_e4m3)})
    for (const auto activation : {Activation::none, Activation::gelu_tanh}) {
      auto layer = some_layer<double>(type);
      auto x = wave<double>({2, 3, 32}, 0.7), residual = wave<double>({2, 3, 5}, 0.9);
      const auto run = [&] { return layer(x, {.activation = activation, .residual = residual}); };
      CHECK(gradcheck(run, x, layer.lora->a, layer.lora->b, layer.bias) <= 1);
      CHECK(gradcheck([&] { return layer(x, {.activation = activation}); }, x, layer.lora->a) <= 1);
      CHECK(gradcheck([&] { return ops::linear(x, layer.dense(), layer.bias); }, x, layer.lora->a, layer.lora->b) <= 1);
    }
}

TEST_CASE("a layer with an adapter computes what its definition says") {
  for (const auto type : {std::optional<BlockType>(), std::optional(BlockType::q5_0)})
    for (const auto activation : {Activation::none, Activation::silu})
      for (const bool rank_stabilised : {false, true}) {
        auto layer = some_layer<double>(type);
        layer.lora->rank_stabilised = rank_stabilised;
        const double scale = rank_stabilised ? 6 / std::sqrt(3.0) : 2;
        CHECK(layer.lora->scale() == Approx(scale).epsilon(1e-15));
        const auto x = wave<double>({7, 32}, 0.7), residual = wave<double>({7, 5}, 0.9);
        const auto plain =
            ops::matmul(x, ops::transpose(layer.matrix().tensor())) + layer.bias +
            ops::matmul(ops::matmul(x, ops::transpose(layer.lora->a)), ops::transpose(layer.lora->b)) * scale;
        const auto wanted = ops::activate(activation, plain) + residual;
        CHECK(worst(layer(x, {.activation = activation, .residual = residual}).to_vector(), wanted.to_vector()) <
              1e-13);
        CHECK(worst(ops::linear(x, layer.dense(), layer.bias).to_vector(), plain.to_vector()) < 1e-13);
      }
}

TEST_CASE("a row has the same bits alone and in a batch, on any threads, with an adapter") {
  const auto layer = some_layer<float>(BlockType::q8_0);
  const auto x = wave<float>({9, 32}, 0.7);
  const auto y = layer(x).to_vector();
  for (int threads = 1; threads <= 4; ++threads) {
    ThreadPool pool(threads);
    const auto same = Tensor<float, Cpu>::from(x.to_vector(), x.shape(), Cpu{&pool});
    CHECK(layer(same).to_vector() == y);
    for (Index row = 0; row < 9; ++row)
      CHECK(layer(ops::slice(same, 0, row, 1)).to_vector() ==
            std::vector<float>(y.begin() + row * 5, y.begin() + row * 5 + 5));
  }
}

TEST_CASE("new adapters change nothing, and are all that requires a gradient") {
  Model model;
  const auto before = model(ids).to_vector();
  nn::add_lora(model, {.rank = 2});
  CHECK(adapted(model) == std::vector<std::string>{"layers.0", "layers.1"});
  CHECK(model(ids).to_vector() == before);
  CHECK(nn::trainable_count(model) == 2 * (2 * 32 + 32 * 2));
  nn::for_each_tensor(model, [&](const std::string& name, const auto& tensor, Role role) {
    INFO(name);
    CHECK(tensor.requires_grad() == (name.find(".lora.") != name.npos));
    if (name.find(".lora.") != name.npos) CHECK(role == Role::matrix);
  });
  const auto& lora = *model.layers[0].lora;
  const double bound = 1 / std::sqrt(32.0);
  double sum = 0;
  for (const float value : lora.a.span()) {
    CHECK(std::abs(double(value)) <= bound);
    sum += double(value) * double(value);
  }
  CHECK(sum / 64 == Approx(bound * bound / 3).epsilon(0.3));
  CHECK(lora.a.to_vector() != model.layers[1].lora->a.to_vector());

  Model same, other;
  nn::add_lora(same, {.rank = 2, .targets = {"layers.0", "head"}});
  nn::add_lora(other, {.rank = 2, .seed = 1});
  CHECK(same.layers[0].lora->a.to_vector() == lora.a.to_vector());  // whatever else has one
  CHECK(other.layers[0].lora->a.to_vector() != lora.a.to_vector());
}

TEST_CASE("targets are names of layers or their ends") {
  const auto with = [](std::vector<std::string> targets) {
    Model model;
    nn::add_lora(model, {.targets = std::move(targets)});
    return adapted(model);
  };
  CHECK(with({"1"}) == std::vector<std::string>{"layers.1"});
  CHECK(with({"head", "router"}) == std::vector<std::string>{"router", "head"});
  Model model;
  CHECK_THROWS_WITH(nn::add_lora(model, {.targets = {"0", "ayers.1"}}), "[lora] no linear layer is named 'ayers.1'");
  CHECK_THROWS_WITH(nn::add_lora(model, {.rank = 0}), "[lora] rank is at least 1: found 0");
  CHECK(adapted(model).empty());
  CHECK(model.layers[0].weight.requires_grad());
  nn::add_lora(model, {.targets = {"0"}});
  CHECK_THROWS_WITH(nn::add_lora(model), "[lora] the layer 'layers.0' has an adapter");
  nn::remove_lora(model);
  CHECK(adapted(model).empty());
  CHECK_THROWS_WITH(nn::set_lora(model.layers[0], wave<float>({2, 31}, 1), wave<float>({32, 2}, 1), 1.0),
                    "[lora] found a (2, 31) and b (32, 2), expected (r, 32) and (32, r)");
  std::optional<Model> places;
  {
    const nn::WithoutWeights no_memory;
    places.emplace();
  }
  CHECK_THROWS_WITH(nn::add_lora(*places), "[lora] the weight of 'layers.0' is not loaded");
}

TEST_CASE("an optimiser trains the adapters alone, over stored weights too") {
  for (const bool stored : {false, true}) {
    Model model;
    if (stored)
      nn::for_each_weight(model, [&](const std::string&, auto& weight, auto& matrix, Role) {
        nn::set_weight(weight, matrix, stored_values(BlockType::q8_0, weight.shape()).matrix());
      });
    nn::add_lora(model, {.rank = 4, .alpha = 8});
    auto optim = optim::AdamW(model, {.lr = 1e-2F});
    std::vector<std::string> states;
    optim.for_each_state([&](const std::string& name, const auto&) { states.push_back(name); });
    CHECK(states == std::vector<std::string>{"m.layers.0.lora.a", "v.layers.0.lora.a", "m.layers.0.lora.b",
                                             "v.layers.0.lora.b", "m.layers.1.lora.a", "v.layers.1.lora.a",
                                             "m.layers.1.lora.b", "v.layers.1.lora.b"});
    std::map<std::string, std::vector<float>> base;
    nn::for_each_tensor(model, [&](const std::string& name, const auto& tensor, Role) {
      if (name.find("lora") == name.npos) base[name] = tensor.to_vector();
    });
    float first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
      const auto loss = ops::mean(ops::square(model(ids) - wave<float>({4, 9}, 0.3)));
      (step == 0 ? first : last) = loss.item();
      backward(loss);
      optim.step();
    }
    CHECK(last < first / 2);
    nn::for_each_tensor(model, [&](const std::string& name, const auto& tensor, Role) {
      if (name.find("lora") != name.npos) return;
      CHECK(tensor.to_vector() == base.at(name));
      CHECK(!tensor.grad().defined());
    });
  }
  Model frozen;
  nn::freeze(frozen);
  CHECK_THROWS_WITH(optim::AdamW(frozen),
                    "[adamw] no parameter of the model requires a gradient: see nn::require_grad");
}

TEST_CASE("a frozen base gets no memory for gradients") {
  const auto run = [&](bool adapter) {
    Wide model;
    nn::require_grad(model);
    if (adapter) nn::add_lora(model, {.rank = 1});
    release_cached(Cpu{});
    const auto before = memory_stats(Cpu{});
    backward(ops::mean(model.layers[0](wave<float>({2, width}, 0.7))));
    const auto after = memory_stats(Cpu{});
    return after.live + after.cached - before.live - before.cached;
  };
  constexpr std::size_t weight = width * width * sizeof(float);
  if constexpr (atom::detail::caches_memory) CHECK(run(false) >= weight);
  CHECK(run(true) < weight / 2);
}

TEST_CASE("a merged adapter is a part of the weight") {
  Model model;
  nn::add_lora(model, {.rank = 3, .targets = {"0", "head"}});
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role) {
    if (name.ends_with("lora.b")) tensor.assign(wave<float>(tensor.shape(), 0.5).to_vector());
  });
  const auto before = model(ids).to_vector();
  Model stored = model;
  nn::merge_lora(model);
  CHECK(adapted(model).empty());
  CHECK(worst(model(ids).to_vector(), before) < 1e-5);
  CHECK(!model.layers[0].weight.requires_grad());

  auto& layer = stored.layers[0];
  nn::set_weight(layer.weight, layer.stored, stored_values(BlockType::q4_0, {32, 32}).matrix());
  const auto stored_before = stored(ids).to_vector();
  CHECK_THROWS_WITH(nn::merge_lora(stored),
                    "[lora] the weight of 'layers.0' is stored as Q4_0, which cannot hold a merged adapter: set "
                    "MergeOptions::dequantise to make it a tensor");
  CHECK(adapted(stored).size() == 2);
  nn::merge_lora(stored, {.dequantise = true});
  CHECK(adapted(stored).empty());
  CHECK(!layer.stored.defined());
  CHECK(worst(stored(ids).to_vector(), stored_before) < 1e-5);
}

TEST_CASE("latent attention reads an adapter of its absorbed matrix in both forms") {
  const nn::LatentShape shape{.width = 6, .heads = 3, .kv_rank = 5, .nope_dim = 3, .rope_dim = 4, .value_dim = 2};
  nn::LatentAttention<double, Cpu> module(shape);
  fill_by_formula(module);
  const ops::RopeTable<double, Cpu> table(ops::rope_frequencies(4, 100), 16, RopePairing::half_split, 1, Cpu{});
  const nn::KvCacheShape cache{
      .capacity = 8, .kv_heads = 1, .head_dim = shape.kept_dim(), .windows = {0}, .value_dim = shape.kv_rank};
  const std::vector<std::vector<double>> texts = {wave<double>({5, 6}, 0.31).to_vector()};
  const auto cached = [&] {
    return through_cache<decltype(module), double>(module, texts, cache, &table, Causal{}, {{5}});
  };
  const auto before = cached();
  nn::set_lora(module.kv_b, wave<double>({2, 5}, 0.3), wave<double>({15, 2}, 0.7), 1.0);
  const auto after = cached();
  CHECK(worst(before[0], after[0]) > 1e-2);
  CHECK(difference_without_cache(module, &table, Causal{}, after) < 1e-13);
}
