// SPDX-License-Identifier: Apache-2.0
// Models from GGUF files: logits beside llama.cpp's (golden/make_gguf.py), and what is refused.
#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/io/save_gguf.hpp>
#include <atom/pretrained/load.hpp>

#include <filesystem>

using namespace atom;
using Model = models::FullTransformer<float, Cpu>;

namespace {

std::string golden(const std::string& name) { return ATOM_TEST_DIR "/golden/gguf/" + name; }

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& known : pretrained::gguf_architectures()) names.push_back(known.name);
  return names;
}

std::vector<float> logits_of(const Model& model, const std::vector<TokenId>& ids) {
  const NoGrad no_grad;
  return model(Tensor<TokenId, Cpu>::from(ids, {1, std::ssize(ids)})).to_vector();
}

// A copy of a file, whose values and tensors may be changed.
struct Copy {
  io::Gguf source;
  io::GgufMetadata metadata = source.metadata();
  std::vector<io::GgufTensor> tensors = {source.tensors().begin(), source.tensors().end()};

  explicit Copy(const std::string& name) : source(golden(name)) {}

  io::GgufTensor& tensor(const std::string& name) { return *std::ranges::find(tensors, name, &io::GgufTensor::name); }
  // Tensors that the source lacks, or of another shape, are zeros.
  void save(const std::string& path) const {
    io::save_gguf(path, metadata, tensors, [&](const io::GgufTensor& tensor, io::FileWriter& writer) {
      std::vector<std::byte> bytes(tensor.bytes());
      const auto* from = source.find(tensor.name);
      if (from && from->bytes() == bytes.size()) source.read(*from, bytes);
      writer.write(bytes);
    });
  }
};

}  // namespace

TEST_CASE("every architecture of GGUF files computes what llama.cpp computes") {
  const io::Safetensors expected(golden("expected.safetensors"));
  std::vector<TokenId> ids(12);
  io::read_elements(expected, *expected.find("ids"), std::span(ids));
  for (const auto& name : architectures()) {
    INFO(name);
    const auto model = pretrained::load_model<Model>(golden(name + ".gguf"));
    std::vector<float> wanted(ids.size() * 20);
    io::read_elements(expected, *expected.find(name), std::span(wanted));
    const auto found = logits_of(model, ids);
    REQUIRE(found.size() == wanted.size());
    double most = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i])));
    // llama.cpp looks its gelu up in a table of 16 bits.
    CHECK(most < (model.config.activation == Activation::gelu_tanh ? 3e-3 : 2e-5));

    double values = 0;
    nn::for_each_tensor(
        model, [&](const std::string&, const auto& tensor, Role) { values += static_cast<double>(tensor.size()); });
    CHECK(models::value_count(model.config) == values);
  }
}

TEST_CASE("a plain Transformer reads a plain file") {
  const auto plain = pretrained::load<float, Cpu>(golden("llama.gguf"));
  const auto full = pretrained::load_model<Model>(golden("llama.gguf"));
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5};
  const NoGrad no_grad;
  CHECK(plain(Tensor<TokenId, Cpu>::from(ids, {1, 5})).to_vector() == logits_of(full, ids));
}

TEST_CASE("split files are one model") {
  const Scratch scratch;
  const Copy whole("llama.gguf");
  const std::size_t middle = whole.tensors.size() / 2;
  for (std::uint16_t part = 0; part < 2; ++part) {
    Copy piece("llama.gguf");
    piece.tensors.assign(whole.tensors.begin() + (part == 0 ? 0 : static_cast<std::ptrdiff_t>(middle)),
                         part == 0 ? whole.tensors.begin() + static_cast<std::ptrdiff_t>(middle) : whole.tensors.end());
    if (part == 1) piece.metadata = {};
    piece.metadata.set("split.no", part).set("split.count", std::uint16_t{2});
    piece.metadata.set("split.tensors.count", static_cast<std::int32_t>(whole.tensors.size()));
    piece.save(scratch / to_text("m-0000", part + 1, "-of-00002.gguf"));
  }
  const std::vector<TokenId> ids = {0, 7, 19};
  CHECK(logits_of(pretrained::load_model<Model>(scratch / "m-00001-of-00002.gguf"), ids) ==
        logits_of(pretrained::load_model<Model>(golden("llama.gguf")), ids));
}

