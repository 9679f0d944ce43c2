// SPDX-License-Identifier: Apache-2.0
// The attention operations: beside the plain composition, against finite differences, over a cache, and their errors.
#include <atom/autograd/gradcheck.hpp>
#include <atom/ops/attention.hpp>
#include <atom/ops/attention_plain.hpp>
#include <atom/policy/alibi.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/compose.hpp>
#include <atom/policy/full.hpp>
#include <atom/policy/sliding_window.hpp>
#include <atom/policy/soft_cap.hpp>

#include "catch.hpp"

using namespace atom;

namespace {

using Values = Tensor<double, Cpu>;

struct Extents {
  Index b, t, s, h, k, d, e;
};

const Extents shapes[] = {
    {1, 1, 1, 1, 1, 1, 1},   {2, 3, 3, 2, 1, 4, 4},  {1, 5, 5, 4, 2, 3, 2}, {0, 3, 3, 2, 1, 4, 4},
    {2, 0, 0, 2, 2, 3, 3},   {1, 2, 2, 0, 0, 3, 3},  {1, 2, 2, 1, 1, 0, 2}, {1, 17, 17, 1, 1, 2, 2},
    {3, 2, 2, 2, 2, 5, 1},   {1, 3, 3, 3, 1, 1, 17}, {2, 4, 4, 6, 3, 2, 3}, {1, 1, 1, 2, 2, 8, 8},
    {1, 66, 66, 1, 1, 1, 2},
};
const Extents crossed[] = {{1, 2, 5, 2, 1, 3, 2}, {2, 4, 1, 1, 1, 2, 2}, {1, 3, 70, 1, 1, 1, 1}};

Values some(const Shape& shape, double phase) {
  std::vector<double> values;
  for (Index i = 0; i < element_count(shape); ++i) values.push_back(1.5 * std::sin(phase + 1.7 * double(i)));
  return Values::from(values, shape);
}

struct Inputs {
  Values q, k, v;

  explicit Inputs(const Extents& x)
      : q(some({x.b, x.t, x.h, x.d}, 1)), k(some({x.b, x.s, x.k, x.d}, 2)), v(some({x.b, x.s, x.k, x.e}, 3)) {}
};

template <class P> void check_policy(const Extents& x, const P& policy) {
  INFO("b " << x.b << " t " << x.t << " s " << x.s << " h " << x.h << " k " << x.k << " d " << x.d << " e " << x.e);
  Inputs in(x);
  CHECK(gradcheck([&] { return ops::attention(in.q, in.k, in.v, policy); }, in.q, in.k, in.v) <= 1);
  if (x.k == 0 || x.d == 0) return;
  const auto differentiate = [&](const auto& f) {
    const Values y = f();
    backward(y, some(y.shape(), 5));
    std::vector<std::vector<double>> results = {y.to_vector()};
    for (Values* input : {&in.q, &in.k, &in.v}) {
      results.push_back(input->grad().to_vector());
      input->clear_grad();
    }
    return results;
  };
  const auto fused = differentiate([&] { return ops::attention(in.q, in.k, in.v, policy); });
  const auto plain = differentiate([&] { return ops::attention_plain(in.q, in.k, in.v, policy); });
  for (std::size_t i = 0; i < fused.size(); ++i)
    for (std::size_t j = 0; j < fused[i].size(); ++j) CHECK(std::abs(fused[i][j] - plain[i][j]) <= 1e-12);
}

}  // namespace

TEST_CASE("attention is the plain composition, and its gradients are finite differences") {
  for (const Extents& x : shapes) {
    check_policy(x, Causal{});
    check_policy(x, all_of(SoftCap{.cap = 2}, SlidingWindow{.window = 3}));
    if (x.h > 0) check_policy(x, Alibi(int(x.h)));
  }
  for (const Extents& x : crossed) check_policy(x, Full{});
}

