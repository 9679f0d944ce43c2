// SPDX-License-Identifier: Apache-2.0
// A run that is stopped and resumed, at any step and with another number of threads, ends on the same bits.
#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/data/batches.hpp>
#include <atom/models/transformer.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/optim/balance.hpp>
#include <atom/optim/guard.hpp>
#include <atom/optim/schedule.hpp>
#include <atom/run/checkpoint.hpp>
#include <atom/run/metrics.hpp>

#include <filesystem>

using namespace atom;

namespace {

constexpr Index last_step = 31;

std::vector<TokenId> some_tokens() {
  std::vector<TokenId> tokens(700);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * i % 17);
  return tokens;
}

// What trains: a plain model, and one with experts whose choice is balanced by a bias.
using Plain = models::Transformer<float, Cpu>;
using Sparse = models::FullTransformer<float, Cpu>;
template <class M> models::TransformerConfig shape() {
  models::TransformerConfig c{.vocab = 17, .context = 16, .layers = 2, .heads = 2, .width = 16, .dropout = 0.1};
  if (std::is_same_v<M, Sparse>)
    c.moe = {
        .experts = 4, .active = 2, .expert_width = 8, .select_bias = true, .router = {.jitter = 0.1, .balance = 0.01}};
  return c;
}

// A whole training program: dropout, shuffled epochs, a schedule, accumulation over two batches, a guard.
template <class M = Plain> struct Trainer {
  M model{shape<M>(), Rng(3)};
  optim::AdamW<float, Cpu> optimizer{model, {.lr = 0}};
  data::Batches<Cpu> batches{some_tokens(), {.batch = 3, .context = 16, .seed = 5}};
  optim::Guard guard{{.window = 8, .warm_up = 4}};
  optim::Schedule schedule{.peak = 1e-2, .warm_up = 3, .steps = last_step};
  Index step = 0;
  double best = 1e9;

  auto state() {
    return [this](auto&& part) {
      part("optimizer", optimizer);
      part("batches", batches);
      part("guard", guard);
      part("step", step);
      part("best", best);
    };
  }

  // `poison` multiplies the loss, and so every gradient.
  run::StepReport advance(float poison = 1) {
    run::StepReport report{.step = step + 1, .learning_rate = static_cast<double>(schedule.lr(step)), .tokens = 96};
    for (int part = 0; part < 2; ++part) {
      const auto [x, y] = batches.next();
      const auto key = Rng(7).key("dropout", static_cast<std::uint64_t>(2 * step + part));
      const auto loss = model.loss(x, y, {.mode = nn::training(key), .tokens = 96}) * poison;
      report.loss += static_cast<double>(loss.item());
      backward(loss);
    }
    report.gradient_norm = optimizer.gradient_norm();
    report.skipped = guard.judge(report.loss, report.gradient_norm) != optim::Verdict::accept;
    optimizer.set_lr(schedule.lr(step));
    if (report.skipped)
      optimizer.clear();
    else
      optimizer.step();
    optim::update_balance(model, 1e-3);
    best = std::min(best, report.loss);
    ++step;
    return report;
  }
  void save(const std::string& folder) {
    run::save_checkpoint(folder, step, [&](const std::string& files) { io::save_folder(files, model); }, state(),
                         {.keep = 0});
  }
};

// All that a run leaves behind, as bytes.
std::string result_of(const std::string& folder) {
  const std::string path = to_text(folder, "/checkpoints/step-", last_step);
  return io::read_file(path + "/model.safetensors") + io::read_file(path + "/training/state.safetensors") +
         io::read_file(folder + "/metrics.jsonl");
}

}  // namespace

TEMPLATE_TEST_CASE("resume: stopped at every step, with other numbers of threads, the same bits", "", Plain, Sparse) {
  const Scratch scratch;
  const std::string whole = scratch / "whole";
  std::filesystem::create_directories(whole);
  set_default_threads(1);
  {
    Trainer<TestType> trainer;
    run::Metrics metrics(whole + "/metrics.jsonl");
    while (trainer.step < last_step) {
      metrics.write(trainer.advance());
      trainer.save(whole);
    }
    CHECK(trainer.best < 2.7);  // it learns: log 17 is 2.83
  }
  const std::string expected = result_of(whole);

  for (Index stop = 1; stop < last_step; ++stop) {
    CAPTURE(stop);
    const std::string folder = scratch / to_text("resumed-", stop);
    std::filesystem::create_directories(folder + "/checkpoints");
    std::filesystem::copy(to_text(whole, "/checkpoints/step-", stop), to_text(folder, "/checkpoints/step-", stop),
                          std::filesystem::copy_options::recursive);
    std::filesystem::copy(whole + "/metrics.jsonl", folder + "/metrics.jsonl");

    set_default_threads(static_cast<int>(2 + stop % 3));
    const auto found = run::find_checkpoint(folder);
    REQUIRE(found.newest);
    CHECK(found.newest->step == stop);
    Trainer<TestType> trainer;
    io::load(found.newest->path, trainer.model);
    run::load_training(*found.newest, trainer.state());
    run::Metrics metrics(folder + "/metrics.jsonl", found.newest->step);
    while (trainer.step < last_step) metrics.write(trainer.advance());
    trainer.save(folder);
    CHECK(result_of(folder) == expected);
  }
  set_default_threads(default_thread_count());
}

TEST_CASE("training: a poisoned step is skipped, changes no weight, and leaves no trace in the guard") {
  Trainer<> trainer;
  for (int i = 0; i < 6; ++i) CHECK(!trainer.advance().skipped);
  const auto weights = [&] {
    std::vector<float> all;
    nn::for_each_tensor(trainer.model, [&](const std::string&, const auto& tensor, Role) {
      const auto values = tensor.to_vector();
      all.insert(all.end(), values.begin(), values.end());
    });
    return all;
  };
  for (const float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e3F}) {
    const auto before = weights();
    CHECK(trainer.advance(poison).skipped);
    CHECK(weights() == before);
    CHECK(!trainer.advance().skipped);
    CHECK(weights() != before);
  }
  CHECK(trainer.guard.skipped() == 3);
  CHECK(std::ranges::all_of(weights(), [](float w) { return std::isfinite(w); }));
}

TEST_CASE("resume: the state of another model is refused, and says where") {
  const Scratch scratch;
  Trainer<> trainer;
  trainer.advance();
  trainer.save(scratch.path());
  const auto found = run::find_checkpoint(scratch.path());
  REQUIRE(found.newest);
  models::Transformer<float, Cpu> other({.vocab = 17, .context = 16, .layers = 1, .heads = 2, .width = 16}, Rng(3));
  optim::AdamW optimizer(other);
  CHECK_THROWS_WITH(run::load_training(*found.newest, [&](auto&& part) { part("optimizer", optimizer); }),
                    Catch::Contains("state \"batches\" belongs to nothing here"));
  CHECK_THROWS_WITH(io::load(found.newest->path, other), Catch::Contains("blocks.1."));
}
