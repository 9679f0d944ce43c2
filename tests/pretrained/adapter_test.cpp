// SPDX-License-Identifier: Apache-2.0
// Adapters in PEFT's folders: against PEFT's own, to a folder and back, fused modules, and what is refused.
#include <atom/pretrained/adapter.hpp>

#include "golden/golden.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/gguf/save_gguf.hpp>

#include "io/scratch.hpp"

using namespace atom;
using pretrained::PublishedLinear;
using Model = models::Transformer<float, Cpu>;

namespace {

const std::string golden_folder = ATOM_TEST_DIR "/golden/adapter";

struct Part {
  const char *layer, *module;
};
constexpr Part llama_parts[] = {{"attention.q", "self_attn.q_proj"},    {"attention.k", "self_attn.k_proj"},
                                {"attention.v", "self_attn.v_proj"},    {"attention.o", "self_attn.o_proj"},
                                {"feed_forward.gate", "mlp.gate_proj"}, {"feed_forward.up", "mlp.up_proj"},
                                {"feed_forward.down", "mlp.down_proj"}};

std::vector<PublishedLinear> llama_list(Index layers) {
  std::vector<PublishedLinear> list;
  for (Index i = 0; i < layers; ++i)
    for (const auto& [layer, module] : llama_parts)
      list.push_back({to_text("blocks.", i, '.', layer), to_text("model.layers.", i, '.', module)});
  return list;
}

// With q, k and v in one module and gate and up in another, as some families publish them.
std::vector<PublishedLinear> fused_list(const Model& model) {
  std::vector<PublishedLinear> list;
  for (Index i = 0; i < std::ssize(model.blocks); ++i) {
    const auto& block = model.blocks[static_cast<std::size_t>(i)];
    const auto add = [&](const char* layer, const char* module, Index first_row = 0) {
      list.push_back(
          {to_text("blocks.", i, '.', layer), to_text("model.layers.", i, '.', module), {.start = first_row}});
    };
    const Index q = block.attention.q.out(), k = block.attention.k.out();
    add("attention.q", "self_attn.qkv_proj");
    add("attention.k", "self_attn.qkv_proj", q);
    add("attention.v", "self_attn.qkv_proj", q + k);
    add("attention.o", "self_attn.o_proj");
    add("feed_forward.gate", "mlp.gate_up_proj");
    add("feed_forward.up", "mlp.gate_up_proj", block.feed_forward.up.out());
    add("feed_forward.down", "mlp.down_proj");
  }
  return list;
}

Model tiny() {
  auto config = models::TransformerConfig::llama(19, 2, 4, 16, 32);
  config.kv_heads = 2;
  return Model(config, Rng(3));
}
// With adapters that say something.
Model adapted(nn::LoraOptions options) {
  auto model = tiny();
  nn::add_lora(model, options);
  nn::for_each_tensor(model, [](const std::string& name, auto& tensor, Role) {
    if (name.ends_with("lora.b"))
      tensor.assign(Tensor<float, Cpu>::normal(Rng(4).key(name), tensor.shape(), 0.3F).to_vector());
  });
  return model;
}

std::vector<float> logits_of(const Model& model) {
  const NoGrad no_grad;
  return model(Tensor<TokenId, Cpu>::from({3, 1, 4, 1, 5, 9, 2, 6}, {2, 4})).to_vector();
}
double worst(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}

std::map<std::string, std::vector<float>> adapters_of(const Model& model) {
  std::map<std::string, std::vector<float>> all;
  nn::for_each_linear(model, [&](const std::string& name, const auto& layer) {
    if (!layer.lora) return;
    all[name + ".a"] = layer.lora->a.to_vector();
    all[name + ".b"] = layer.lora->b.to_vector();
    all[name + ".scale"] = {static_cast<float>(layer.lora->scale())};
  });
  return all;
}

// The error of a call without where it happened.
template <class F> std::string sentence_of(F&& f) {
  const std::string text = error_of(f);
  return text.substr(text.find("] ") == text.npos ? 0 : text.find("] ") + 2);
}

}  // namespace

