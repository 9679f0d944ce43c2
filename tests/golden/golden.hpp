// SPDX-License-Identifier: Apache-2.0
// Reads the files of this folder, and compares with them: max|a - b| <= bar * (max|b| + 1e-3) per tensor.
#pragma once

#include "../catch.hpp"

#include <atom/io/safetensors.hpp>
#include <atom/tensor/tensor.hpp>

#include <cmath>
#include <cstring>

using atom::Index;

class Golden {
 public:
  explicit Golden(const std::string& name) : file_(std::string(ATOM_TEST_DIR "/golden/") + name) {}

  std::span<const atom::io::TensorInfo> tensors() const { return file_.tensors(); }
  bool contains(const std::string& name) const { return file_.find(name) != nullptr; }
  const atom::Shape& shape(const std::string& name) const { return info(name).shape; }

  // All its values, each exact in T or rounded once.
  template <class T> std::vector<T> values(const std::string& name) const {
    const auto& tensor = info(name);
    std::vector<std::byte> bytes(tensor.bytes());
    file_.read(tensor, bytes);
    switch (tensor.dtype) {
      case atom::DType::f64: return converted<T, double>(bytes);
      case atom::DType::f32: return converted<T, float>(bytes);
      case atom::DType::bf16: return converted<T, atom::bfloat16>(bytes);
      case atom::DType::i32: return converted<T, std::int32_t>(bytes);
      default: atom::fail(name, "dtype ", tensor.dtype, " is not one of these files'");
    }
  }
  double number(const std::string& name) const { return values<double>(name).at(0); }

  template <class T> atom::Tensor<T, atom::Cpu> tensor(const std::string& name) const {
    return atom::Tensor<T, atom::Cpu>::from(values<T>(name), shape(name));
  }

 private:
  const atom::io::TensorInfo& info(const std::string& name) const {
    const auto* found = file_.find(name);
    atom::check(found != nullptr, "golden", "no tensor ", name);
    return *found;
  }
  template <class T, class Stored> static std::vector<T> converted(std::span<const std::byte> bytes) {
    std::vector<T> values(bytes.size() / sizeof(Stored));
    for (std::size_t i = 0; i < values.size(); ++i) {
      Stored stored;
      std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = static_cast<T>(static_cast<atom::compute_t<Stored>>(stored));
    }
    return values;
  }

  atom::io::Safetensors file_;
};

// max|a - b| as a multiple of what is allowed, bar * (max|b| + small): <= 1 is within the bar.
template <class A, class B>
double excess(const std::vector<A>& a, const std::vector<B>& b, double bar, double small = 1e-3) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double gap = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    difference = std::isnan(gap) ? INFINITY : std::max(difference, gap);
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return difference / (bar * (largest + small));
}
