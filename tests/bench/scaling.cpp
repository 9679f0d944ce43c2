// SPDX-License-Identifier: Apache-2.0
// How time and memory grow: with threads, width, context, experts, and sequences decoded at once. Small models; each
// figure comes from a process of its own, so that its peak of memory is its own too.
#include "training.hpp"

using namespace atom;

namespace {

using Model = models::FullTransformer<float>;

struct Point {
  double seconds, operations, peak_mib;
};

// A training step in a process with so many threads.
Point train_in_child(const models::TransformerConfig& config, Index batch, int threads) {
  return bench::in_child([&] {
    set_default_threads(threads);
    Model model(config, Rng(1));
    const auto result = bench::train(model, batch, config.context, 5);
    return Point{result.seconds, bench::step_operations(model, batch, config.context), bench::peak_mib()};
  });
}

// Decodes `steps` tokens of each sequence behind a prompt of as many.
Point decode_in_child(const models::TransformerConfig& config, Index batch, int threads) {
  return bench::in_child([&] {
    constexpr Index steps = 32;
    set_default_threads(threads);
    const Model model(config, Rng(1));
    auto cache = model.make_cache(batch, 2 * steps);
    const auto read = [&](Index columns) {
      const std::vector<std::int32_t> counts(static_cast<std::size_t>(batch), static_cast<std::int32_t>(columns));
      model.next_logits(Tensor<TokenId>::zeros({batch, columns}), counts, cache);
    };
    const auto decode = [&] {
      for (Index b = 0; b < batch; ++b) cache.truncate(b, steps);
      for (Index i = 0; i < steps; ++i) read(1);
    };
    read(steps);
    decode();
    const double seconds = bench::best_seconds(0.5, decode) / static_cast<double>(steps);
    return Point{seconds, 2 * bench::active_weights(model) * static_cast<double>(batch), bench::peak_mib()};
  });
}

class Scaling {
 public:
  Scaling(const bench::Output& out, const std::vector<bench::Limits>& limits) : out_(out), limits_(limits) {}

  void threads() {
    title("a training step by threads", "threads", "of one thread's, times threads");
    const auto config = models::TransformerConfig::llama(4096, 4, 8, 512, 256);
    double alone = 0;
    for (int count = 1; count <= most(); count = count < most() ? std::min(2 * count, most()) : most() + 1) {
      const Point point = train_in_child(config, 4, count);
      if (count == 1) alone = point.seconds;
      row("threads", count, point, alone / point.seconds / count);
    }
  }

  void width() {
    title("a training step by width", "width", "of the peak of multiply-adds");
    for (const Index width : {64, 128, 256, 512, 1024}) {
      const Point point = train_in_child(models::TransformerConfig::llama(512, 2, width / 64, width, 128), 4, most());
      row("width", width, point, 1e-9 * point.operations / point.seconds / limits_.back().gflops);
    }
  }

  // Memory that a further token takes is the same at every length.
  void context() {
    title("a training step by context", "context", "of the memory that a token took before");
    Point last{};
    double last_token = 0;
    for (Index context = 512; context <= 8192; context *= 2) {
      const Point point = train_in_child(models::TransformerConfig::llama(256, 2, 4, 128, context), 1, most());
      const double token = (point.peak_mib - last.peak_mib) / static_cast<double>(context / 2);
      row("context", context, point, last_token > 0 ? std::optional(token / last_token) : std::nullopt);
      last_token = last.peak_mib > 0 ? token : 0;
      last = point;
    }
  }

  // Each token meets the same number of weights.
  void experts() {
    title("a training step by experts, 4 of them active", "experts", "of the dense model's speed");
    double dense = 0;
    for (const Index experts : {1, 8, 16, 32, 64}) {
      const bench::ModelSize size{.layers = 2,
                                  .heads = 4,
                                  .width = 256,
                                  .vocab = 512,
                                  .context = 256,
                                  .experts = experts,
                                  .active = 4,
                                  .expert_width = 256};
      const Point point = train_in_child(bench::olmoe(size), 8, most());
      if (experts == 1) dense = point.seconds;
      row("experts", experts, point, dense / point.seconds);
    }
  }

  void sequences() {
    title("a decoded token by sequences at once", "sequences", "of reading every weight once");
    const auto config = models::TransformerConfig::llama(4096, 8, 12, 768, 256);
    for (Index batch = 1; batch <= 32; batch *= 2) {
      const Point point = decode_in_child(config, batch, most());
      const double bytes = 2 * point.operations / static_cast<double>(batch);
      row("sequences", batch, point, 1e-9 * bytes / limits_.back().gbytes / point.seconds);
    }
  }

 private:
  int most() const { return limits_.back().threads; }

  void title(const char* what, const char* axis, const char* share) const {
    out_.line("\n{}; share: {}\n{:>10} {:>10} {:>8} {:>9} {:>6}\n", what, share, axis, "ms", "GF/s", "peak MiB",
              "share");
  }
  void row(const char* axis, Index at, const Point& point, std::optional<double> share) const {
    const double gflops = 1e-9 * point.operations / point.seconds;
    out_.line("{:10} {:10.2f} {:8.1f} {:9.0f} {:>6}\n", at, 1e3 * point.seconds, gflops, point.peak_mib,
              share ? fmt::format("{:.0f}%", 100 * *share) : "");
    bench::JsonMembers members{
        {"axis", axis}, {"at", at}, {"ms", 1e3 * point.seconds}, {"gflops", gflops}, {"peak_mib", point.peak_mib}};
    if (share) members.emplace_back("share", *share);
    out_.object(members);
  }

  const bench::Output& out_;
  const std::vector<bench::Limits>& limits_;
};

}  // namespace

int main(int argc, char** argv) {
  int threads = default_thread_count();
  bool json = false;
  CLI::App app{"Shows how time and memory grow with the size of the work.\nExample: scaling --threads 2"};
  app.add_option("--threads", threads, "all threads")->check(CLI::PositiveNumber);
  app.add_flag("--json", json, bench::json_help);
  return cli::run(app, argc, argv, [&] {
    const auto limits = bench::measure_limits(threads);
    const bench::Output out("scaling", json);
    out.limits(limits);
    Scaling scaling(out, limits);
    scaling.threads();
    scaling.width();
    scaling.context();
    scaling.experts();
    scaling.sequences();
    return 0;
  });
}
