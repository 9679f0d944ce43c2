// SPDX-License-Identifier: Apache-2.0
// Published tensors to the parameters of a model and back: rows in another order, matrices turned, experts one by one.
#pragma once

#include "../io/quote.hpp"
#include "../nn/module.hpp"
#include "published_tensor.hpp"

#include <map>

namespace atom::pretrained {

template <class T, class D> struct Parameter {
  Tensor<T, D> tensor;  // shares the model's memory
  Role role;
};
template <class T, class D> using Parameters = std::map<std::string, Parameter<T, D>, std::less<>>;

template <class M> auto parameters_of(M& model) {
  Parameters<typename M::Scalar, typename M::DeviceType> parameters;
  nn::for_each_tensor(model, [&](const std::string& name, const auto& tensor, Role role) {
    parameters.emplace(name, Parameter<typename M::Scalar, typename M::DeviceType>{tensor.detach(), role});
  });
  return parameters;
}

namespace detail {

// The extents of a parameter, or of its element `expert`: `count` matrices (rows, columns), or vectors as columns of 1.
struct PartShape {
  Index count = 1, rows = 1, columns = 1;

  Index size() const { return count * rows * columns; }
};

template <class T, class D> PartShape shape_of(const Parameter<T, D>& parameter, const PublishedPart& part) {
  Shape shape = parameter.tensor.shape();
  if (part.expert >= 0) shape = shape.without(0);
  const bool matrix = parameter.role == Role::matrix || parameter.role == Role::embedding;
  PartShape result;
  result.columns = matrix ? shape[-1] : 1;
  result.rows = matrix ? shape[-2] : shape[-1];
  result.count = result.size() == 0 ? 1 : element_count(shape) / result.size();
  return result;
}

}  // namespace detail

// The shape that a published tensor has in the file.
template <class T, class D> Shape published_shape(const PublishedTensor& tensor, const Parameters<T, D>& parameters) {
  Index rows = 0;
  for (const auto& part : tensor.parts) rows += detail::shape_of(parameters.at(part.parameter), part).rows;
  const auto& first = parameters.at(tensor.parts[0].parameter);
  Shape shape = first.tensor.shape();
  if (tensor.parts[0].expert >= 0) shape = shape.without(0);
  const bool matrix = first.role == Role::matrix || first.role == Role::embedding;
  shape[matrix ? -2 : -1] = rows;
  if (tensor.transposed) std::swap(shape[-1], shape[-2]);
  return shape;
}

namespace detail {

// Calls f(row of the file, row of the part, how many) for each run of rows that lie together in both.
template <class F> void for_each_run(const PublishedRows& rows, Index count, F&& f) {
  const Index step = rows.run == 0 ? count : rows.run;
  for (Index row = 0; row < count; row += std::max<Index>(step, 1)) f(rows(row), row, std::min(step, count - row));
}

// Element `at` of a whole parameter is the first of the part.
inline Index first_of(const PublishedPart& part, const PartShape& shape) {
  return part.expert >= 0 ? part.expert * shape.size() : 0;
}

}  // namespace detail

// Fills every part of a tensor. read(std::span<T> into, Index first) gives elements of the file from `first` on, whole
// rows. `transposed`: as the file has it.
template <class T, class D, class Read>
void read_parts(const PublishedTensor& tensor, bool transposed, const Parameters<T, D>& parameters, Read&& read) {
  Index rows = 0;
  for (const auto& part : tensor.parts) rows += detail::shape_of(parameters.at(part.parameter), part).rows;
  std::vector<T> turned, staged;
  for (const auto& part : tensor.parts) {
    const auto& parameter = parameters.at(part.parameter).tensor;
    const auto shape = detail::shape_of(parameters.at(part.parameter), part);
    T* into = parameter.buffer().mutable_data() + detail::first_of(part, shape);
    T* const place = into;
    if constexpr (!std::is_same_v<D, Cpu>) {
      staged.resize(static_cast<std::size_t>(shape.size()));
      into = staged.data();
    }
    for (Index e = 0; e < shape.count; ++e, into += shape.rows * shape.columns) {
      const Index begin = e * rows * shape.columns;
      if (!transposed) {
        detail::for_each_run(part.rows, shape.rows, [&](Index from, Index to, Index count) {
          read(std::span(into + to * shape.columns, static_cast<std::size_t>(count * shape.columns)),
               begin + from * shape.columns);
        });
      } else {
        turned.resize(static_cast<std::size_t>(rows * shape.columns));
        read(std::span(turned), begin);
        for (Index row = 0; row < shape.rows; ++row)
          for (Index column = 0; column < shape.columns; ++column)
            into[row * shape.columns + column] = turned[static_cast<std::size_t>(column * rows + part.rows(row))];
      }
    }
    if constexpr (!std::is_same_v<D, Cpu>)
      copy_from_host(parameter.device(), place, staged.data(), staged.size() * sizeof(T));
    parameter.buffer().overwritten();
  }
}

// The elements of a published tensor, put together from parameters, or from their gradients under the same names.
template <class T, class D>
std::vector<T> published_values(const PublishedTensor& tensor, const Parameters<T, D>& parameters) {
  Index rows = 0, columns = 1, count = 1;
  for (const auto& part : tensor.parts) {
    const auto shape = detail::shape_of(parameters.at(part.parameter), part);
    rows += shape.rows;
    columns = shape.columns;
    count = shape.count;
  }
  std::vector<T> values(static_cast<std::size_t>(rows * columns * count));
  for (const auto& part : tensor.parts) {
    const auto& parameter = parameters.at(part.parameter);
    const auto shape = detail::shape_of(parameter, part);
    const Buffer<T, D> packed = contiguous(parameter.tensor.buffer());
    std::vector<T> own(static_cast<std::size_t>(shape.size()));
    copy_to_host(packed.device(), own.data(), packed.data() + detail::first_of(part, shape), own.size() * sizeof(T));
    for (Index e = 0; e < count; ++e)
      for (Index row = 0; row < shape.rows; ++row)
        for (Index column = 0; column < columns; ++column) {
          const Index there = tensor.transposed ? column * rows + part.rows(row) : part.rows(row) * columns + column;
          values[static_cast<std::size_t>(e * rows * columns + there)] =
              own[static_cast<std::size_t>((e * shape.rows + row) * columns + column)];
        }
  }
  return values;
}

}  // namespace atom::pretrained