TEST_CASE("queries, keys and values in one matrix or in three") {
  const Scratch scratch;
  Copy file("llama.gguf");
  std::erase_if(file.tensors, [](const auto& tensor) {
    return tensor.name.find(".attn_k.") != tensor.name.npos || tensor.name.find(".attn_v.") != tensor.name.npos;
  });
  for (auto& tensor : file.tensors)
    if (tensor.name.find(".attn_q.") != tensor.name.npos) {
      tensor.name.replace(tensor.name.find("_q."), 3, "_qkv.");
      tensor.shape = {32, 16};
    }
  file.save(scratch / "x.gguf");
  const auto model = pretrained::load_model<Model>(scratch / "x.gguf");
  CHECK(model.blocks[1].attention.k.weight.shape() == Shape{8, 16});
}

TEST_CASE("what is missing, surplus or of another shape or type is said in one sentence") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  const auto error = [&](auto change) {
    Copy file("llama.gguf");
    change(file);
    file.save(path);
    const auto text = error_of([&] { pretrained::load_model<Model>(path); });
    CHECK(text.starts_with("[" + path + "] "));
    return text.substr(std::min(text.size(), path.size() + 3));
  };
  CHECK(error([](Copy& f) {
          f.tensor("blk.0.ffn_up.weight").shape = {16, 24};
          f.tensor("blk.1.attn_q.weight").name = "blk.1.attn_x.weight";
          f.tensor("blk.1.ffn_norm.weight").type = BlockType::i32;
        }) == R"(the tensors do not fit the model: shape of "blk.0.ffn_up.weight": found (16, 24), expected (24, 16); )"
              R"(missing "blk.1.attn_q.weight"; type of "blk.1.ffn_norm.weight": found I32; surplus )"
              R"("blk.1.attn_x.weight")");
  CHECK(error([](Copy& f) { f.metadata.set("general.architecture", "mamba"); }) ==
        "unknown architecture \"mamba\", expected one of gpt2, qwen2, llama, qwen2moe, qwen3, qwen3moe, gemma, gemma2, "
        "gemma3, phi2, phi3, olmo2, olmoe, deepseek2, gpt-oss, glm4, glm4moe, granite, smollm3");
  CHECK(error([](Copy& f) {
          f.metadata.erase("general.architecture");
        }).starts_with("key \"general.architecture\" is missing"));
  CHECK(error([](Copy& f) {
          f.metadata.set("llama.feed_forward_length", 25U);
        }).starts_with("the keys describe a model of "));
  CHECK(error([](Copy& f) { f.metadata.set("llama.block_count", 1U << 30U); }) ==
        "key \"llama.block_count\": found 1073741824 layers, expected 1 to 21");
  CHECK(error([](Copy& f) {
          f.metadata.set("llama.attention.head_count_kv", std::vector<std::uint32_t>{1, 2});
        }) == "key \"llama.attention.head_count_kv\": layers of different numbers are not supported");
  CHECK(error([](Copy& f) { f.metadata.set("llama.rope.scaling.type", "longest"); }) ==
        R"(key "llama.rope.scaling.type": found "longest", expected none, linear, yarn or longrope)");
}

TEST_CASE("numbers of 32 bits are the decimals that they were") {
  const auto config = pretrained::load_config(golden("qwen3.gguf"));
  CHECK(config.norm_eps == 1e-3);
  CHECK(config.rope_theta == 500);
  CHECK(pretrained::GgufKeys::decimal(1e-5F) == 1e-5);
  CHECK(pretrained::GgufKeys::decimal(0.1F) == 0.1);
}
