// SPDX-License-Identifier: Apache-2.0
// Models of GGUF files as Hugging Face folders: the family, its names, and the same logits.
#include <atom/pretrained/folder_form.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/pretrained/folder.hpp>

using namespace atom;
using Model = models::FullTransformer<float, Cpu>;

namespace {

std::vector<float> logits_of(const Model& model) {
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
  const NoGrad no_grad;
  return model(Tensor<TokenId, Cpu>::from(ids, {1, std::ssize(ids)})).to_vector();
}

}  // namespace

TEST_CASE("every architecture of GGUF files becomes a folder of its family") {
  for (const auto& architecture : pretrained::gguf_architectures()) {
    INFO(architecture.name);
    const std::string file = ATOM_TEST_DIR "/golden/gguf/" + architecture.name + ".gguf";
    auto model = pretrained::load_model<Model>(file);
    const auto wanted = logits_of(model);
    pretrained::set_folder_form(model, file);
    const Scratch scratch;
    const auto type = pretrained::folder_model_type(file);
    pretrained::save(scratch.path(), model, {.model_type = type});
    const auto json = io::read_json(scratch / "config.json");
    INFO(to_pretty_text(json));
    CHECK(json.get<std::string>("model_type") == (type == "olmo2" ? "olmo3" : type));  // it has windows
    const auto back = pretrained::load_model<Model>(scratch.path());
    CHECK(pretrained::detail::says(back.config, model.config));
    const auto found = logits_of(back);
    REQUIRE(found.size() == wanted.size());
    double most = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i])));
    CHECK(most < 1e-5);
  }
}
