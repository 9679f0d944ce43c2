// SPDX-License-Identifier: Apache-2.0
// Weights that stay in the type of their file compute what their values do, and go back as they were.
#include "catch.hpp"
#include "io/scratch.hpp"
#include "pretrained/parity.hpp"

using namespace atom;

namespace {

using Model = models::FullTransformer<float>;

struct Count {
  int stored = 0, numbers = 0;
};
Count count(Model& model) {
  Count count;
  nn::for_each_weight(model, [&](const std::string&, const auto&, const auto& stored, Role) {
    ++(stored.defined() ? count.stored : count.numbers);
  });
  return count;
}

// Loads a folder both ways, compares, and writes back what was kept.
Count check_kept(const std::string& folder) {
  INFO(folder);
  auto kept = pretrained::load_model<Model>(folder), full = pretrained::load_model<Model>(folder, {.full = true});
  const auto ids = Tensor<TokenId>::from({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  const NoGrad no_grad;
  CHECK(kept(ids).to_vector() == full(ids).to_vector());
  CHECK(kept.log_probabilities(ids, ids).to_vector() == full.log_probabilities(ids, ids).to_vector());
  CHECK(count(full).stored == 0);
  const Scratch copy;
  pretrained::save_like(copy.path(), kept, folder);
  CHECK(parity::compare_tensors(folder, copy.path()) == "ok");
  return count(kept);
}

// A model of one's own in 16 bits.
Count check_own(const models::TransformerConfig& config, DType dtype) {
  const Scratch folder;
  Model model(config, Rng(4));
  pretrained::save(folder.path(), model, {.dtype = dtype});
  return check_kept(folder.path());
}

}  // namespace

TEST_CASE("weights of 16 bits and less stay as they are", "[kept]") {
  const auto fp8 = check_kept(ATOM_TEST_DIR "/oracle/data/deepseek_v3_fp8");
  CHECK(fp8.stored == 30);
  CHECK(fp8.numbers == 4);  // embedding, head and two routers
  CHECK(check_kept(ATOM_TEST_DIR "/oracle/data/glm4").stored == 0);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    CHECK(check_own(models::TransformerConfig::llama(19, 2, 4, 16, 32), dtype).numbers == 0);
    CHECK(check_own(models::TransformerConfig::gpt2(19, 2, 2, 8, 32), dtype).numbers == 0);  // turned, fused
  }
}

TEST_CASE("a mapped model outlives the name of its file", "[kept]") {
  std::optional<Model> model;
  std::vector<float> before;
  const auto ids = Tensor<TokenId>::from({1, 2, 3}, {1, 3});
  const NoGrad no_grad;
  {
    const Scratch folder;
    pretrained::save(folder.path(), Model(models::TransformerConfig::llama(19, 1, 2, 8, 32), Rng(4)),
                     {.dtype = DType::bf16});
    model.emplace(pretrained::load_model<Model>(folder.path()));
    before = (*model)(ids).to_vector();
  }
  CHECK((*model)(ids).to_vector() == before);
}
