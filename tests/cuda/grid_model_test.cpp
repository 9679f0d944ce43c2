// SPDX-License-Identifier: Apache-2.0
// Whole models on the other device against the processor: some steps of training, then sampling over a cache; products
// in every form; and ids out of range, which such a device reports late and must survive until then.
#include "grid.hpp"

#include "backend/everywhere.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/models/transformer.hpp>
#include <atom/ops/shape.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/optim/balance.hpp>
#include <atom/policy/sliding_window.hpp>
#include <atom/sample/generate.hpp>

using namespace atom;
using models::TransformerConfig;
using test::OtherDevice;

namespace {

constexpr Index vocab = 13, context = 40;

template <class D> Tensor<TokenId, D> some_text(const Shape& shape, int shift) {
  std::vector<TokenId> ids;
  for (int i = 0; i < element_count(shape); ++i)
    ids.push_back(i % 7 == 5 && shift > 0 ? -100 : static_cast<TokenId>((i + shift) * (i + shift) % vocab));
  return Tensor<TokenId, D>::from(ids, shape, D{});
}

struct Story {
  std::vector<double> losses, norms;
  std::vector<std::vector<TokenId>> texts;
};

template <class D, class M> Story story(M model) {
  auto optimizer = optim::AdamW(model, {.lr = 3e-3F, .clip = 0.5F});
  Story result;
  const auto x = some_text<D>({2, 11}, 0), y = some_text<D>({2, 11}, 1);
  for (std::uint64_t step = 0; step < 6; ++step) {
    const auto loss = model.loss(x, y, {.mode = nn::training(Rng(3).key("dropout", step))});
    backward(loss);
    result.losses.push_back(static_cast<double>(loss.item()));
    result.norms.push_back(optimizer.step().norm);
    optim::update_balance(model, 1e-2);
  }
  // Longer than the context, so that the cache is filled twice; ragged prompts.
  const std::vector<std::vector<TokenId>> prompts{{1, 2, 3}, {4}};
  result.texts = sample::generate_batch(model, std::span(prompts), {.tokens = 50, .temperature = 0});
  return result;
}

template <class T, class D> auto plain(TransformerConfig config, const SlidingWindow& policy) {
  config.dropout = 0.1;
  return models::Transformer<T, D, SlidingWindow>(config, Rng(3), D{}, policy);
}

template <class T, class D> auto sparse() {
  const TransformerConfig config{.vocab = vocab,
                                 .context = context,
                                 .layers = 2,
                                 .heads = 2,
                                 .width = 8,
                                 .feed_forward = 12,
                                 .rope_pairing = RopePairing::interleaved,
                                 .latent = {.q_rank = 6, .kv_rank = 4, .nope_dim = 4, .rope_dim = 2, .value_dim = 3},
                                 .moe = {.experts = 6,
                                         .active = 2,
                                         .expert_width = 5,
                                         .shared_width = 4,
                                         .select_bias = true,
                                         .router = {.score = nn::RouterScore::sigmoid,
                                                    .normalise = true,
                                                    .groups = 3,
                                                    .top_groups = 2,
                                                    .sequence_balance = 0.01,
                                                    .z = 0.001}},
                                 .mtp = 1};
  return models::FullTransformer<T, D>(config, Rng(3), D{});
}

void compare(const Story& expected, const Story& found, double tolerance) {
  CHECK(test::difference(found.losses, expected.losses) <= tolerance);
  CHECK(test::difference(found.norms, expected.norms) <= tolerance);
  CHECK(found.texts == expected.texts);
  CHECK(expected.losses.back() < expected.losses.front());
}

void compare(const TransformerConfig& config, const SlidingWindow& policy) {
  const auto expected = story<Cpu>(plain<double, Cpu>(config, policy));
  compare(expected, story<OtherDevice>(plain<double, OtherDevice>(config, policy)), 1e-10);
  compare(expected, story<OtherDevice>(plain<float, OtherDevice>(config, policy)), 1e-4);
}

// The values of a product on a device: all of C with what lies between its rows, and the value before activation.
struct Products {
  Index m, n, k, batch;
  bool a_transposed, b_transposed, accumulate, in_place;

