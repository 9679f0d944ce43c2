// SPDX-License-Identifier: Apache-2.0
// Models with experts and latent attention to folders and back.
#include "catch.hpp"

#include <atom/io/tensors.hpp>
#include <atom/pretrained/folder.hpp>
#include <cstdlib>

using namespace atom;

namespace {

using Model = models::FullTransformer<float>;

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/atom-folder-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { static_cast<void>(std::system(("rm -r " + path).c_str())); }
};

models::TransformerConfig deepseek() {
  return {
      .vocab = 19,
      .context = 64,
      .layers = 2,
      .heads = 2,
      .width = 16,
      .feed_forward = 24,
      .norm_eps = 1e-6,
      .rope_pairing = RopePairing::interleaved,
      .latent = {.q_rank = 6, .kv_rank = 8, .nope_dim = 6, .rope_dim = 4, .value_dim = 5},
      .tie_embeddings = false,
      .moe = {.experts = 4,
              .active = 2,
              .expert_width = 6,
              .shared_width = 6,
              .select_bias = true,
              .first_dense = 1,
              .router = {.score = nn::RouterScore::sigmoid, .normalise = true, .scale = 2.5, .sequence_balance = 1e-4}},
      .mtp = 1};
}

models::TransformerConfig odd() {  // of no family
  models::TransformerConfig c{.vocab = 19, .context = 64, .layers = 2, .heads = 2, .width = 16};
  c.sinks = true;
  c.qk_norm = nn::QkNorm::whole;
  c.rope_scaling = {.kind = ops::RopeScaling::Kind::llama3, .factor = 8, .original_context = 32};
  c.moe = {.experts = 3, .active = 1, .expert_width = 6, .expert_bias = true, .router = {.jitter = 0.01, .z = 1e-3}};
  c.layer = {{.window = 8}, {.rotates = false, .sparse = true}};
  return c;
}

Model random_model(const models::TransformerConfig& config) {
  Model model(config, Rng(3));
  nn::for_each_tensor(model, [](const std::string& name, auto& tensor, Role) {
    tensor.assign(Tensor<float>::normal(Rng(3).key(name), tensor.shape(), 1).to_vector());
  });
  return model;
}

}  // namespace

TEST_CASE("a sparse model comes back from its folder bit for bit", "[folder]") {
  for (const auto& config : {deepseek(), odd()}) {
    const Folder folder;
    const auto model = random_model(config);
    pretrained::save(folder.path, model);
    auto back = pretrained::load_model<Model>(folder.path);
    CHECK(back.config == model.config);
    std::vector<std::vector<float>> saved, loaded;
    nn::for_each_tensor(model, [&](const auto&, const auto& t, Role) { saved.push_back(t.to_vector()); });
    nn::for_each_tensor(back, [&](const auto&, const auto& t, Role) { loaded.push_back(t.to_vector()); });
    CHECK(saved == loaded);
  }
}

TEST_CASE("DeepSeek V3's published names", "[folder]") {
  const Folder folder;
  const auto model = random_model(deepseek());
  pretrained::save(folder.path, model);
  const auto config = io::read_json(folder.path + "/config.json");
  CHECK(config.get<std::string>("model_type") == "deepseek_v3");
  CHECK(config.get<Index>("first_k_dense_replace") == 1);
  CHECK(config.get<Index>("num_nextn_predict_layers") == 1);
  const io::Safetensors file(folder.path);
  const io::TensorInfo* third = file.find("model.layers.1.mlp.experts.3.down_proj.weight");
  REQUIRE(third);
  CHECK(third->shape == Shape{16, 6});
  auto read = Tensor<float, Cpu>::zeros({16, 6});
  io::read_tensor(file, *third, read);
  const auto all = model.blocks[1].experts->down.to_vector();
  CHECK(read.to_vector() == std::vector<float>(all.end() - 16 * 6, all.end()));
  for (const char* name :
       {"model.layers.0.mlp.gate_proj.weight", "model.layers.1.self_attn.kv_a_proj_with_mqa.weight",
        "model.layers.1.mlp.gate.e_score_correction_bias", "model.layers.1.mlp.shared_experts.up_proj.weight",
        "model.layers.2.eh_proj.weight", "model.layers.2.mlp.experts.0.gate_proj.weight", "lm_head.weight"})
    CHECK(file.find(name));
}
