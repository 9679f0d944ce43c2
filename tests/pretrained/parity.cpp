// SPDX-License-Identifier: Apache-2.0
// Compares published folders with what another implementation computed with them.
//
//   parity FOLDER...
//
// A folder has expected.safetensors and gradients.safetensors (tests/oracle/README.md); one line for each:
//   NAME logits D gradients D greedy N/N roundtrip ok|FAILED
// The status is 1 if any is beyond its bar.
#include "parity.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  int failed = 0;
  for (int i = 1; i < argc; ++i) {
    std::string folder = argv[i];
    while (folder.ends_with('/')) folder.pop_back();
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
      failed += agreement.good() ? 0 : 1;
    } catch (const std::exception& error) {
      std::printf("%s FAILED %s\n", name.c_str(), error.what());
      ++failed;
    }
    std::fflush(stdout);
  }
  if (argc < 2) std::printf("parity FOLDER...\n");
  return failed > 0 || argc < 2 ? 1 : 0;
}