  template <class T, class D> std::vector<std::vector<double>> operator()(D device) const {
    const Index padding = 2, a_ld = (a_transposed ? m : k) + padding, b_ld = (b_transposed ? k : n) + padding,
                ld = n + padding;
    const Index a_size = (a_transposed ? k : m) * a_ld, b_size = (b_transposed ? n : k) * b_ld, size = m * ld;
    const auto tensor = [&](Index count, unsigned seed) {
      return Tensor<T, D>::from(test::values<T>(count, seed), {count}, device);
    };
    const auto a = tensor(batch * a_size, 1), b = tensor(b_size, 2), c = tensor(batch * size, 3),
               pre = tensor(batch * size, 4), residual = tensor(batch * size, 5), bias = tensor(n, 6);
    const GemmOutput<T> out{c.buffer().mutable_data(), ld, size};
    gemm(device, GemmShape{m, n, k, batch}, GemmInput<T>{a.buffer().data(), a_ld, a_size, a_transposed},
         GemmInput<T>{b.buffer().data(), b_ld, 0, b_transposed}, out, accumulate,
         GemmEpilogue<T>{.bias = bias.buffer().data(),
                         .pre = {pre.buffer().mutable_data(), ld, size},
                         .activation = Activation::gelu_tanh,
                         .residual = {in_place ? out.data : residual.buffer().data(), ld, size}});
    std::vector<std::vector<double>> results;
    for (const auto& values : {c.to_vector(), pre.to_vector()}) results.emplace_back(values.begin(), values.end());
    return results;
  }
};

}  // namespace

TEST_CASE("models train and write as on the processor, in double and float") {
  compare(TransformerConfig::gpt2(vocab, 2, 2, 8, context), {});
  auto llama = TransformerConfig::llama(vocab, 2, 4, 16, 100);
  llama.kv_heads = 2;
  compare(llama, {.window = 5, .full_every = 2});
}

TEST_CASE("a model with experts and latent attention trains and writes as on the processor") {
  const auto expected = story<Cpu>(sparse<double, Cpu>());
  compare(expected, story<OtherDevice>(sparse<double, OtherDevice>()), 1e-10);
}

TEST_CASE("products agree with the processor's, with all that comes after them") {
  for (const auto& [m, n, k, batch] : {std::array<Index, 4>{3, 5, 4, 2}, {1, 7, 0, 1}, {2, 3, 9, 3}, {0, 3, 2, 1}})
    for (int bits = 0; bits < 16; ++bits) {
      const Products products{m, n, k, batch, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
      INFO(m << " x " << n << " x " << k << ", batch " << batch << ", case " << bits);
      const auto found = products.operator()<float>(OtherDevice{});
      const auto expected = products.operator()<double>(Cpu{});
      for (std::size_t i = 0; i < found.size(); ++i) CHECK(test::difference(found[i], expected[i]) <= 1e-6);
    }
}

TEST_CASE("an id out of range is reported when a value is next read, and reads nothing beyond the table") {
  const OtherDevice device;
  const auto table = Tensor<float, OtherDevice>::full({4, 2}, 1, device);
  for (const TokenId wrong : {4, -1, 2'000'000'000}) {
    const auto ids = Tensor<TokenId, OtherDevice>::from({0, wrong, 3}, {3}, device);
    const auto y = ops::embedding(ids, table);
    CHECK_THROWS_WITH(y.to_vector(), "[embedding] id out of range: found " + std::to_string(wrong) + ", expected 0..3");
    CHECK(y.to_vector() == std::vector<float>(6, 1));  // reported once
  }
  const auto logits = Tensor<float, OtherDevice>::zeros({2, 4}, device).require_grad();
  const auto targets = Tensor<TokenId, OtherDevice>::from({-100, 7}, {2}, device);
  const auto loss = ops::cross_entropy(logits, targets);
  backward(loss);
  CHECK_THROWS_WITH(loss.item(), "[cross_entropy] id out of range: found 7, expected 0..3");
}
