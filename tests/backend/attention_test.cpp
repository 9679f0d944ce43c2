// SPDX-License-Identifier: Apache-2.0
// Attention on the processor against the plain formula in double, and the promise of equal bits.
#include <atom/backend/attention.hpp>

#include "catch.hpp"

#include <atom/policy/alibi.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/chunked.hpp>
#include <atom/policy/compose.hpp>
#include <atom/policy/full.hpp>
#include <atom/policy/layer_policy.hpp>
#include <atom/policy/sliding_window.hpp>
#include <atom/policy/soft_cap.hpp>

#include <cmath>
#include <cstring>
#include <vector>

using namespace atom;

namespace {

// The design's example: window, bias by distance, soft cap; without a range.
struct CappedAlibi {
  int window;
  float bias, cap;
  template <class I> ATOM_HD auto visible(I i) const { return (i.key <= i.query) & (i.query - i.key < window); }
  template <class S, class I> ATOM_HD S score(S s, I i) const {
    return cap * math::tanh(s / cap) - bias * S((i.head + 1) * (i.query - i.key));
  }
  template <class S, class I> ATOM_HD S slope(S s, I) const {
    const S t = math::tanh(s / cap);
    return 1 - t * t;
  }
};

struct OddHeadsOnly {  // whole rows without a key
  template <class I> ATOM_HD bool visible(I i) const { return i.head % 2 == 1; }
};

struct Extents {
  Index b, t, s, h, k, d, e;
};

template <class T> struct Case {
  Extents x;
  std::vector<T> q, k, v, dout, out, lse, dq, dk, dv;
  std::vector<std::int32_t> start, end;  // empty: none given
  std::vector<T> sinks, dsinks;          // empty: none

  explicit Case(Extents extents, std::uint32_t seed = 1) : x(extents), seed_(seed) {
    for (auto* values : {&q, &k, &v, &dout}) {
      const auto [heads, length, width] = values == &q   ? std::tuple(x.h, x.t, x.d)
                                          : values == &k ? std::tuple(x.k, x.s, x.d)
                                          : values == &v ? std::tuple(x.k, x.s, x.e)
                                                         : std::tuple(x.h, x.t, x.e);
      values->resize(static_cast<std::size_t>(x.b * length * heads * width));
      for (T& value : *values) value = next();
    }
    out.assign(dout.size(), T(7));
    lse.assign(static_cast<std::size_t>(x.b * x.h * x.t), T(7));
    dq.assign(q.size(), T(7));
    dk.assign(k.size(), T(7));
    dv.assign(v.size(), T(7));
  }

  // Logits of which some outweigh all keys and some weigh nothing.
  Case with_sinks() const {
    Case c = *this;
    for (Index i = 0; i < x.h; ++i) c.sinks.push_back(T(i % 3) * T(2.5) - T(2.25));
    c.dsinks.assign(c.lse.size(), T(7));
    return c;
  }

  T scale() const { return T(1) / std::sqrt(T(x.d)); }
  AttentionPositions positions() const {
    return {start.empty() ? nullptr : start.data(), end.empty() ? nullptr : end.data()};
  }
  AttentionForward<T> forward_args() {
    return {.q = contiguous_view<const T>(q.data(), {x.b, x.t, x.h, x.d}),
            .k = contiguous_view<const T>(k.data(), {x.b, x.s, x.k, x.d}),
            .v = contiguous_view<const T>(v.data(), {x.b, x.s, x.k, x.e}),
            .out = contiguous_view(out.data(), {x.b, x.t, x.h, x.e}),
            .lse = lse.data(),
            .sinks = sinks.empty() ? nullptr : sinks.data(),
            .scale = scale(),
            .positions = positions()};
  }
  template <class P> void run(const P& policy, Cpu device = {}) {
    const AttentionForward<T> a = forward_args();
    attention_forward(device, a, policy);
    if (x.t > x.s || (!end.empty() && std::ranges::any_of(end, [&](auto p) { return p > x.s; }))) return;
    attention_backward(device,
                       AttentionBackward<T>{.q = a.q,
                                            .k = a.k,
                                            .v = a.v,
                                            .out = a.out,
                                            .lse = lse.data(),
                                            .dout = contiguous_view<const T>(dout.data(), {x.b, x.t, x.h, x.e}),
                                            .dq = contiguous_view(dq.data(), {x.b, x.t, x.h, x.d}),
                                            .dk = contiguous_view(dk.data(), {x.b, x.s, x.k, x.d}),
                                            .dv = contiguous_view(dv.data(), {x.b, x.s, x.k, x.e}),
                                            .sinks = a.sinks,
                                            .dsinks = sinks.empty() ? nullptr : dsinks.data(),
                                            .scale = scale(),
                                            .positions = positions()},
                       policy);
  }

 private:
  T next() {
    seed_ = seed_ * 1664525U + 1013904223U;
    return T(seed_ >> 8U) / T(1U << 22U) - T(2);
  }
  std::uint32_t seed_;
};

// The definition, element by element, with all weights of a row in memory.
template <class T, class P> Case<double> plain(const Case<T>& from, const P& policy) {
  const Index b = from.x.b, t = from.x.t, s = from.x.s, h = from.x.h, k = from.x.k, d = from.x.d, e = from.x.e;
  Case<double> to(from.x);
  to.q.assign(from.q.begin(), from.q.end());
  to.k.assign(from.k.begin(), from.k.end());
  to.v.assign(from.v.begin(), from.v.end());
  to.dout.assign(from.dout.begin(), from.dout.end());
  to.dsinks.assign(from.dsinks.size(), 0.0);
  for (auto* values : {&to.out, &to.dq, &to.dk, &to.dv}) std::ranges::fill(*values, 0.0);
  for (Index batch = 0; batch < b; ++batch) {
    const std::int32_t start = from.start.empty() ? 0 : from.start[std::size_t(batch)];
    const std::int32_t end = from.end.empty() ? std::int32_t(s) : from.end[std::size_t(batch)];
    for (Index i = 0; i < t; ++i)
      for (Index head = 0; head < h; ++head) {
        const Index row = (batch * t + i) * h + head;
        const auto at_key = [&](std::int32_t p) { return (batch * s + p % s) * k + head / (h / k); };
        const auto dot = [](const double* x, const double* y, Index n) {
          double sum = 0;
          for (Index c = 0; c < n; ++c) sum += x[c] * y[c];
          return sum;
        };
        std::vector<std::int32_t> keys;
        std::vector<double> raw, weight;
        const double sink = from.sinks.empty() ? -INFINITY : double(from.sinks[std::size_t(head)]);
        double greatest = sink;
        for (std::int32_t p = std::max(0, end - std::int32_t(s)); p < end; ++p) {
          const AttnIndex<> index{start + std::int32_t(i), p, std::int32_t(head)};
          if (!policy_visible(policy, index)) continue;
          keys.push_back(p);
          raw.push_back(dot(&to.q[std::size_t(row * d)], &to.k[std::size_t(at_key(p) * d)], d) * double(from.scale()));
          weight.push_back(policy_score(policy, raw.back(), index));
          greatest = std::max(greatest, weight.back());
        }
        double total = sink > -INFINITY ? std::exp(sink - greatest) : 0;
        for (double& w : weight) total += w = std::exp(w - greatest);
        for (double& w : weight) w /= total;
        to.lse[std::size_t((batch * h + head) * t + i)] = greatest + std::log(total);
        double* out = &to.out[std::size_t(row * e)];
        for (std::size_t j = 0; j < keys.size(); ++j)
          for (Index c = 0; c < e; ++c) out[c] += weight[j] * to.v[std::size_t(at_key(keys[j]) * e + c)];
        const double* dout = &to.dout[std::size_t(row * e)];
        const double delta = dot(out, dout, e);
        if (sink > -INFINITY) to.dsinks[std::size_t(row)] = -std::exp(sink - greatest) / total * delta;
        for (std::size_t j = 0; j < keys.size(); ++j) {
          const AttnIndex<> index{start + std::int32_t(i), keys[j], std::int32_t(head)};
          const auto key = std::size_t(at_key(keys[j]));
          const double dp = dot(&to.v[key * std::size_t(e)], dout, e);
          const double ds = weight[j] * (dp - delta) * policy_slope(policy, raw[j], index) * double(from.scale());
          for (Index c = 0; c < e; ++c) to.dv[key * std::size_t(e) + std::size_t(c)] += weight[j] * dout[c];
          for (Index c = 0; c < d; ++c) {
            to.dq[std::size_t(row * d + c)] += ds * to.k[key * std::size_t(d) + std::size_t(c)];
            to.dk[key * std::size_t(d) + std::size_t(c)] += ds * to.q[std::size_t(row * d + c)];
          }
        }
      }
  }
  return to;
}

template <class T> double worst(const std::vector<T>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (double(a[i]) != b[i]) {  // also where both are the same infinity
      const double off = std::abs(double(a[i]) - b[i]) / (1 + std::abs(b[i]));
      most = std::isnan(off) ? 1e300 : std::max(most, off);
    }
  return most;
}

template <class T, class P> void check_against_plain(Case<T> c, const P& policy) {
  const auto [b, t, s, h, k, d, e] = c.x;
  INFO("b " << b << " t " << t << " s " << s << " h " << h << " k " << k << " d " << d << " e " << e);
  const double tolerance = sizeof(T) == 8 ? 1e-12 : 2e-5;
  const Case<double> wanted = plain(c, policy);
  c.run(policy);
  CHECK(worst(c.out, wanted.out) <= tolerance);
  CHECK(worst(c.lse, wanted.lse) <= tolerance);
  if (c.dq.empty() || c.dq[0] == T(7)) return;
  CHECK(worst(c.dq, wanted.dq) <= 4 * tolerance);
  CHECK(worst(c.dk, wanted.dk) <= 4 * tolerance);
  CHECK(worst(c.dv, wanted.dv) <= 4 * tolerance);
  CHECK(worst(c.dsinks, wanted.dsinks) <= 4 * tolerance);
}

template <class T> bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
template <class T> bool same_results(const Case<T>& a, const Case<T>& b) {
  return same_bits(a.out, b.out) && same_bits(a.lse, b.lse) && same_bits(a.dq, b.dq) && same_bits(a.dk, b.dk) &&
         same_bits(a.dv, b.dv) && same_bits(a.dsinks, b.dsinks);
}

// Rows of `all` for one query, q (b, t, h, d)-like.
template <class T>
std::vector<T> slice(const std::vector<T>& all, Index batch, Index length, Index first, Index count, Index width) {
  const auto begin = all.begin() + (batch * length + first) * width;
  return {begin, begin + count * width};
}

// A layer of a cache and its memory, which is not a number until it is written.
struct Cache {
  std::vector<std::byte> memory;
  KvBlocks<float> blocks;

