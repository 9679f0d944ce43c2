// SPDX-License-Identifier: Apache-2.0
// The library beside PyTorch (README.md), in double and in float: results and gradients of the ops, and ten training
// steps of two model shapes. One file for both, because both compile all kernels.
#include "golden.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/models/transformer.hpp>
#include <atom/ops/activation.hpp>
#include <atom/ops/attention.hpp>
#include <atom/ops/cross_entropy.hpp>
#include <atom/ops/embedding.hpp>
#include <atom/ops/linear.hpp>
#include <atom/ops/linear_cross_entropy.hpp>
#include <atom/ops/matmul.hpp>
#include <atom/ops/norm.hpp>
#include <atom/ops/rope.hpp>
#include <atom/ops/softmax.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/sliding_window.hpp>

#include <map>
#include <set>

using namespace atom;

namespace {

// One case of the file: its inputs as tensors, its numbers.
template <class T> struct Case {
  const Golden& golden;
  std::string name;
  std::vector<Tensor<T, Cpu>> x = {};  // the floating-point inputs, in order

  Tensor<TokenId, Cpu> ids(int input) const { return golden.tensor<TokenId>(to_text(name, "/in", input)); }
  double number(const std::string& parameter) const { return golden.number(name + "/" + parameter); }
};

template <class T> using Op = Tensor<T, Cpu> (*)(const Case<T>&);

template <class T> ops::RopeTable<T, Cpu> rope_table(const Case<T>& c, RopePairing pairing) {
  return {ops::rope_frequencies(c.x[0].dim(3), c.number("theta")), 128, pairing};
}

template <class T> std::map<std::string, Op<T>> ops_by_name() {
  using C = const Case<T>&;
  return {
      {"softmax", [](C c) { return ops::softmax(c.x[0]); }},
      {"log_softmax", [](C c) { return ops::log_softmax(c.x[0]); }},
      {"layer_norm", [](C c) { return ops::layer_norm(c.x[0], c.x[1], c.x[2], c.number("eps")); }},
      {"rms_norm", [](C c) { return ops::rms_norm(c.x[0], c.x[1], c.number("eps")); }},
      {"gelu", [](C c) { return ops::gelu(c.x[0]); }},
      {"gelu_tanh", [](C c) { return ops::gelu_tanh(c.x[0]); }},
      {"silu", [](C c) { return ops::silu(c.x[0]); }},
      {"swiglu", [](C c) { return ops::swiglu(c.x[0], c.x[1]); }},
      {"geglu_tanh", [](C c) { return ops::gated(Activation::gelu_tanh, c.x[0], c.x[1]); }},
      {"rope",
       [](C c) {
         const bool half = c.name.find("half") != std::string::npos;
         return ops::rope(c.x[0], rope_table(c, half ? RopePairing::half_split : RopePairing::interleaved),
                          static_cast<Index>(c.number("offset")));
       }},
      {"attention",
       [](C c) {
         const auto window = static_cast<std::int32_t>(c.number("window"));
         return window == 0 ? ops::attention(c.x[0], c.x[1], c.x[2], Causal{})
                            : ops::attention(c.x[0], c.x[1], c.x[2], SlidingWindow{window});
       }},
      {"cross_entropy", [](C c) { return ops::cross_entropy(c.x[0], c.ids(1)); }},
      {"linear_cross_entropy", [](C c) { return ops::linear_cross_entropy(c.x[0], c.x[1], c.ids(2)); }},
      {"embedding", [](C c) { return ops::embedding(c.ids(0), c.x[0]); }},
      {"linear", [](C c) { return ops::linear(c.x[0], c.x[1], c.x.size() > 2 ? c.x[2] : Tensor<T, Cpu>()); }},
      {"matmul", [](C c) { return ops::matmul(c.x[0], c.x[1]); }},
  };
}

}  // namespace

