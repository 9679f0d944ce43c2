// SPDX-License-Identifier: Apache-2.0
// Speed of an open model: reading a prompt, and decoding greedily one token at a time, in the type of its file or in
// another. Decoding reads every weight for each token, so its limit is the memory's bandwidth.
#include <atom/nn/weights.hpp>
#include <atom/pretrained/load.hpp>
#include <atom/pretrained/pack_weights.hpp>

#include "../../examples/cache_option.hpp"
#include "../../examples/model_path.hpp"
#include "machine.hpp"

using namespace atom;

namespace {

using Model = models::FullTransformer<float>;

struct Options {
  std::string path, weights = "as-is";
  Index prompt = 128, tokens = 64, batch = 1, runs = 3;
  int threads = default_thread_count();
  bool json = false;
  CacheType cache = CacheType::exact;
};

// The type of --weights; nothing: as stored.
std::optional<BlockType> type_of(const std::string& weights) {
  if (weights == "f32") return BlockType::f32;
  if (weights == "bf16") return BlockType::bf16;
  if (weights == "q8_0") return BlockType::q8_0;
  if (weights == "q4_0") return BlockType::q4_0;
  return std::nullopt;
}

// Bytes of the weights that one pass over a token of each sequence reads: of experts, those that so many tokens are
// expected to choose; of an embedding that is no head, hardly any.
double pass_bytes(const Model& model, Index batch) {
  const auto& c = model.config;
  const double idle = 1 - static_cast<double>(c.moe.active) / static_cast<double>(std::max<Index>(c.moe.experts, 1));
  const double chosen = 1 - std::pow(idle, static_cast<double>(batch));
  double bytes = 0;
  nn::for_each_weight(model, [&](const std::string& name, const auto& weight, const auto& stored, Role role) {
    if (role == Role::embedding && !(c.tie_embeddings && name.starts_with("embedding"))) return;
    const auto size = static_cast<double>(weight.defined() ? static_cast<std::size_t>(weight.size()) * sizeof(float)
                                                           : stored.bytes());
    bytes += (weight.defined() ? weight.rank() : stored.rank()) == 3 ? size * chosen : size;
  });
  return bytes;
}

// Sequences that one model reads and continues.
class Sequences {
 public:
  Sequences(const Model& model, const Options& o)
      : model_(model), batch_(o.batch), cache_(model.make_cache(o.batch, o.prompt + o.tokens, o.cache)) {
    const RandomKey key = Rng(1).key("prompt");
    for (Index i = 0; i < o.batch * o.prompt; ++i)
      prompt_.push_back(static_cast<TokenId>(uniform_index(key, i, model.config.vocab)));
  }

  void read_prompt() {
    for (Index b = 0; b < batch_; ++b) cache_.truncate(b, 0);
    read(prompt_);
  }
  void decode(Index tokens) {
    for (Index i = 0; i < tokens; ++i) read(next_);
  }

  double bytes_per_position() const { return static_cast<double>(cache_.bytes_per_token() * batch()); }

 private:
  std::size_t batch() const { return static_cast<std::size_t>(batch_); }

  // The same number of tokens of each sequence; next_ becomes the most likely token after each.
  void read(const std::vector<TokenId>& ids) {
    const Index columns = std::ssize(ids) / batch_;
    const std::vector<std::int32_t> counts(batch(), static_cast<std::int32_t>(columns));
    const auto logits = model_.next_logits(Tensor<TokenId>::from(ids, {batch_, columns}), counts, cache_).to_vector();
    const auto vocab = static_cast<std::ptrdiff_t>(logits.size() / batch());
    next_.clear();
    for (auto row = logits.begin(); row != logits.end(); row += vocab)
      next_.push_back(static_cast<TokenId>(std::max_element(row, row + vocab) - row));
  }

  const Model& model_;
  Index batch_;
  nn::KvCache<float, Device> cache_;
  std::vector<TokenId> prompt_, next_;
};

void measure(const Options& o) {
  const auto all_limits = bench::measure_limits(o.threads);
  const auto& limits = all_limits.back();
  const bench::Output out("generate", o.json);
  out.limits(all_limits);
  set_default_threads(o.threads);

  const double begin = bench::wall();
  const auto type = type_of(o.weights);
  auto model = pretrained::load_model<Model>(model_path(o.path));
  pretrained::pack_weights(model, {.type = type});
  const double start = bench::wall() - begin;

  Sequences sequences(model, o);
  std::vector<double> reading, decoding;
  for (Index run = 0; run <= o.runs; ++run) {  // the first warms up
    const double before = bench::wall();
    sequences.read_prompt();
    const double between = bench::wall();
    sequences.decode(o.tokens);
    if (run == 0) continue;
    reading.push_back(between - before);
    decoding.push_back(bench::wall() - between);
  }
  const double prompt_rate = static_cast<double>(o.batch * o.prompt) / bench::median(reading);
  const double pass = bench::median(decoding) / static_cast<double>(o.tokens);
  const double rate = static_cast<double>(o.batch) / pass;
  const double length = static_cast<double>(o.prompt) + static_cast<double>(o.tokens) / 2;
  const double bytes = pass_bytes(model, o.batch) + length * sequences.bytes_per_position();
  const double share = 1e-9 * bytes / pass / limits.gbytes;
  out.line("\n{}, weights {}, {} threads, {} x {} tokens of prompt, {} decoded\n", o.path, o.weights, o.threads,
           o.batch, o.prompt, o.tokens);
  out.line("starts in {:.2f} s, reads {:.1f} tokens/s, decodes {:.1f} tokens/s: {:.0f}% of reads; peak {:.0f} MiB\n",
           start, prompt_rate, rate, 100 * share, bench::peak_mib());
  out.object({{"model", o.path},
              {"weights", o.weights},
              {"threads", o.threads},
              {"prompt", o.prompt},
              {"tokens", o.tokens},
              {"batch", o.batch},
              {"start_s", start},
              {"prompt_tokens_per_s", prompt_rate},
              {"decode_tokens_per_s", rate},
              {"bytes_per_pass", bytes},
              {"bandwidth_share", share},
              {"peak_mib", bench::peak_mib()}});
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Times an open model: tokens a second of a prompt that it reads, and that it decodes, all sequences together.\n"
      "Example: generate $(examples/get_smollm2.sh) --weights q8_0 --prompt 512 --tokens 128"};
  app.add_option("model", o.path, "Hugging Face folder, GGUF file or run folder; none: nothing is timed");
  app.add_option("--weights", o.weights, "type of the matrices")
      ->check(CLI::IsMember({"as-is", "f32", "bf16", "q8_0", "q4_0"}));
  cli::add_cache_option(app, o.cache);
  app.add_option("--threads", o.threads, "threads that compute")->check(CLI::PositiveNumber);
  app.add_option("--prompt", o.prompt, "tokens of each sequence to read")->check(CLI::PositiveNumber);
  app.add_option("--tokens", o.tokens, "tokens of each sequence to decode")->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "sequences")->check(CLI::PositiveNumber);
  app.add_option("--runs", o.runs, "of which the median counts")->check(CLI::PositiveNumber);
  app.add_flag("--json", o.json, bench::json_help);
  return cli::run(app, argc, argv, [&] {
    if (o.path.empty())
      fmt::print(stderr, "generate: skipped, no model was named; examples/get_smollm2.sh fetches one\n");
    else
      measure(o);
    return 0;
  });
}
