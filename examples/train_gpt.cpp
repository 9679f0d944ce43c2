// SPDX-License-Identifier: Apache-2.0
// Trains a small transformer on a text file, or on stories that it makes up, into a run folder that can be stopped,
// resumed, sampled and looked at. The loop itself is `train` below.
#include "cli.hpp"
#include "corpus.hpp"

#include <atom/pretrained/folder.hpp>
#include <atom/run/checkpoint.hpp>
#include <atom/run/run_folder.hpp>

#include <csignal>

using namespace atom;

namespace {

struct Options {
  std::string data, out = "runs/stories", tokenizer = "bpe:1024", shape = "gpt2";
  Index steps = 2400, stop_at = 0, layers = 4, heads = 4, width = 128, context = 128, batch = 8;
  Index evaluate_every = 400, checkpoint_every = 400;
  double lr = 2e-3, dropout = 0;
  int threads = default_thread_count();
  std::uint64_t seed = 1;
  bool resume = false, json = false, quiet = false;
};

volatile std::sig_atomic_t interrupted = 0;

models::TransformerConfig shape_of(const Options& o, Index vocab) {
  auto config = o.shape == "gpt2" ? models::TransformerConfig::gpt2(vocab, o.layers, o.heads, o.width, o.context)
                                  : models::TransformerConfig::llama(vocab, o.layers, o.heads, o.width, o.context);
  config.dropout = o.dropout;
  return models::resolved(config);
}

// Everything a resumed run needs to go on in the same bits.
struct Trainer {
  models::Transformer<float> model;
  optim::AdamW<float, Device> optim;
  data::Batches<Device> batches;
  optim::Guard guard;
  Index step = 0;  // done

