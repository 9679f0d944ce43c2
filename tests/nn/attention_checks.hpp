// SPDX-License-Identifier: Apache-2.0
// What the tests of both kinds of attention share: values by formula, and runs over a cache in many shapes.
#pragma once

#include <atom/nn/attention.hpp>
#include <atom/policy/layer_policy.hpp>

#include "catch.hpp"

namespace test {

using namespace atom;

// Parameter number i of a module: 0.4 sin(0.7 j + i) at element j, and 1 more where it is a norm's factor.
template <class M> void fill_by_formula(M& module) {
  Index i = 0;
  nn::for_each_tensor(module, [&](const std::string&, auto& tensor, Role role) {
    using T = typename std::remove_cvref_t<decltype(tensor)>::Scalar;
    std::vector<T> values;
    for (Index j = 0; j < tensor.size(); ++j)
      values.push_back(static_cast<T>(0.4 * std::sin(0.7 * double(j) + double(i)) + (role == Role::norm ? 1 : 0)));
    tensor.assign(values);
    ++i;
  });
}

// sin(speed j) or cos(speed j) at element j.
template <class T> Tensor<T, Cpu> wave(const Shape& shape, double speed, bool cosine = false) {
  std::vector<T> values;
  for (Index j = 0; j < element_count(shape); ++j)
    values.push_back(static_cast<T>(cosine ? std::cos(speed * double(j)) : std::sin(speed * double(j))));
  return Tensor<T, Cpu>::from(values, shape);
}

// Elements 0, 29 and 59 of y (2, 5, 6), the sum of all sizes, and for each parameter that of its gradient for
// dy = cos(0.2 j): what a double-precision program in PyTorch printed.
struct Golden {
  std::vector<double> y, gradients;
};
template <class T> ops::RopeTable<T, Cpu> rope_or_none(const ops::RopeTable<T, Cpu>* table) {
  return table ? *table : ops::RopeTable<T, Cpu>();
}

template <class M, class Policy>
void check_golden(M module, const ops::RopeTable<double, Cpu>* table, const Policy& policy, const Golden& golden) {
  const auto size_of = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += std::abs(value);
    return sum;
  };
  fill_by_formula(module);
  nn::require_grad(module);
  nn::Pass<double, Cpu> pass{.rope = rope_or_none(table)};
  const auto y = module(wave<double>({2, 5, 6}, 0.3), {}, pass, 0, policy);
  const auto values = y.to_vector();
  const std::vector<double> found = {values[0], values[29], values[59], size_of(values)};
  for (std::size_t i = 0; i < 4; ++i) CHECK(found[i] == Approx(golden.y[i]).epsilon(1e-13));
  backward(y, wave<double>({2, 5, 6}, 0.2, true));
  std::size_t i = 0;
  nn::for_each_tensor(module, [&](const std::string& name, const auto& tensor, Role) {
    INFO(name);
    REQUIRE(i < golden.gradients.size());
    CHECK(size_of(tensor.grad().to_vector()) == Approx(golden.gradients[i++]).epsilon(1e-12));
  });
  CHECK(i == golden.gradients.size());
}

// The module's results for texts (time, c) of different lengths through one cache, `counts` new tokens in each pass.
template <class M, class T, class Policy>
std::vector<std::vector<T>> through_cache(const M& module, const std::vector<std::vector<T>>& texts,
                                          nn::KvCacheShape shape, const ops::RopeTable<T, Cpu>* table,
                                          const Policy& policy, const std::vector<std::vector<std::int32_t>>& counts,
                                          Cpu device = {}) {
  const NoGrad no_grad;
  const Index width = module.o.out();
  shape.batch = std::ssize(texts);
  nn::KvCache<T, Cpu> cache(shape, device);
  std::vector<std::vector<T>> results(texts.size());
  for (const auto& now : counts) {
    const Index t = *std::ranges::max_element(now);
    std::vector<T> x(static_cast<std::size_t>(shape.batch * t * width), T(0.25));  // padding
    for (std::size_t b = 0; b < texts.size(); ++b)
      std::copy_n(texts[b].data() + results[b].size(), now[b] * width, x.data() + static_cast<Index>(b) * t * width);
    cache.begin(now, 0, t);
    Buffer<TokenId, Cpu> where(device, {shape.batch, t});
    for_each(device, where.size(), nn::detail::NewPositions{cache.starts(), where.mutable_data(), t, shape.capacity});
    nn::Pass<T, Cpu> pass{.rope = rope_or_none(table), .cache = &cache, .positions = constant(where)};
    const auto y = module(Tensor<T, Cpu>::from(x, {shape.batch, t, width}, device), {}, pass, 0, policy).to_vector();
    cache.commit();
    for (std::size_t b = 0; b < texts.size(); ++b) {
      const auto row = y.begin() + static_cast<Index>(b) * t * width;
      results[b].insert(results[b].end(), row, row + now[b] * width);
    }
  }
  return results;
}

