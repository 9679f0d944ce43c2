// SPDX-License-Identifier: Apache-2.0
// Compares published models with what another implementation computed with them.
//
//   parity FOLDER...
//   parity --real FILE.gguf|FOLDER EXPECTED.json
//
// A folder has expected.safetensors and gradients.safetensors (tests/oracle/README.md); one line for each:
//   NAME logits D gradients D greedy N/N roundtrip ok|FAILED
// A real model is given prompts; one line for each:
//   PROMPT ids ok|FAILED top10 D nll D greedy N/N
// The status is 1 if any is beyond its bar.
#include "parity.hpp"
#include "parity_real.hpp"

#include <cstdio>

namespace {

bool compare_folder(const std::string& folder) {
  const std::string name = atom::io::base_name(folder);
  try {
    const auto agreement = parity::compare(folder);
    const bool kept = agreement.round_trip == "ok";
    std::printf("%s logits %.2g gradients %.2g greedy %d/%d roundtrip %s\n", name.c_str(), agreement.logits,
                agreement.gradients, agreement.greedy, agreement.greedy_of, kept ? "ok" : "FAILED");
    if (!kept) std::printf("  %s came back as another\n", agreement.round_trip.c_str());
    if (!agreement.problem.empty()) std::printf("  %s\n", agreement.problem.c_str());
    if (!agreement.learns) std::printf("  a step of AdamW does not lower the loss\n");
    if (agreement.loss > 1e-5) std::printf("  loss is off by %.2g\n", agreement.loss);
    return agreement.good();
  } catch (const std::exception& error) {
    std::printf("%s FAILED %s\n", name.c_str(), error.what());
    return false;
  }
}

int compare_real(const std::string& path, const std::string& expected) {
  const auto model = atom::pretrained::load_model<parity::Model>(path);
  const auto tokenizer = atom::pretrained::load_tokenizer(path);
  const auto json = atom::io::read_json(expected);
  int failed = 0, number = 0;
  for (const auto& prompt : json.at("prompts").elements()) {
    const auto agreement = parity::compare_prompt(model, tokenizer, prompt);
    std::printf("%d ids %s top10 %.2g nll %.2g greedy %d/%d\n", ++number, agreement.ids ? "ok" : "FAILED",
                agreement.top, agreement.mean_nll, agreement.greedy, agreement.greedy_of);
    std::fflush(stdout);
    failed += agreement.good() ? 0 : 1;
  }
  return failed > 0 || number == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "--real") {
    try {
      return compare_real(words[1], words[2]);
    } catch (const std::exception& error) {
      std::printf("%s\n", error.what());
      return 1;
    }
  }
  int failed = 0;
  for (std::string folder : words) {
    while (folder.ends_with('/')) folder.pop_back();
    failed += compare_folder(folder) ? 0 : 1;
    std::fflush(stdout);
  }
  if (words.empty()) std::printf("parity FOLDER... | --real FILE.gguf|FOLDER EXPECTED.json\n");
  return failed > 0 || words.empty() ? 1 : 0;
}
