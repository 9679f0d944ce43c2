// SPDX-License-Identifier: Apache-2.0
// Score policies: what is one, what the given ones say, how they compose.
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

using namespace atom;

namespace not_a_policy {

struct NothingVisible {};
struct ScoreWithoutPlace {  // not what a kernel calls: it must not be passed over in silence
  template <class I> ATOM_HD bool visible(I) const { return true; }
  ATOM_HD float score(float s) const { return 2 * s; }
};
struct SlopeAlone {
  template <class I> ATOM_HD bool visible(I) const { return true; }
  template <class S, class I> ATOM_HD S slope(S, I) const { return 2; }
};

}  // namespace not_a_policy

namespace {

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
static_assert(atom::ScorePolicy<CappedAlibi>);

static_assert(!ScorePolicy<not_a_policy::NothingVisible> && !ScorePolicy<not_a_policy::ScoreWithoutPlace> &&
              !ScorePolicy<not_a_policy::SlopeAlone>);
static_assert(!ScorePolicy<int>);

// `range` may promise too little, never too much.
template <class P> void check_range(const P& policy) {
  for (std::int32_t query = 0; query < 40; ++query)
    for (std::int32_t key = 0; key < 60; ++key)
      if (policy_visible(policy, AttnIndex<>{query, key, 1})) {
        const KeyRange range = policy_range(policy, query);
        CHECK((range.first <= key && key <= range.last));
      }
}

// The first and the last key of the range are visible.
template <class P> void check_tight(const P& policy) {
  check_range(policy);
  for (std::int32_t query = 0; query < 40; ++query) {
    const KeyRange range = policy_range(policy, query);
    for (const std::int32_t key : {range.first, range.last}) CHECK(policy_visible(policy, AttnIndex<>{query, key, 0}));
  }
}

template <class P> void check_slope(const P& policy) {
  for (const double s : {-30.0, -2.0, -0.1, 0.0, 0.7, 5.0, 60.0})
    for (const std::int32_t key : {0, 3, 7}) {
      const AttnIndex<> i{7, key, 2};
      const double h = 1e-6;
      const double numeric = (policy_score(policy, s + h, i) - policy_score(policy, s - h, i)) / (2 * h);
      CHECK(policy_slope(policy, s, i) == Approx(numeric).margin(1e-8));
    }
}

}  // namespace

TEST_CASE("each policy shows the keys it says it shows") {
  const auto sees = [](const auto& policy, std::int32_t query, std::int32_t key) {
    return policy_visible(policy, AttnIndex<>{query, key, 0});
  };
  CHECK(sees(Full{}, 3, 9));
  CHECK((sees(Causal{}, 3, 3) && sees(Causal{}, 3, 0) && !sees(Causal{}, 3, 4)));
  const SlidingWindow window{.window = 4};
  CHECK((sees(window, 9, 9) && sees(window, 9, 6) && !sees(window, 9, 5) && !sees(window, 9, 10)));
  CHECK((sees(SlidingWindow{}, 9, 0) && !sees(SlidingWindow{}, 9, 10)));
  const Chunked chunks{.chunk = 4};
  CHECK((sees(chunks, 7, 4) && sees(chunks, 7, 7) && !sees(chunks, 7, 3) && !sees(chunks, 6, 7)));
  CHECK((sees(chunks, 8, 8) && !sees(chunks, 8, 7) && sees(Chunked{}, 9, 0) && !sees(Chunked{}, 9, 10)));
  for (std::int32_t query = 0; query < 40; ++query)
    for (std::int32_t key = 0; key < 50; ++key) {
      const bool before = key <= query, near = query - key < 6, same = key / 5 == query / 5;
      CHECK(sees(Chunked{.chunk = 5}, query, key) == (before && same));
      CHECK(sees(LayerPolicy{}, query, key) == before);
      CHECK(sees(LayerPolicy{.window = 6}, query, key) == (before && near));
      CHECK(sees(LayerPolicy{.chunk = 5}, query, key) == (before && same));
      CHECK(sees(LayerPolicy{.window = 6, .chunk = 5}, query, key) == (before && near && same));
    }
  constexpr std::int32_t late = 1 << 30, greatest = std::numeric_limits<std::int32_t>::max();
  CHECK((sees(LayerPolicy{.window = greatest, .chunk = greatest}, late, 0) && sees(LayerPolicy{}, late, 0)));
  CHECK((sees(LayerPolicy{.chunk = 8192}, late - 1, late - 8192) && !sees(LayerPolicy{.chunk = 8192}, late, late - 1)));
}