// The same bits for each text alone at once, token by token, in a ragged batch at once and in random parts, over a ring
// and with other numbers of threads. Returns those results.
template <class M, class T, class Policy>
std::vector<std::vector<T>> check_same_bits(const M& module, nn::KvCacheShape shape,
                                            const ops::RopeTable<T, Cpu>* table, const Policy& policy) {
  const Index width = module.o.out();
  const std::vector<std::int32_t> lengths = {70, 1, 33, 6};
  std::vector<std::vector<T>> texts, wanted;
  for (std::size_t b = 0; b < lengths.size(); ++b)
    texts.push_back(wave<T>({lengths[b], width}, 0.31 + 0.07 * double(b)).to_vector());
  for (std::size_t b = 0; b < texts.size(); ++b) {
    const auto run = [&](const nn::KvCacheShape& sizes, const std::vector<std::vector<std::int32_t>>& counts) {
      return through_cache<M, T>(module, {texts[b]}, sizes, table, policy, counts)[0];
    };
    const std::vector<std::vector<std::int32_t>> one_by_one(std::size_t(lengths[b]), {1});
    wanted.push_back(run(shape, {{lengths[b]}}));
    CHECK(run(shape, one_by_one) == wanted[b]);
    auto ring = shape;
    ring.windows = {nn::looks_back(policy, shape.capacity)};
    ring.pass = 8;
    CHECK(run(ring, one_by_one) == wanted[b]);
  }
  CHECK(through_cache<M, T>(module, texts, shape, table, policy, {lengths}) == wanted);
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    std::vector<std::vector<std::int32_t>> parts;
    auto left = lengths;
    for (std::uint32_t draw = static_cast<std::uint32_t>(threads);
         std::ranges::any_of(left, [](int n) { return n; });) {
      std::vector<std::int32_t> now;
      for (auto& n : left) {
        draw = draw * 1664525U + 1013904223U;
        now.push_back(std::min<std::int32_t>(n, static_cast<std::int32_t>(draw >> 28U) % 7));
        n -= now.back();
      }
      if (*std::ranges::max_element(now) > 0) parts.push_back(now);
    }
    CHECK(through_cache<M, T>(module, texts, shape, table, policy, parts, Cpu{&pool}) == wanted);
  }
  return wanted;
}

// The greatest difference, relative where values are large, from what the module gives for the same texts without a
// cache, one after the other.
template <class M, class T, class Policy>
double difference_without_cache(const M& module, const ops::RopeTable<T, Cpu>* table, const Policy& policy,
                                const std::vector<std::vector<T>>& wanted) {
  const NoGrad no_grad;
  const Index width = module.o.out();
  double worst = 0;
  for (std::size_t b = 0; b < wanted.size(); ++b) {
    const Index length = std::ssize(wanted[b]) / width;
    nn::Pass<T, Cpu> pass{.rope = rope_or_none(table)};
    const auto y = module(wave<T>({1, length, width}, 0.31 + 0.07 * double(b)), {}, pass, 0, policy).to_vector();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double off = std::abs(double(y[i]) - double(wanted[b][i])) / (1 + std::abs(double(y[i])));
      worst = std::isnan(off) ? 1e300 : std::max(worst, off);
    }
  }
  return worst;
}

}  // namespace test
