// SPDX-License-Identifier: Apache-2.0
// A published folder beside what another implementation computed with it (tests/oracle/README.md): logits, loss,
// gradients, continuation, and the folder that is written back.
#pragma once

#include <atom/autograd/backward.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/sample/generate.hpp>

#include <cstdlib>

namespace parity {

using namespace atom;
using Model = models::FullTransformer<float, Cpu>;

struct Agreement {
  double logits = 0;     // largest difference; the bar is 1e-4
  double loss = 0;       // 1e-5
  double gradients = 0;  // largest of max|a - b| / max(max|b|, G / 1000), G the largest gradient; 2e-4
  int greedy = 0, greedy_of = 0;
  std::string round_trip = "ok";  // or the first tensor that came back as another
  std::string problem = {};       // a gradient without a place
  bool learns = false;            // a step of AdamW lowers the loss

  bool good() const {
    return logits <= 1e-4 && loss <= 1e-5 && gradients <= 2e-4 && greedy == greedy_of && round_trip == "ok" &&
           problem.empty() && learns;
  }
};

inline std::vector<float> floats(const io::Safetensors& file, const std::string& name) {
  const auto* info = file.find(name);
  check(info != nullptr, "parity", "no tensor ", io::in_quotes(name));
  std::vector<float> values(static_cast<std::size_t>(element_count(info->shape)));
  io::read_elements(file, *info, std::span(values));
  return values;
}
inline std::vector<TokenId> ids_of(const io::Safetensors& file, const std::string& name, Shape* shape = nullptr) {
  const auto* info = file.find(name);
  check(info != nullptr, "parity", "no tensor ", io::in_quotes(name));
  if (shape) *shape = info->shape;
  std::vector<std::int64_t> wide(static_cast<std::size_t>(element_count(info->shape)));
  io::read_elements(file, *info, std::span(wide));
  return {wide.begin(), wide.end()};
}

inline double largest(std::span<const float> values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}
inline double largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    most = std::isnan(difference) ? INFINITY : std::max(most, difference);
  }
  return most;
}

// The model's gradients under the published names, against those of the file: every trainable tensor of the model.
inline void compare_gradients(const std::string& folder, Model& model, Agreement& agreement) {
  const io::Safetensors wanted(folder + "/gradients.safetensors");
  auto gradients = pretrained::parameters_of(model);
  std::set<std::string> trainable;
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    auto& entry = gradients.at(name).tensor;
    entry = role != Role::buffer && tensor.grad().defined() ? tensor.grad() : Tensor<float, Cpu>::zeros(tensor.shape());
    if (role != Role::buffer) trainable.insert(name);
  });
  double most = 0;
  std::set<std::string> left;
  for (const auto& info : wanted.tensors()) {
    most = std::max(most, largest(floats(wanted, info.name)));
    left.insert(info.name);
  }
  const auto published = pretrained::read_model(folder);
  // Under the prefix that the weights have, or under the family's own.
  const pretrained::WeightFiles files(folder, published);
  for (const auto& tensor : pretrained::published_tensors(published.family->layout, model.config)) {
    if (tensor.duplicate || !trainable.contains(tensor.parts[0].parameter)) continue;
    const auto stored = files.find(tensor.name);
    const std::string name = wanted.find(tensor.name) ? tensor.name : stored.values->name;
    if (left.erase(name) == 0) {
      agreement.problem = "no gradient of " + tensor.name;
      continue;
    }
    const auto expected = floats(wanted, name), found = pretrained::published_values(tensor, gradients);
    agreement.gradients =
        std::max(agreement.gradients, largest_difference(found, expected) / std::max(largest(expected), 1e-3 * most));
  }
  if (!left.empty()) agreement.problem = "no parameter for " + *left.begin();
}

// Whether two folders hold the same tensors: names, types, shapes and bytes. The first difference, or "ok".
inline std::string compare_tensors(const std::string& a, const std::string& b) {
  const io::Safetensors first(a), second(b);
  if (first.tensors().size() != second.tensors().size()) return "another number of tensors";
  for (const auto& info : first.tensors()) {
    const auto* other = second.find(info.name);
    if (!other || other->dtype != info.dtype || other->shape != info.shape) return info.name;
    std::vector<std::byte> x(info.bytes()), y(info.bytes());
    first.read(info, x);
    second.read(*other, y);
    if (x != y) return info.name;
  }
  return "ok";
}

// Reads `folder`, computes, and writes it back into a temporary folder. Errors: files; what the model refuses.
inline Agreement compare(const std::string& folder) {
  Agreement agreement;
  auto model = pretrained::load_model<Model>(folder, {.full = true});
  const io::Safetensors expected(folder + "/expected.safetensors");
  Shape shape;
  const auto ids = ids_of(expected, "input_ids", &shape);
  const Index b = shape[0], t = shape[1];
  const auto all = Tensor<TokenId, Cpu>::from(ids, shape);
  {
    const NoGrad no_grad;
    agreement.logits = largest_difference(model(all).to_vector(), floats(expected, "logits"));
  }
  std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  targets.push_back(-100);
  for (Index row = 0; row < b; ++row) targets[static_cast<std::size_t>((row + 1) * t - 1)] = -100;
  const auto next = Tensor<TokenId, Cpu>::from(targets, shape);
  const auto loss = model.loss(all, next);
  agreement.loss = std::abs(static_cast<double>(loss.item()) - static_cast<double>(floats(expected, "loss")[0]));
  backward(loss);
  compare_gradients(folder, model, agreement);
  const auto greedy = ids_of(expected, "greedy");
  const auto found = sample::generate(model, std::span(ids).first(static_cast<std::size_t>(std::min<Index>(8, b * t))),
                                      {.tokens = std::ssize(greedy), .temperature = 0});
  agreement.greedy_of = static_cast<int>(greedy.size());
  while (agreement.greedy < agreement.greedy_of && static_cast<std::size_t>(agreement.greedy) < found.size() &&
         found[static_cast<std::size_t>(agreement.greedy)] == greedy[static_cast<std::size_t>(agreement.greedy)])
    ++agreement.greedy;

  char place[] = "/tmp/atom-parity-XXXXXX";
  const std::string copy = ::mkdtemp(place);
  pretrained::save_like(copy, model, folder);
  agreement.round_trip = compare_tensors(folder, copy);
  static_cast<void>(std::system(("rm -r " + copy).c_str()));

  nn::clear_grad(model);
  optim::AdamW optim(model, {.lr = 1e-3F});
  const auto before = model.loss(all, next);
  backward(before);
  optim.step();
  agreement.learns = model.loss(all, next).item() < before.item();
  return agreement;
}

}  // namespace parity
