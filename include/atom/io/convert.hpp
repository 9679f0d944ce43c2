// SPDX-License-Identifier: Apache-2.0
// Elements between memory and a safetensors file, converted between floating-point types on the way, in pieces.
// Conversion rounds to nearest even; double to a 16-bit type goes through float.
#pragma once

#include "safetensors.hpp"

namespace atom::io {

// f64, f32, f16 and bf16 convert into each other; everything else only into itself.
constexpr bool is_floating(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}
constexpr bool is_convertible(DType from, DType to) { return from == to || (is_floating(from) && is_floating(to)); }

namespace detail {

inline constexpr std::size_t piece_elements = std::size_t{1} << 16U;  // converted at a time

// f(T{}) for the floating type of that name.
template <class F> void with_floating(DType type, F&& f) {
  if (type == DType::f64) f(double{});
  if (type == DType::f32) f(float{});
  if (type == DType::f16) f(half{});
  if (type == DType::bf16) f(bfloat16{});
}

template <class To, class From> To converted(From value) {
  if constexpr (sizeof(To) == 2)
    return To(static_cast<float>(value));
  else
    return static_cast<To>(static_cast<compute_t<From>>(value));
}

}  // namespace detail

// Fills `into` with the elements of a tensor from element `first` on, row-major. Errors: its type does not convert to
// T; more elements than it has.
template <class T>
void read_elements(const Safetensors& file, const TensorInfo& tensor, std::span<T> into, std::uint64_t first = 0) {
  const std::string& path = file.path(tensor);
  check(is_convertible(tensor.dtype, dtype_of<T>), path, "tensor ", in_quotes(tensor.name), ": found ", tensor.dtype,
        ", expected a type that converts to ", dtype_of<T>);
  const std::uint64_t count = tensor.bytes() / size_of(tensor.dtype);
  check(first <= count && into.size() <= count - first, path, "tensor ", in_quotes(tensor.name), " has ", count,
        " elements: found a read of ", into.size(), " from ", first);
  if constexpr (std::is_same_v<T, bool>) {  // any other byte would be no bool
    std::vector<std::byte> bytes(into.size());
    file.read(tensor, bytes, first);
    for (std::size_t i = 0; i < bytes.size(); ++i) into[i] = bytes[i] != std::byte{0};
  } else if (tensor.dtype == dtype_of<T>) {
    file.read(tensor, std::as_writable_bytes(into), first * sizeof(T));
  } else if constexpr (is_floating(dtype_of<T>)) {
    detail::with_floating(tensor.dtype, [&]<class From>(From) {
      std::vector<From> piece(std::min(into.size(), detail::piece_elements));
      for (std::size_t at = 0; at < into.size(); at += piece.size()) {
        const auto part = std::span(piece).first(std::min(piece.size(), into.size() - at));
        file.read(tensor, std::as_writable_bytes(part), (first + at) * sizeof(From));
        for (std::size_t i = 0; i < part.size(); ++i) into[at + i] = detail::converted<T>(part[i]);
      }
    });
  }
}

// Appends the elements as `dtype`. Error: T does not convert to it.
template <class T> void write_elements(FileWriter& writer, std::span<const T> elements, DType dtype = dtype_of<T>) {
  check(is_convertible(dtype_of<T>, dtype), writer.path(), "elements of ", dtype_of<T>, " do not convert to ", dtype);
  if (dtype == dtype_of<T>) return writer.write(std::as_bytes(elements));
  if constexpr (is_floating(dtype_of<T>)) {
    detail::with_floating(dtype, [&]<class To>(To) {
      std::vector<To> piece(std::min(elements.size(), detail::piece_elements));
      for (std::size_t at = 0; at < elements.size(); at += piece.size()) {
        const auto part = std::span(piece).first(std::min(piece.size(), elements.size() - at));
        for (std::size_t i = 0; i < part.size(); ++i) part[i] = detail::converted<To>(elements[at + i]);
        writer.write(std::as_bytes(part));
      }
    });
  }
}

}  // namespace atom::io
