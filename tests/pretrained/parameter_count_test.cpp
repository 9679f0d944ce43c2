// SPDX-License-Identifier: Apache-2.0
// The parameters of published models, counted from their configurations alone.
#include "../catch.hpp"

#include <atom/io/json.hpp>
#include <atom/models/parameter_count.hpp>
#include <atom/pretrained/families.hpp>
#include <atom/pretrained/weights.hpp>

#include <filesystem>

using namespace atom;

namespace {

pretrained::PublishedModel published(const std::string& text) {
  return pretrained::read_config(io::parse_json(text, "config.json"));
}

// Everything that a file of the model holds: parameters and buffers.
Index stored(const std::string& text) {
  const auto count = models::parameter_count(published(text).config);
  return count.total + count.buffers;
}

// The members that most decoders have: layers, width, feed-forward width, heads, heads of keys, vocabulary.
std::string decoder(const std::string& type, std::array<Index, 6> sizes, const std::string& more = "") {
  const auto [layers, width, hidden, heads, kv_heads, vocab] = sizes;
  return to_text(R"({"model_type": ")", type, R"(", "num_hidden_layers": )", layers, R"(, "hidden_size": )", width,
                 R"(, "intermediate_size": )", hidden, R"(, "num_attention_heads": )", heads,
                 R"(, "num_key_value_heads": )", kv_heads, R"(, "vocab_size": )", vocab, more.empty() ? "" : ", ", more,
                 "}");
}

const std::string deepseek_v3 =
    decoder("deepseek_v3", {61, 7168, 18432, 128, 128, 129280}, R"("num_nextn_predict_layers": 1)");
const std::string glm_air = decoder("glm4_moe", {46, 4096, 10944, 96, 8, 151552},
                                    R"("head_dim": 128, "attention_bias": true, "num_nextn_predict_layers": 1)");

// Elements of all tensors of a file, with or without second copies.
Index elements_of_file(const pretrained::PublishedModel& model, bool copies = true) {
  const auto shapes = models::meta_transformer(model.config);
  const auto parameters = pretrained::parameters_of(shapes);
  Index count = 0;
  for (const auto& tensor : model.tensors())
    if (copies || !tensor.duplicate) count += element_count(pretrained::published_shape(tensor, parameters));
  return count;
}

}  // namespace