  explicit Cache(const KvBlocks<float>& b) : memory(std::size_t(b.bytes()), std::byte{0xff}), blocks(b) {
    blocks.data = memory.data();
  }
};

// What one sequence gives through a cache of `capacity` slots, `step` tokens at a time; float.
template <class P> std::vector<float> through_cache(const Case<float>& whole, Index batch, Index capacity, Index step,
                                                    const P& policy, CacheType type = CacheType::exact) {
  const auto [b, t, s, h, k, d, e] = whole.x;
  const Cache cache({.type = type,
                     .batch = 1,
                     .slots = (capacity + key_block - 1) / key_block * key_block,
                     .heads = k,
                     .d = d,
                     .e = e});
  std::vector<float> result;
  for (Index first = 0; first < t; first += step) {
    const Index count = std::min(step, t - first);
    const auto q = slice(whole.q, batch, t, first, count, h * d), key = slice(whole.k, batch, s, first, count, k * d);
    const auto value = slice(whole.v, batch, s, first, count, k * e);
    std::vector<float> out(std::size_t(count * h * e));
    const auto start = std::int32_t(first), counts = std::int32_t(count), end = start + counts;
    cache_append(Cpu{}, CacheAppend<float>{.cache = cache.blocks,
                                           .k = contiguous_view(key.data(), {1, count, k, d}),
                                           .v = contiguous_view(value.data(), {1, count, k, e}),
                                           .start = &start,
                                           .counts = &counts});
    attention_forward(Cpu{},
                      AttentionForward<float>{.q = contiguous_view(q.data(), {1, count, h, d}),
                                              .k = {},
                                              .v = {},
                                              .out = contiguous_view(out.data(), {1, count, h, e}),
                                              .sinks = whole.sinks.empty() ? nullptr : whole.sinks.data(),
                                              .scale = whole.scale(),
                                              .positions = {.query_start = &start, .key_end = &end},
                                              .cache = cache.blocks},
                      policy);
    result.insert(result.end(), out.begin(), out.end());
  }
  return result;
}

class IsaGuard {
 public:
  ~IsaGuard() { set_isa(before_); }

