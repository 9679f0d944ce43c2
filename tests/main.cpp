// SPDX-License-Identifier: Apache-2.0
// The main function of every test program, and Catch2's own code: compiled once.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "catch.hpp"

#if ATOM_CUDA

#include <cuda_runtime_api.h>

#include <iostream>
#include <sstream>
#include <utility>

// Where there is no GPU, test cases fail for want of one. They are skipped, in one line, unless something else fails.
namespace {

int cases = 0, without_gpu = 0, other_failures = 0;

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

struct Failures : Listener {
  using Listener::Listener;
  using Answer = decltype(std::declval<Listener&>().assertionEnded(std::declval<const Catch::AssertionStats&>()));
  Answer assertionEnded(const Catch::AssertionStats& stats) override {
    const auto& result = stats.assertionResult;
    const std::string text = result.getExpandedExpression() + std::string(result.getMessage());
    if (!result.isOk() && text.find("no such GPU: found 0") == text.npos) ++other_failures;
    return static_cast<Answer>(true);
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    ++cases;
    if (stats.totals.assertions.failed > 0) ++without_gpu;
  }
};
CATCH_REGISTER_LISTENER(Failures)

}  // namespace

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0) return Catch::Session().run(argc, argv);
  std::ostringstream output;
  std::streambuf* const screen = std::cout.rdbuf(output.rdbuf());
  const int result = Catch::Session().run(argc, argv);
  std::cout.rdbuf(screen);
  if (other_failures > 0 || without_gpu == 0) {
    std::cout << output.str();
    return result;
  }
  std::cout << without_gpu << " of " << cases << " test cases skipped: no such GPU: found 0\n";
  return 77;  // ctest's "skipped"
}

#else

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }

#endif
