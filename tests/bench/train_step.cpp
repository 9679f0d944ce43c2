// SPDX-License-Identifier: Apache-2.0
// Times a training step (forward, backward, clip, AdamW) of a GPT-2 shape.
#include <atom/atom.hpp>

#include <fmt/core.h>
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <chrono>

int main(int argc, char** argv) {
  using namespace atom;
  Index layers = 12, heads = 12, width = 768, vocab = 50257, context = 64, batch = 4, steps = 5;
  int threads = default_thread_count();
  bool json = false;
  CLI::App app{
      "Times a training step of a GPT-2 shape.\nExample: train_step --layers 4 --heads 4 --width 128 --vocab 65 "
      "--batch 12"};
  app.add_option("--layers", layers)->capture_default_str();
  app.add_option("--heads", heads)->capture_default_str();
  app.add_option("--width", width)->capture_default_str();
  app.add_option("--vocab", vocab)->capture_default_str();
  app.add_option("--context", context)->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--steps", steps, "timed steps, after two to warm up")->capture_default_str();
  app.add_flag("--json", json, "one JSON object on stdout");
  CLI11_PARSE(app, argc, argv);
  try {
    set_default_threads(threads);
    auto model =
        models::Transformer<float>(models::TransformerConfig::gpt2(vocab, layers, heads, width, context), Rng(1));
    auto optim = optim::AdamW(model, {.lr = 1e-4F});
    const RandomKey key = Rng(2).key("tokens");
    std::vector<TokenId> ids(static_cast<std::size_t>(batch * (context + 1)));
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<TokenId>(uniform_index(key, static_cast<Index>(i), vocab));
    const auto all = Tensor<TokenId>::from(ids, {batch, context + 1});
    const auto x = ops::slice(all, 1, 0, context), y = ops::slice(all, 1, 1, context);

    std::vector<double> seconds;
    double loss_value = 0;
    for (Index step = 0; step < steps + 2; ++step) {
      const auto start = std::chrono::steady_clock::now();
      const auto loss = model.loss(x, y);
      backward(loss);
      optim.step();
      loss_value = static_cast<double>(loss.item());
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      if (step >= 2) seconds.push_back(took.count());
    }
    std::ranges::sort(seconds);
    const double median = seconds[seconds.size() / 2];
    // 6 x (parameters of products) x tokens, and the attention's products.
    Index in_products = 0;
    nn::for_each_tensor(model, [&](const std::string&, const auto& tensor, Role role) {
      if (role == Role::matrix) in_products += tensor.size();
    });
    in_products += vocab * width;  // the tied head
    const auto tokens = static_cast<double>(batch * context);
    const double flops = 6.0 * static_cast<double>(in_products) * tokens +
                         6.0 * static_cast<double>(layers * context * width) * tokens;  // causal: half of 12 t c
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double peak_mib = static_cast<double>(usage.ru_maxrss) / 1024;
    if (json)
      fmt::print(
          "{{\"ms_per_step\":{:.3f},\"tokens_per_s\":{:.1f},\"gflops\":{:.2f},\"peak_mib\":{:.0f},\"loss\":{:.6f},"
          "\"threads\":{},\"isa\":\"{}\",\"compiler\":\"{}\"}}\n",
          median * 1e3, tokens / median, flops / median / 1e9, peak_mib, loss_value, threads, name_of(isa()),
          __VERSION__);
    else
      fmt::print(
          "{} layers x {}, batch {} x {}, {} threads, {}: {:.1f} ms a step, {:.0f} tokens/s, {:.1f} GF/s, peak {:.0f} "
          "MiB\n",
          layers, width, batch, context, threads, name_of(isa()), median * 1e3, tokens / median, flops / median / 1e9,
          peak_mib);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
