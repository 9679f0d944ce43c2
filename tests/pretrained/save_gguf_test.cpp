// SPDX-License-Identifier: Apache-2.0
// Models to GGUF files and back.
#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/io/bpe_trainer.hpp>
#include <atom/pretrained/gguf/save_gguf.hpp>

using namespace atom;
using Model = models::FullTransformer<float, Cpu>;

namespace {

std::string golden(const std::string& name) { return ATOM_TEST_DIR "/golden/gguf/" + name + ".gguf"; }

const std::vector<TokenId> some_ids = {1, 4, 2, 19, 0, 7, 7, 3, 11, 5};

template <class M> std::vector<float> logits_of(const M& model) {
  const NoGrad no_grad;
  return model(Tensor<TokenId, Cpu>::from(some_ids, {1, std::ssize(some_ids)})).to_vector();
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

bool same_weights(const Model& a, const Model& b) {
  bool same = true;
  auto others = pretrained::parameters_of(b);
  nn::for_each_tensor(a, [&](const std::string& name, const auto& tensor, Role) {
    const auto found = others.find(name);
    same = same && found != others.end() && found->second.tensor.to_vector() == tensor.to_vector();
    if (found != others.end()) others.erase(found);
  });
  return same && others.empty();
}

// Random numbers of a spread that every part of the model shows in the logits.
Model random_model(const models::TransformerConfig& config) {
  Model model(config);
  nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    const auto values = Tensor<float, Cpu>::normal(Rng(1).key(name), tensor.shape(), role == Role::norm ? 0.2F : 0.3F);
    const float mean = role == Role::norm && config.norm_offset == 0 ? 1 : 0;
    tensor.assign((values + Tensor<float, Cpu>::full(tensor.shape(), mean)).to_vector());
  });
  return model;
}

models::TransformerConfig small() {
  auto config = models::TransformerConfig::llama(20, 2, 4, 32, 64);
  config.kv_heads = 2;
  config.feed_forward = 48;
  return config;
}

// The logits before and after, and the architecture.
std::pair<double, std::string> through_file(const Model& model, const std::string& path,
                                            const pretrained::GgufOptions& options = {.type = BlockType::f32}) {
  pretrained::save_gguf(path, model, options);
  const auto again = pretrained::load_model<Model>(path);
  return {difference(logits_of(model), logits_of(again)),
          io::Gguf(path).metadata().get<std::string>("general.architecture")};
}

}  // namespace

TEST_CASE("a GGUF model written again is the same bits, in its own architecture") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  for (const auto& architecture : pretrained::gguf_architectures()) {
    INFO(architecture.name);
    const auto model = pretrained::load_model<Model>(golden(architecture.name));
    pretrained::save_gguf(path, model, {.type = BlockType::f32});
    const io::Gguf before(golden(architecture.name)), after(path);
    CHECK(after.metadata().get<std::string>("general.architecture") == architecture.name);
    const auto again = pretrained::load_model<Model>(path);
    CHECK(again.config == model.config);
    CHECK(same_weights(again, model));
    REQUIRE(before.tensors().size() == after.tensors().size());
    for (std::size_t i = 0; i < before.tensors().size(); ++i) {
      CHECK(before.tensors()[i].name == after.tensors()[i].name);
      CHECK(before.tensors()[i].shape == after.tensors()[i].shape);
    }
  }
}

TEST_CASE("published folders compute the same from a GGUF file") {
  const Scratch scratch;
  for (const auto& [folder, architecture] : {std::pair{"mixtral", "llama"},
                                             {"deepseek_v3", "deepseek2"},
                                             {"deepseek_v3_fp8", "deepseek2"},
                                             {"moonlight", "deepseek2"},
                                             {"glm4", "glm4"},
                                             {"olmoe", "olmoe"},
                                             {"phi3", "phi3"},
                                             {"qwen2_moe", "qwen2moe"}}) {
    INFO(folder);
    const auto model = pretrained::load_model<Model>(ATOM_TEST_DIR "/oracle/data/" + std::string(folder));
    const auto [difference, found] = through_file(model, scratch / "x.gguf");
    CHECK(found == architecture);
    CHECK(difference < 2e-5);
  }
}

