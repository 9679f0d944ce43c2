// SPDX-License-Identifier: Apache-2.0
// Tiny random models of published families beside `transformers` (README.md): logits, loss, gradients, continuation.
#include "../catch.hpp"
#include "families.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/io/convert.hpp>
#include <atom/models/transformer.hpp>
#include <atom/sample/generate.hpp>

#include <map>

using namespace atom;
using oracle::Entry;

namespace {

using Model = models::SparseTransformer<float, Cpu>;
using Values = std::vector<float>;
template <class Value> using ByName = std::map<std::string, Value>;

struct Tensors {
  ByName<Shape> shapes;
  ByName<Values> values;

  explicit Tensors(const std::string& path) {
    const io::Safetensors file(path);
    for (const auto& info : file.tensors()) {
      shapes[info.name] = info.shape;
      if (!io::is_floating(info.dtype)) continue;
      auto& into = values[info.name];
      into.resize(static_cast<std::size_t>(element_count(info.shape)));
      io::read_elements(file, info, std::span(into));
    }
  }
};

// f(index in the published tensor, index in ours) for each pair of elements that an entry joins.
// Error: the shapes do not fit.
template <class F> void for_each_pair(const Entry& entry, const Shape& published, const Shape& ours, F&& f) {
  Shape slice;  // of ours, as the published tensor has it
  for (int k = entry.expert >= 0 ? 1 : 0; k < ours.rank(); ++k) slice.push_back(ours[k]);
  const int rank = slice.rank(), last = rank - 1;
  check(rank == published.rank() && (!entry.transposed || rank >= 2), entry.published, "has shape ", published,
        ", ours has ", ours);
  const Index elements = element_count(slice), first = std::max<Index>(entry.expert, 0) * elements;
  check(first + elements <= element_count(ours), entry.published, "is expert ", entry.expert, " of ", ours);
  const Strides from_strides = contiguous_strides(published);
  Strides to_strides = contiguous_strides(slice);
  if (entry.transposed) {
    std::swap(slice[last], slice[last - 1]);
    std::swap(to_strides[last], to_strides[last - 1]);
  }
  const auto place = [&](int k, Index i) {  // of index i of the slice's axis k
    if (entry.run == 0 || k != entry.axis) return i;
    return entry.start + i / entry.run * entry.step + i % entry.run;
  };
  for (int k = 0; k < rank; ++k)
    check(entry.run == 0 || k != entry.axis ? slice[k] == published[k] : place(k, slice[k] - 1) < published[k],
          entry.published, "has shape ", published, ", the slice in ", entry.ours, " has ", slice);
  for (Index i = 0; i < elements; ++i) {
    Index rest = i, from = 0, to = first;
    for (int k = rank; k-- > 0; rest /= slice[k]) {
      from += place(k, rest % slice[k]) * from_strides[k];
      to += rest % slice[k] * to_strides[k];
    }
    f(static_cast<std::size_t>(from), static_cast<std::size_t>(to));
  }
}

ByName<Values> zeros(const ByName<Shape>& shapes) {
  ByName<Values> result;
  for (const auto& [name, shape] : shapes) result[name].resize(static_cast<std::size_t>(element_count(shape)));
  return result;
}

// A published folder and the model that it becomes.
struct Folder {
  explicit Folder(const std::string& name)
      : path(std::string(ATOM_TEST_DIR "/oracle/data/") + name),
        family(oracle::family_of(io::read_json(path + "/config.json"))),
        weights(path + "/model.safetensors"),
        model(family.config) {
    nn::for_each_tensor(model,
                        [&](const std::string& parameter, auto& tensor, Role) { shapes[parameter] = tensor.shape(); });
  }

  template <class F> void for_each_entry(F&& f) const {
    for (const Entry& entry : family.entries) {
      check(weights.shapes.contains(entry.published), path, "has no tensor ", entry.published);
      check(shapes.contains(entry.ours), path, "the model has no tensor ", entry.ours, " for ", entry.published);
      f(entry, weights.shapes.at(entry.published), shapes.at(entry.ours));
    }
  }

  void load() {
    auto values = zeros(shapes);
    for_each_entry([&](const Entry& entry, const Shape& published, const Shape& ours) {
      const auto& from = weights.values.at(entry.published);
      auto& to = values.at(entry.ours);
      for_each_pair(entry, published, ours, [&](std::size_t i, std::size_t j) { to[j] = from[i]; });
    });
    nn::for_each_tensor(model,
                        [&](const std::string& parameter, auto& tensor, Role) { tensor.assign(values.at(parameter)); });
  }