 private:
  Isa before_ = isa();
};

}  // namespace

TEST_CASE("attention and its gradients are the plain formula's") {
  const Extents shapes[] = {
      {1, 1, 1, 1, 1, 1, 1},      {2, 3, 3, 2, 1, 4, 4},     {1, 17, 17, 3, 3, 16, 16},
      {2, 64, 64, 2, 2, 32, 32},  {1, 65, 65, 2, 1, 20, 24}, {1, 130, 130, 4, 2, 8, 40},
      {1, 200, 200, 1, 1, 64, 3}, {3, 5, 5, 6, 2, 33, 17},   {1, 129, 129, 5, 5, 7, 16},
  };
  for (const auto& shape : shapes) {
    check_against_plain(Case<double>(shape), Causal{});
    check_against_plain(Case<double>(shape), Full{});
    check_against_plain(Case<double>(shape), SlidingWindow{.window = 20});
    check_against_plain(Case<double>(shape), CappedAlibi{.window = 70, .bias = 0.1F, .cap = 1.5F});
    check_against_plain(Case<double>(shape), all_of(SoftCap{.cap = 1}, Alibi(int(shape.h))));
    check_against_plain(Case<double>(shape), Chunked{.chunk = 24});
    check_against_plain(Case<double>(shape), LayerPolicy{.window = 9, .chunk = 70});
    check_against_plain(Case<double>(shape).with_sinks(), Causal{});
    check_against_plain(Case<double>(shape).with_sinks(), CappedAlibi{.window = 70, .bias = 0.1F, .cap = 1.5F});
    check_against_plain(Case<float>(shape), Causal{});
    check_against_plain(Case<float>(shape), CappedAlibi{.window = 70, .bias = 0.1F, .cap = 1.5F});
    check_against_plain(Case<float>(shape).with_sinks(), SlidingWindow{.window = 20});
  }
}

