// SPDX-License-Identifier: Apache-2.0
// Talks with an open model: a Hugging Face folder or a GGUF file, with its own tokenizer, chat template and sampling.
#include "adapted_model.hpp"
#include "cache_option.hpp"
#include "cli.hpp"
#include "model_path.hpp"

#include <atom/atom.hpp>
#include <atom/pretrained/chat_format.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/generation_config.hpp>
#include <atom/pretrained/pack_weights.hpp>

#include <ctime>
#include <iostream>

using namespace atom;

namespace {

using Model = FullModel;

io::CivilTime today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return {.year = local.tm_year + 1900,
          .month = local.tm_mon + 1,
          .day = local.tm_mday,
          .hour = local.tm_hour,
          .minute = local.tm_min,
          .second = local.tm_sec};
}

// A conversation and the model that takes part in it.
class Chat {
 public:
  Chat(const Model& model, const io::Tokenizer& tokenizer, pretrained::ChatFormat format,
       sample::GenerateOptions options, Index context, CacheType cache)
      : tokenizer_(tokenizer),
        format_(std::move(format)),
        options_(std::move(options)),
        session_(model, context, cache) {
    options_.vocab = tokenizer.size();
  }

  void say(const char* role, const std::string& text) {
    messages_.push_back(io::Json::object({{"role", role}, {"content", text}}));
  }

  // Prints the answer to what was said as it comes, and makes it part of the conversation.
  void answer() {
    const auto prompt = fitting_prompt();
    io::StreamDecoder decoder(tokenizer_, {.skip_special = true});
    std::string text;
    const auto show = [&](std::string_view part) {
      text += part;
      fmt::print("{}", part);
      std::fflush(stdout);
    };
    auto options = options_;
    options.seed += messages_.size();
    options.on_token = [&](TokenId id) {
      show(decoder.push(id));
      return true;
    };
    const auto answer = session_.generate(prompt, options);
    show(decoder.finish());
    fmt::print("\n");
    if (answer.end == sample::End::full)
      fmt::print(stderr, "[the context of {} tokens is full: the answer ends here]\n", session_.capacity());
    if (answer.end == sample::End::tokens)
      fmt::print(stderr, "[the answer ends after {} tokens: see --tokens]\n", options.tokens);
    say("assistant", text);
  }

  void forget() {
    std::erase_if(messages_, [](const io::Json& m) { return m.get<std::string>("role") != "system"; });
  }

 private:
  std::vector<TokenId> prompt() const {
    auto variables = format_.variables;
    variables.set("messages", messages_);
    variables.set("add_generation_prompt", true);
    const auto text = format_.chat.render(variables, {.now = today()});
    return tokenizer_.encode(text, {.add_special = false});
  }

  // Where the conversation has outgrown the context, its oldest turns are left out, but never what the system says.
  std::vector<TokenId> fitting_prompt() {
    constexpr std::size_t least_answer = 32;
    const auto capacity = static_cast<std::size_t>(session_.capacity());
    auto ids = prompt();
    int forgotten = 0;
    while (ids.size() + least_answer > capacity) {
      const auto is_turn = [](const io::Json& m) { return m.get<std::string>("role") != "system"; };
      const auto first = std::ranges::find_if(messages_, is_turn);
      check(messages_.end() - first > 2, "chat", "what was said takes ", ids.size(), " tokens, the context holds ",
            capacity, ": see --context");
      messages_.erase(first, first + 2);
      forgotten += 2;
      ids = prompt();
    }
    if (forgotten > 0)
      fmt::print(stderr, "[the context of {} tokens is full: the {} oldest messages are forgotten]\n", capacity,
                 forgotten);
    return ids;
  }

  const io::Tokenizer& tokenizer_;
  pretrained::ChatFormat format_;
  sample::GenerateOptions options_;
  sample::Session<Model> session_;
  io::Json::Array messages_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string path, system, prompt, template_file, adapter;
  Index context = 4096, tokens = 1024;
  CacheType cache = CacheType::exact;
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<Index> top_k;
  std::uint64_t seed = 0;
  int threads = default_thread_count();
  bool exact = false;
  CLI::App app{"Talks with an open model.\nExample: chat SmolLM2-135M-Instruct.Q4_1.gguf --system 'You are a pirate.'"};
  app.add_option("model", path, "Hugging Face folder, GGUF file or run folder")->required();
  app.add_option("--system", system, "what the model is told before the conversation");
  app.add_option("--prompt", prompt, "answer this and end, instead of a conversation");
  app.add_option("--template", template_file, "chat template in the place of the model's own")
      ->check(CLI::ExistingFile);
  app.add_option("--adapter", adapter, "folder of low-rank adapters, as finetune and PEFT write it")
      ->check(CLI::ExistingDirectory);
  app.add_option("--context", context, "tokens that the model remembers")->check(CLI::PositiveNumber);
  cli::add_cache_option(app, cache);
  app.add_option("--tokens", tokens, "of an answer, at most")->check(CLI::PositiveNumber);
  app.add_option("--temperature", temperature, "0: the most likely token each time; else the model's own setting");
  app.add_option("--top-k", top_k, "keep the k most likely; 0: all");
  app.add_option("--top-p", top_p, "keep the most likely that reach this probability");
  app.add_option("--min-p", min_p, "drop what is less likely than this share of the most likely");
  app.add_option("--repetition-penalty", repetition_penalty, "above 1: avoid what was said");
  app.add_option("--seed", seed, "of the draws");
  app.add_flag("--exact", exact, "multiply stored weights as the numbers they are, in float: slower");
  app.add_option("--threads", threads, "threads")->check(CLI::PositiveNumber);
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    path = model_path(path);
    const auto tokenizer = pretrained::load_tokenizer(path);
    auto format = pretrained::load_chat_format(path);
    if (!template_file.empty()) {
      auto variables = format ? format->variables : io::Json::object();
      format = {io::ChatTemplate(io::read_file(template_file), template_file), std::move(variables)};
    }
    check(format.has_value(), path, "the model has no chat template: give one with --template, or use sample_gpt");
    const auto usual = pretrained::load_generation_config(path);
    auto model = pretrained::load_model<Model>(path);
    add_adapter(model, path, adapter);
    if (!exact) pretrained::pack_weights(model);
    Chat chat(model, tokenizer, std::move(*format),
              {.tokens = tokens,
               .temperature = temperature.value_or(usual.sampler.temperature),
               .top_k = top_k.value_or(usual.sampler.top_k),
               .top_p = top_p.value_or(usual.sampler.top_p),
               .min_p = min_p.value_or(usual.sampler.min_p),
               .repetition_penalty = repetition_penalty.value_or(usual.sampler.repetition_penalty),
               .seed = seed,
               .stop_ids = usual.ends},
              std::min(context, model.config.context), cache);
    if (!system.empty()) chat.say("system", system);
    if (!prompt.empty()) {
      chat.say("user", prompt);
      chat.answer();
      return 0;
    }
    fmt::print(stderr, "An empty line ends, /forget starts anew.\n");
    for (std::string line; fmt::print("> "), std::fflush(stdout), std::getline(std::cin, line) && !line.empty();) {
      if (line == "/forget") {
        chat.forget();
        continue;
      }
      chat.say("user", line);
      chat.answer();
    }
    return 0;
  });
}
