// SPDX-License-Identifier: Apache-2.0
// Trains a small mixture of experts in the manner of DeepSeek-V3 and, beside it, a dense model that does as much work
// for each token: same attention, same batches, a feed-forward layer as wide as the experts that a token visits. Shows
// both validation losses and how evenly the router spreads the load. The loop itself is `train` below.
#include "cli.hpp"
#include "corpus.hpp"

#include <atom/pretrained/folder.hpp>
#include <atom/run/checkpoint.hpp>
#include <atom/run/run_folder.hpp>

using namespace atom;
using io::Json;

namespace {

struct Options {
  std::string data, out = "runs/experts", tokenizer = "bpe:1024", balance = "bias";
  Index steps = 600, layers = 3, heads = 4, width = 96, context = 128, batch = 8, evaluate_every = 50;
  Index experts = 16, active = 2, expert_width = 32;
  double lr = 3e-3, balance_rate = 1e-3;
  int threads = default_thread_count();
  std::uint64_t seed = 1;
  bool mtp = false, no_dense = false, resume = false, json = false, quiet = false;
};

// What both have in common: multi-head latent attention, and a feed-forward layer of the width that a token sees.
models::TransformerConfig dense_shape(const Options& o, Index vocab) {
  const Index head = o.width / o.heads;
  return {.vocab = vocab,
          .context = o.context,
          .layers = o.layers,
          .heads = o.heads,
          .width = o.width,
          .feed_forward = (o.active + 1) * o.expert_width,
          .rope_pairing = RopePairing::interleaved,
          .latent = {.kv_rank = 2 * head, .nope_dim = head, .rope_dim = (head / 2 + 1) / 2 * 2, .value_dim = head},
          .tie_embeddings = false,
          .mtp = o.mtp ? 1 : 0};
}

// A first dense layer, then in each a shared expert for every token and `active` of `experts` that a router chooses.
models::TransformerConfig experts_shape(const Options& o, Index vocab) {
  auto config = dense_shape(o, vocab);
  config.moe = {
      .experts = o.experts,
      .active = o.active,
      .expert_width = o.expert_width,
      .shared_width = o.expert_width,
      .select_bias = true,  // of the choice alone; stays 0 unless --balance bias moves it
      .first_dense = o.layers > 1 ? 1 : 0,
      .router = {
          .score = nn::RouterScore::sigmoid, .normalise = true, .balance = o.balance == "loss" ? o.balance_rate : 0}};
  return config;
}

struct Learner {
  models::FullTransformer<float> model;
  optim::AdamW<float, Device> optim;
  double seconds = 0;     // in steps
  double validation = 0;  // loss, the latest

  Learner(const models::TransformerConfig& config, const Options& o)
      : model(config, Rng(o.seed)), optim(model, {.lr = static_cast<float>(o.lr)}) {}

  run::StepReport learn(const data::Batch<Device>& batch, float lr) {
    const auto start = std::chrono::steady_clock::now();
    const auto value = model.loss(batch.x, batch.y, {.mode = nn::training({})});
    backward(value);
    optim.set_lr(lr);
    const auto result = optim.step();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    seconds += took.count();
    return {.loss = static_cast<double>(value.item()),
            .learning_rate = static_cast<double>(lr),
            .gradient_norm = result.norm,
            .seconds = took.count(),
            .skipped = result.skipped};
  }
};

// Both models and where they are in the text: what a resumed run needs.
struct Comparison {
  Learner experts;
  std::optional<Learner> dense;
  data::Batches<Device> batches;
  Index step = 0;  // done

