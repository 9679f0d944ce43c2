// SPDX-License-Identifier: Apache-2.0
// Published tensors to the parameters of a model and back: rows in another order, matrices turned, experts one by one.
#pragma once

#include "../io/quote.hpp"
#include "../nn/lora.hpp"
#include "../nn/weights.hpp"
#include "published_tensor.hpp"

#include <map>

namespace atom::pretrained {

template <class T, class D> struct Parameter {
  Role role;
  Shape shape;
  Tensor<T, D> tensor = {};     // shares the model's memory; or
  StoredMatrix<D> stored = {};  // in the type of a file, or the place of a weight that is not loaded
};
template <class T, class D> using Parameters = std::map<std::string, Parameter<T, D>, std::less<>>;

template <class M> auto parameters_of(M& model) {
  using Own = Parameter<typename M::Scalar, typename M::DeviceType>;
  Parameters<typename M::Scalar, typename M::DeviceType> parameters;
  nn::for_each_tensor(model, [&](const std::string& name, const auto& tensor, Role role) {
    parameters.emplace(name, Own{.role = role, .shape = tensor.shape(), .tensor = tensor.detach()});
  });
  nn::for_each_weight(model, [&](const std::string& name, const auto& weight, const auto& stored, Role role) {
    if (!weight.defined()) parameters.emplace(name, Own{.role = role, .shape = stored.shape(), .stored = stored});
  });
  return parameters;
}

namespace detail {

// Error naming `path`: a layer has an adapter, which the forms of whole models cannot say.
template <class M> void check_merged(const std::string& path, const M& model) {
  nn::for_each_linear(model, [&](const std::string& name, const auto& layer) {
    check(
        !layer.lora, path, "the layer ", io::in_quotes(name),
        " has a low-rank adapter: merge it with nn::merge_lora, or save adapters alone with pretrained::save_adapter");
  });
}

// The extents of a part: `count` matrices (rows, columns), or vectors as columns of 1. Each begins `stride` values
// behind the one before it, the first of them at value `first` of the parameter.
struct PartShape {
  Index count = 1, rows = 1, columns = 1, stride = 1, first = 0;

  Index size() const { return count * rows * columns; }
  Index extent() const { return count == 0 ? 0 : (count - 1) * stride + rows * columns; }
};

template <class T, class D> PartShape shape_of(const Parameter<T, D>& parameter, const PublishedPart& part) {
  Shape shape = parameter.shape;
  if (part.expert >= 0) shape = shape.without(0);
  const bool matrix = parameter.role == Role::matrix || parameter.role == Role::embedding;
  PartShape result;
  result.columns = matrix ? shape[-1] : 1;
  result.rows = matrix ? shape[-2] : shape[-1];
  result.count = result.size() == 0 ? 1 : element_count(shape) / result.size();
  result.stride = result.rows * result.columns;
  if (part.expert >= 0) result.first = part.expert * result.size();
  if (part.runs > 0) {
    result.count = part.runs;
    result.stride /= part.runs;
    result.first = part.first * result.columns;
    result.rows = part.count > 0 ? part.count : result.rows / part.runs;
  }
  return result;
}

}  // namespace detail

// The shape that a published tensor has in the file.
template <class T, class D> Shape published_shape(const PublishedTensor& tensor, const Parameters<T, D>& parameters) {
  Index rows = 0;
  for (const auto& part : tensor.parts) rows += detail::shape_of(parameters.at(part.parameter), part).rows;
  const auto& part = tensor.parts[0];
  const auto& first = parameters.at(part.parameter);
  Shape shape = first.shape;
  if (part.expert >= 0) shape = shape.without(0);
  const bool matrix = first.role == Role::matrix || first.role == Role::embedding;
  shape[matrix ? -2 : -1] = rows * (tensor.by_run ? 1 : std::max<Index>(part.runs, 1));
  if (tensor.by_run) shape = matrix ? Shape{part.runs, shape[-2], shape[-1]} : Shape{part.runs, shape[-1]};
  if (tensor.transposed) std::swap(shape[-1], shape[-2]);
  return shape;
}

namespace detail {

// Calls f(row of the file, row of the part, how many) for each run of rows that lie together in both.
template <class F> void for_each_run(const PublishedRows& rows, Index count, F&& f) {
  const Index step = rows.run == 0 ? count : rows.run;
  for (Index row = 0; row < count; row += std::max<Index>(step, 1)) f(rows(row), row, std::min(step, count - row));
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
    if (!parameter.defined()) continue;  // it is stored
    const auto shape = detail::shape_of(parameters.at(part.parameter), part);
    T* into = parameter.buffer().mutable_data() + shape.first;
    T* const place = into;
    if constexpr (!std::is_same_v<D, Cpu>) {
      staged.resize(static_cast<std::size_t>(shape.extent()));
      if (shape.extent() != shape.size())  // what lies between belongs to others
        copy_to_host(parameter.device(), staged.data(), place, staged.size() * sizeof(T));
      into = staged.data();
    }
    for (Index e = 0; e < shape.count; ++e, into += shape.stride) {
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

namespace detail {

// The values of a parameter from value `first` on, or of a stored one, which are those of whole members of its stack.
template <class T, class D>
void read_parameter(const Parameter<T, D>& parameter, const PublishedPart& part, Index first, std::span<T> into) {
  const auto copy_out = [&](const Buffer<T, D>& from, Index at, std::span<T> to) {
    copy_to_host(from.device(), to.data(), from.data() + at, to.size() * sizeof(T));
  };
  if (parameter.tensor.defined()) return copy_out(contiguous(parameter.tensor.buffer()), first, into);
  if (parameter.shape.rank() == 2) return copy_out(parameter.stored.template to_buffer<T>(), first, into);
  const auto size = static_cast<std::size_t>(parameter.shape[1] * parameter.shape[2]);
  for (std::size_t at = 0; at < into.size(); at += size)
    copy_out(parameter.stored.member(std::max<Index>(part.expert, 0) + static_cast<Index>(at / size))
                 .template to_buffer<T>(),
             0, into.subspan(at, size));
}

}  // namespace detail

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
    std::vector<T> own(static_cast<std::size_t>(shape.extent()));
    detail::read_parameter(parameter, part, shape.first, std::span(own));
    for (Index e = 0; e < count; ++e)
      for (Index row = 0; row < shape.rows; ++row)
        for (Index column = 0; column < columns; ++column) {
          const Index there = tensor.transposed ? column * rows + part.rows(row) : part.rows(row) * columns + column;
          values[static_cast<std::size_t>(e * rows * columns + there)] =
              own[static_cast<std::size_t>(e * shape.stride + row * columns + column)];
        }
  }
  return values;
}

}  // namespace atom::pretrained
