// SPDX-License-Identifier: Apache-2.0
// The attention operations: beside the plain composition, against finite differences, over a cache, and their errors.
#include <atom/ops/attention.hpp>

#include <atom/autograd/gradcheck.hpp>
#include <atom/ops/attention_plain.hpp>
#include <atom/policy/alibi.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/compose.hpp>
#include <atom/policy/full.hpp>
#include <atom/policy/layer_policy.hpp>
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
  Values q, k, v, sinks;

  explicit Inputs(const Extents& x)
      : q(some({x.b, x.t, x.h, x.d}, 1)),
        k(some({x.b, x.s, x.k, x.d}, 2)),
        v(some({x.b, x.s, x.k, x.e}, 3)),
        sinks(some({x.h}, 4)) {}
};

template <class P> void check_policy(const Extents& x, const P& policy, bool with_sinks = false) {
  INFO("b " << x.b << " t " << x.t << " s " << x.s << " h " << x.h << " k " << x.k << " d " << x.d << " e " << x.e);
  Inputs in(x);
  const auto attend = [&] {
    return ops::attention(in.q, in.k, in.v, policy, {.sinks = with_sinks ? in.sinks : Values()});
  };
  CHECK(gradcheck(attend, in.q, in.k, in.v, in.sinks) <= 1);
  if (x.k == 0 || x.d == 0) return;
  const auto differentiate = [&](const auto& f) {
    const Values y = f();
    backward(y, some(y.shape(), 5));
    std::vector<std::vector<double>> results = {y.to_vector()};
    for (Values* input : {&in.q, &in.k, &in.v, &in.sinks}) {
      if (input == &in.sinks && !with_sinks) continue;
      results.push_back(input->grad().to_vector());
      input->clear_grad();
    }
    return results;
  };
  const auto fused = differentiate(attend);
  const auto plain = differentiate(
      [&] { return ops::attention_plain(in.q, in.k, in.v, policy, {.sinks = with_sinks ? in.sinks : Values()}); });
  for (std::size_t i = 0; i < fused.size(); ++i)
    for (std::size_t j = 0; j < fused[i].size(); ++j) CHECK(std::abs(fused[i][j] - plain[i][j]) <= 1e-12);
}

}  // namespace

TEST_CASE("attention is the plain composition, and its gradients are finite differences") {
  for (const Extents& x : shapes) {
    check_policy(x, Causal{});
    check_policy(x, all_of(SoftCap{.cap = 2}, SlidingWindow{.window = 3}));
    if (x.h > 0) check_policy(x, Alibi(int(x.h)));
    check_policy(x, LayerPolicy{.chunk = 3});
    check_policy(x, LayerPolicy{.window = 3}, true);
    check_policy(x, SoftCap{.cap = 2}, true);
  }
  for (const Extents& x : crossed) {
    check_policy(x, Full{});
    check_policy(x, Full{}, true);
  }
}

// Two queries and keys of width 1, q = k = (0, ln 3), scale 1 / ln 3: scores 0 | 0, ln 3; sink ln 2; v = (1, 5).
//   first: 1 / (1 + 2) * 1 = 1/3;  second: (1 * 1 + 3 * 5) / (1 + 3 + 2) = 16 / 6
//   gradient of the sink for dy = 1: -(2/3 * 1/3 + 2/6 * 16/6) = -10/9
TEST_CASE("a sink by hand") {
  const double log3 = std::log(3.0);
  auto q = Values::from({0, log3}, {1, 2, 1, 1}), v = Values::from({1, 5}, {1, 2, 1, 1});
  auto sinks = Values::from({std::log(2.0)}, {1});
  sinks.require_grad();
  const auto y = ops::attention(q, q, v, Causal{}, {.scale = 1 / log3, .sinks = sinks});
  CHECK(y.to_vector()[0] == Approx(1.0 / 3).epsilon(1e-14));
  CHECK(y.to_vector()[1] == Approx(16.0 / 6).epsilon(1e-14));
  backward(y, Values::full({1, 2, 1, 1}, 1));
  CHECK(sinks.grad().item() == Approx(-10.0 / 9).epsilon(1e-14));
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
  const auto wanted = ops::attention(in.q, in.k, in.v, Causal{}, {.sinks = in.sinks}).to_vector();
  KvBlocks<double> cache{.batch = 1, .slots = 128, .heads = 2, .d = 8, .e = 8};
  std::vector<std::byte> memory(std::size_t(cache.bytes()));
  cache.data = memory.data();
  std::vector<double> found;
  for (Index first = 0, count = 37; first < 90; first += count, count = std::min<Index>(3, 90 - first)) {
    const std::int32_t start = std::int32_t(first), counts = std::int32_t(count), end = start + counts;
    const auto tokens = [&](const Values& x) { return ops::slice(x, 1, first, count); };
    const auto out =
        ops::cached_attention(tokens(in.q), tokens(in.k), tokens(in.v), cache,
                              {.start = &start, .counts = &counts, .end = &end}, Causal{}, {.sinks = in.sinks});
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
  CHECK_THROWS_WITH(ops::attention(in.q, in.k, in.v, Causal{}, {.sinks = shaped({2})}),
                    "[attention] sinks have shape (2), expected one for each query head: (1)");
  KvBlocks<double> cache{.batch = 1, .slots = 64, .heads = 1, .d = 4, .e = 5};
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, {}, cache, {}, Causal{}),
                    "[cached_attention] v is undefined, expected a cache whose values lie within its keys");
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, in.v, cache, {}, Causal{}),
                    "[cached_attention] v has shape (1, 2, 1, 4), expected (1, 2, 1, 5) as the cache has them");
  cache.e = 4, cache.heads = 2;
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, in.v, cache, {}, Causal{}),
                    "[cached_attention] k has shape (1, 2, 1, 4), expected (1, 2, 2, 4) as the cache has them");
  cache.heads = 1, cache.values_in_keys = true;
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, in.v, cache, {}, Causal{}),
                    "[cached_attention] the cache's values lie within its keys, expected an undefined v");
  cache.values_in_keys = false;
  in.q.require_grad();
  CHECK_THROWS_WITH(ops::cached_attention(in.q, in.k, in.v, cache, {}, Causal{}),
                    "[cached_attention] an input has a gradient, and this has no backward rule: use NoGrad");
}