TEMPLATE_TEST_CASE("an adapter of PEFT gives PEFT's numbers", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 8 ? 3e-6 : 3e-5;  // norms and angles there are float also in float64
  const Golden golden("adapter/expected.safetensors");
  const auto ids = golden.tensor<TokenId>("ids");
  auto model = pretrained::load<T, Cpu>(golden_folder + "/base");
  const auto list = llama_list(2);
  CHECK(excess(model(ids).to_vector(), golden.values<double>("base"), bar) <= 1);
  for (const std::string name : {"patterns", "rslora"}) {
    INFO(name);
    pretrained::load_adapter(golden_folder + "/" + name, model, list);
    const auto logits = model(ids);
    CHECK(excess(logits.to_vector(), golden.values<double>(name), bar) <= 1);
    backward(logits, golden.tensor<T>("dout"));
    int gradients = 0;
    nn::for_each_linear(model, [&](const std::string& layer, const auto& linear) {
      CHECK(!linear.weight.requires_grad());
      if (!linear.lora) return;
      const auto name_there = std::ranges::find(list, layer, &PublishedLinear::layer)->module;
      INFO(name_there);
      const auto check_part = [&](const char* part, const Tensor<T, Cpu>& tensor) {
        const auto wanted = golden.values<double>(to_text(name, "/base_model.model.", name_there, part));
        CHECK(excess(tensor.grad().to_vector(), wanted, bar) <= 1);
        ++gradients;
      };
      check_part(".lora_A.weight", linear.lora->a);
      check_part(".lora_B.weight", linear.lora->b);
    });
    CHECK(gradients == (name == "patterns" ? 12 : 28));
    auto merged = model;
    nn::merge_lora(merged);
    CHECK(excess(merged(ids).to_vector(), golden.values<double>(name), bar) <= 1);
  }
  nn::remove_lora(model);
  CHECK(excess(model(ids).to_vector(), golden.values<double>("base"), bar) <= 1);
}

TEST_CASE("an adapter comes back from its folder bit for bit") {
  for (const bool rank_stabilised : {false, true}) {
    const Scratch folder;
    auto model = adapted({.rank = 3, .alpha = 7, .rank_stabilised = rank_stabilised, .targets = {"q", "v", "down"}});
    auto& one = model.blocks[1].attention.v;  // of another rank and scale than the rest
    nn::set_lora(one, Tensor<float, Cpu>::normal({1, 2}, {2, one.in()}, 1.F),
                 Tensor<float, Cpu>::normal({1, 3}, {one.out(), 2}, 1.F), 5, !rank_stabilised);
    const auto list = llama_list(2);
    pretrained::save_adapter(folder.path(), model, list, {.base_model = "some/base"});
    auto back = tiny();
    pretrained::load_adapter(folder.path(), back, list);
    CHECK(adapters_of(back) == adapters_of(model));
    CHECK(logits_of(back) == logits_of(model));
    CHECK(nn::trainable_count(back) == nn::trainable_count(model) + one.lora->a.size() + one.lora->b.size());

    const auto config = io::read_json(folder.path() + "/adapter_config.json");
    CHECK(config.get<std::string>("peft_type") == "LORA");
    CHECK(config.get<std::string>("base_model_name_or_path") == "some/base");
    CHECK(config.get<int>("r") == 3);
    CHECK(config.get<int>("lora_alpha") == 7);
    CHECK(config.get<bool>("use_rslora") == rank_stabilised);
    CHECK(config.get<std::vector<std::string>>("target_modules") ==
          std::vector<std::string>{"q_proj", "v_proj", "down_proj"});
    CHECK(to_text(config.at("rank_pattern")) == R"({"model.layers.1.self_attn.v_proj":2})");
    CHECK(config.at("alpha_pattern").get<double>("model.layers.1.self_attn.v_proj") ==
          Approx(rank_stabilised ? 5 / std::sqrt(2.0) : 5 * std::sqrt(2.0)).epsilon(1e-15));
  }
}

TEST_CASE("an adapter of some layers names them whole") {
  const Scratch folder;
  const auto model = adapted({.targets = {"blocks.1.attention.q", "o"}});
  pretrained::save_adapter(folder.path(), model, llama_list(2), {.dtype = DType::bf16});
  const auto config = io::read_json(folder.path() + "/adapter_config.json");
  CHECK(config.get<std::vector<std::string>>("target_modules") ==
        std::vector<std::string>{"o_proj", "model.layers.1.self_attn.q_proj"});
  CHECK(config.at("base_model_name_or_path").is_null());
  CHECK(to_text(config.at("rank_pattern")) == "{}");
  const io::Safetensors file(folder.path() + "/adapter_model.safetensors");
  CHECK(file.tensors().size() == 6);
  CHECK(file.find("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight")->dtype == DType::bf16);
  CHECK(file.find("base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight")->shape == Shape{16, 8});
}