TEST_CASE("a sink takes weight and gives nothing") {
  const Extents x{1, 70, 70, 3, 1, 16, 16};
  Case<double> none(x), absent(x), all(x), no_keys({1, 2, 64, 3, 1, 8, 8});
  none.run(Causal{});
  absent.sinks.assign(3, -std::numeric_limits<double>::infinity());
  absent.dsinks.assign(absent.lse.size(), 7);
  absent.run(Causal{});
  CHECK(same_bits(none.out, absent.out));
  CHECK(same_bits(none.lse, absent.lse));
  CHECK(same_bits(none.dq, absent.dq));
  for (const double d : absent.dsinks) CHECK(d == 0);
  all.sinks.assign(3, 1000);
  all.dsinks.assign(all.lse.size(), 7);
  all.run(Causal{});
  for (const auto* zeros : {&all.out, &all.dq, &all.dk, &all.dv, &all.dsinks})
    for (const double value : *zeros) CHECK(value == 0);
  for (const double value : all.lse) CHECK(value == 1000);
  no_keys = no_keys.with_sinks();
  no_keys.end = no_keys.start = {0};
  no_keys.run(Causal{});
  for (const auto* zeros : {&no_keys.out, &no_keys.dq, &no_keys.dk, &no_keys.dv, &no_keys.dsinks})
    for (const double value : *zeros) CHECK(value == 0);
  for (Index i = 0; i < 6; ++i) CHECK(no_keys.lse[std::size_t(i)] == no_keys.sinks[std::size_t(i / 2)]);
  check_against_plain(Case<double>({2, 5, 5, 4, 2, 8, 8}).with_sinks(), OddHeadsOnly{});
}