  auto state() {
    return [this](auto&& visit) {
      visit("optimizer", optim);
      visit("batches", batches);
      visit("guard", guard);
    };
  }
  void save(const Options& o, const io::Tokenizer& tokenizer) {
    const auto write_model = [&](const std::string& folder) {
      pretrained::save(folder, model);
      io::save_tokenizer(folder, tokenizer);
    };
    run::save_checkpoint(o.out, step, write_model, state());
  }
  void load(const run::Checkpoint& checkpoint) {
    pretrained::load_weights(checkpoint.path, model);
    run::load_training(checkpoint, state());
    step = checkpoint.step;
  }
};

// The loop. Returns the exit code.
int train(Trainer& t, const Corpus& corpus, const Options& o, run::Metrics& metrics, run::Progress& progress) {
  const optim::Schedule schedule{.peak = o.lr, .warm_up = o.steps / 20, .steps = o.steps};
  const Rng rng(o.seed);
  const Index end = o.stop_at > 0 ? std::min(o.stop_at, o.steps) : o.steps;
  while (t.step < end) {
    const auto start = std::chrono::steady_clock::now();
    const float lr = schedule.lr(t.step);
    const auto [x, y] = t.batches.next();
    const auto loss =
        t.model.loss(x, y, {.mode = nn::training(rng.key("dropout", static_cast<std::uint64_t>(t.step)))});
    backward(loss);
    const double value = static_cast<double>(loss.item()), norm = t.optim.gradient_norm();
    const auto verdict = t.guard.judge(value, norm);
    t.optim.set_lr(lr);
    if (verdict == optim::Verdict::accept)
      t.optim.step(norm);
    else
      t.optim.clear();
    ++t.step;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const run::StepReport report{.step = t.step,
                                 .loss = value,
                                 .learning_rate = static_cast<double>(lr),
                                 .gradient_norm = norm,
                                 .tokens = t.batches.targets(),
                                 .seconds = took.count(),
                                 .skipped = verdict != optim::Verdict::accept};
    metrics.write(report);
    progress.show(report);
    if (verdict == optim::Verdict::stop) {
      progress.note("training has diverged: too many steps in a row were skipped");
      return 3;
    }
    const bool last = t.step == end || interrupted != 0;
    if (t.step % o.evaluate_every == 0 || t.step == o.steps) {
      const double validation = validation_loss(t.model, corpus, o.batch, o.context);
      metrics.write(t.step, io::Json::object({{"validation_loss", validation}}));
      const std::string text =
          sample::generate_text(t.model, corpus.tokenizer, "\n", {.generate = {.tokens = 200, .seed = o.seed}});
      metrics.write(t.step, io::Json::object({{"sample", text}}));
      progress.note(to_text("step ", t.step, " | validation loss ", run::fixed(validation, 4)));
    }
    if (last || t.step % o.checkpoint_every == 0) t.save(o, corpus.tokenizer);
    if (interrupted != 0) return 128 + static_cast<int>(interrupted);
  }
  return 0;
}

int program(const Options& o) {
  set_default_threads(o.threads);
  std::error_code ignored;
  std::filesystem::create_directories(o.out, ignored);
  run::Progress progress(o.quiet ? nullptr : stderr, {.steps = o.steps});

  std::optional<run::Checkpoint> checkpoint;
  if (o.resume) {
    const auto search = run::find_checkpoint(o.out);
    for (const auto& why : search.skipped) progress.note("skipped a damaged checkpoint: " + why);
    checkpoint = search.newest;
    check(checkpoint.has_value(), "--resume", "no checkpoint in ", o.out);
    if (const auto change = checkpoint->stream_change()) progress.note(*change);
  }
  const Corpus corpus = read_corpus(
      {.data = o.data, .out = o.out, .tokenizer = checkpoint ? checkpoint->path : o.tokenizer, .seed = o.seed});
  const auto config = shape_of(o, corpus.tokenizer.size());
  if (checkpoint) {
    const auto saved = pretrained::load_config(checkpoint->path);
    check(saved.vocab == config.vocab, "--resume", "the checkpoint's vocabulary has ", saved.vocab,
          " entries, its tokenizer ", config.vocab);
    check(saved == config, "--resume", "the checkpoint has another shape: ", saved.layers, " layers, ", saved.heads,
          " heads, width ", saved.width, ", context ", saved.context, "; wanted ", config.layers, ", ", config.heads,
          ", ", config.width, ", ", config.context);
  }

  models::Transformer<float> model(config, Rng(o.seed));
  optim::AdamW optim(model, {.lr = static_cast<float>(o.lr)});
  Trainer trainer{
      std::move(model), std::move(optim),
      data::Batches<Device>(corpus.parts.train,
                            {.batch = o.batch, .context = o.context, .seed = o.seed, .boundary = corpus.boundary}),
      optim::Guard({.norm_ratio = 30}),  // clipping bears the lesser spikes of the norm
      0};
  if (checkpoint) trainer.load(*checkpoint);
  const Index parameters = nn::parameter_count(trainer.model);
  auto run_config = io::Json::object({{"parameters", parameters},
                                      {"vocab", config.vocab},
                                      {"layers", o.layers},
                                      {"heads", o.heads},
                                      {"width", o.width},
                                      {"context", o.context},
                                      {"batch", o.batch},
                                      {"steps", o.steps},
                                      {"lr", o.lr},
                                      {"dropout", o.dropout},
                                      {"tokenizer", o.tokenizer},
                                      {"shape", o.shape}});
  if (corpus.entropy > 0) run_config.set("entropy", corpus.entropy);
  io::write_file(o.out + "/run.json",
                 to_pretty_text(run::describe_run(
                     {.config = run_config, .seed = o.seed, .threads = o.threads, .data = {corpus.path}})));
  progress.note(
      to_text("training ", parameters, " parameters on ", corpus.parts.train.size(), " tokens of ", corpus.path));

  run::Metrics metrics(o.out + "/metrics.jsonl", checkpoint ? checkpoint->step : -1);
  const int code = train(trainer, corpus, o, metrics, progress);
  progress.finish();
  run::write_report(o.out);
  if (code == 0 && o.data.empty() && trainer.step == o.steps)
    report_stories(trainer.model, corpus.tokenizer, data::read_text(corpus.path),
                   validation_loss(trainer.model, corpus, o.batch, o.context), corpus.entropy, o.seed);
  if (!o.quiet) fmt::print(stderr, "run folder: {0} (look at {0}/report.html)\n", o.out);
  if (o.json) fmt::print("{{\"step\":{},\"parameters\":{},\"out\":\"{}\"}}\n", trainer.step, parameters, o.out);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Trains a small transformer on a text, or on made-up stories if no --data is given.\n"
      "Example: train_gpt --data book.txt --out runs/book --tokenizer bpe:1024 --steps 2000"};
  app.option_defaults()->always_capture_default();
  app.add_option("--data", o.data, "text file; documents are separated by blank lines");
  app.add_option("--out", o.out, "run folder");
  app.add_option("--tokenizer", o.tokenizer, "char, bpe:N (N tokens, trained on the text) or a tokenizer.json");
  app.add_option("--steps", o.steps, "training steps of the whole run")->check(CLI::PositiveNumber);
  app.add_option("--stop-at", o.stop_at, "stop after this step, as an interruption would; 0: do not");
  app.add_flag("--resume", o.resume, "go on from the newest valid checkpoint in --out");
  app.add_option("--shape", o.shape, "gpt2 or llama")->check(CLI::IsMember({"gpt2", "llama"}));
  app.add_option("--layers", o.layers, "blocks");
  app.add_option("--heads", o.heads, "attention heads");
  app.add_option("--width", o.width, "channels");
  app.add_option("--context", o.context, "tokens of a sequence");
  app.add_option("--batch", o.batch, "sequences of a step");
  app.add_option("--lr", o.lr, "peak learning rate");
  app.add_option("--dropout", o.dropout, "share of values dropped in training");
  app.add_option("--evaluate-every", o.evaluate_every, "steps")->check(CLI::PositiveNumber);
  app.add_option("--checkpoint-every", o.checkpoint_every, "steps")->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads, "threads")->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of initial values, order and samples");
  app.add_flag("--json", o.json, "one JSON object on stdout at the end");
  app.add_flag("--quiet", o.quiet, "no progress");
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int number) {
      if (interrupted != 0) std::_Exit(128 + number);  // asked twice
      interrupted = number;
    });
  return cli::run(app, argc, argv, [&] { return program(o); });
}
