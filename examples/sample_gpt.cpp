// SPDX-License-Identifier: Apache-2.0
// Continues a prompt with a model from a run folder (its newest valid checkpoint), a Hugging Face folder or a GGUF
// file.
#include "cli.hpp"
#include "model_path.hpp"

#include <atom/atom.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/pack_weights.hpp>
#include <atom/pretrained/tokenizer.hpp>

using namespace atom;

int main(int argc, char** argv) {
  std::string folder, prompt = "\n";
  sample::TextOptions options{.generate = {.tokens = 300}};
  int threads = default_thread_count();
  bool json = false;
  CLI::App app{
      "Continues a prompt with a trained model.\nExample: sample_gpt runs/stories --prompt 'Once' --temperature 0.8"};
  app.option_defaults()->always_capture_default();
  app.add_option("folder", folder, "run folder, Hugging Face folder or GGUF file")->required();
  app.add_option("--prompt", prompt, "text to continue");
  app.add_option("--tokens", options.generate.tokens, "at most so many");
  app.add_option("--temperature", options.generate.temperature, "0: the most likely token each time");
  app.add_option("--top-k", options.generate.top_k, "keep the k most likely; 0: all");
  app.add_option("--top-p", options.generate.top_p, "keep the most likely that reach this probability");
  app.add_option("--min-p", options.generate.min_p, "drop what is less likely than this share of the most likely");
  app.add_option("--repetition-penalty", options.generate.repetition_penalty, "above 1: avoid what was said");
  app.add_option("--stop", options.stop, "text that ends the sample");
  app.add_option("--seed", options.generate.seed, "of the draws");
  app.add_option("--threads", threads, "threads")->check(CLI::PositiveNumber);
  app.add_flag("--json", json, "one JSON object on stdout instead of text");
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    const std::string path = model_path(folder);
    auto model = pretrained::load_model<models::FullTransformer<float>>(path);
    pretrained::pack_weights(model);
    const auto tokenizer = pretrained::load_tokenizer(path);
    if (!json) {
      fmt::print("{}", prompt);
      options.on_text = [](std::string_view text) {
        fmt::print("{}", text);
        std::fflush(stdout);
        return true;
      };
    }
    const std::string text = sample::generate_text(model, tokenizer, prompt, options);
    fmt::print("{}\n", json ? to_text(io::Json::object({{"prompt", prompt}, {"text", text}})) : "");
    return 0;
  });
}
