// SPDX-License-Identifier: Apache-2.0
#include <atom/io/tensors.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace atom;

// Named, since nvcc warns of an unnamed one that a template which only a concept names is never used.
namespace tensors_test {

template <class T> struct Layer {
  Tensor<T> weight, bias;
  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, Role::matrix);
    f("bias", self.bias, Role::bias);
  }
};
template <class T> struct Net {
  std::vector<Layer<T>> layers;
  Tensor<std::int64_t> steps;
  Tensor<bool, Cpu> mask;
  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("layers", self.layers);
    f("steps", self.steps, Role::buffer);
    f("mask", self.mask, Role::buffer);
  }
};

template <class T> Net<T> net(T first) {
  Net<T> result;
  for (int i = 0; i < 2; ++i) {
    Layer<T> layer{Tensor<T>::zeros({3, 2}), {}};
    if (i == 0) layer.bias = Tensor<T>::from({first, T(0.25F), T(-3)}, {3});
    result.layers.push_back(layer);
  }
  result.steps = Tensor<std::int64_t>::from({7}, {});
  const std::array<bool, 2> mask = {true, false};
  result.mask = Tensor<bool, Cpu>::from(std::span<const bool>(mask), {2});
  return result;
}

struct Ids {
  Tensor<std::int32_t> weight;
  template <class Self, class F> static void visit(Self& self, F&& f) { f("weight", self.weight, Role::buffer); }
};
struct Many {
  std::vector<Layer<float>> all;
  template <class Self, class F> static void visit(Self& self, F&& f) { f("all", self.all); }
};

}  // namespace tensors_test
using namespace tensors_test;

TEST_CASE("a module is saved and loaded by name") {
  const Scratch scratch;
  const std::string path = scratch / "net.safetensors";
  const auto saved = net<float>(0.1F);
  io::save(path, saved);
  auto loaded = net<float>(0);
  loaded.mask.assign(std::array{false, true});
  const auto version = loaded.layers[0].bias.buffer().version();
  io::load(path, loaded);
  CHECK(loaded.layers[0].bias.to_vector() == saved.layers[0].bias.to_vector());
  CHECK(loaded.layers[0].bias.buffer().version() > version);
  CHECK(loaded.steps.item() == 7);
  CHECK(loaded.mask.span()[0]);
  const io::Safetensors file(path);
  CHECK(file.tensors().size() == 5);
  CHECK(file.find("layers.0.bias")->dtype == DType::f32);

  io::save_folder(scratch.path(), saved, {.file = {.metadata = {}, .shard_bytes = 20}});
  io::load(scratch / "model.safetensors.index.json", loaded);
  CHECK(loaded.layers[0].bias.to_vector() == saved.layers[0].bias.to_vector());
}

TEST_CASE("floating-point types convert on the way") {
  const Scratch scratch;
  const std::string path = scratch / "net.safetensors";
  const auto saved = net<float>(0.1F);
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    io::save(path, saved, {.dtype = dtype});
    CHECK(io::Safetensors(path).find("layers.0.bias")->dtype == dtype);
    CHECK(io::Safetensors(path).find("steps")->dtype == DType::i64);
    float rounded = 0.1F;
    if (dtype == DType::f16) rounded = static_cast<float>(atom::half(0.1F));
    if (dtype == DType::bf16) rounded = static_cast<float>(bfloat16(0.1F));
    auto as_float = net<float>(0);
    io::load(path, as_float);
    CHECK(as_float.layers[0].bias.to_vector() == std::vector<float>{rounded, 0.25F, -3});
    auto as_double = net<double>(0);
    io::load(path, as_double);
    CHECK(as_double.layers[0].bias.to_vector() == std::vector<double>{static_cast<double>(rounded), 0.25, -3});
    auto as_bfloat16 = net<bfloat16>(bfloat16(0.0F));
    io::load(path, as_bfloat16);
    CHECK(as_bfloat16.layers[0].bias.to_vector()[0] == bfloat16(rounded));
  }
}

TEST_CASE("large tensors are converted in pieces, whole") {
  const Scratch scratch;
  const Index size = 200'001;
  std::vector<float> values(size);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 256);  // exact in bf16
  Layer<float> layer{Tensor<float>::from(values, {size}), {}};
  io::save(scratch / "x", layer, {.dtype = DType::bf16});
  layer.weight = Tensor<float>::zeros({size});
  io::load(scratch / "x", layer);
  CHECK(layer.weight.to_vector() == values);
}

TEST_CASE("all that does not fit is one sentence, and nothing is changed") {
  const Scratch scratch;
  const std::string path = scratch / "net.safetensors";
  auto other = net<float>(1);
  other.layers[0].weight = Tensor<float>::full({2, 3}, 5);
  other.layers[1].bias = Tensor<float>::zeros({3});
  other.layers[1].weight = {};
  io::save(path, other);
  auto loaded = net<float>(0);
  CHECK(error_of([&] { io::load(path, loaded); }) ==
        "[" + path +
            "] the tensors do not fit the module: shape of \"layers.0.weight\": found (2, 3), expected (3, 2); "
            "missing \"layers.1.weight\"; surplus \"layers.1.bias\"");
  CHECK(loaded.layers[0].bias.to_vector()[0] == 0);

  Layer<float> numbers{Tensor<float>::zeros({2}), {}};

  Ids ids{Tensor<std::int32_t>::zeros({2})};
  io::save(path, numbers);
  CHECK(error_of([&] { io::load(path, ids); }) ==
        "[" + path + "] the tensors do not fit the module: type of \"weight\": found F32, expected I32");

  Many wide{std::vector<Layer<float>>(30, numbers)};

  CHECK(error_of([&] { io::load(path, wide); }).ends_with("missing \"all.19.weight\"; and more"));
}
