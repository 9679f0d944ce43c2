// SPDX-License-Identifier: Apache-2.0
// Models to Hugging Face folders and back: names and layouts of the families, the same bits, and what does not fit.
#include <atom/pretrained/folder.hpp>

#include "catch.hpp"

#include <atom/io/tensors.hpp>
#include <cstdlib>

using namespace atom;

namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/atom-folder-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { static_cast<void>(std::system(("rm -r " + path).c_str())); }
};

models::Transformer<float> random_model(const models::TransformerConfig& config) {
  return models::Transformer<float>(config, Rng(3));
}

std::vector<std::vector<float>> weights(const auto& model) {
  std::vector<std::vector<float>> all;
  nn::for_each_tensor(model, [&](const std::string&, const auto& tensor, Role) { all.push_back(tensor.to_vector()); });
  return all;
}

models::TransformerConfig odd() {  // of no family
  auto config = models::TransformerConfig::gpt2(17, 1, 2, 8, 16);
  config.gated = true;
  return config;
}

}  // namespace

TEST_CASE("a model comes back from its folder bit for bit", "[folder]") {
  auto llama = models::TransformerConfig::llama(19, 2, 4, 16, 32);
  llama.kv_heads = 2;
  llama.norm_eps = 1e-6;
  for (const auto& config : {models::TransformerConfig::gpt2(17, 2, 2, 8, 16), llama, odd()}) {
    const Folder folder;
    const auto model = random_model(config);
    pretrained::save(folder.path, model);
    const auto back = pretrained::load<float>(folder.path);
    CHECK(back.config == model.config);
    CHECK(weights(back) == weights(model));
  }
}

TEST_CASE("the families' published names and layouts", "[folder]") {
  const Folder folder;
  const auto model = random_model(models::TransformerConfig::gpt2(17, 1, 2, 8, 16));
  pretrained::save(folder.path, model);
  const io::Safetensors file(folder.path);
  const io::TensorInfo* packed = file.find("transformer.h.0.attn.c_attn.weight");
  REQUIRE(packed);
  CHECK(packed->shape == Shape{8, 24});  // (in, q k v)
  auto read = Tensor<float, Cpu>::zeros({8, 24});
  io::read_tensor(file, *packed, read);
  const auto k = model.blocks[0].attention.k.weight.to_vector();  // (out, in)
  CHECK(read.to_vector()[2 * 24 + 8 + 5] == k[5 * 8 + 2]);
  CHECK(file.find("transformer.wpe.weight"));
  CHECK_FALSE(file.find("lm_head.weight"));  // tied

  const Folder other;
  pretrained::save(other.path, random_model(models::TransformerConfig::llama(17, 1, 2, 8, 16)), {.dtype = DType::bf16});
  const io::Safetensors llama(other.path);
  REQUIRE(llama.find("model.layers.0.mlp.gate_proj.weight"));
  CHECK(llama.find("model.layers.0.mlp.gate_proj.weight")->dtype == DType::bf16);
  CHECK(llama.find("lm_head.weight"));
}

TEST_CASE("what does not fit is named", "[folder]") {
  const Folder folder;
  pretrained::save(folder.path, random_model(models::TransformerConfig::llama(17, 1, 2, 8, 16)));
  models::Transformer<float> other(models::TransformerConfig::llama(18, 1, 2, 8, 16));
  CHECK_THROWS_WITH(pretrained::load_weights(folder.path, other),
                    Catch::Contains("model.embed_tokens.weight") && Catch::Contains("found (17, 8), expected (18, 8)"));
  io::write_file(folder.path + "/config.json", R"({"model_type": "perceptron"})");
  CHECK_THROWS_WITH(pretrained::load<float>(folder.path),
                    Catch::Contains("unknown model_type") && Catch::Contains("llama"));
}