TEST_CASE("a mask set at run time gives the bits of the policy of its kind") {
  const auto run = [](const auto& policy) {
    auto c = Case<float>({1, 150, 150, 2, 1, 24, 16});
    c.run(policy);
    return c;
  };
  CHECK(same_results(run(LayerPolicy{}), run(Causal{})));
  CHECK(same_results(run(LayerPolicy{.window = 40}), run(SlidingWindow{.window = 40})));
  CHECK(same_results(run(LayerPolicy{.chunk = 40}), run(Chunked{.chunk = 40})));
  CHECK(same_results(run(Chunked{}), run(Causal{})));
}

TEST_CASE("queries and keys of different number: cross attention, offsets, ragged ends") {
  using T = double;
  check_against_plain(Case<T>({2, 7, 100, 2, 1, 16, 16}), Full{});
  check_against_plain(Case<T>({1, 1, 300, 4, 2, 32, 32}), Full{});
  Case<T> ragged({3, 6, 140, 4, 2, 16, 16});
  ragged.start = {0, 64, 131};
  ragged.end = {6, 70, 137};
  check_against_plain(ragged, Causal{});
  check_against_plain(ragged, SlidingWindow{.window = 5});
  check_against_plain(ragged, CappedAlibi{.window = 100, .bias = 0.1F, .cap = 2});
  check_against_plain(ragged, Full{});
  Case<T> ring({2, 10, 128, 2, 1, 16, 16});
  ring.start = {300, 121};
  ring.end = {310, 131};
  check_against_plain(ring, SlidingWindow{.window = 60});
  check_against_plain(ring, CappedAlibi{.window = 60, .bias = 0.1F, .cap = 2});
  check_against_plain(ring, Chunked{.chunk = 50});
  check_against_plain(ring.with_sinks(), LayerPolicy{.window = 60});
  ring.end = {305, 128};  // the last queries are padding
  check_against_plain(ring, SlidingWindow{.window = 60});
}

TEST_CASE("a query that sees no key gives zero, and empty extents give nothing") {
  Case<double> c({2, 5, 5, 4, 2, 8, 8});
  c.run(OddHeadsOnly{});
  for (Index row = 0; row < 2 * 5 * 4; ++row)
    for (Index i = 0; i < 8; ++i) {
      const auto at = std::size_t(row * 8 + i);
      if (row % 2 == 0) {
        CHECK((c.out[at] == 0 && c.dq[at] == 0));
      } else {
        CHECK(c.out[at] != 0);
      }
    }
  CHECK(c.lse[0] == -std::numeric_limits<double>::infinity());
  check_against_plain(Case<double>({2, 5, 5, 4, 2, 8, 8}), OddHeadsOnly{});
  for (const Extents& none : {Extents{0, 5, 5, 2, 1, 8, 8}, Extents{2, 0, 0, 2, 1, 8, 8}, Extents{1, 3, 3, 0, 0, 8, 8}})
    Case<float>(none).run(Causal{});
  Case<float> no_keys({1, 2, 64, 2, 1, 8, 8});
  no_keys.start = {0};
  no_keys.end = {0};
  no_keys.run(Causal{});
  for (const float x : no_keys.out) CHECK(x == 0);
}

TEST_CASE("great scores do not overflow") {
  Case<float> c({1, 80, 80, 1, 1, 16, 16});
  for (float& x : c.q) x *= 1000;
  for (float& x : c.k) x *= 1000;
  const Case<double> wanted = plain(c, Causal{});
  c.run(Causal{});
  CHECK(worst(c.out, wanted.out) < 0.01);
  for (float x : c.q) REQUIRE(std::isfinite(x));
}

