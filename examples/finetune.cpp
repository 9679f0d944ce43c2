// SPDX-License-Identifier: Apache-2.0
// Supervised fine-tuning: teaches an open model to answer as the assistant of given conversations does. By default the
// model stays as it is, in the types of its file, and low-rank adapters are trained; --full trains every weight,
// --train some of them.
#include "adapted_model.hpp"
#include "cli.hpp"
#include "model_path.hpp"

#include <atom/atom.hpp>
#include <atom/pretrained/chat_format.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/messages.hpp>
#include <atom/pretrained/parameters_named.hpp>
#include <atom/run/metrics.hpp>
#include <atom/run/progress.hpp>

#include <chrono>

using namespace atom;

namespace {

using Model = FullModel;

struct Options {
  std::string model, data, out, template_file;
  std::vector<std::string> targets, train;
  Index rank = 8, batch = 4, context = 512, steps = 0;
  double alpha = 16, lr = 0, epochs = 1;
  std::uint64_t seed = 0;
  int threads = default_thread_count();
  bool full = false, quiet = false;
};

pretrained::Conversations read_conversations(const Options& o, const io::Tokenizer& tokenizer) {
  auto format = pretrained::load_chat_format(o.model);
  if (!o.template_file.empty())
    format = {io::ChatTemplate(io::read_file(o.template_file), o.template_file),
              format ? format->variables : io::Json::object()};
  check(format.has_value(), o.model, "the model has no chat template: give one with --template");
  return pretrained::read_messages(o.data, format->chat, tokenizer, {.variables = format->variables});
}

// The mean loss of the first and of the last tenth of the steps.
struct Outcome {
  double first = 0, last = 0;
};

Outcome train(Model& model, data::ExampleBatches<>& batches, const Options& o, Index steps) {
  const double lr = o.lr > 0 ? o.lr : o.full ? 2e-5 : 2e-4;
  optim::AdamW optim(model, {.lr = static_cast<float>(lr), .weight_decay = o.full ? 0.01F : 0.0F});
  const optim::Schedule schedule{.peak = lr, .warm_up = steps / 20, .steps = steps};
  run::Progress progress(o.quiet ? nullptr : stderr, {.steps = steps});
  run::Metrics metrics(o.out + ".metrics.jsonl");
  const Index tenth = std::max<Index>(steps / 10, 1);
  Outcome outcome;
  for (Index step = 0; step < steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const auto [x, y] = batches.next();
    const auto loss = model.loss(x, y);
    backward(loss);
    const double value = static_cast<double>(loss.item());
    optim.set_lr(schedule.lr(step));
    const auto result = optim.step();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const run::StepReport report{.step = step + 1,
                                 .loss = value,
                                 .learning_rate = static_cast<double>(schedule.lr(step)),
                                 .gradient_norm = result.norm,
                                 .tokens = batches.targets(),
                                 .seconds = took.count(),
                                 .skipped = result.skipped};
    metrics.write(report);
    progress.show(report);
    if (step < tenth) outcome.first += value / static_cast<double>(tenth);
    if (step >= steps - tenth) outcome.last += value / static_cast<double>(tenth);
  }
  progress.finish();
  return outcome;
}

int program(Options o) {
  set_default_threads(o.threads);
  o.model = model_path(o.model);
  o.full = o.full || !o.train.empty();
  check(!o.full || !pretrained::is_gguf(o.model), o.model,
        "--full and --train write a folder like the model's: expected a folder");
  const auto tokenizer = pretrained::load_tokenizer(o.model);
  auto conversations = read_conversations(o, tokenizer);
  if (conversations.last_turn_only > 0)
    fmt::print(stderr, "of {} conversations only the last turn is learnt: the template shows others otherwise\n",
               conversations.last_turn_only);
  auto model = pretrained::load_model<Model>(o.model, {.full = o.full});
  const Index context = std::min(o.context, model.config.context);
  data::ExampleBatches<> batches(std::move(conversations.examples),
                                 {.batch = o.batch, .context = context, .seed = o.seed});
  if (pretrained::is_gguf(o.model)) pretrained::set_pairing(model, pretrained::folder_pairing(o.model));
  const auto layers = pretrained::published_linears(o.model, model);
  if (!o.train.empty()) nn::train_only(model, pretrained::parameters_named(o.model, o.train));
  if (!o.full)
    nn::add_lora(
        model,
        {.rank = o.rank, .alpha = o.alpha, .targets = pretrained::adapter_targets(layers, o.targets), .seed = o.seed});
  const double wanted = o.epochs * static_cast<double>(batches.size()) / static_cast<double>(o.batch);
  const Index steps = o.steps > 0 ? o.steps : std::max<Index>(static_cast<Index>(std::ceil(wanted)), 1);
  if (!o.quiet)
    fmt::print(stderr, "{} conversations, {} steps, {} of {} parameters are trained\n", batches.size(), steps,
               nn::trainable_count(model), nn::parameter_count(model));
  const auto outcome = train(model, batches, o, steps);
  io::write_folder(o.out, [&](const std::string& folder) {
    if (o.full)
      pretrained::save_like(folder, model, o.model);
    else
      pretrained::save_adapter(folder, model, layers, {.base_model = o.model});
  });
  fmt::print("loss {:.4f} at first, {:.4f} at last; {} is in {}\n", outcome.first, outcome.last,
             o.full ? "the model" : "the adapter", o.out);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"Fine-tunes an open model on conversations.\nExample: finetune model.gguf chats.jsonl --out adapter"};
  app.add_option("model", o.model, "Hugging Face folder, GGUF file or run folder")->required();
  app.add_option("data", o.data, R"(JSONL: {"messages": [{"role": "user", "content": ...}, ...]} in each line)")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--out", o.out, "folder of the adapter, as PEFT writes it, or of the whole model")->required();
  app.add_option("--template", o.template_file, "chat template in the place of the model's own")
      ->check(CLI::ExistingFile);
  app.add_option("--rank", o.rank, "of the adapters")->check(CLI::PositiveNumber);
  app.add_option("--alpha", o.alpha, "adapters are scaled by alpha / rank")->check(CLI::PositiveNumber);
  app.add_option("--targets", o.targets, "published names of linear layers, such as q_proj; none: all but the head")
      ->delimiter(',');
  app.add_option("--lr", o.lr, "peak learning rate; 0: 2e-4, with --full 2e-5");
  app.add_option("--epochs", o.epochs, "how often each conversation is learnt")->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "so many steps in the place of epochs; 0: as epochs say");
  app.add_option("--batch", o.batch, "conversations in a step")->check(CLI::PositiveNumber);
  app.add_option("--context", o.context, "tokens of a conversation, at most")->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of order and adapters");
  app.add_option("--threads", o.threads, "threads")->check(CLI::PositiveNumber);
  app.add_flag("--full", o.full, "train every weight, and write the whole model");
  app.add_option("--train", o.train,
                 "like --full, but only weights of these published names, in which * is anything: '*.layers.29.*'")
      ->delimiter(',')
      ->excludes("--targets");
  app.add_flag("--quiet", o.quiet, "no progress");
  return cli::run(app, argc, argv, [&] { return program(o); });
}
