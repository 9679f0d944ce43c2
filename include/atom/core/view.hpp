// SPDX-License-Identifier: Apache-2.0
// View<T>: what a kernel receives. A pointer, a shape and strides; trivially copyable, owns nothing.
#pragma once

#include "shape.hpp"

namespace atom {

template <class T> struct View {
  T* data = nullptr;  // memory of the kernel's device
  Shape shape;
  Strides strides;

  constexpr Index size() const { return element_count(shape); }
  constexpr bool contiguous() const { return is_contiguous(shape, strides); }
  template <std::same_as<const T> U>  // a template, or nvcc warns that View<const T> converts to itself
  requires(!std::is_const_v<T>) constexpr operator View<U>() const { return {data, shape, strides}; }
};

template <class T> constexpr View<T> contiguous_view(T* data, const Shape& shape) {
  return {data, shape, contiguous_strides(shape)};
}

}  // namespace atom
