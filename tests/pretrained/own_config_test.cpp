// SPDX-License-Identifier: Apache-2.0
// config.json of models that have none: the family that says them, and what it does not say.
#include <atom/pretrained/own_config.hpp>

#include "catch.hpp"

#include <atom/io/json.hpp>
#include <filesystem>

using namespace atom;
using pretrained::config_json;
using pretrained::read_config;

namespace {

std::vector<std::string> folders() {
  std::vector<std::string> all;
  for (const char* place : {"/oracle/data", "/../../shared/oracle"})
    if (std::filesystem::is_directory(ATOM_TEST_DIR + std::string(place)))
      for (const auto& entry : std::filesystem::directory_iterator(ATOM_TEST_DIR + std::string(place)))
        if (entry.is_directory()) all.push_back(entry.path().string());
  return all;
}

std::string type_of(const io::Json& json) { return json.get<std::string>("model_type"); }
std::string type_of(const models::TransformerConfig& config) { return type_of(config_json(config)); }

}  // namespace

TEST_CASE("the config of a published model, written anew, is that config in the words of its family", "[config]") {
  for (const auto& folder : folders()) {
    INFO(folder);
    const auto published = read_config(io::read_json(folder + "/config.json"));
    const auto json = config_json(published.config);
    INFO(to_pretty_text(json));
    CHECK(read_config(json).config == published.config);
    CHECK_FALSE(json.contains("atom"));
    const auto name = std::filesystem::path(folder).filename();
    const std::string type = published.family->model_type;
    if (name == "mistral_null")
      CHECK(type_of(json) == "llama");
    else
      CHECK(type_of(json) == (type == "kimi_k2" ? "deepseek_v3" : type));
    CHECK(type_of(config_json(published.config, type)) == type);
  }
}

TEST_CASE("a config of our own has the form of the family that says it", "[config]") {
  using Config = models::TransformerConfig;  // by name below: nvcc loses nested initialisers in a lambda of auto&
  auto llama = Config::llama(17, 4, 2, 8, 16);
  CHECK(type_of(Config::gpt2(17, 4, 2, 8, 16)) == "gpt2");
  CHECK(type_of(llama) == "llama");
  const auto with = [&](auto change) {
    auto config = llama;
    config.layer.resize(4);
    change(config);
    const auto json = config_json(config);
    CHECK(read_config(json).config.layer.size() <= 4);
    return type_of(json);
  };
  CHECK(with([](Config&) {}) == "llama");  // layers that are listed and alike
  CHECK(with([](Config& c) { c.qkv_bias = true; }) == "qwen2");
  CHECK(with([](Config& c) { c.qk_norm = nn::QkNorm::per_head; }) == "qwen3");
  CHECK(with([](Config& c) { c.qk_norm = nn::QkNorm::per_head, c.moe.experts = 4, c.layer = {}; }) == "qwen3_moe");
  CHECK(with([](Config& c) { c.moe = {.experts = 4, .router = {.normalise = true}}, c.layer = {}; }) == "mixtral");
  CHECK(with([](Config& c) { c.layer[1].window = 8; }) == "ministral");
  CHECK(with([](Config& c) { c.layer[1].rotates = false; }) == "smollm3");
  CHECK(with([](Config& c) { c.rotary_dim = 2; }) == "phi3");
  CHECK(with([](Config& c) { c.branch_scale = 0.5; }) == "granite");
  CHECK(with([](Config& c) { c.sinks = true; }) == "atom");
  CHECK(with([](Config& c) { c.latent = {.kv_rank = 4, .nope_dim = 4, .rope_dim = 2, .value_dim = 4}; }) ==
        "deepseek_v3");
}

TEST_CASE("what a family does not say of training stands beside its words", "[config]") {
  auto config = models::TransformerConfig::llama(17, 4, 2, 8, 16);
  config.dropout = 0.125;
  config.moe = {.experts = 4, .router = {.normalise = true, .z = 1e-3}};
  const auto json = config_json(config);
  CHECK(type_of(json) == "mixtral");
  CHECK(to_text(json.at("atom")) == R"({"dropout":0.125,"z":0.001})");
  CHECK(read_config(json).config == models::resolved(config));
}

TEST_CASE("factors of angles are those of Llama 3, or a list", "[config]") {
  auto config = models::TransformerConfig::llama(17, 4, 2, 256, 131072);
  config.rope_theta = 5e5;
  config.rope_scaling = {.kind = ops::RopeScaling::Kind::llama3, .factor = 32, .original_context = 8192};
  const auto plain = ops::rope_frequencies(128, 5e5);
  const auto scaled = ops::rope_angles({5e5, 128, RopePairing::half_split, config.rope_scaling}).frequencies;
  auto by_factors = config;
  by_factors.rope_scaling = {.kind = ops::RopeScaling::Kind::factors};
  for (std::size_t i = 0; i < plain.size(); ++i)
    by_factors.rope_scaling.short_factors.push_back(static_cast<double>(static_cast<float>(plain[i] / scaled[i])));
  const auto json = config_json(by_factors);
  CHECK(json.at("rope_scaling") == config_json(config).at("rope_scaling"));
  CHECK(read_config(json).config == models::resolved(config));

  by_factors.rope_scaling.short_factors[3] = 1.5;
  const auto list = config_json(by_factors).at("rope_scaling");
  CHECK(list.get<std::string>("rope_type") == "longrope");
  CHECK(list.get<std::vector<double>>("long_factor") == by_factors.rope_scaling.short_factors);
}