TEST_CASE("attention reads strided views") {
  Values fused = some({2, 5, 4 * 3}, 1);  // two heads of q, one of k, one of v
  const auto heads = [&](Index first, Index count) {
    return ops::reshape(ops::slice(fused, -1, 3 * first, 3 * count), {2, 5, count, 3});
  };
  CHECK(gradcheck([&] { return ops::attention(heads(0, 2), heads(2, 1), heads(3, 1), Causal{}); }, fused) <= 1);
  Values turned = some({3, 2, 5, 2}, 1);
  const auto view = [&] { return ops::permute(turned, {3, 2, 1, 0}); };
  CHECK(gradcheck([&] { return ops::attention(view(), view(), view(), Causal{}); }, turned) <= 1);
}

TEST_CASE("attention scales by 1 / sqrt(d) unless told otherwise") {
  const Inputs in({1, 4, 4, 1, 1, 16, 3});
  const auto scaled = [&](double scale) {
    return ops::attention(in.q, in.k, in.v, Causal{}, {.scale = scale}).to_vector();
  };
  CHECK(ops::attention(in.q, in.k, in.v, Causal{}).to_vector() == scaled(0.25));
  CHECK(scaled(0.25) != scaled(1));
}

TEST_CASE("attention over a cache gives the bits of one pass") {
  const NoGrad no_grad;
  const Inputs in({1, 90, 90, 4, 2, 8, 8});
  const auto wanted = ops::attention(in.q, in.k, in.v, Causal{}).to_vector();
  const auto cache_k = Values::zeros({1, 128, 2, 8}), cache_v = Values::zeros({1, 128, 2, 8});
  std::vector<double> found;
  for (Index first = 0, count = 37; first < 90; first += count, count = std::min<Index>(3, 90 - first)) {
    const std::int32_t start = std::int32_t(first), counts = std::int32_t(count), end = start + counts;
    const auto tokens = [&](const Values& x) { return ops::slice(x, 1, first, count); };
    const auto out = ops::cached_attention(tokens(in.q), tokens(in.k), tokens(in.v), cache_k.buffer(), cache_v.buffer(),
                                           {.start = &start, .counts = &counts, .end = &end}, Causal{});
    const auto values = out.to_vector();
    found.insert(found.end(), values.begin(), values.end());
  }
  CHECK(found == wanted);
}

TEST_CASE("attention names the rule and both values") {
  const auto shaped = [](const Shape& shape) { return Values::zeros(shape); };
  const auto attend = [&](const Shape& q, const Shape& k, const Shape& v) {
    return ops::attention(shaped(q), shaped(k), shaped(v), Causal{});
  };
  CHECK_THROWS_WITH(attend({2, 3, 4}, {2, 3, 1, 4}, {2, 3, 1, 4}),
                    "[attention] q has shape (2, 3, 4), expected (b, t, h, d)");
  CHECK_THROWS_WITH(attend({2, 3, 1, 4}, {2, 3, 1, 5}, {2, 3, 1, 5}),
                    "[attention] head widths of q and k differ: (2, 3, 1, 4) and (2, 3, 1, 5)");
  CHECK_THROWS_WITH(attend({2, 3, 1, 4}, {1, 3, 1, 4}, {1, 3, 1, 4}),
                    "[attention] batches of q and k differ: (2, 3, 1, 4) and (1, 3, 1, 4)");
  CHECK_THROWS_WITH(attend({2, 3, 1, 4}, {2, 3, 1, 4}, {2, 2, 1, 4}),
                    "[attention] k and v differ before the last axis: (2, 3, 1, 4) and (2, 2, 1, 4)");
  CHECK_THROWS_WITH(attend({2, 3, 3, 4}, {2, 3, 2, 4}, {2, 3, 2, 4}),
                    "[attention] heads of q are a multiple of those of k: found 3 and 2");
  CHECK_THROWS_WITH(attend({2, 3, 3, 4}, {2, 3, 0, 4}, {2, 3, 0, 4}),
                    "[attention] heads of q are a multiple of those of k: found 3 and 0");
  Inputs in({1, 2, 2, 1, 1, 4, 4});
  in.q.require_grad();
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, in.v, in.k.buffer(), in.v.buffer(), {}, Causal{}),
                    "[cached_attention] an input has a gradient, and this has no backward rule: use NoGrad");
}