TEST_CASE("dense models have the published number of parameters", "[pretrained]") {
  CHECK(stored(R"({"model_type": "gpt2", "vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768})") ==
        124'439'808);
  CHECK(stored(decoder("gpt_neox", {6, 512, 2048, 8, 8, 50304})) == 70'426'624);
  CHECK(stored(decoder("gpt_neox", {16, 2048, 8192, 8, 8, 50304})) == 1'011'781'632);
  CHECK(stored(R"({"model_type": "bloom", "vocab_size": 250880, "n_layer": 24, "n_head": 16, "hidden_size": 1024})") ==
        559'214'592);
  CHECK(
      stored(R"({"model_type": "bloom", "vocab_size": 250880, "n_layer": 70, "n_head": 112, "hidden_size": 14336})") ==
      176'247'271'424);
  CHECK(stored(decoder("llama", {32, 4096, 11008, 32, 32, 32000})) == 6'738'415'616);
  CHECK(stored(decoder("llama", {32, 4096, 14336, 32, 8, 128256})) == 8'030'261'248);
  CHECK(stored(decoder("llama", {16, 2048, 8192, 32, 8, 128256}, R"("tie_word_embeddings": true)")) == 1'235'814'400);
  CHECK(stored(decoder("mistral", {32, 4096, 14336, 32, 8, 32000})) == 7'241'732'096);
  CHECK(stored(decoder("gemma", {18, 2048, 16384, 8, 1, 256000})) == 2'506'172'416);
  CHECK(stored(decoder("gemma2", {26, 2304, 9216, 8, 4, 256000})) == 2'614'341'888);
  CHECK(stored(decoder("gemma3_text", {26, 1152, 6912, 4, 1, 262144})) == 999'885'952);
  CHECK(stored(decoder("qwen2", {24, 896, 4864, 14, 2, 151936}, R"("tie_word_embeddings": true)")) == 494'032'768);
  CHECK(stored(decoder("qwen3", {28, 1024, 3072, 16, 8, 151936}, R"("tie_word_embeddings": true)")) == 596'049'920);
  CHECK(stored(decoder("phi", {32, 2560, 10240, 32, 32, 51200}, R"("partial_rotary_factor": 0.4)")) == 2'779'683'840);
  CHECK(stored(decoder("phi3", {32, 3072, 8192, 32, 32, 32064})) == 3'821'079'552);
  CHECK(stored(decoder("phi3", {40, 5120, 17920, 40, 10, 100352})) == 14'659'507'200);
  CHECK(stored(decoder("phi3", {32, 3072, 8192, 24, 8, 200064},
                       R"("tie_word_embeddings": true, "partial_rotary_factor": 0.75)")) == 3'836'021'760);
  CHECK(stored(decoder("olmo2", {32, 4096, 11008, 32, 32, 100352})) == 7'298'617'344);
  CHECK(stored(decoder("olmo2", {16, 2048, 8192, 16, 16, 100352})) == 1'484'916'736);
  CHECK(stored(decoder("glm4", {40, 4096, 13696, 32, 2, 151552})) == 9'400'279'040);
}

TEST_CASE("mixtures of experts have the published number of parameters", "[pretrained]") {
  CHECK(stored(decoder("mixtral", {32, 4096, 14336, 32, 8, 32000})) == 46'702'792'704);
  CHECK(stored(decoder("qwen2_moe", {24, 2048, 5632, 16, 16, 151936})) == 14'315'784'192);
  CHECK(stored(decoder("olmoe", {16, 2048, 1024, 16, 16, 50304})) == 6'919'161'856);
  CHECK(stored(decoder("hunyuan_v1_moe", {32, 4096, 3072, 32, 8, 128167},
                       R"("head_dim": 128, "num_experts": 64, "moe_topk": 8, "tie_word_embeddings": true)")) ==
        80'393'183'232);
  const std::string llama4 = R"("num_local_experts": )";
  CHECK(stored(decoder("llama4_text", {48, 5120, 8192, 40, 8, 202048}, llama4 + "16")) == 107'769'861'120);
  CHECK(stored(decoder("llama4_text", {48, 5120, 8192, 40, 8, 202048},
                       llama4 + R"(128, "interleave_moe_layer_step": 2)")) == 400'711'848'960);
  CHECK(stored(decoder("gpt_oss", {24, 2880, 2880, 64, 8, 201088}, R"("num_local_experts": 32)")) == 20'914'757'184);
  CHECK(stored(decoder("gpt_oss", {36, 2880, 2880, 64, 8, 201088})) == 116'829'156'672);
  CHECK(stored(decoder("kimi_k2", {61, 7168, 18432, 64, 64, 163840},
                       R"("n_routed_experts": 384, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1)")) ==
        1'026'408'232'448);

  // What a token meets: 3 billion of Qwen3-30B-A3B, 37 billion of DeepSeek V3.
  const auto qwen = models::parameter_count(
      published(decoder("qwen3_moe", {48, 2048, 6144, 32, 4, 151936}, R"("head_dim": 128)")).config);
  CHECK(qwen.total == 30'532'122'624);
  CHECK(qwen.active == qwen.total - qwen.experts / 128 * 120);
  CHECK(qwen.experts == Index{48} * 128 * 3 * 2048 * 768);
  CHECK(qwen.active == 3'353'032'704);
  const auto deepseek = models::parameter_count(published(deepseek_v3).config);
  CHECK(deepseek.active == 37'552'282'624);
}

TEST_CASE("layers for multi-token prediction count apart", "[pretrained]") {
  const auto deepseek = models::parameter_count(published(deepseek_v3).config);
  CHECK(deepseek.total - deepseek.mtp == 671'026'404'352);
  CHECK(deepseek.total - deepseek.mtp + 58 * 256 == 671'026'419'200);
  CHECK(deepseek.buffers == 59 * 256);
  CHECK(deepseek.total + deepseek.buffers == 682'636'487'424);
  CHECK(elements_of_file(published(deepseek_v3)) == 684'489'845'504);

  const auto air = models::parameter_count(published(glm_air).config);
  CHECK(air.total - air.mtp + 45 * 128 == 106'852'251'264);
  CHECK(elements_of_file(published(glm_air)) == 110'468'824'832);
  const auto glm = published(decoder("glm4_moe", {92, 5120, 12288, 96, 8, 151552},
                                     R"("head_dim": 128, "attention_bias": true, "num_nextn_predict_layers": 1,
      "use_qk_norm": true, "n_routed_experts": 160, "moe_intermediate_size": 1536, "first_k_dense_replace": 3)"));
  CHECK(elements_of_file(glm) == 358'337'791'296);
  const auto count = models::parameter_count(glm.config);
  CHECK(count.total - count.mtp + 89 * 160 == 352'797'829'024);
}

TEST_CASE("counted, stored and built is the same", "[pretrained]") {
  namespace fs = std::filesystem;
  int models = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(ATOM_TEST_DIR) / "oracle/data")) {
    const auto model = pretrained::read_config(io::read_json((entry.path() / "config.json").string()));
    const auto count = models::parameter_count(model.config);
    INFO(entry.path());
    CHECK(nn::parameter_count(models::FullTransformer<float>(model.config)) == count.total);
    CHECK(elements_of_file(model, false) == count.total + count.buffers);
    CHECK(count.active <= count.total);
    CHECK((count.experts > 0) == (model.config.moe.experts > 0));
    ++models;
  }
  CHECK(models > 10);
}

TEST_CASE("what cannot be counted is an error, and the largest costs no memory", "[pretrained]") {
  const auto largest = decoder("llama", {10000, 1 << 20, 1 << 22, 1 << 13, 1 << 13, 1 << 30});
  CHECK(models::parameter_count(published(largest).config).total > Index{1} << 57U);
  const auto huge = decoder("llama", {100, 1 << 29, 1 << 30, 1 << 13, 1 << 13, 1000});
  CHECK_THROWS_WITH(models::parameter_count(published(huge).config), Catch::Contains("more than 2^63 parameters"));
  models::TransformerConfig wide = {.vocab = 10, .layers = 1, .heads = 1, .width = 1 << 28};
  wide.moe = {.experts = 1 << 16, .active = 1, .expert_width = 1 << 28};
  CHECK_THROWS_WITH(models::parameter_count(wide), Catch::Contains("too many elements"));
}
