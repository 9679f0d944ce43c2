// SPDX-License-Identifier: Apache-2.0
// config.json of published models: what is absent, null, nested or written otherwise, and what is refused.
#include "catch.hpp"

#include <atom/io/json.hpp>
#include <atom/pretrained/families.hpp>

using namespace atom;
using pretrained::PublishedModel;

namespace {

// Sizes that every decoder states, and more members.
PublishedModel read(const std::string& type, const std::string& members = "") {
  const std::string sizes = R"("vocab_size": 100, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
                              "num_attention_heads": 32, "max_position_embeddings": 512)";
  return pretrained::read_config(io::parse_json(
      to_text(R"({"model_type": ")", type, "\", ", sizes, members.empty() ? "" : ", ", members, "}"), "config.json"));
}
std::vector<Index> windows(const PublishedModel& model) {
  std::vector<Index> all;
  for (const auto& layer : model.config.layer) all.push_back(layer.window);
  return all;
}
using Windows = std::vector<Index>;
using Scaling = ops::RopeScaling::Kind;

}  // namespace

TEST_CASE("an absent key means what its family says", "[config]") {
  CHECK(read("llama").config.kv_heads == 32);
  CHECK(read("llama").config.norm_eps == 1e-6);
  CHECK(read("mistral").config.kv_heads == 8);
  CHECK(windows(read("mistral")) == Windows(4, 4096));
  CHECK(read("qwen3").config.kv_heads == 32);
  CHECK(read("qwen3").config.head_dim == 128);
  CHECK(read("glm4").config.norm_eps == 1.5625e-7);
  CHECK(read("glm4", R"("num_key_value_heads": 2)").config.rotary_dim == 64);
  CHECK(read("gemma2").config.attention_cap == 50);
  CHECK(read("gemma2").config.logit_cap == 30);
  CHECK(windows(read("gemma2")) == Windows{4096, 0, 4096, 0});
  CHECK(read("smollm3").config.tie_embeddings);
  CHECK(read("smollm3").config.rope_theta == 2e6);
  CHECK(read("granite").config.attention_scale == 1);
  CHECK(read("gpt_oss").config.rope_scaling.kind == Scaling::yarn);
  CHECK(read("gpt_oss").config.rope_scaling.factor == 32);
  CHECK(read("olmo3").config.rope_theta == 5e5);
  CHECK(windows(read("olmo3")) == Windows{4096, 4096, 4096, 0});
  CHECK(read("deepseek_v3").config.latent.q_rank == 1536);
  CHECK(read("phimoe").config.head_bias == false);
  CHECK(read("ministral3", R"("num_key_value_heads": 8, "rope_theta": 77)").config.rope_theta == 1e6);
}

TEST_CASE("null is not absent", "[config]") {
  CHECK(read("mistral", R"("sliding_window": null)").config.layer.empty());
  CHECK(read("mistral", R"("num_key_value_heads": null)").config.kv_heads == 32);
  CHECK(read("qwen3", R"("head_dim": null)").config.head_dim == 2);
  CHECK(read("deepseek_v3", R"("q_lora_rank": null)").config.latent.q_rank == 0);
  CHECK(read("gpt_oss", R"("rope_scaling": null)").config.rope_scaling.kind == Scaling::yarn);
  CHECK_THROWS_WITH(read("llama", R"("vocab_size2": 1, "rms_norm_eps": null)"), Catch::Contains("rms_norm_eps"));
}

TEST_CASE("windows mean other layers in each class", "[config]") {
  const std::string on = R"("use_sliding_window": true, "sliding_window": 7, "max_window_layers": 2)";
  CHECK(windows(read("qwen2", on)) == Windows{0, 0, 7, 7});
  CHECK(windows(read("qwen2_moe", on)) == Windows{7, 0, 0, 0});
  CHECK(windows(read("qwen3_moe", on)) == Windows{7, 7, 7, 7});
  CHECK(windows(read("smollm3", on)) == Windows{0, 0, 0, 7});
  CHECK(windows(read("qwen2", R"("sliding_window": 7)")) == Windows(4, 0));
}

TEST_CASE("both forms of rotary positions, and lists", "[config]") {
  const auto two = read("gemma3_text", R"("rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5000.0},
      "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}}, "head_dim": 16)");
  CHECK(two.config.rope_theta == 5000);
  CHECK(two.config.local_rope_theta == 300);
  CHECK(two.config.rope_scaling.kind == Scaling::linear);
  const auto lists = read("hunyuan_v1_moe", R"("num_experts": 4, "moe_topk": [2, 2, 2, 2], "attention_head_dim": 16,
      "num_shared_expert": [1, 1, 1, 1], "moe_intermediate_size": [8, 8, 8, 8],
      "rope_scaling": {"type": "dynamic", "alpha": 1000.0, "factor": 1.0})");
  CHECK(lists.config.moe.active == 2);
  CHECK(lists.config.moe.expert_width == 8);
  CHECK(lists.config.head_dim == 16);
  CHECK(lists.config.rope_scaling.kind == Scaling::ntk_alpha);
  CHECK_THROWS_WITH(read("hunyuan_v1_moe", R"("num_experts": 4, "moe_topk": [2, 1, 2, 2])"),
                    Catch::Contains("moe_topk") && Catch::Contains("different numbers"));
  CHECK_THROWS_WITH(read("llama", R"("rope_scaling": {"type": "spiral"})"),
                    Catch::Contains("spiral") && Catch::Contains("yarn"));
}

TEST_CASE("what is not known is named, what is not supported refused", "[config]") {
  CHECK_THROWS_WITH(read("perceptron"), Catch::Contains("\"perceptron\"") && Catch::Contains("qwen3_moe"));
  CHECK_THROWS_WITH(read("llama", R"("quantization_config": {"quant_method": "gptq", "bits": 4})"),
                    Catch::Contains("\"gptq\"") && Catch::Contains("not supported"));
  CHECK_THROWS_WITH(read("phi", R"("qk_layernorm": true)"), Catch::Contains("qk_layernorm"));
  CHECK_THROWS_WITH(read("hunyuan_v1_dense", R"("use_cla": true)"), Catch::Contains("use_cla"));
  CHECK_THROWS_WITH(read("llama", R"("hidden_act": "snake")"), Catch::Contains("snake"));
  CHECK_THROWS_WITH(read("glm4", R"("num_key_value_heads": 5)"), Catch::Contains("kv_heads divides heads"));
  CHECK_THROWS_WITH(read("qwen3", R"("layer_types": ["linear_attention", "full_attention", "full_attention",
                                    "full_attention"])"),
                    Catch::Contains("linear_attention"));
  const auto model = read("llama", R"("rope_theta": 500000, "some_new_key": 3, "use_cache": true)");
  CHECK(model.unread == std::vector<std::string>{"some_new_key", "use_cache"});
}