  auto state() {
    return [this](auto&& visit) {
      visit("optimizer", experts.optim);
      visit("batches", batches);
      if (!dense) return;
      visit("dense.optimizer", dense->optim);
      nn::for_each_tensor(dense->model,
                          [&](const std::string& name, auto& tensor, Role) { visit("dense." + name, tensor); });
    };
  }
  // As deepseek_v3 is published: what pretrained::load_model and others read.
  void save(const std::string& out, const io::Tokenizer& tokenizer) {
    const auto write_model = [&](const std::string& folder) {
      pretrained::save(folder, experts.model);
      io::save_tokenizer(folder, tokenizer);
    };
    run::save_checkpoint(out, step, write_model, state());
  }
  void load(const run::Checkpoint& checkpoint) {
    pretrained::load_weights(checkpoint.path, experts.model);
    run::load_training(checkpoint, state());
    step = checkpoint.step;
  }
};

void evaluate(Comparison& c, const Corpus& corpus, const Options& o, run::Metrics& metrics, run::Progress& progress) {
  c.experts.validation = validation_loss(c.experts.model, corpus, o.batch, o.context, 32);
  auto losses = Json::object({{"experts", c.experts.validation}});
  std::string text = to_text("step ", c.step, " | validation loss: experts ", run::fixed(c.experts.validation, 4));
  if (c.dense) {
    c.dense->validation = validation_loss(c.dense->model, corpus, o.batch, o.context, 32);
    losses.set("dense", c.dense->validation);
    text += to_text(", dense ", run::fixed(c.dense->validation, 4));
  }
  metrics.write(c.step, Json::object({{"validation_loss", losses}}));
  progress.note(text);
}

// The loop.
void train(Comparison& c, const Corpus& corpus, const Options& o, run::Metrics& metrics, run::Progress& progress) {
  const optim::Schedule schedule{.peak = o.lr, .warm_up = o.steps / 20, .steps = o.steps};
  if (c.step == 0) evaluate(c, corpus, o, metrics, progress);
  while (c.step < o.steps) {
    const float lr = schedule.lr(c.step);
    const auto batch = c.batches.next();
    ++c.step;
    auto report = c.experts.learn(batch, lr);
    report.step = c.step;
    report.tokens = c.batches.targets();
    auto more = Json::object({{"expert_load", optim::expert_loads(c.experts.model)}});
    optim::update_balance(c.experts.model, o.balance == "bias" ? o.balance_rate : 0);
    if (c.dense) more.set("dense_loss", c.dense->learn(batch, lr).loss);
    metrics.write(report);
    metrics.write(c.step, more);
    progress.show(report);
    if (c.step % o.evaluate_every == 0 || c.step == o.steps) evaluate(c, corpus, o, metrics, progress);
  }
}

// Parameters that take part in the work for one token: of each stack of experts, the chosen ones.
Index active_parameters(const Learner& learner, const Options& o) {
  Index count = 0;
  nn::for_each_tensor(learner.model, [&](const std::string&, const auto& tensor, Role role) {
    if (role != Role::buffer) count += tensor.rank() == 3 ? tensor.size() / o.experts * o.active : tensor.size();
  });
  return count;
}

void tell(const std::string& name, const Learner& learner, const Options& o, Index steps) {
  fmt::print("{}: validation loss {:.4f}, {:.0f} ms a step, {} parameters, {} of them for each token\n", name,
             learner.validation, 1e3 * learner.seconds / static_cast<double>(std::max<Index>(steps, 1)),
             nn::parameter_count(learner.model), active_parameters(learner, o));
}

int program(const Options& o) {
  set_default_threads(o.threads);
  std::filesystem::create_directories(o.out);
  run::Progress progress(o.quiet ? nullptr : stderr, {.steps = o.steps});
  std::optional<run::Checkpoint> checkpoint;
  if (o.resume) {
    checkpoint = run::find_checkpoint(o.out).newest;
    check(checkpoint.has_value(), "--resume", "no checkpoint in ", o.out);
  }
  const Corpus corpus = read_corpus(
      {.data = o.data, .out = o.out, .tokenizer = checkpoint ? checkpoint->path : o.tokenizer, .seed = o.seed});
  const Index vocab = corpus.tokenizer.size();

  Comparison c{.experts = Learner(experts_shape(o, vocab), o),
               .dense = std::nullopt,
               .batches = {corpus.parts.train,
                           {.batch = o.batch, .context = o.context, .seed = o.seed, .boundary = corpus.boundary}}};
  if (!o.no_dense) c.dense.emplace(dense_shape(o, vocab), o);
  if (checkpoint) c.load(*checkpoint);
  const Index start = c.step;

  auto config = Json::object({{"parameters", nn::parameter_count(c.experts.model)},
                              {"parameters for each token", active_parameters(c.experts, o)},
                              {"vocab", vocab},
                              {"layers", o.layers},
                              {"heads", o.heads},
                              {"width", o.width},
                              {"experts", o.experts},
                              {"active", o.active},
                              {"expert width", o.expert_width},
                              {"context", o.context},
                              {"batch", o.batch},
                              {"steps", o.steps},
                              {"lr", o.lr},
                              {"balance", o.balance},
                              {"balance rate", o.balance_rate},
                              {"multi-token prediction", o.mtp}});
  if (corpus.entropy > 0) config.set("entropy", corpus.entropy);
  io::write_file(o.out + "/run.json",
                 to_pretty_text(run::describe_run(
                     {.config = config, .seed = o.seed, .threads = o.threads, .data = {corpus.path}})));
  run::Metrics metrics(o.out + "/metrics.jsonl", checkpoint ? checkpoint->step : -1);
  train(c, corpus, o, metrics, progress);
  c.save(o.out, corpus.tokenizer);
  const sample::TextOptions options{.generate = {.tokens = 200, .seed = o.seed}};
  metrics.write(c.step,
                Json::object({{"sample", sample::generate_text(c.experts.model, corpus.tokenizer, "\n", options)}}));
  progress.finish();
  run::write_report(o.out);

  const double busiest = run::read_history(metrics.path()).busiest_expert(50);
  const double gain = c.dense ? c.dense->validation - c.experts.validation : 0;
  if (!o.quiet) fmt::print(stderr, "run folder: {0} (look at {0}/report.html)\n", o.out);
  if (o.json) {
    fmt::print("{}\n", to_text(Json::object({{"step", c.step},
                                             {"experts", c.experts.validation},
                                             {"gain", gain},
                                             {"busiest_expert", busiest},
                                             {"out", o.out}})));
    return 0;
  }
  tell("experts", c.experts, o, c.step - start);
  if (c.dense) {
    tell("dense", *c.dense, o, c.step - start);
    fmt::print("the {} model is better by {:.4f} nats a token\n", gain > 0 ? "experts'" : "dense", std::abs(gain));
  }
  fmt::print("busiest expert: {:.2f} times the mean (last 50 steps, worst layer; balance {})\n", busiest, o.balance);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Trains a mixture of experts beside a dense model of equal work a token, on a text or on made-up stories.\n"
      "Example: train_moe --experts 16 --active 2 --out runs/experts"};
  app.option_defaults()->always_capture_default();
  app.add_option("--data", o.data, "text file; documents are separated by blank lines");
  app.add_option("--out", o.out, "run folder");
  app.add_option("--tokenizer", o.tokenizer, "char, bpe:N (N tokens, trained on the text) or a tokenizer.json");
  app.add_option("--steps", o.steps, "training steps of the whole run")->check(CLI::PositiveNumber);
  app.add_option("--experts", o.experts, "of each layer, besides the shared one")->check(CLI::PositiveNumber);
  app.add_option("--active", o.active, "experts that a token visits")->check(CLI::PositiveNumber);
  app.add_option("--expert-width", o.expert_width, "hidden channels of an expert")->check(CLI::PositiveNumber);
  app.add_option("--balance", o.balance, "what keeps the load even")->check(CLI::IsMember({"bias", "loss", "none"}));
  app.add_option("--balance-rate", o.balance_rate, "step of the bias, or weight of the loss");
  app.add_flag("--mtp", o.mtp, "both models also learn to guess the token after next");
  app.add_flag("--no-dense", o.no_dense, "leave the dense model out");
  app.add_option("--layers", o.layers, "blocks, the first of them dense")->check(CLI::PositiveNumber);
  app.add_option("--heads", o.heads, "attention heads")->check(CLI::PositiveNumber);
  app.add_option("--width", o.width, "channels");
  app.add_option("--context", o.context, "tokens of a sequence");
  app.add_option("--batch", o.batch, "sequences of a step");
  app.add_option("--lr", o.lr, "peak learning rate of both");
  app.add_option("--evaluate-every", o.evaluate_every, "steps")->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads, "threads")->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of initial values and order");
  app.add_flag("--resume", o.resume, "go on from the newest valid checkpoint in --out");
  app.add_flag("--json", o.json, "one JSON object on stdout at the end");
  app.add_flag("--quiet", o.quiet, "no progress");
  return cli::run(app, argc, argv, [&] { return program(o); });
}