TEST_CASE("what a file holds otherwise: rows by pairs, norms with their offset, factors of angles") {
  const Scratch scratch;
  auto config = small();
  config.qkv_bias = config.o_bias = true;
  config.rope_scaling = {.kind = ops::RopeScaling::Kind::llama3, .factor = 8, .original_context = 16};
  CHECK(through_file(random_model(config), scratch / "a.gguf").first < 1e-5);
  CHECK(pretrained::load_config(scratch / "a.gguf").rope_pairing == RopePairing::interleaved);
  const io::Gguf file(scratch / "a.gguf");
  REQUIRE(file.find("rope_freqs.weight") != nullptr);
  CHECK(file.find("rope_freqs.weight")->shape == Shape{4});

  config = small();
  config.activation = Activation::gelu_tanh;
  config.embedding_scale = static_cast<double>(std::sqrt(32.F));
  config.norm_offset = 1;
  config.tie_embeddings = true;
  const auto [difference, architecture] = through_file(random_model(config), scratch / "b.gguf");
  CHECK(difference < 1e-5);
  CHECK(architecture == "gemma");
}

TEST_CASE("models of our own making, with their tokenizers") {
  const Scratch scratch;
  const std::string text = "the cat sat on the mat, and the dog sat by the log.\nWhat then? \"Nothing\".";
  for (const bool characters : {true, false}) {
    const auto tokenizer = characters ? io::character_tokenizer(text) : io::train_bpe(text, {.size = 280});
    const std::string path = scratch / "x.gguf";
    const auto gpt2 = models::TransformerConfig::gpt2(tokenizer.size(), 2, 2, 32, 32);
    const models::Transformer<float, Cpu> model(gpt2, Rng(1));
    pretrained::save_gguf(path, model,
                          {.type = BlockType::f32, .tokenizer = tokenizer, .chat_template = "{{ messages }}"});
    const auto again = pretrained::load<float, Cpu>(path);
    CHECK(pretrained::detail::differences(again.config, model.config).empty());
    CHECK(logits_of(again) == logits_of(model));
    CHECK(pretrained::load_tokenizer(path).encode(text) == tokenizer.encode(text));
    CHECK(pretrained::load_chat_template(path) == "{{ messages }}");
    const auto options = pretrained::gguf_options(path);
    CHECK(options.architecture == "gpt2");
    CHECK(options.metadata.get<std::string>("tokenizer.chat_template") == "{{ messages }}");
  }
}

TEST_CASE("which type each tensor has") {
  const Scratch scratch;
  auto config = small();
  config.moe = {.experts = 4, .expert_width = 48, .router = {.normalise = true}};
  const auto model = random_model(config);
  const std::string path = scratch / "x.gguf";
  const auto type = [&](const std::string& name) { return io::Gguf(path).find(name)->type; };
  pretrained::save_gguf(path, model, {.type = BlockType::q4_0});
  CHECK(type("token_embd.weight") == BlockType::q8_0);
  CHECK(type("output.weight") == BlockType::q8_0);
  CHECK(type("output_norm.weight") == BlockType::f32);
  CHECK(type("blk.0.attn_q.weight") == BlockType::q4_0);
  CHECK(type("blk.0.ffn_gate_inp.weight") == BlockType::f32);
  CHECK(type("blk.0.ffn_up_exps.weight") == BlockType::q4_0);
  CHECK(type("blk.0.ffn_down_exps.weight") == BlockType::f16);  // rows of 48
  double last = 10;
  for (const BlockType of : {BlockType::q4_0, BlockType::q8_0, BlockType::bf16, BlockType::f16, BlockType::f32}) {
    pretrained::save_gguf(path, model, {.type = of});
    CHECK(type("blk.1.attn_v.weight") == of);
    const double now = difference(logits_of(model), logits_of(pretrained::load_model<Model>(path)));
    CHECK(now < last);
    last = now;
  }
  CHECK(last < 1e-5);
  for (const BlockType of : {BlockType::q4_1, BlockType::q5_0, BlockType::q5_1, BlockType::mxfp4}) {
    pretrained::save_gguf(path, model, {.type = of});
    CHECK(type("blk.1.attn_v.weight") == of);
    CHECK(type("output.weight") == BlockType::q8_0);
    CHECK(difference(logits_of(model), logits_of(pretrained::load_model<Model>(path))) < 10);
  }
  pretrained::save_gguf(path, model, {.type = BlockType::q4_k});
  CHECK(type("blk.1.attn_v.weight") == BlockType::q5_0);  // rows of 32
  CHECK(type("token_embd.weight") == BlockType::q8_0);
  CHECK(error_of([&] { pretrained::save_gguf(path, model, {.type = BlockType::q2_k}); }) ==
        "[weights] matrices of type Q2_K are not made, expected one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
        "Q5_1, Q4_K, Q5_K, Q6_K, MXFP4");
}

