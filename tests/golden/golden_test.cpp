// SPDX-License-Identifier: Apache-2.0
// Ten training steps of two shapes beside PyTorch's (README.md): logits, gradients, losses, norms, weights.
#include "golden.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/models/transformer.hpp>
#include <atom/optim/adamw.hpp>

using namespace atom;

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
