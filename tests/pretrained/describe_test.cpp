// SPDX-License-Identifier: Apache-2.0
#include <atom/pretrained/describe.hpp>

#include "../catch.hpp"

using namespace atom;
using pretrained::layer_pattern;
using pretrained::unlike_llama;

namespace {

models::TransformerConfig llama(Index layers = 6) { return models::TransformerConfig::llama(100, layers, 4, 32, 64); }

std::string windows(const std::string& letters) {  // w: a window of 8
  auto c = llama(std::ssize(letters));
  for (const char letter : letters) c.layer.push_back({.window = letter == 'w' ? 8 : 0});
  return layer_pattern(c);
}

}  // namespace

TEST_CASE("a plain Llama has nothing to tell", "[pretrained]") {
  auto c = llama();
  c.kv_heads = 2;
  c.feed_forward = 50;
  CHECK(to_text(unlike_llama(c)) == "{}");
  CHECK(layer_pattern(c).empty());
}

TEST_CASE("what differs is told in the names of the config", "[pretrained]") {
  auto c = llama();
  c.tie_embeddings = true;
  c.rope_theta = 5e5;
  c.rope_scaling = {.kind = ops::RopeScaling::Kind::llama3, .factor = 8, .low_turns = 2};
  c.moe = {.experts = 8, .active = 2, .expert_width = 16, .router = {.normalise = true}};
  CHECK(to_text(unlike_llama(c)) ==
        R"({"rope_theta":5e+05,"rope_scaling":{"kind":"llama3","factor":8.0,"low_turns":2.0},)"
        R"("tie_word_embeddings":true,"moe":{"experts":8,"active":2,"expert_width":16,"router":{"normalise":true}}})");
  CHECK(to_text(unlike_llama(models::TransformerConfig::gpt2(100, 2, 4, 32, 64))) ==
        R"({"norm":"layer","learned_positions":true,"activation":"gelu_pytorch_tanh","gated":false,"qkv_bias":true,)"
        R"("o_bias":true,"ffn_bias":true,"tie_word_embeddings":true})");
}

TEST_CASE("layers are told by their pattern", "[pretrained]") {
  CHECK(windows("wwwwww") == "window 8 on all layers");
  CHECK(windows("wwwww.wwwww.") == "window 8 on 5 of 6 layers");
  CHECK(windows("wwwww.wwwww.ww") == "window 8 on 5 of 6 layers");
  CHECK(windows("w.w.w") == "window 8 on 1 of 2 layers");
  CHECK(windows("...www") == "window 8 on all but the first 3");
  CHECK(windows("ww....") == "window 8 on the first 2");
  CHECK(windows("w..www.") == "window 8 on layers 0, 3-5");
  CHECK(windows(".w") == "window 8 on all but the first 1");

  auto c = llama(4);
  c.moe = {.experts = 4, .first_dense = 1};
  c.layer = {{.chunk = 4}, {.rotates = false, .sparse = true}, {.chunk = 4, .sparse = true}, {.sparse = true}};
  CHECK(layer_pattern(c) == "chunks of 4 on 1 of 2 layers, no positions on layers 1, experts on all but the first 1");
}
