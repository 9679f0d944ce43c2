// SPDX-License-Identifier: Apache-2.0
// GGUF files that are sound but say something damaged about their model: each key of every architecture left out, of
// another type, or an absurd number. Each ends in an error of one sentence or in a model, and nothing large is made of
// a small file.
#include <atom/io/save_gguf.hpp>
#include <atom/pretrained/load.hpp>

#include "catch.hpp"
#include "damage/heap.hpp"
#include "io/scratch.hpp"

#include <filesystem>

using namespace atom;

namespace {

constexpr std::size_t MiB = std::size_t{1} << 20U;
using Model = models::FullTransformer<float, Cpu>;

struct Verdicts {
  int rejected = 0, accepted = 0;
  std::size_t config = 0, model = 0;  // most held by one call that read them
};

class Damaged {
 public:
  explicit Damaged(const std::string& name) : source_(ATOM_TEST_DIR "/golden/gguf/" + name + ".gguf") {}

  const io::Gguf& source() const { return source_; }

  // Reads the model with these values in place of its own.
  void judge(const io::GgufMetadata& metadata, Verdicts& verdicts) const {
    const std::string path = scratch_ / "x.gguf";
    io::save_gguf(path, metadata, {source_.tensors().begin(), source_.tensors().end()},
                  [&](const io::GgufTensor& tensor, io::FileWriter& writer) {
                    std::vector<std::byte> bytes(tensor.bytes());
                    source_.read(*source_.find(tensor.name), bytes);
                    writer.write(bytes);
                  });
    std::string message;
    const auto in_sentences = [&](auto&& call) {
      return heap::peak_of([&] {
        try {
          call();
        } catch (const Error& error) {
          message = error.what();
        }
      });
    };
    verdicts.config = std::max(verdicts.config, in_sentences([&] { pretrained::load_config(path); }));
    verdicts.model = std::max(verdicts.model, in_sentences([&] { pretrained::load_model<Model>(path); }));
    ++(message.empty() ? verdicts.accepted : verdicts.rejected);
    if (!message.empty() && (!message.starts_with('[') || message.size() > 1500 || message.find('\n') != message.npos))
      FAIL(message);
  }

 private:
  Scratch scratch_;
  io::Gguf source_;
};

}  // namespace

TEST_CASE("each key of a GGUF model left out or changed") {
  Verdicts verdicts;
  for (const auto& architecture : pretrained::gguf_architectures()) {
    const Damaged file(architecture.name);
    for (const auto& entry : file.source().metadata().entries()) {
      INFO(architecture.name << " " << entry.key);
      const auto with = [&](const std::optional<io::GgufValue>& value) {
        auto metadata = file.source().metadata();
        if (value)
          metadata.set(entry.key, *value);
        else
          metadata.erase(entry.key);
        file.judge(metadata, verdicts);
      };
      with(std::nullopt);
      with(io::GgufValue("yarn"));
      for (const std::int64_t number :
           {std::int64_t{-1}, std::int64_t{0}, std::int64_t{3}, std::numeric_limits<std::int64_t>::max()})
        with(io::GgufValue(number));
      for (const float number : {-1.F, std::numeric_limits<float>::quiet_NaN()}) with(io::GgufValue(number));
      with(io::GgufValue(true));
      with(io::GgufValue(std::vector<std::uint32_t>(1000, 2)));
      with(io::GgufValue(std::vector<bool>{true}));
    }
  }
  CHECK(verdicts.rejected > 1000);
  CHECK(verdicts.accepted > 250);
  CHECK(verdicts.config < MiB);
  CHECK(verdicts.model < 64 * MiB);
}

TEST_CASE("two sizes of a GGUF model changed at once") {
  Verdicts verdicts;
  for (const std::string architecture : {"llama", "deepseek2", "gemma3"}) {
    const Damaged file(architecture);
    std::vector<std::string> keys;
    for (const auto& entry : file.source().metadata().entries())
      if (entry.value.type() == io::GgufType::u32 && !entry.value.is_array()) keys.push_back(entry.key);
    for (std::size_t i = 0; i < keys.size(); ++i)
      for (std::size_t j = i + 1; j < keys.size(); ++j) {
        INFO(architecture << " " << keys[i] << " " << keys[j]);
        for (const std::uint32_t number : {0U, 1U, 1U << 16U, ~0U}) {
          auto metadata = file.source().metadata();
          metadata.set(keys[i], number).set(keys[j], number);
          file.judge(metadata, verdicts);
        }
      }
  }
  CHECK(verdicts.rejected > 500);
  CHECK(verdicts.config < MiB);
  CHECK(verdicts.model < 64 * MiB);
}

TEST_CASE("a GGUF file of keys alone is refused within 1 MiB") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  for (const auto& architecture : pretrained::gguf_architectures()) {
    io::GgufMetadata metadata;
    metadata.set("general.architecture", architecture.name);
    for (const char* key : {"block_count", "context_length", "embedding_length", "attention.head_count"})
      metadata.set(architecture.name + "." + key, std::numeric_limits<std::uint32_t>::max());
    io::save_gguf(path, metadata, {}, [](const io::GgufTensor&, io::FileWriter&) {});
    CHECK(std::filesystem::file_size(path) < 300);
    std::string message;
    CHECK(heap::peak_of([&] { message = error_of([&] { pretrained::load_model<Model>(path); }); }) < MiB);
    CHECK(message == "[" + path + "] there is no matrix \"token_embd.weight\"");
  }
}
