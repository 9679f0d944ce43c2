// SPDX-License-Identifier: Apache-2.0
// Times a training step (forward, backward, clip, AdamW): of a GPT-2 shape, or with --experts of OLMoE's.
#include <atom/atom.hpp>

#include <fmt/core.h>
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <chrono>

using namespace atom;

namespace {

struct Options {
  Index layers = 12, heads = 12, width = 768, vocab = 50257, context = 64, batch = 4, steps = 5;
  Index experts = 0, active = 1, expert_width = 0;
  int threads = default_thread_count();
  bool json = false;
};

// Blocks as Llama's, norms of whole queries and keys, softmax router, untied head (Muennighoff et al. 2024). With one
// expert: the dense model of the same active parameters.
models::TransformerConfig olmoe(const Options& o) {
  auto c = models::TransformerConfig::llama(o.vocab, o.layers, o.heads, o.width, o.context);
  c.qk_norm = nn::QkNorm::whole;
  c.feed_forward = o.expert_width * (o.experts == 1 ? o.active : 1);
  if (o.experts > 1)
    c.moe = {.experts = o.experts,
             .active = o.active,
             .expert_width = o.expert_width,
             .router = {.balance = 0.01, .z = 0.001}};
  return c;
}

// Weights that a token meets in products.
template <class M> double active_weights(const M& model) {
  double count = 0;
  const auto& m = model.config.moe;
  nn::for_each_tensor(model, [&](const std::string&, const auto& tensor, Role role) {
    if (role != Role::matrix) return;
    const auto size = static_cast<double>(tensor.size());
    count += tensor.rank() == 3 ? size * static_cast<double>(m.active) / static_cast<double>(m.experts) : size;
  });
  if (model.config.tie_embeddings) count += static_cast<double>(model.embedding.weight.size());
  return count;
}

template <class M> void measure(M model, const Options& o) {
  auto optim = optim::AdamW(model, {.lr = 1e-4F});
  const RandomKey key = Rng(2).key("tokens");
  std::vector<TokenId> ids(static_cast<std::size_t>(o.batch * (o.context + 1)));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<TokenId>(uniform_index(key, static_cast<Index>(i), o.vocab));
  const auto all = Tensor<TokenId>::from(ids, {o.batch, o.context + 1});
  const auto x = ops::slice(all, 1, 0, o.context), y = ops::slice(all, 1, 1, o.context);

  std::vector<double> seconds;
  double loss_value = 0;
  for (Index step = 0; step < o.steps + 2; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const auto loss = model.loss(x, y, {.mode = nn::training(key)});
    backward(loss);
    optim.step();
    loss_value = static_cast<double>(loss.item());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (step >= 2) seconds.push_back(took.count());
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  const auto tokens = static_cast<double>(o.batch * o.context);
  const double flops = 6 * active_weights(model) * tokens +
                       6.0 * static_cast<double>(o.layers * o.context * o.width) * tokens;  // causal: half of 12 t c
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double peak_mib = static_cast<double>(usage.ru_maxrss) / 1024;
  if (o.json)
    fmt::print(
        "{{\"ms_per_step\":{:.3f},\"tokens_per_s\":{:.1f},\"gflops\":{:.2f},\"peak_mib\":{:.0f},\"loss\":{:.6f},"
        "\"parameters\":{},\"threads\":{},\"isa\":\"{}\",\"compiler\":\"{}\"}}\n",
        median * 1e3, tokens / median, flops / median / 1e9, peak_mib, loss_value, nn::parameter_count(model),
        o.threads, name_of(isa()), __VERSION__);
  else
    fmt::print(
        "{} layers x {}, {} parameters, batch {} x {}, {} threads, {}: {:.1f} ms a step, {:.0f} tokens/s, {:.1f} GF/s, "
        "peak {:.0f} MiB\n",
        o.layers, o.width, nn::parameter_count(model), o.batch, o.context, o.threads, name_of(isa()), median * 1e3,
        tokens / median, flops / median / 1e9, peak_mib);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Times a training step of a GPT-2 shape, or of OLMoE's with --experts.\n"
      "Examples: train_step --layers 4 --heads 4 --width 128 --vocab 65 --batch 12\n"
      "          train_step --layers 4 --heads 4 --width 256 --vocab 1024 --context 256 --experts 16 --active 4 "
      "--expert-width 256"};
  app.add_option("--layers", o.layers)->capture_default_str();
  app.add_option("--heads", o.heads)->capture_default_str();
  app.add_option("--width", o.width)->capture_default_str();
  app.add_option("--vocab", o.vocab)->capture_default_str();
  app.add_option("--context", o.context)->capture_default_str();
  app.add_option("--batch", o.batch)->capture_default_str();
  app.add_option("--experts", o.experts, "routed experts of each layer; 1: dense, as wide as `active` experts")
      ->capture_default_str();
  app.add_option("--active", o.active, "experts of each token")->capture_default_str();
  app.add_option("--expert-width", o.expert_width, "channels of an expert; 0: width")->capture_default_str();
  app.add_option("--threads", o.threads)->capture_default_str();
  app.add_option("--steps", o.steps, "timed steps, after two to warm up")->capture_default_str();
  app.add_flag("--json", o.json, "one JSON object on stdout");
  CLI11_PARSE(app, argc, argv);
  try {
    set_default_threads(o.threads);
    if (o.expert_width == 0) o.expert_width = o.width;
    if (o.experts == 0)
      measure(models::Transformer<float>(
                  models::TransformerConfig::gpt2(o.vocab, o.layers, o.heads, o.width, o.context), Rng(1)),
              o);
    else
      measure(models::FullTransformer<float>(olmoe(o), Rng(1)), o);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