TEST_CASE("slices of one fused projection work, forward and backward") {
  const Index b = 2, t = 70, h = 4, k = 2, d = 24, row = (h + 2 * k) * d;
  Case<float> dense({b, t, t, h, k, d, d});
  std::vector<float> fused(std::size_t(b * t * row)), dfused(fused.size());
  const auto view = [&](float* base, Index first, Index heads) {
    return View<float>{base + first * d, {b, t, heads, d}, {t * row, row, d, 1}};
  };
  const auto fill = [&](const std::vector<float>& from, View<float> to) {
    for (Index i = 0; i < b * t; ++i)
      std::copy_n(from.data() + i * to.shape[2] * d, to.shape[2] * d, to.data + i * row);
  };
  const View<float> q = view(fused.data(), 0, h), key = view(fused.data(), h, k), value = view(fused.data(), h + k, k);
  fill(dense.q, q);
  fill(dense.k, key);
  fill(dense.v, value);
  dense.run(Causal{});
  std::vector<float> out(dense.out.size()), lse(dense.lse.size());
  const View<float> result = contiguous_view(out.data(), {b, t, h, d});
  attention_forward(
      Cpu{},
      AttentionForward<float>{.q = q, .k = key, .v = value, .out = result, .lse = lse.data(), .scale = dense.scale()},
      Causal{});
  CHECK(same_bits(out, dense.out));
  attention_backward(Cpu{},
                     AttentionBackward<float>{.q = q,
                                              .k = key,
                                              .v = value,
                                              .out = result,
                                              .lse = lse.data(),
                                              .dout = contiguous_view<const float>(dense.dout.data(), {b, t, h, d}),
                                              .dq = view(dfused.data(), 0, h),
                                              .dk = view(dfused.data(), h, k),
                                              .dv = view(dfused.data(), h + k, k),
                                              .scale = dense.scale()},
                     Causal{});
  std::vector<float> wanted(fused.size());
  fill(dense.dq, view(wanted.data(), 0, h));
  fill(dense.dk, view(wanted.data(), h, k));
  fill(dense.dv, view(wanted.data(), h + k, k));
  CHECK(same_bits(dfused, wanted));
}

TEST_CASE("a sequence has the same bits alone, in a batch, in one pass and token by token") {
  const auto check_policy = [](const auto& policy, Index capacity) {
    const auto batch = [&] {
      auto c = Case<float>({3, 150, 150, 4, 2, 40, 24}).with_sinks();
      c.run(policy);
      return c;
    }();
    const auto [b, t, s, h, k, d, e] = batch.x;
    for (Index one = 0; one < b; ++one) {
      const auto wanted = slice(batch.out, one, t, 0, t, h * e);
      Case<float> alone({1, t, s, h, k, d, e});
      alone.q = slice(batch.q, one, t, 0, t, h * d);
      alone.k = slice(batch.k, one, s, 0, s, k * d);
      alone.v = slice(batch.v, one, s, 0, s, k * e);
      alone.dout = slice(batch.dout, one, t, 0, t, h * e);
      alone = alone.with_sinks();
      alone.run(policy);
      CHECK(same_bits(alone.out, wanted));
      CHECK(same_bits(alone.dk, slice(batch.dk, one, s, 0, s, k * d)));
      CHECK(same_bits(alone.dsinks, slice(batch.dsinks, one, t, 0, t, h)));
      CHECK(same_bits(through_cache(batch, one, 192, 1, policy), wanted));
      CHECK(same_bits(through_cache(batch, one, 150, 37, policy), wanted));
      if (capacity) CHECK(same_bits(through_cache(batch, one, capacity, 1, policy), wanted));
      if (capacity) CHECK(same_bits(through_cache(batch, one, capacity, 29, policy), wanted));
    }
  };
  check_policy(Causal{}, 0);
  check_policy(SlidingWindow{.window = 33}, 64);
  check_policy(SlidingWindow{.window = 90}, 128);
  check_policy(CappedAlibi{.window = 33, .bias = 0.05F, .cap = 3}, 64);
  check_policy(Chunked{.chunk = 36}, 64);  // a ring of 36 + 29 - 1 slots holds what the first of 29 queries sees
  check_policy(Chunked{.chunk = 100}, 128);
  check_policy(LayerPolicy{.chunk = 64}, 128);
}

