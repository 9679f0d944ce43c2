// SPDX-License-Identifier: Apache-2.0
// Hashes of everything a few training steps compute, for three shapes of model. Usage: train THREADS
#include <atom/atom.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace atom;

// FNV-1a over the bytes.
template <class T> void print_hash(const char* what, const std::vector<T>& values) {
  std::uint64_t hash = 14695981039346656037U;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  std::printf("%-28s %016llx\n", what, static_cast<unsigned long long>(hash));
}

struct PrintHash {
  template <class Scalar, class D>
  void operator()(const std::string& name, const Tensor<Scalar, D>& weight, Role) const {
    print_hash(name.c_str(), weight.to_vector());
  }
};

template <class M> void train(const char* title, const models::TransformerConfig& config) {
  std::printf("%s\n", title);
  std::vector<TokenId> tokens;
  for (int i = 0; i < 2000; ++i)
    tokens.push_back(static_cast<TokenId>((i * i + 3 * i) % static_cast<int>(config.vocab)));
  auto batches = data::Batches(tokens, {.batch = 3, .context = 40, .seed = 1});
  auto model = M(config, Rng(7));
  auto optim = optim::AdamW(model, {.lr = 1e-2F, .weight_decay = 0.1F});
  for (int step = 0; step < 3; ++step) {
    auto [x, y] = batches.next();
    print_hash("logits", model(x).to_vector());
    const auto key = Rng(7).key("dropout", static_cast<std::uint64_t>(step));
    const auto loss = model.loss(x, y, {.mode = nn::training(key)});
    print_hash("loss", loss.to_vector());
    backward(loss);
    optim.step();
    optim::update_balance(model, 1e-3);
  }
  nn::for_each_tensor(model, PrintHash{});
  print_hash("sampled", sample::generate(model, {1, 2, 3}, {.tokens = 30, .temperature = 0.8, .seed = 5}));
}

}  // namespace

int main(int argc, char** argv) {
  set_default_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  auto gpt2 = models::TransformerConfig::gpt2(29, 2, 3, 48, 64);
  gpt2.dropout = 0.1;
  train<models::Transformer<float, Cpu>>("GPT-2 shape", gpt2);
  auto llama = models::TransformerConfig::llama(29, 2, 4, 40, 64);
  llama.kv_heads = 2;
  train<models::Transformer<float, Cpu>>("Llama shape", llama);
  train<models::FullTransformer<float, Cpu>>(
      "DeepSeek shape", {.vocab = 29,
                         .context = 64,
                         .layers = 2,
                         .heads = 4,
                         .width = 40,
                         .latent = {.q_rank = 12, .kv_rank = 16, .nope_dim = 8, .rope_dim = 6, .value_dim = 10},
                         .moe = {.experts = 8,
                                 .active = 2,
                                 .expert_width = 24,
                                 .shared_width = 24,
                                 .select_bias = true,
                                 .router = {.score = nn::RouterScore::sigmoid, .normalise = true, .balance = 0.01}},
                         .mtp = 1});
}