TEST_CASE("models of rows of whole blocks of 256") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  auto config = models::TransformerConfig::llama(20, 1, 4, 256, 64);
  config.feed_forward = 256;
  const models::FullTransformer<float, Cpu> model(config, Rng(1));
  double last = 0.1;
  for (const BlockType of : {BlockType::q4_k, BlockType::q5_k, BlockType::q6_k}) {
    pretrained::save_gguf(path, model, {.type = of});
    const io::Gguf file(path);
    for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.0.ffn_down.weight"})
      CHECK(file.find(name)->type == of);
    for (const char* name : {"token_embd.weight", "output.weight"}) CHECK(file.find(name)->type == BlockType::q6_k);
    const double now = difference(logits_of(model), logits_of(pretrained::load_model<Model>(path)));
    CAPTURE(name_of(of), now);
    CHECK(now < last);
    last = now;
  }
}

TEST_CASE("the type of a tensor, by its name and rows") {
  using enum BlockType;
  const auto types = [](std::string_view name, Index columns) {
    std::vector<BlockType> found;
    for (const auto& rule : pretrained::gguf_type_rules)
      found.push_back(pretrained::gguf_type(name, {8, columns}, rule.type));
    return found;
  };
  using Types = std::vector<BlockType>;
  const Types wanted = {f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, mxfp4};
  CHECK(types("blk.0.ffn_up.weight", 512) == wanted);
  CHECK(types("blk.0.ffn_up.weight", 96) ==
        Types{f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q5_0, q5_1, q8_0, mxfp4});
  CHECK(types("blk.0.ffn_up.weight", 80) == Types{f32, f16, bf16, f16, f16, f16, f16, f16, f16, f16, f16, f16});
  for (const char* name : {"token_embd.weight", "output.weight"}) {
    CHECK(types(name, 512) == Types{f32, f16, bf16, q8_0, q8_0, q8_0, q8_0, q8_0, q6_k, q6_k, q6_k, q8_0});
    CHECK(types(name, 96) == Types{f32, f16, bf16, q8_0, q8_0, q8_0, q8_0, q8_0, q8_0, q8_0, q8_0, q8_0});
  }
  for (const char* name :
       {"blk.0.attn_norm.weight", "blk.0.ffn_gate_inp.weight", "position_embd.weight", "blk.0.x.bias"})
    CHECK(types(name, 512) == Types(wanted.size(), f32));
  CHECK(pretrained::gguf_type("blk.0.attn_sinks.weight", {512}, q4_k) == f32);
  for (const auto& rule : pretrained::gguf_type_rules) CHECK(io::can_quantise(rule.type));
}

TEST_CASE("what no architecture says is refused") {
  const Scratch scratch;
  const auto error = [&](const models::TransformerConfig& config, const std::string& architecture = {}) {
    return error_of([&] { pretrained::save_gguf(scratch / "x.gguf", Model(config), {.architecture = architecture}); });
  };
  auto config = small();
  config.rope_scaling = {.kind = ops::RopeScaling::Kind::dynamic, .factor = 2, .original_context = 16};
  CHECK(error(config) == "[save_gguf] no architecture of GGUF files says this model: llama differs in rope_scaling");
  config = small();
  config.layer.assign(2, {.window = 8});
  CHECK(error(config) == "[save_gguf] no architecture of GGUF files says this model: llama differs in layer");
  config.layer.assign(2, {.window = 64});
  CHECK(error(config) == "no error");  // as long as the context
  CHECK(error(small(), "qwen3") ==
        "[save_gguf] no architecture of GGUF files says this model: qwen3 differs in qk_norm");
  CHECK(error(small(), "mamba").starts_with("[save_gguf] unknown architecture \"mamba\", expected one of gpt2, "));
  CHECK_FALSE(io::exists(scratch / "y.gguf"));
}