TEST_CASE("no visible key lies outside a policy's range") {
  check_range(Full{});
  check_range(Causal{});
  check_range(SlidingWindow{.window = 1});
  check_range(SlidingWindow{.window = 7});
  check_range(SlidingWindow{});
  check_tight(SlidingWindow{.window = 3});
  check_tight(Chunked{});
  check_tight(Chunked{.chunk = 1});
  check_tight(Chunked{.chunk = 7});
  check_tight(LayerPolicy{});
  check_tight(LayerPolicy{.window = 1});
  check_tight(LayerPolicy{.window = 7});
  check_tight(LayerPolicy{.chunk = 8});
  check_tight(LayerPolicy{.window = 3, .chunk = 5});
  check_range(Alibi(3));
  check_range(all_of(SoftCap{}, SlidingWindow{.window = 5}, Causal{}));
  check_range(CappedAlibi{.window = 5, .bias = 1, .cap = 2});
}

TEST_CASE("slope is the derivative of score") {
  check_slope(Causal{});
  check_slope(SoftCap{.cap = 5});
  check_slope(Alibi(12));
  check_slope(CappedAlibi{.window = 3, .bias = 0.5F, .cap = 4});
  check_slope(all_of(SoftCap{.cap = 5}, SoftCap{.cap = 2}, Alibi(4)));
}

TEST_CASE("alibi weights are the paper's") {
  const Alibi eight(8);
  for (int h = 0; h < 8; ++h) CHECK(double(eight.weight(h)) == std::exp2(-(h + 1)));
  const Alibi many(112);  // BLOOM: 64 heads, then every other weight of 128
  for (int h = 0; h < 64; ++h) CHECK(double(many.weight(h)) == Approx(std::exp2(-8.0 * (h + 1) / 64)).epsilon(1e-7));
  for (int r = 0; r < 48; ++r)
    CHECK(double(many.weight(64 + r)) == Approx(std::exp2(-4.0 * (2 * r + 1) / 64)).epsilon(1e-7));
  CHECK_THROWS_WITH(Alibi(129), "[alibi] heads must be 1 to 128: found 129");
  CHECK_THROWS_WITH(Alibi(0), "[alibi] heads must be 1 to 128: found 0");
}

TEST_CASE("all_of intersects what is visible and passes scores from the first part to the last") {
  const auto policy = all_of(SoftCap{.cap = 2}, SlidingWindow{.window = 3}, Alibi(2));
  CHECK(policy_visible(policy, AttnIndex<>{5, 3, 0}));
  CHECK_FALSE(policy_visible(policy, AttnIndex<>{5, 2, 0}));
  const double capped = 2 * std::tanh(1.5 / 2);
  CHECK(policy_score(policy, 1.5, AttnIndex<>{5, 3, 0}) == Approx(capped - 2 * std::exp2(-4)));
  const KeyRange range = policy_range(policy, 5);
  CHECK((range.first == 3 && range.last == 5));
}

TEST_CASE("a layer asks the policy for its own") {
  const SlidingWindow gemma{.window = 512, .full_every = 6};
  for (int layer = 0; layer < 12; ++layer) CHECK((policy_for_layer(gemma, layer).window == 512) == (layer % 6 != 5));
  const auto capped = all_of(SoftCap{.cap = 30}, gemma);
  CHECK(policy_for_layer(capped, 5).second.window == SlidingWindow{}.window);
  CHECK(policy_for_layer(capped, 5).first.cap == 30);
  CHECK(policy_for_layer(capped, 6).second.window == 512);
  const Chunked llama{.chunk = 8192, .full_every = 4};
  for (int layer = 0; layer < 8; ++layer) CHECK((policy_for_layer(llama, layer).chunk == 8192) == (layer % 4 != 3));
}