TEMPLATE_TEST_CASE("ops give PyTorch's results and gradients", "", double, float) {
  using T = TestType;
  constexpr double bar = std::is_same_v<T, double> ? 1e-12 : 1e-5;
  constexpr double small = 1e-2;  // some gradients are small differences of numbers near 1
  const Golden golden("ops.safetensors");
  std::set<std::string> cases;
  for (const auto& tensor : golden.tensors()) cases.insert(tensor.name.substr(0, tensor.name.rfind('/')));
  CHECK(cases.size() == 40);

  const auto ops = ops_by_name<T>();
  for (const std::string& name : cases) {
    CAPTURE(name);
    Case<T> c{golden, name};
    std::vector<std::string> gradients;
    for (int i = 0; golden.contains(to_text(name, "/in", i)); ++i) {
      if (!golden.contains(to_text(name, "/din", i))) continue;
      c.x.push_back(golden.tensor<T>(to_text(name, "/in", i)));
      c.x.back().require_grad();
      gradients.push_back(to_text(name, "/din", i));
    }
    const auto y = ops.at(name.substr(0, name.find('/')))(c);
    CHECK(y.shape() == golden.shape(name + "/out"));
    CHECK(excess(y.to_vector(), golden.values<double>(name + "/out"), bar, small) <= 1);
    backward(y, golden.tensor<T>(name + "/dout"));
    for (std::size_t i = 0; i < c.x.size(); ++i) {
      CAPTURE(i);
      CHECK(excess(c.x[i].grad().to_vector(), golden.values<double>(gradients[i]), bar, small) <= 1);
    }
  }
}

namespace {

models::TransformerConfig gpt2_shape() {
  auto config = models::TransformerConfig::gpt2(61, 2, 4, 32, 16);
  config.feed_forward = 48;
  return config;
}

models::TransformerConfig llama_shape() {
  auto config = models::TransformerConfig::llama(61, 2, 4, 32, 16);
  config.kv_heads = 2;
  config.feed_forward = 40;
  return config;
}

// Step `step` of the file's (10, 3, 16) ids.
Tensor<TokenId, Cpu> batch(const Golden& golden, const std::string& name, std::size_t step) {
  const auto ids = golden.values<TokenId>(name);
  return Tensor<TokenId, Cpu>::from(std::span(ids).subspan(step * 48, 48), {3, 16});
}

// sqrt(sum (a - b)^2 / sum b^2): Adam's first steps are nearly signs, so single weights may differ by a whole step.
template <class T> double relative_distance(const std::vector<T>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a.at(i)) - b[i], 2);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

template <class T> void train_beside_pytorch(const models::TransformerConfig& config, const std::string& name) {
  const Golden golden(name);
  auto model = models::Transformer<T, Cpu>(config);
  std::size_t tensors = 0;
  nn::for_each_tensor(model, [&](const std::string& path, auto& tensor, Role) {
    CHECK(tensor.shape() == golden.shape("weight/" + path));
    tensor.assign(golden.values<T>("weight/" + path));
    ++tensors;
  });
  CHECK(static_cast<std::size_t>(std::ranges::count_if(golden.tensors(), [](const io::TensorInfo& tensor) {
          return tensor.name.starts_with("weight/");
        })) == tensors);

  CHECK(excess(model(batch(golden, "inputs", 0)).to_vector(), golden.values<double>("logits"), 1e-5) <= 1);

  optim::AdamW optimizer(model,
                         {.lr = 3e-3F, .beta1 = 0.9F, .beta2 = 0.95F, .eps = 1e-8F, .weight_decay = 0.1F, .clip = 1});
  const auto losses = golden.values<double>("losses"), norms = golden.values<double>("gradient_norms");
  for (std::size_t step = 0; step < losses.size(); ++step) {
    CAPTURE(step);
    const auto loss = model.loss(batch(golden, "inputs", step), batch(golden, "targets", step));
    CHECK(static_cast<double>(loss.item()) == Approx(losses[step]).epsilon(1e-5));
    backward(loss);
    if (step == 0)
      nn::for_each_tensor(model, [&](const std::string& path, auto& tensor, Role) {
        CAPTURE(path);
        CHECK(excess(tensor.grad().to_vector(), golden.values<double>("gradient/" + path), 1e-5) <= 1);
      });
    const auto result = optimizer.step();
    CHECK(result.norm == Approx(norms[step]).epsilon(1e-5));
    CHECK(!result.skipped);
  }
  nn::for_each_tensor(model, [&](const std::string& path, auto& tensor, Role) {
    CAPTURE(path);
    if (path.ends_with("attention.k.bias")) return;  // its gradient is zero but for rounding: see README.md
    CHECK(relative_distance(tensor.to_vector(), golden.values<double>("trained/" + path)) <= 1e-4);
  });
}

}  // namespace

TEMPLATE_TEST_CASE("ten steps of a GPT-2 shape are PyTorch's", "", double, float) {
  train_beside_pytorch<TestType>(gpt2_shape(), "gpt2_shape.safetensors");
}

TEMPLATE_TEST_CASE("ten steps of a Llama shape are PyTorch's", "", double, float) {
  train_beside_pytorch<TestType>(llama_shape(), "llama_shape.safetensors");
}
