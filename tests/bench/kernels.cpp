// SPDX-License-Identifier: Apache-2.0
// Speed of the kernels that work on rows and elements, at the sizes of a training step. All but the last wait for
// memory: their limit is what it gives, each input read and each output written once.
#include <atom/backend/adamw.hpp>
#include <atom/backend/embedding.hpp>
#include <atom/backend/linear_cross_entropy.hpp>
#include <atom/backend/norm.hpp>
#include <atom/backend/rope.hpp>
#include <atom/backend/softmax.hpp>
#include <atom/ops/activation.hpp>

#include "machine.hpp"

#include <functional>

using namespace atom;

namespace {

using Floats = Buffer<float, Cpu>;

// `prepare` makes the memory, and gives what is timed.
struct Case {
  bench::Kernel kernel;
  std::function<std::function<void()>()> prepare;
};

Floats numbers(const Shape& shape) { return Tensor<float, Cpu>::normal(Rng(1).key("values"), shape, 0.5F).buffer(); }
Buffer<TokenId, Cpu> ids(Index count, Index vocab) {
  const Buffer<TokenId, Cpu> all(Cpu{}, {count});
  for (Index i = 0; i < count; ++i)
    all.mutable_data()[i] = static_cast<TokenId>(uniform_index(Rng(1).key("ids"), i, vocab));
  return all;
}

// A kernel that reads or writes so many floats.
bench::Kernel memory_bound(const char* name, const Shape& shape, double floats) {
  return {name, to_text(shape), {.bytes = 4 * floats}};
}

void add_norms(std::vector<Case>& cases, const Shape& shape) {
  const Index rows = shape[0], channels = shape[1];
  const auto count = static_cast<double>(element_count(shape));
  for (const bool centred : {false, true}) {
    cases.push_back({memory_bound(centred ? "layer_norm" : "rms_norm", shape, 2 * count), [=] {
                       const auto x = numbers(shape), weight = numbers({channels}), bias = numbers({channels});
                       const Floats y(Cpu{}, shape), mean(Cpu{}, {rows}), rstd(Cpu{}, {rows});
                       return [=] {
                         norm_forward(Cpu{}, NormForward<float>{.rows = rows,
                                                                .channels = channels,
                                                                .centred = centred,
                                                                .eps = 1e-5F,
                                                                .x = x.data(),
                                                                .weight = weight.data(),
                                                                .bias = centred ? bias.data() : nullptr,
                                                                .y = y.mutable_data(),
                                                                .mean = mean.mutable_data(),
                                                                .rstd = rstd.mutable_data()});
                       };
                     }});
    cases.push_back({memory_bound(centred ? "layer_norm gradient" : "rms_norm gradient", shape, 3 * count), [=] {
                       const auto x = numbers(shape), dy = numbers(shape), weight = numbers({channels});
                       const auto statistics = numbers({rows});
                       const Floats dx(Cpu{}, shape), dweight(Cpu{}, {channels}), dbias(Cpu{}, {channels});
                       return [=] {
                         norm_backward(Cpu{}, NormBackward<float>{.rows = rows,
                                                                  .channels = channels,
                                                                  .centred = centred,
                                                                  .x = x.data(),
                                                                  .weight = weight.data(),
                                                                  .mean = statistics.data(),
                                                                  .rstd = statistics.data(),
                                                                  .dy = dy.data(),
                                                                  .dx = dx.mutable_data(),
                                                                  .dweight = dweight.mutable_data(),
                                                                  .dbias = centred ? dbias.mutable_data() : nullptr});
                       };
                     }});
  }
}

void add_softmax(std::vector<Case>& cases, const Shape& shape) {
  const auto count = static_cast<double>(element_count(shape));
  cases.push_back({memory_bound("softmax", shape, 2 * count), [=] {
                     const auto x = numbers(shape);
                     const Floats y(Cpu{}, shape);
                     return [=] { softmax_forward(Cpu{}, shape[0], shape[1], x.data(), y.mutable_data()); };
                   }});
  cases.push_back({memory_bound("softmax gradient", shape, 3 * count), [=] {
                     const auto y = numbers(shape), dy = numbers(shape);
                     const Floats dx(Cpu{}, shape);
                     return
                         [=] { softmax_backward(Cpu{}, shape[0], shape[1], y.data(), dy.data(), dx.mutable_data()); };
                   }});
}

// out = f(in...), each of one shape.
template <int inputs, class F> void add_pointwise(std::vector<Case>& cases, const char* name, const Shape& shape, F f) {
  cases.push_back({memory_bound(name, shape, (inputs + 1) * static_cast<double>(element_count(shape))), [=] {
                     const auto a = numbers(shape), b = numbers(shape), c = inputs > 2 ? numbers(shape) : Floats();
                     const Floats out(Cpu{}, shape);
                     return [=] {
                       if constexpr (inputs == 1) pointwise(Cpu{}, out.mutable_view(), f, a.view());
                       if constexpr (inputs == 2) pointwise(Cpu{}, out.mutable_view(), f, a.view(), b.view());
                       if constexpr (inputs == 3) pointwise(Cpu{}, out.mutable_view(), f, a.view(), b.view(), c.view());
                     };
                   }});
}

void add_rope(std::vector<Case>& cases, const Shape& shape) {
  for (const auto pairing : {RopePairing::half_split, RopePairing::interleaved})
    cases.push_back({memory_bound(pairing == RopePairing::half_split ? "rope" : "rope, interleaved", shape,
                                  2 * static_cast<double>(element_count(shape))),
                     [=] {
                       const auto x = numbers(shape), angles = numbers({shape[1], shape[3] / 2});
                       const Floats y(Cpu{}, shape);
                       return [=] {
                         apply_rope(Cpu{}, RopeArgs<float>{.x = x.view(),
                                                           .y = y.mutable_view(),
                                                           .rotated = shape[3],
                                                           .pairing = pairing,
                                                           .cosines = angles.data(),
                                                           .sines = angles.data()});
                       };
                     }});
}

void add_embedding(std::vector<Case>& cases, Index rows, Index vocab, Index channels) {
  const Shape shape{rows, channels};
  const auto count = static_cast<double>(rows * channels);
  const auto prepare = [=](auto&& timed) {
    return [=] {
      return
          [=, table = numbers({vocab, channels}), y = numbers(shape), at = ids(rows, vocab)] { timed(table, y, at); };
    };
  };
  cases.push_back({memory_bound("embedding", shape, 2 * count), prepare([=](auto& table, auto& y, auto& at) {
                     embedding_forward(Cpu{}, rows, channels, at.data(), table.data(), y.mutable_data());
                   })});
  cases.push_back({memory_bound("embedding gradient", shape, 3 * count), prepare([=](auto& table, auto& y, auto& at) {
                     embedding_backward(Cpu{}, rows, channels, at.data(), y.data(), table.mutable_data());
                   })});
}

void add_adamw(std::vector<Case>& cases, Index count) {
  const auto floats = static_cast<double>(count);
  cases.push_back({memory_bound("adamw", {count}, 7 * floats), [=] {
                     const auto weight = numbers({count}), gradient = numbers({count}), m = numbers({count});
                     const auto v = Tensor<float, Cpu>::full({count}, 1).buffer();
                     return [=] {
                       constexpr Index run = Index{1} << 16;
                       std::vector<AdamWSegment<float>> segments;
                       for (Index i = 0; i < count; i += run)
                         segments.push_back({weight.mutable_data() + i, gradient.data() + i, m.mutable_data() + i,
                                             v.mutable_data() + i, std::min(run, count - i), 1});
                       adamw(Cpu{}, std::span<const AdamWSegment<float>>(segments),
                             AdamWStep<float>{1e-5F, 0.9F, 0.95F, 1e-8F, 0.1F, 0.5F, 0.5F, 1});
                     };
                   }});
  cases.push_back({memory_bound("norm of the gradient", {count}, floats),
                   [=] { return [x = numbers({count}), count] { squared_norm(Cpu{}, x.data(), count); }; }});
}

void add_losses(std::vector<Case>& cases, Index n, Index v, Index c) {
  const auto scale = Tensor<float, Cpu>::full({}, 1).buffer();
  cases.push_back({memory_bound("cross_entropy, both ways", {n, v}, 2 * static_cast<double>(n * v)), [=] {
                     const auto logits = numbers({n, v});
                     return [=, targets = ids(n, v), loss = numbers({n})] {
                       cross_entropy_forward(Cpu{}, CrossEntropyForward<float>{.n = n,
                                                                               .v = v,
                                                                               .logits = logits.data(),
                                                                               .targets = targets.data(),
                                                                               .loss = loss.mutable_data(),
                                                                               .dlogits = logits.mutable_data(),
                                                                               .scale = scale.data()});
                     };
                   }});
  const auto size = static_cast<double>(v) * static_cast<double>(c);
  cases.push_back(
      {{"linear_cross_entropy, both", to_text(Shape{n, v, c}), {6 * size * static_cast<double>(n), 12 * size}}, [=] {
         const auto x = numbers({n, c}), weight = numbers({v, c}), dx = numbers({n, c});
         const Floats dweight(Cpu{}, {v, c}), logits(Cpu{}, {n, v});
         return [=, targets = ids(n, v), loss = numbers({n})] {
           linear_cross_entropy_sweep(Cpu{}, LinearCrossEntropy<float>{.n = n,
                                                                       .v = v,
                                                                       .c = c,
                                                                       .x = x.data(),
                                                                       .weight = weight.data(),
                                                                       .targets = targets.data(),
                                                                       .scale = scale.data(),
                                                                       .loss = loss.mutable_data(),
                                                                       .dx = dx.mutable_data(),
                                                                       .dweight = dweight.mutable_data(),
                                                                       .logits = logits.mutable_data(),
                                                                       .chunk = n});
         };
       }});
}

std::vector<Case> all_cases() {
  using namespace ops::detail;
  std::vector<Case> cases;
  add_norms(cases, {8192, 2048});
  add_softmax(cases, {8192, 2048});
  add_rope(cases, {4, 2048, 32, 64});
  const Shape hidden{2048, 8192};
  add_pointwise<2>(cases, "residual sum", hidden, atom::detail::Add{});
  add_pointwise<1>(cases, "gelu_tanh", hidden, Activate{Activation::gelu_tanh});
  add_pointwise<2>(cases, "gelu_tanh gradient", hidden, ActivateGradient{Activation::gelu_tanh});
  add_pointwise<1>(cases, "gelu_erf", hidden, Activate{Activation::gelu_erf});
  add_pointwise<2>(cases, "swiglu", hidden, Gated{Activation::silu});
  add_pointwise<3>(cases, "swiglu gradient of gate", hidden, GatedGradient{Activation::silu});
  add_embedding(cases, 8192, 32000, 1024);
  add_adamw(cases, Index{1} << 24);
  add_losses(cases, 256, 50257, 768);
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  int threads = default_thread_count();
  double budget = 0.15;
  bool json = false;
  CLI::App app{"Times kernels on rows and elements beside what memory gives.\nExample: kernels --threads 2"};
  bench::add_options(app, threads, budget, json);
  return cli::run(app, argc, argv, [&] {
    const auto all_limits = bench::measure_limits(threads);
    const bench::Output out("kernels", json);
    out.limits(all_limits);
    out.kernels_head();
    for (const Case& one : all_cases()) {
      const auto work = one.prepare();
      for (const auto& limits : all_limits) {
        set_default_threads(limits.threads);
        out.kernel(one.kernel, limits, bench::best_seconds(budget, work));
      }
    }
    return 0;
  });
}
