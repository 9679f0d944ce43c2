// SPDX-License-Identifier: Apache-2.0
// What a training run must remember besides its weights, as named tensors in one safetensors file. A state is a
// function that names its parts to a visitor, and serves saving and loading alike:
//
//   auto state = [&](auto&& part) { part("optimizer", optimizer); part("guard", guard); part("best", best_loss); };
//
// A part is a number, a span or vector of numbers of fixed length, a tensor, an optimiser (steps() and
// for_each_state()), or a struct with `template <class Self, class F> static void visit_state(Self&, F&&)` that names
// parts of its own.
#pragma once

#include "../io/tensors.hpp"

#include <functional>

namespace atom::run {

namespace detail {

struct StatePart {
  io::TensorInfo info;
  std::function<void(io::FileWriter&)> write;
  std::function<void(std::span<const std::byte>)> read;
};

struct IgnoreParts {
  template <class... Part> void operator()(Part&&...) const {}
};
template <class S>
concept StatefulStruct = requires(S& object, IgnoreParts& f) {
  S::visit_state(object, f);
};
template <class S>
concept Optimizer = requires(S& object, IgnoreParts& f) {
  object.for_each_state(f);
  object.set_steps(object.steps());
};

template <class S>
concept Seekable = requires(S& object) {
  object.seek({object.cursor().epoch, object.cursor().position});
};

// Collects the parts, with names joined by dots. Borrows what it is given until the state is saved or loaded.
class StateParts {
 public:
  template <class T>
  requires std::is_arithmetic_v<T>
  void operator()(std::string_view name, T& number) {
    add<T>(
        name, {}, [&number](io::FileWriter& file) { file.write(std::as_bytes(std::span(&number, 1))); },
        [&number](std::span<const std::byte> bytes) { number = number_at<T>(bytes, 0); });
  }
  template <class T>
  requires std::is_arithmetic_v<T>
  void operator()(std::string_view name, std::span<T> numbers) {
    add<T>(
        name, {static_cast<Index>(numbers.size())},
        [numbers](io::FileWriter& file) { file.write(std::as_bytes(numbers)); },
        [numbers](std::span<const std::byte> bytes) {
          for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = number_at<T>(bytes, i);
        });
  }
  template <class T> void operator()(std::string_view name, std::vector<T>& numbers) {
    (*this)(name, std::span(numbers));
  }

  // Contiguous.
  template <class T, class D> void operator()(std::string_view name, Tensor<T, D> tensor) {
    const auto write = [tensor](io::FileWriter& file) { io::write_tensor(file, tensor, dtype_of<T>); };
    const auto read = [tensor](std::span<const std::byte> bytes) mutable {
      std::vector<T> values(bytes.size() / sizeof(T));
      if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
      tensor.assign(values);
    };
    add<T>(name, tensor.shape(), write, read);
  }
  template <Optimizer S> void operator()(std::string_view name, S& optimizer) {
    inside(name, [&] {
      add<Index>(
          "steps", {},
          [&](io::FileWriter& file) {
            const Index steps = optimizer.steps();
            file.write(std::as_bytes(std::span(&steps, 1)));
          },
          [&](std::span<const std::byte> bytes) { optimizer.set_steps(number_at<Index>(bytes, 0)); });
      optimizer.for_each_state(*this);
    });
  }
  template <Seekable S> void operator()(std::string_view name, S& batches) {
    add<Index>(
        name, {2},
        [&](io::FileWriter& file) {
          const std::array<Index, 2> cursor{batches.cursor().epoch, batches.cursor().position};
          file.write(std::as_bytes(std::span(cursor)));
        },
        [&](std::span<const std::byte> bytes) {
          batches.seek({number_at<Index>(bytes, 0), number_at<Index>(bytes, 1)});
        });
  }
  template <StatefulStruct S> void operator()(std::string_view name, S& object) {
    inside(name, [&] { S::visit_state(object, *this); });
  }

  std::vector<StatePart> parts;

 private:
  template <class T> static T number_at(std::span<const std::byte> bytes, std::size_t i) {
    if constexpr (std::is_same_v<T, bool>) return bytes[i] != std::byte{0};
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T, class Write, class Read>
  void add(std::string_view name, const Shape& shape, Write write, Read read) {
    parts.push_back({{.name = prefix_ + std::string(name), .dtype = dtype_of<T>, .shape = shape},
                     std::move(write),
                     std::move(read)});
  }
  template <class F> void inside(std::string_view name, F&& f) {
    const auto outer = prefix_.size();
    prefix_ += to_text(name, '.');
    f();
    prefix_.resize(outer);
  }

  std::string prefix_;
};

template <class State> std::vector<StatePart> parts_of(State&& state) {
  StateParts collected;
  state(collected);
  std::ranges::sort(collected.parts, {}, [](const StatePart& part) { return part.info.name; });
  return std::move(collected.parts);
}

}  // namespace detail

// Writes the state into the file (see io::write_file).
template <class State> void save_state(const std::string& path, State&& state) {
  const auto parts = detail::parts_of(state);
  std::vector<io::TensorInfo> infos;
  for (const auto& part : parts) infos.push_back(part.info);
  io::save_safetensors(path, std::move(infos), [&](const io::TensorInfo& info, io::FileWriter& file) {
    std::ranges::lower_bound(parts, info.name, {}, [](const auto& part) { return part.info.name; })->write(file);
  });
}

// Sets the state to what the file holds. Nothing is changed unless names, types and shapes all agree.
// Errors name the part.
template <class State> void load_state(const std::string& path, State&& state) {
  const io::Safetensors file(path);
  const auto parts = detail::parts_of(state);
  for (const auto& [info, write, read] : parts) {
    const io::TensorInfo* found = file.find(info.name);
    check(found != nullptr, path, "state ", io::in_quotes(info.name), " is missing");
    check(found->dtype == info.dtype && found->shape == info.shape, path, "state ", io::in_quotes(info.name),
          ": found ", found->dtype, " ", found->shape, ", expected ", info.dtype, " ", info.shape);
  }
  for (const io::TensorInfo& info : file.tensors())
    check(std::ranges::binary_search(parts, info.name, {}, [](const auto& part) { return part.info.name; }), path,
          "state ", io::in_quotes(info.name), " belongs to nothing here");
  std::vector<std::byte> bytes;
  for (const auto& [info, write, read] : parts) {
    const io::TensorInfo& found = *file.find(info.name);
    bytes.resize(static_cast<std::size_t>(found.bytes()));
    file.read(found, bytes);
    read(bytes);
  }
}

}  // namespace atom::run
