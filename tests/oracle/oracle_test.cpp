// SPDX-License-Identifier: Apache-2.0
// Tiny random models of published families beside `transformers` (README.md): logits, loss, gradients, continuation,
// and the folder that is written back.
#include "../catch.hpp"
#include "../pretrained/parity.hpp"

#include <filesystem>

using namespace atom;

namespace {

std::vector<std::string> folders() {
  std::vector<std::string> all;
  // All families, where a checkout has them beside it.
  for (const char* place : {"/oracle/data", "/../../shared/oracle"})
    if (io::is_folder(ATOM_TEST_DIR + std::string(place)))
      for (const auto& entry : std::filesystem::directory_iterator(ATOM_TEST_DIR + std::string(place)))
        if (entry.is_directory()) all.push_back(entry.path().string());
  return all;
}

}  // namespace

TEST_CASE("published folders compute what transformers computes, and come back as they were") {
  for (const auto& folder : folders()) {
    INFO(folder);
    const auto agreement = parity::compare(folder);
    CHECK(agreement.logits <= 1e-4);
    CHECK(agreement.loss <= 1e-5);
    CHECK(agreement.gradients <= 2e-4);
    CHECK(agreement.greedy == agreement.greedy_of);
    CHECK(agreement.round_trip == "ok");
    CHECK(agreement.problem.empty());
    CHECK(agreement.learns);
  }
}

TEST_CASE("a config says the same as its publisher writes it and as transformers 5 does") {
  for (const auto& folder : folders()) {
    const std::string other = folder + "/config.transformers5.json";
    if (!io::exists(other)) continue;
    INFO(folder);
    const auto published = pretrained::read_model(folder);
    auto rewritten = pretrained::read_config(io::read_json(other));
    rewritten.config.mtp = published.config.mtp;  // said, but not in the weights
    CHECK(rewritten.config == published.config);
  }
}