  // The model's gradients under the published names.
  ByName<Values> gradients() {
    ByName<Values> ours = zeros(shapes), published = zeros(weights.shapes);
    nn::for_each_tensor(model, [&](const std::string& parameter, auto& tensor, Role role) {
      if (role != Role::buffer && tensor.grad().defined()) ours[parameter] = tensor.grad().to_vector();
    });
    for_each_entry([&](const Entry& entry, const Shape& from, const Shape& to) {
      auto& gathered = published.at(entry.published);
      const auto& source = ours.at(entry.ours);
      for_each_pair(entry, from, to, [&](std::size_t i, std::size_t j) { gathered[i] = source[j]; });
    });
    return published;
  }

  std::string path;
  oracle::Family family;
  Tensors weights;
  Model model;
  ByName<Shape> shapes;  // of the model's tensors
};

double largest(const Values& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}
double largest_difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    most = std::isnan(difference) ? INFINITY : std::max(most, difference);
  }
  return most;
}

std::vector<TokenId> ids_of(const io::Safetensors& file, const std::string& name) {
  const auto* info = file.find(name);
  REQUIRE(info != nullptr);
  std::vector<std::int64_t> wide(static_cast<std::size_t>(element_count(info->shape)));
  io::read_elements(file, *info, std::span(wide));
  return {wide.begin(), wide.end()};
}

constexpr const char* folders[] = {"deepseek_v3", "moonlight", "kimi_k2", "mixtral",
                                   "olmoe",       "qwen2_moe", "gpt_oss", "llama4"};

}  // namespace

TEST_CASE("every published tensor has its place, and every parameter its tensor") {
  for (const char* name : folders) {
    INFO(name);
    const Folder folder(name);
    auto published = zeros(folder.weights.shapes), ours = zeros(folder.shapes);
    folder.for_each_entry([&](const Entry& entry, const Shape& from, const Shape& to) {
      for_each_pair(entry, from, to, [&](std::size_t i, std::size_t j) {
        published.at(entry.published)[i] += 1;
        ours.at(entry.ours)[j] += 1;
      });
    });
    for (const auto* side : {&published, &ours})
      for (const auto& [tensor, uses] : *side) {
        INFO(tensor);
        CHECK(std::ranges::all_of(uses, [](float count) { return count == 1; }));
      }
  }
}

TEST_CASE("logits, loss, gradients and continuation are those of transformers") {
  for (const char* name : folders) {
    INFO(name);
    Folder folder(name);
    folder.load();
    const auto& model = folder.model;
    const io::Safetensors file(folder.path + "/expected.safetensors");
    const Tensors expected(folder.path + "/expected.safetensors");

    const Index b = 2, t = 26;
    const auto ids = ids_of(file, "input_ids");
    REQUIRE(expected.shapes.at("input_ids") == Shape{b, t});
    std::vector<TokenId> inputs, targets;
    for (Index row = 0; row < b; ++row) {
      const auto first = ids.begin() + row * t;
      inputs.insert(inputs.end(), first, first + t - 1);
      targets.insert(targets.end(), first + 1, first + t);
    }
    CHECK(largest_difference(model(Tensor<TokenId, Cpu>::from(ids, {b, t})).to_vector(),
                             expected.values.at("logits")) <= 1e-4);
    const auto loss =
        model.loss(Tensor<TokenId, Cpu>::from(inputs, {b, t - 1}), Tensor<TokenId, Cpu>::from(targets, {b, t - 1}));
    CHECK(std::abs(static_cast<double>(loss.item()) - static_cast<double>(expected.values.at("loss").at(0))) <= 1e-5);
    CHECK(sample::generate(model, std::span(ids).first(8), {.tokens = 10, .temperature = 0}) == ids_of(file, "greedy"));

    backward(loss);
    const auto gradients = folder.gradients();
    const Tensors wanted(folder.path + "/gradients.safetensors");
    double most = 0;
    for (const auto& [tensor, gradient] : wanted.values) most = std::max(most, largest(gradient));
    for (const auto& [tensor, gradient] : wanted.values) {
      INFO(tensor);
      CHECK(largest_difference(gradients.at(tensor), gradient) <= 2e-4 * std::max(largest(gradient), 1e-3 * most));
    }
    for (const auto& [tensor, shape] : folder.weights.shapes) {
      INFO(tensor);
      CHECK(wanted.shapes.contains(tensor) != tensor.ends_with("e_score_correction_bias"));
    }
  }
}
