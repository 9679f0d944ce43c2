// SPDX-License-Identifier: Apache-2.0
// Training of some weights: all others, and their tensors in the folder that is written, keep their bits.
#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/nn/lora.hpp>
#include <atom/nn/train_only.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/parameters_named.hpp>

using namespace atom;
using Model = models::FullTransformer<float, Cpu>;

namespace {

void train(Model& model) {
  const auto x = Tensor<TokenId, Cpu>::from({3, 1, 4, 1, 5, 9, 2, 6}, {2, 4});
  optim::AdamW optim(model, {.lr = 1e-2F, .weight_decay = 0.1F});
  for (int step = 0; step < 3; ++step) {
    backward(model.loss(x, x));
    optim.step();
  }
}

std::vector<std::byte> bytes_of(const io::Safetensors& file, const io::TensorInfo& info) {
  std::vector<std::byte> bytes(info.bytes());
  file.read(info, bytes);
  return bytes;
}

// Names of a folder's tensors: those that differ in another folder, or those that patterns name.
std::vector<std::string> changed(const std::string& before, const std::string& after) {
  const io::Safetensors a(before), b(after);
  std::vector<std::string> names;
  for (const auto& info : a.tensors()) {
    const auto* other = b.find(info.name);
    REQUIRE(other);
    if (bytes_of(a, info) != bytes_of(b, *other)) names.push_back(info.name);
  }
  return names;
}
std::vector<std::string> named(const std::string& folder, const std::vector<std::string>& patterns) {
  std::vector<std::string> names;
  const io::Safetensors file(folder);
  for (const auto& info : file.tensors())
    if (std::ranges::any_of(patterns, [&](const auto& pattern) { return matches(pattern, info.name); }))
      names.push_back(info.name);
  return names;
}

}  // namespace

TEST_CASE("* stands for any characters") {
  for (const auto& [pattern, name] : {std::pair{"a.b", "a.b"},
                                      {"*", ""},
                                      {"*", "a.b"},
                                      {"a.*", "a."},
                                      {"*b*", "abc"},
                                      {"*.b.*", "a.b.b.c"},
                                      {"a*b*c", "axbxbxc"},
                                      {"**c", "abc"}})
    CHECK(matches(pattern, name));
  for (const auto& [pattern, name] :
       {std::pair{"a.b", "a.bc"}, {"", "a"}, {"a", ""}, {"*b", "abc"}, {"a*c", "ab"}, {"*.b.*", "a.b"}})
    CHECK_FALSE(matches(pattern, name));
}

TEST_CASE("only what is named is trained, and written otherwise") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"gemma3", {"model.layers.1.self_attn.*", "model.norm.weight"}},
      {"mixtral", {"*.gate.weight"}},
      {"phi3", {"*.0.mlp.gate_up_proj.weight", "lm_head.*"}}};
  for (const auto& [name, patterns] : cases) {
    INFO(name);
    const std::string source = ATOM_TEST_DIR "/oracle/data/" + name;
    auto model = pretrained::load_model<Model>(source, {.full = true});
    nn::train_only(model, pretrained::parameters_named(source, patterns));
    train(model);
    const Scratch scratch;
    pretrained::save_like(scratch.path(), model, source);
    const auto expected = named(source, patterns);
    CHECK(expected.size() > 1);
    CHECK(changed(source, scratch.path()) == expected);
  }
}

TEST_CASE("what cannot be trained is refused, and nothing is changed") {
  Model model(models::TransformerConfig::llama(19, 2, 2, 8, 16), Rng(1));
  nn::train_only(model, {"norm.weight"});
  CHECK(nn::trainable_count(model) == 8);
  CHECK(error_of([&] {
          nn::train_only(model, {"blocks.0.*", "blocks.2.*"});
        }) == "[train_only] no parameter is named 'blocks.2.*', expected names such as 'embedding.weight'");
  auto& q = model.blocks[1].attention.q;
  nn::set_weight(q.weight, q.stored,
                 StoredMatrix<Cpu>::copy_of(BlockType::f32, q.weight.shape(), std::as_bytes(q.weight.span())));
  CHECK(error_of([&] { nn::train_only(model, {"*"}); }) ==
        "[train_only] the weight 'blocks.1.attention.q.weight' is stored as F32, expected numbers that can be trained");
  CHECK(nn::trainable_count(model) == 8);
  nn::train_only(model, {"blocks.0.*", "blocks.1.attention.k.weight"});
  CHECK(nn::trainable_count(model) == nn::parameter_count(model.blocks[0]) + 64);

  const std::string gemma = ATOM_TEST_DIR "/oracle/data/gemma3";
  CHECK(error_of([&] {
          pretrained::parameters_named(gemma, {"blocks.0.*"});
        }).ends_with("no tensor of the model is named \"blocks.0.*\""));
}
