// SPDX-License-Identifier: Apache-2.0
// Speed of causal attention: of whole sequences, forward and backward, and of one query over a cache.
#include <atom/backend/attention.hpp>
#include <atom/policy/causal.hpp>
#include <atom/tensor/tensor.hpp>

#include "machine.hpp"

using namespace atom;

namespace {

using Floats = Buffer<float, Cpu>;

struct Sizes {
  Index batch, queries, keys, heads, kv_heads, width;

  double query_size() const { return static_cast<double>(batch * queries * heads * width); }
  double key_size() const { return static_cast<double>(batch * keys * kv_heads * width); }
  // Multiply-adds of one product of queries and the keys that they see.
  double pairs() const { return query_size() * static_cast<double>(queries == 1 ? keys : keys / 2); }
  std::string text() const {
    return fmt::format("{} x {}/{} x {}/{} x {}", batch, queries, keys, heads, kv_heads, width);
  }
};

Floats numbers(const Shape& shape) { return Tensor<float, Cpu>::normal(Rng(1).key("values"), shape, 0.5F).buffer(); }

class Attention {
 public:
  explicit Attention(const Sizes& s)
      : sizes_(s),
        q_(numbers({s.batch, s.queries, s.heads, s.width})),
        k_(numbers({s.batch, s.keys, s.kv_heads, s.width})),
        v_(numbers(k_.shape())),
        out_(Cpu{}, q_.shape()),
        lse_(Cpu{}, {s.batch, s.heads, s.queries}),
        start_(static_cast<std::size_t>(s.batch), static_cast<std::int32_t>(s.keys - s.queries)),
        end_(static_cast<std::size_t>(s.batch), static_cast<std::int32_t>(s.keys)) {}

  void forward() {
    attention_forward(Cpu{},
                      AttentionForward<float>{.q = q_.view(),
                                              .k = k_.view(),
                                              .v = v_.view(),
                                              .out = out_.mutable_view(),
                                              .lse = lse_.mutable_data(),
                                              .scale = scale,
                                              .positions = {start_.data(), end_.data()}},
                      Causal{});
  }
  void make_gradients() {
    forward();
    dout_ = numbers(q_.shape());
    dq_ = Floats(Cpu{}, q_.shape()), dk_ = Floats(Cpu{}, k_.shape()), dv_ = Floats(Cpu{}, v_.shape());
  }
  void backward() {
    attention_backward(Cpu{},
                       AttentionBackward<float>{.q = q_.view(),
                                                .k = k_.view(),
                                                .v = v_.view(),
                                                .out = out_.view(),
                                                .lse = lse_.data(),
                                                .dout = dout_.view(),
                                                .dq = dq_.mutable_view(),
                                                .dk = dk_.mutable_view(),
                                                .dv = dv_.mutable_view(),
                                                .scale = scale,
                                                .positions = {start_.data(), end_.data()}},
                       Causal{});
  }

  // Two products forward, five backward (Dao et al. 2022); memory holds nothing between them.
  bench::Work forward_work() const {
    return {2 * 2 * sizes_.pairs(), 4 * (2 * sizes_.query_size() + 2 * sizes_.key_size())};
  }
  bench::Work backward_work() const {
    return {5 * 2 * sizes_.pairs(), 4 * (4 * sizes_.query_size() + 4 * sizes_.key_size())};
  }

 private:
  static constexpr float scale = 0.125F;

  Sizes sizes_;
  Floats q_, k_, v_, out_, lse_, dout_, dq_, dk_, dv_;
  std::vector<std::int32_t> start_, end_;
};

}  // namespace

int main(int argc, char** argv) {
  int threads = default_thread_count();
  double budget = 0.15;
  bool json = false;
  CLI::App app{
      "Times causal attention. Shapes: batch x queries/keys x heads/heads of keys x width of a head.\n"
      "Example: attention --threads 2"};
  bench::add_options(app, threads, budget, json);
  return cli::run(app, argc, argv, [&] {
    const auto all_limits = bench::measure_limits(threads);
    const bench::Output out("attention", json);
    out.limits(all_limits);
    out.kernels_head();
    const auto time = [&](const char* name, const Sizes& sizes, const bench::Work& work, const auto& run) {
      for (const auto& limits : all_limits) {
        set_default_threads(limits.threads);
        out.kernel({name, sizes.text(), work}, limits, bench::best_seconds(budget, run));
      }
    };
    for (const Sizes& sizes : {Sizes{4, 64, 64, 12, 12, 64},
                               {12, 64, 64, 4, 4, 32},
                               {1, 1024, 1024, 12, 12, 64},
                               {1, 512, 512, 9, 3, 64},
                               {1, 2048, 2048, 16, 4, 128}}) {
      Attention attention(sizes);
      time("attention", sizes, attention.forward_work(), [&] { attention.forward(); });
      attention.make_gradients();
      time("attention gradient", sizes, attention.backward_work(), [&] { attention.backward(); });
    }
    for (const Sizes& sizes :
         {Sizes{1, 1, 1024, 9, 3, 64}, {1, 1, 16384, 32, 8, 128}, {8, 1, 2048, 32, 8, 128}, {8, 1, 2048, 12, 12, 64}}) {
      Attention attention(sizes);
      time("one query over a cache", sizes, attention.forward_work(), [&] { attention.forward(); });
    }
    return 0;
  });
}
