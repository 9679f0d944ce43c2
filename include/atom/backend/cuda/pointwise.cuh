// SPDX-License-Identifier: Apache-2.0
// Element-wise work over a grid (contract: backend/pointwise.hpp): one element each.
#pragma once

#include "../../core/elements.hpp"
#include "../pointwise.hpp"
#include "grid.hpp"

#include <tuple>

namespace atom {

namespace detail {

template <class F, class T, class... Ts> struct PointwiseElement {
  View<T> out;
  F f;
  std::tuple<View<const Ts>...> in;
  ATOM_HD_QUIET
  ATOM_HD void operator()(Index i) const { apply(i, std::index_sequence_for<Ts...>()); }

 private:
  ATOM_HD_QUIET
  template <std::size_t... I> ATOM_HD void apply(Index i, std::index_sequence<I...>) const {
    out.data[offset_of(out.shape, out.strides, i)] =
        f(Elements<T>{i}, std::get<I>(in).data[offset_of(out.shape, std::get<I>(in).strides, i)]...);
  }
};

template <class F> struct GridPlaceless {
  F f;
  ATOM_HD_QUIET
  template <class Place, class... S> ATOM_HD auto operator()(Place, S... values) const { return f(values...); }
};

template <class To, class From> struct ConvertElement {
  View<To> out;
  View<const From> in;
  ATOM_HD void operator()(Index i) const {
    const From value = in.data[offset_of(out.shape, in.strides, i)];
    To& to = out.data[offset_of(out.shape, out.strides, i)];
    if constexpr (std::is_arithmetic_v<To> && std::is_arithmetic_v<From>)
      to = static_cast<To>(value);
    else if constexpr (std::is_arithmetic_v<To>)
      to = static_cast<To>(static_cast<float>(value));
    else
      to = To(static_cast<float>(value));
  }
};

}  // namespace detail

template <GridDevice D, class F, class T, class... Ts>
void pointwise_indexed(D device, View<T> out, F f, View<const Ts>... in) {
  for_each(device, out.size(), detail::PointwiseElement<F, T, Ts...>{out, f, {in...}});
}
template <GridDevice D, class F, class T, class... Ts>
void pointwise(D device, View<T> out, F f, View<const Ts>... in) {
  pointwise_indexed(device, out, detail::GridPlaceless<F>{f}, in...);
}
template <GridDevice D, class To, class From> void convert(D device, View<To> out, View<const From> in) {
  for_each(device, out.size(), detail::ConvertElement<To, From>{out, in});
}

}  // namespace atom
