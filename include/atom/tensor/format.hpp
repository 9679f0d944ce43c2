// SPDX-License-Identifier: Apache-2.0
// Tensors in fmt::format and fmt::print: nested brackets, at most six values along an axis. The one include of fmt.
#pragma once

#include "tensor.hpp"

#include <fmt/format.h>

namespace atom::detail {

template <class T>
void append_axis(std::string& text, const std::vector<T>& values, const Shape& shape, int axis, std::size_t first) {
  if (axis == shape.rank()) {
    if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, half>)
      text += fmt::format("{:.5g}", static_cast<float>(values[first]));
    else if constexpr (std::is_floating_point_v<T>)
      text += fmt::format("{:.5g}", values[first]);
    else
      text += fmt::format("{}", values[first]);
    return;
  }
  constexpr Index shown = 3;  // at either end
  std::size_t step = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) step *= static_cast<std::size_t>(shape[i]);
  text += '[';
  for (Index i = 0; i < shape[axis]; ++i) {
    if (i > 0) text += axis + 1 == shape.rank() ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
    if (shape[axis] > 2 * shown && i == shown) {
      text += "...";
      i = shape[axis] - shown - 1;
      continue;
    }
    append_axis(text, values, shape, axis + 1, first + static_cast<std::size_t>(i) * step);
  }
  text += ']';
}

}  // namespace atom::detail

template <class T, class D> struct fmt::formatter<atom::Tensor<T, D>> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(const atom::Tensor<T, D>& tensor, fmt::format_context& context) const {
    std::string text;
    if (tensor.defined())
      atom::detail::append_axis(text, tensor.to_vector(), tensor.shape(), 0, 0);
    else
      text = "undefined";
    return std::copy(text.begin(), text.end(), context.out());  // by format_to nvcc would compile fmt for the device
  }
};