TEST_CASE("any number of threads gives the same bits, and so do all instruction sets with fma") {
  const auto run = [](int threads, auto policy) {
    ThreadPool pool(threads);
    auto c = Case<float>({2, 150, 150, 6, 2, 40, 24}).with_sinks();
    c.run(policy, Cpu{&pool});
    return c;
  };
  const auto policy = CappedAlibi{.window = 100, .bias = 0.05F, .cap = 3};
  const Case<float> one = run(1, policy), causal = run(1, Causal{});
  for (const int threads : {2, 3, 4}) {
    CHECK(same_results(run(threads, policy), one));
    CHECK(same_results(run(threads, Causal{}), causal));
  }
  const IsaGuard guard;
  for (const Isa other : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (other > best_isa()) continue;
    set_isa(other);
    const Case<float> c = run(2, policy);
    if (other != Isa::baseline && best_isa() != Isa::baseline) CHECK(same_results(c, one));
    CHECK(worst(c.dk, std::vector<double>(one.dk.begin(), one.dk.end())) < 1e-5);
    check_against_plain(Case<double>({1, 130, 130, 4, 2, 8, 40}), policy);
    check_against_plain(Case<float>({2, 70, 70, 4, 2, 33, 17}), Causal{});
  }
}

TEST_CASE("cache_append writes the valid tokens of each row and nothing else") {
  const Index s = 64, t = 5, k = 2, d = 3, e = 4;
  const Cache cache({.batch = 3, .slots = s, .heads = k, .d = d, .e = e});
  std::vector<float> key(std::size_t(3 * t * k * d)), value(std::size_t(3 * t * k * e));
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = float(i);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = float(i) + 0.5F;
  const std::int32_t start[] = {0, 62, 130}, counts[] = {5, 4, 0};  // the second wraps around
  cache_append(Cpu{}, CacheAppend<float>{.cache = cache.blocks,
                                         .k = contiguous_view<const float>(key.data(), {3, t, k, d}),
                                         .v = contiguous_view<const float>(value.data(), {3, t, k, e}),
                                         .start = start,
                                         .counts = counts});
  const auto check_part = [&](const KvPart<float>& part, Index slot, const std::vector<float>& from, Index row) {
    for (Index i = 0; i < part.width; ++i) {
      const float found = part.load(slot, i);
      if (row < 0)
        CHECK(std::isnan(found));
      else
        CHECK(found == from[std::size_t(row * part.width + i)]);
    }
  };
  for (Index batch = 0; batch < 3; ++batch)
    for (Index slot = 0; slot < s; ++slot) {
      Index token = -1;
      for (Index i = 0; i < counts[batch]; ++i)
        if ((start[batch] + i) % s == slot) token = i;
      for (Index head = 0; head < k; ++head) {
        const Index row = token < 0 ? -1 : (batch * t + token) * k + head;
        check_part(cache.blocks.keys(batch, slot, head), slot, key, row);
        check_part(cache.blocks.values(batch, slot, head), slot, value, row);
      }
    }
}

