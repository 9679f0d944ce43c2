// SPDX-License-Identifier: Apache-2.0
// Times a training step (forward, backward, clip, AdamW): of a GPT-2 shape, or with --experts of OLMoE's.
#include "training.hpp"

using namespace atom;

namespace {

struct Options : bench::ModelSize {
  Index batch = 4, steps = 5;
  int threads = default_thread_count();
  bool json = false, only = false;
};

// make() -> a model, anew for each number of threads.
void measure(const auto& make, const Options& o, const std::vector<bench::Limits>& all_limits) {
  const bench::Output out("train_step", o.json);
  out.limits(all_limits);
  out.line("\n{:>8} {:>11} {:>10} {:>8} {:>8} {:>9}\n", "threads", "ms a step", "tokens/s", "GF/s", "of peak",
           "peak MiB");
  Index parameters = 0;
  for (const auto& limits : all_limits) {
    set_default_threads(limits.threads);
    auto model = make();
    parameters = nn::parameter_count(model);
    const auto [seconds, loss] = bench::train(model, o.batch, o.context, o.steps);
    const double tokens = static_cast<double>(o.batch * o.context) / seconds;
    const double gflops = 1e-9 * bench::step_operations(model, o.batch, o.context) / seconds;
    const double share = gflops / limits.gflops;
    out.line("{:8} {:11.2f} {:10.0f} {:8.1f} {:7.0f}% {:9.0f}\n", limits.threads, 1e3 * seconds, tokens, gflops,
             100 * share, bench::peak_mib());
    out.object({{"ms_per_step", 1e3 * seconds},
                {"tokens_per_s", tokens},
                {"gflops", gflops},
                {"share_of_peak", share},
                {"peak_mib", bench::peak_mib()},
                {"loss", loss},
                {"parameters", parameters},
                {"layers", o.layers},
                {"width", o.width},
                {"vocab", o.vocab},
                {"context", o.context},
                {"batch", o.batch},
                {"experts", o.experts},
                {"threads", limits.threads}});
  }
  out.line("{} layers x {}, {} parameters, batch {} x {}\n", o.layers, o.width, parameters, o.batch, o.context);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Times a training step of a GPT-2 shape, or of OLMoE's with --experts, with one thread and with all.\n"
      "Examples: train_step --layers 4 --heads 4 --width 128 --vocab 65 --batch 12\n"
      "          train_step --layers 4 --heads 4 --width 256 --vocab 1024 --context 256 --experts 16 --active 4 "
      "--expert-width 256"};
  app.add_option("--layers", o.layers, "blocks");
  app.add_option("--heads", o.heads, "of attention");
  app.add_option("--width", o.width, "channels");
  app.add_option("--vocab", o.vocab, "tokens that there are");
  app.add_option("--context", o.context, "tokens of a sequence");
  app.add_option("--batch", o.batch, "sequences");
  app.add_option("--experts", o.experts, "routed experts of each layer; 1: dense, as wide as `active` experts");
  app.add_option("--active", o.active, "experts of each token");
  app.add_option("--expert-width", o.expert_width, "channels of an expert; 0: width");
  app.add_option("--threads", o.threads, "all threads")->check(CLI::PositiveNumber);
  app.add_flag("--only", o.only, "not with one thread first");
  app.add_option("--steps", o.steps, "timed steps, after two to warm up")->check(CLI::PositiveNumber);
  app.add_flag("--json", o.json, bench::json_help);
  return cli::run(app, argc, argv, [&] {
    auto limits = bench::measure_limits(o.threads);
    if (o.only) limits = {limits.back()};
    if (o.expert_width == 0) o.expert_width = o.width;
    const auto gpt2 = models::TransformerConfig::gpt2(o.vocab, o.layers, o.heads, o.width, o.context);
    if (o.experts == 0)
      measure([&] { return models::Transformer<float>(gpt2, Rng(1)); }, o, limits);
    else
      measure([&] { return models::FullTransformer<float>(bench::olmoe(o), Rng(1)); }, o, limits);
    return 0;
  });
}