TEST_CASE("layers of one published module share a matrix if theirs are equal, and else lie on a diagonal") {
  const Scratch folder;
  const auto model = adapted({.rank = 2, .alpha = 3, .targets = {"q", "v", "gate", "up", "down"}});
  const auto list = fused_list(model);
  pretrained::save_adapter(folder.path(), model, list);
  const auto config = io::read_json(folder.path() + "/adapter_config.json");
  CHECK(config.get<int>("r") == 4);
  CHECK(config.get<int>("lora_alpha") == 6);
  CHECK(to_text(config.at("rank_pattern")) == R"({"model.layers.0.mlp.down_proj":2,"model.layers.1.mlp.down_proj":2})");

  auto back = tiny();
  pretrained::load_adapter(folder.path(), back, list);
  CHECK(back.blocks[0].attention.k.lora->b.to_vector() == std::vector<float>(32, 0.F));  // had none: rank 4, zeros
  CHECK(back.blocks[0].attention.q.lora->a.to_vector() == back.blocks[0].attention.v.lora->a.to_vector());
  CHECK(worst(logits_of(back), logits_of(model)) < 1e-6);

  const Scratch again;
  pretrained::save_adapter(again.path(), back, list);  // equal matrices now: the rank does not grow
  for (const char* file : {"/adapter_config.json", "/adapter_model.safetensors"})
    CHECK(io::read_file(again.path() + file) == io::read_file(folder.path() + file));

  nn::set_lora(back.blocks[0].attention.k, back.blocks[0].attention.k.lora->a, back.blocks[0].attention.k.lora->b, 1);
  CHECK(sentence_of([&] { pretrained::save_adapter(again.path(), back, list); }) ==
        "layers of \"model.layers.0.self_attn.qkv_proj\" have adapters of different scales: 1.5 and 0.25");
}

TEST_CASE("targets may be said in published names") {
  const auto model = tiny();
  using Names = std::vector<std::string>;
  CHECK(pretrained::adapter_targets(llama_list(1), {"q_proj", "mlp.up_proj"}) ==
        Names{"blocks.0.attention.q", "blocks.0.feed_forward.up"});
  CHECK(pretrained::adapter_targets(fused_list(model), {"model.layers.1.self_attn.qkv_proj", "qkv_proj"}) ==
        Names{"blocks.1.attention.q", "blocks.1.attention.k", "blocks.1.attention.v", "blocks.0.attention.q",
              "blocks.0.attention.k", "blocks.0.attention.v"});
  CHECK_THROWS_WITH(pretrained::adapter_targets(llama_list(1), {"q_proj", "proj"}),
                    "[adapter] no module is named \"proj\"");
}

TEST_CASE("an adapter goes over a model of stored weights") {
  const Scratch folder;
  const auto model = adapted({.rank = 2, .targets = {"q", "up"}});
  pretrained::save_adapter(folder.path(), model, llama_list(2));
  auto stored = tiny();
  nn::for_each_weight(stored, [](const std::string& name, auto& weight, auto& matrix, Role) {
    if (name.find("blocks.") == 0)
      nn::set_weight(weight, matrix,
                     StoredMatrix<Cpu>::copy_of(BlockType::f32, weight.shape(), std::as_bytes(weight.span())));
  });
  pretrained::load_adapter(folder.path(), stored, llama_list(2));
  CHECK(logits_of(stored) == logits_of(model));
}