TEST_CASE("values may lie within the keys: attention over them, appended once") {
  const Index s = 128, t = 70, h = 5, d = 40, e = 16;
  for (const CacheType type : {CacheType::exact, CacheType::f16, CacheType::q8_0}) {
    Case<float> apart({1, t, t, h, 1, d, e});
    const Cache cache({.type = type, .batch = 1, .slots = s, .heads = 1, .d = d, .e = e, .values_in_keys = true});
    const std::int32_t start = 0, count = std::int32_t(t);
    cache_append(Cpu{}, CacheAppend<float>{.cache = cache.blocks,
                                           .k = contiguous_view<const float>(apart.k.data(), {1, t, 1, d}),
                                           .v = {},
                                           .start = &start,
                                           .counts = &count});
    for (Index i = 0; i < t; ++i) {
      for (Index j = 0; j < d; ++j) apart.k[std::size_t(i * d + j)] = cache.blocks.keys(0, i, 0).load(i % key_block, j);
      std::copy_n(&apart.k[std::size_t(i * d)], e, &apart.v[std::size_t(i * e)]);
    }
    apart.run(Causal{});
    std::vector<float> out(apart.out.size());
    auto args = apart.forward_args();
    args.cache = cache.blocks;
    args.out = contiguous_view(out.data(), {1, t, h, e});
    args.lse = nullptr;
    args.positions = {.query_start = &start, .key_end = &count};
    attention_forward(Cpu{}, args, Causal{});
    CHECK(same_bits(out, apart.out));
  }
}

TEST_CASE("a cache of halves or codes holds each element to a half's or a code's precision") {
  const IsaGuard guard;
  const Index s = 64, d = 40;  // a group of 32 and one of 8
  for (const CacheType type : {CacheType::f16, CacheType::q8_0}) {
    const Cache cache({.type = type, .batch = 1, .slots = s, .heads = 1, .d = d, .e = d});
    for (const float size : {1e-30F, 1e-4F, 1.0F, 300.0F, 1e9F}) {
      std::vector<float> x(std::size_t(3 * d));
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = size * std::sin(float(i) * 1.7F);
      const std::int32_t start = 7, count = 3;
      const auto rows = contiguous_view<const float>(x.data(), {1, 3, 1, d});
      cache_append(Cpu{},
                   CacheAppend<float>{.cache = cache.blocks, .k = rows, .v = rows, .start = &start, .counts = &count});
      for (const auto& part : {cache.blocks.keys(0, 7, 0), cache.blocks.values(0, 7, 0)})
        for (Index slot = 0; slot < 3; ++slot)
          for (Index i = 0; i < d; ++i) {
            const float wanted = x[std::size_t(slot * d + i)], found = part.load(7 + slot, i);
            float most = 0;
            for (Index j = i / 32 * 32; j < std::min(d, i / 32 * 32 + 32); ++j)
              most = std::max(most, std::abs(x[std::size_t(slot * d + j)]));
            CHECK(std::isfinite(found));
            if (type == CacheType::f16 && size < 65504)
              CHECK(std::abs(found - wanted) <= std::max(std::abs(wanted) / 2048, 0x1p-25F));
            if (type == CacheType::q8_0 && size < 8e6F) CHECK(std::abs(found - wanted) <= most / 253 + 127 * 0x1p-25F);
          }
    }
  }
}

TEST_CASE("attention over halves or codes: near the exact result, the same bits for any steps and instruction set") {
  const IsaGuard guard;
  const Case<float> whole({1, 150, 150, 6, 2, 40, 48});
  for (const CacheType type : {CacheType::f16, CacheType::q8_0}) {
    set_isa(best_isa());
    const auto exact = through_cache(whole, 0, 192, 150, Causal{});
    const auto found = through_cache(whole, 0, 192, 150, Causal{}, type);
    double off = 0, size = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      off += (found[i] - exact[i]) * (found[i] - exact[i]);
      size += exact[i] * exact[i];
    }
    const double error = std::sqrt(off / size);
    CHECK(error > 0);
    CHECK(error < (type == CacheType::f16 ? 1e-3 : 2e-2));
    CHECK(same_bits(found, through_cache(whole, 0, 192, 1, Causal{}, type)));
    CHECK(same_bits(found, through_cache(whole, 0, 256, 37, Causal{}, type)));
    set_isa(best_isa() >= Isa::avx2 ? Isa::avx2 : Isa::baseline);
    if (isa() != Isa::baseline || best_isa() == Isa::baseline)
      CHECK(same_bits(found, through_cache(whole, 0, 192, 11, Causal{}, type)));
  }
}
