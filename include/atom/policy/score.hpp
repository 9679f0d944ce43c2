// SPDX-License-Identifier: Apache-2.0
// Score policies: what an attention variant is. A small struct that says which keys a query sees and what becomes of a
// score before the softmax; kernels inline it, in the forward pass, its backward, training and cached sampling alike.
//
//   struct MyPolicy {
//     template <class I> ATOM_HD auto visible(I i) const;             // required: does i.query see i.key?
//     template <class S, class I> ATOM_HD S score(S s, I i) const;    // optional: s = scale * q.k  ->  what softmax
//     sees template <class S, class I> ATOM_HD S slope(S s, I i) const;    // d score / d s; required where it is not 1
//     ATOM_HD KeyRange range(std::int32_t query) const;               // optional: no visible key lies outside
//     auto for_layer(int layer) const;                                // optional: the policy of one layer
//   };
//
// S is a vector of keys' scores in the processor's kernel (i.key is then a vector too), one float on a GPU, one double
// in the plain form that the tests compare with: no branches on S or on i.key, `&` and `|` instead of `&&` and `||`.
#pragma once

#include "../core/types.hpp"

#include <concepts>
#include <limits>

namespace atom {

// Who looks at whom. Positions count from 0 at the sequence's first token, whatever slot of a cache holds the key.
template <class Key = std::int32_t> struct AttnIndex {
  std::int32_t query;
  Key key;
  std::int32_t head;  // of the query
};

// The keys first..last, both included.
struct KeyRange {
  std::int32_t first = 0, last = std::numeric_limits<std::int32_t>::max();
};

namespace detail {

template <class P, class S = double>
concept HasScore = requires(const P p, S s, AttnIndex<> i) {
  { p.score(s, i) } -> std::same_as<S>;
};
template <class P, class S = double>
concept HasSlope = requires(const P p, S s, AttnIndex<> i) {
  { p.slope(s, i) } -> std::same_as<S>;
};
// Members spelled like these but with another signature would be passed over in silence.
template <class P>
concept NamesScore = requires {
  &P::template score<double, AttnIndex<>>;
}
|| requires { &P::score; };
template <class P>
concept NamesSlope = requires {
  &P::template slope<double, AttnIndex<>>;
}
|| requires { &P::slope; }
|| HasSlope<P>;  // nvcc takes no address of a template here

}  // namespace detail

template <class P>
concept ScorePolicy = std::copyable<P> &&
                      (!detail::NamesScore<P> || detail::HasScore<P>)&&(!detail::NamesSlope<P> ||
                                                                        (detail::HasSlope<P> && detail::HasScore<P>)) &&
                      requires(const P p, AttnIndex<> i) {
  { p.visible(i) } -> std::convertible_to<bool>;
};

// ---- what kernels call: the optional members with their defaults
// -----------------------------------------------------

// A policy whose `visible` is a plain bool even for a vector of keys masks nothing by key.
template <class P, class I> inline constexpr bool masks_keys =
    !std::is_same_v<decltype(std::declval<const P&>().visible(std::declval<I>())), bool>;

ATOM_HD_QUIET
template <class P, class I> ATOM_HD auto policy_visible(const P& policy, I i) { return policy.visible(i); }

ATOM_HD_QUIET
template <class P, class S, class I> ATOM_HD S policy_score(const P& policy, S s, I i) {
  if constexpr (detail::HasScore<P>)
    return policy.score(s, i);
  else
    return s;
}

ATOM_HD_QUIET
template <class P, class S, class I> ATOM_HD S policy_slope(const P& policy, S s, I i) {
  if constexpr (detail::HasSlope<P>)
    return policy.slope(s, i);
  else
    return S(1);
}

template <class P> ATOM_HD KeyRange policy_range(const P& policy, std::int32_t query) {
  if constexpr (requires { policy.range(query); })
    return policy.range(query);
  else
    return {};
}

// What layer `layer` of a model uses: policy.for_layer(layer), or the policy itself.
template <class P> auto policy_for_layer(const P& policy, int layer) {
  if constexpr (requires { policy.for_layer(layer); })
    return policy.for_layer(layer);
  else
    return policy;
}

}  // namespace atom