TEST_CASE("whole models are written with adapters merged, or not at all") {
  const Scratch folder;
  pretrained::save(folder.path(), tiny());
  const auto files = [&] {
    return std::pair(io::read_file(folder / "config.json"), io::read_file(folder / "model.safetensors"));
  };
  const auto before = files();
  auto model = adapted({.rank = 2, .targets = {"blocks.1.attention.v"}});
  const std::string refused =
      R"(the layer "blocks.1.attention.v" has a low-rank adapter: merge it with nn::merge_lora, or save adapters alone )"
      "with pretrained::save_adapter";
  CHECK(sentence_of([&] { pretrained::save(folder.path(), model); }) == refused);
  CHECK(sentence_of([&] { pretrained::save_like(folder.path(), model, folder.path()); }) == refused);
  CHECK(sentence_of([&] { pretrained::save_gguf(folder / "x.gguf", model); }) == refused);
  CHECK(files() == before);
  CHECK_FALSE(io::exists(folder / "x.gguf"));

  const auto wanted = logits_of(model);
  nn::merge_lora(model);
  pretrained::save(folder.path(), model);
  CHECK(worst(logits_of(pretrained::load_model<Model>(folder.path())), wanted) < 1e-5);
  pretrained::save_gguf(folder / "x.gguf", model, {.type = BlockType::f32});
  CHECK(worst(logits_of(pretrained::load_model<Model>(folder / "x.gguf")), wanted) < 1e-5);
}

TEST_CASE("what is not supported, or does not fit, is refused by name and changes nothing") {
  const Scratch folder;
  auto model = adapted({.rank = 2, .targets = {"q"}});
  const auto list = llama_list(2);
  pretrained::save_adapter(folder.path(), model, list);
  const auto config = io::read_json(folder.path() + "/adapter_config.json");
  auto target = tiny();
  const auto load_with = [&](const char* name, io::Json value) {
    auto changed = config;
    changed.set(name, std::move(value));
    io::write_file(folder.path() + "/adapter_config.json", to_text(changed));
    const auto error = sentence_of([&] { pretrained::load_adapter(folder.path(), target, list); });
    if (error != "no error")
      CHECK((adapters_of(target).empty() && target.blocks[0].attention.q.weight.requires_grad()));
    return error;
  };
  using Array = io::Json::Array;
  CHECK(load_with("peft_type", "IA3") == "peft_type \"IA3\" is not supported: expected \"LORA\"");
  CHECK(load_with("use_dora", true) == "\"use_dora\" is not supported");
  CHECK(load_with("modules_to_save", Array{"lm_head"}) == "\"modules_to_save\" is not supported");
  CHECK(load_with("target_parameters", Array{"mlp.experts"}) == "\"target_parameters\" is not supported");
  CHECK(load_with("bias", "all") == "bias \"all\" is not supported: expected \"none\"");
  CHECK(load_with("init_lora_weights", "pissa") == "init_lora_weights \"pissa\" is not supported");
  CHECK(load_with("rank_pattern", io::Json::object({{"^model.*q_proj", 2}})) ==
        "\"rank_pattern\": the regular expression \"^model.*q_proj\" is not supported");
  CHECK(load_with("r", 3) == "found shapes (2, 16) and (16, 2), expected (3, 16) and (16, 3)");
  CHECK(load_with("r", "2") == "\"r\": found \"2\", expected an integer in -9223372036854775808..9223372036854775807");
  CHECK(load_with("alpha_pattern", Array{1}) == "found an array, expected an object");

  auto partial = list;
  std::erase_if(partial, [](const auto& entry) { return entry.layer == "blocks.1.attention.q"; });
  CHECK_THROWS_WITH(pretrained::save_adapter(folder.path(), model, partial),
                    "[adapter] the layer \"blocks.1.attention.q\" has an adapter and no published name");
  io::write_file(folder.path() + "/adapter_config.json", to_text(config));
  CHECK(sentence_of([&] { pretrained::load_adapter(folder.path(), target, partial); }) ==
        "the tensor \"base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight\" belongs to no linear layer of "
        "this model");
  CHECK(adapters_of(target).empty());
  partial.push_back({"blocks.7.attention.q", "q"});
  CHECK_THROWS_WITH(pretrained::load_adapter(folder.path(), target, partial),
                    "[adapter] the model has no linear layer \"blocks.7.attention.q\"");
  CHECK(sentence_of([&] { pretrained::save_adapter(folder.path(), target, list); }) == "the model has no adapters");
  for (const char* harmless : {"lora_dropout", "qalora_group_size"}) CHECK(load_with(harmless, 1) == "no error");
  CHECK(adapters_of(target) == adapters_of(model));
}
