// SPDX-License-Identifier: Apache-2.0
// The tensors of a module as a safetensors file, under the names its visit() gives them: save(path, module), and
// load(path, module), which is strict: every tensor of either side has its counterpart, of the same shape.
#pragma once

#include "../nn/module.hpp"
#include "convert.hpp"
#include "save_safetensors.hpp"

#include <functional>
#include <map>

namespace atom::io {

namespace detail {

// f(first, host memory) for the elements of a tensor, piece by piece where they have to be copied to or from a device.
template <class T, class D, class F> void for_each_piece(const Tensor<T, D>& tensor, F&& f) {
  constexpr std::size_t most = std::size_t{1} << 20U;
  const auto size = static_cast<std::size_t>(tensor.size());
  const auto piece = std::make_unique<T[]>(std::min(size, most));
  for (std::size_t at = 0; at < size; at += most) f(at, std::span(piece.get(), std::min(most, size - at)));
}

}  // namespace detail

// Appends a tensor's elements, row-major, as `dtype`.
template <class T, class D> void write_tensor(FileWriter& writer, const Tensor<T, D>& tensor, DType dtype) {
  const Buffer<T, D> packed = contiguous(tensor.buffer());
  if constexpr (std::is_same_v<D, Cpu>) {
    write_elements(writer, std::span<const T>(packed.data(), static_cast<std::size_t>(packed.size())), dtype);
  } else {
    detail::for_each_piece(tensor, [&](std::size_t at, std::span<T> piece) {
      copy_to_host(tensor.device(), piece.data(), packed.data() + at, piece.size_bytes());
      write_elements(writer, std::span<const T>(piece), dtype);
    });
  }
}

// Overwrites a tensor, whose memory is contiguous, with one in a file. Errors: shape; type.
template <class T, class D> void read_tensor(const Safetensors& file, const TensorInfo& info, Tensor<T, D>& tensor) {
  const Buffer<T, D>& buffer = tensor.buffer();
  check(buffer.contiguous() && info.shape == tensor.shape(), file.path(info), "tensor ", in_quotes(info.name),
        ": found ", info.shape, ", expected ", tensor.shape(), " in contiguous memory");
  if constexpr (std::is_same_v<D, Cpu>) {
    read_elements(file, info, std::span(buffer.mutable_data(), static_cast<std::size_t>(buffer.size())));
  } else {
    detail::for_each_piece(tensor, [&](std::size_t at, std::span<T> piece) {
      read_elements(file, info, piece, at);
      copy_from_host(tensor.device(), buffer.mutable_data() + at, piece.data(), piece.size_bytes());
    });
  }
  buffer.overwritten();
}

struct SaveOptions {
  std::optional<DType> dtype = std::nullopt;  // of floating-point tensors in the file; their own if not said
  SafetensorsOptions file = {};
};

namespace detail {

// What save_safetensors() asks for: what the tensors are, and their bytes one by one.
template <nn::Module M> struct ModuleTensors {
  std::vector<TensorInfo> infos;
  std::map<std::string, std::function<void(FileWriter&, DType)>, std::less<>> writers;

  ModuleTensors(const M& module, std::optional<DType> dtype) {
    nn::for_each_tensor(module, [&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor, Role) {
      const DType stored = dtype && is_floating(dtype_of<T>) ? *dtype : dtype_of<T>;
      infos.push_back({.name = name, .dtype = stored, .shape = tensor.shape()});
      writers[name] = [tensor](FileWriter& writer, DType as) { write_tensor(writer, tensor, as); };
    });
  }
  void operator()(const TensorInfo& info, FileWriter& writer) const { writers.at(info.name)(writer, info.dtype); }
};

}  // namespace detail

// Replaces the file at `path` (see write_file) by the tensors of a module. Error: a name twice.
template <nn::Module M> void save(const std::string& path, const M& module, const SaveOptions& options = {}) {
  const detail::ModuleTensors<M> tensors(module, options.dtype);
  save_safetensors(path, tensors.infos, tensors, options.file.metadata);
}

// The same into a folder, as one file or several with an index (see save_safetensors_folder).
template <nn::Module M> void save_folder(const std::string& folder, const M& module, const SaveOptions& options = {}) {
  const detail::ModuleTensors<M> tensors(module, options.dtype);
  save_safetensors_folder(folder, tensors.infos, tensors, options.file);
}

// Overwrites every tensor of a module with the one of its name in `file`. Floating-point types convert. Nothing is
// changed unless everything fits. Error: one sentence with all that is missing, surplus or of another shape or type.
template <nn::Module M> void load(const Safetensors& file, std::string_view path, M& module) {
  std::map<std::string, const TensorInfo*, std::less<>> surplus;
  for (const TensorInfo& info : file.tensors()) surplus.emplace(info.name, &info);
  std::string problems;
  int found = 0;
  const auto problem = [&](const auto&... parts) {
    constexpr int most = 20;
    if (++found <= most) problems += to_text(found == 1 ? "" : "; ", parts...);
    if (found == most + 1) problems += "; and more";
  };
  nn::for_each_tensor(module, [&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor, Role) {
    const TensorInfo* info = file.find(name);
    surplus.erase(name);
    if (info == nullptr) return problem("missing ", in_quotes(name));
    if (info->shape != tensor.shape())
      problem("shape of ", in_quotes(name), ": found ", info->shape, ", expected ", tensor.shape());
    if (!is_convertible(info->dtype, dtype_of<T>))
      problem("type of ", in_quotes(name), ": found ", info->dtype, ", expected ", dtype_of<T>);
  });
  for (const auto& [name, info] : surplus) problem("surplus ", in_quotes(name));
  check(problems.empty(), path, "the tensors do not fit the module: ", problems);
  nn::for_each_tensor(module, [&]<class T, class D>(const std::string& name, Tensor<T, D>& tensor, Role) {
    read_tensor(file, *file.find(name), tensor);
  });
}

// The same from a .safetensors file, an index, or a folder that has one of them.
template <nn::Module M> void load(const std::string& path, M& module) { load(Safetensors(path), path, module); }

}  // namespace atom::io
