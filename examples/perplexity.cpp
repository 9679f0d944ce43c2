// SPDX-License-Identifier: Apache-2.0
// How well a model predicts a text: mean negative log-likelihood of its tokens, perplexity, bits for each byte.
#include "adapted_model.hpp"
#include "cli.hpp"
#include "model_path.hpp"

#include <atom/atom.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/tokenizer.hpp>

#include <cmath>

using namespace atom;

namespace {

using Model = FullModel;

// The log-probability of each token but the first, given up to `context` tokens before it. Windows overlap by half, so
// that all but the first have half a context before them at least.
template <class Progress> std::vector<float> log_probabilities(const Model& model, const std::vector<TokenId>& ids,
                                                               Index context, Progress&& progress) {
  std::vector<float> result;
  const auto n = std::ssize(ids);
  for (Index start = 0; std::ssize(result) < n - 1; start += std::max<Index>(context / 2, 1)) {
    const Index length = std::min(context, n - 1 - start);
    const auto window = [&](Index first) {
      const auto begin = ids.begin() + first;
      return Tensor<TokenId>::from(std::vector<TokenId>(begin, begin + length), {1, length});
    };
    const auto scores = model.log_probabilities(window(start), window(start + 1)).to_vector();
    result.insert(result.end(), scores.begin() + (std::ssize(result) - start), scores.end());
    progress(std::ssize(result), n - 1);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, text_file, adapter;
  Index context = 1024;
  int threads = default_thread_count();
  bool json = false;
  CLI::App app{"Measures how well a model predicts a text.\nExample: perplexity model.gguf book.txt"};
  app.add_option("model", path, "Hugging Face folder, GGUF file or run folder")->required();
  app.add_option("text", text_file, "text file")->required()->check(CLI::ExistingFile);
  app.add_option("--adapter", adapter, "folder of low-rank adapters, as finetune and PEFT write it")
      ->check(CLI::ExistingDirectory);
  app.add_option("--context", context, "tokens that the model sees at once, at most its own context")
      ->check(CLI::Range(2, 1 << 24));
  app.add_option("--threads", threads, "threads")->check(CLI::PositiveNumber);
  app.add_flag("--json", json, "one JSON object on stdout");
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    path = model_path(path);
    const auto tokenizer = pretrained::load_tokenizer(path);
    const auto text = io::read_file(text_file);
    const auto ids = tokenizer.encode(text);
    check(ids.size() > 1, text_file, "a text of at least 2 tokens: found ", ids.size());
    auto model = pretrained::load_model<Model>(path);
    add_adapter(model, path, adapter);
    const auto scores = log_probabilities(model, ids, std::min(context, model.config.context), [&](Index n, Index of) {
      if (!json) fmt::print(stderr, "\r{} of {} tokens", n, of);
    });
    if (!json) fmt::print(stderr, "\n");
    double sum = 0;
    for (const float score : scores) sum -= static_cast<double>(score);
    const double mean = sum / static_cast<double>(scores.size());
    const double bits = sum / std::log(2.0) / static_cast<double>(text.size());
    if (json)
      fmt::print("{}\n", to_text(io::Json::object({{"tokens", scores.size()},
                                                   {"mean_nll", mean},
                                                   {"perplexity", std::exp(mean)},
                                                   {"bits_per_byte", bits}})));
    else
      fmt::print("{} tokens: mean negative log-likelihood {:.4f}, perplexity {:.3f}, {:.4f} bits a byte\n",
                 scores.size(), mean, std::exp(mean), bits);
    return 0;
  });
}
