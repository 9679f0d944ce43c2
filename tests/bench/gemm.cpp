// SPDX-License-Identifier: Apache-2.0
// Speed of the matrix product, packing included, at the shapes of a training step and of decoding.
#include <atom/backend/gemm.hpp>

#include "machine.hpp"

using namespace atom;

namespace {

// Of a linear layer with a weight (out, in): forward y = x Wᵀ, dx = dy W, dW += dyᵀ x.
struct Product {
  const char* kind;
  Index m, n, k;
  bool a_transposed, b_transposed, accumulate;

  double operations() const { return 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }
  bench::Work work() const { return {operations(), 4 * static_cast<double>(m * k + k * n + m * n)}; }
  bool large() const { return m > 16 && operations() >= 20e6; }
};

std::vector<Product> products() {
  struct Layer {
    Index rows, out, in;
  };
  std::vector<Product> all;
  for (const auto& [rows, out, in] : {Layer{256, 2304, 768},
                                      {256, 768, 768},
                                      {256, 3072, 768},
                                      {256, 768, 3072},
                                      {256, 50257, 768},
                                      {768, 384, 128},
                                      {768, 128, 128},
                                      {768, 512, 128},
                                      {768, 128, 512}}) {
    all.push_back({"forward", rows, out, in, false, true, false});
    all.push_back({"dx", rows, in, out, false, false, false});
    all.push_back({"dW", out, in, rows, true, false, true});
  }
  for (const auto& [rows, out, in] : {Layer{1, 3072, 768},
                                      {2, 3072, 768},
                                      {3, 3072, 768},
                                      {4, 3072, 768},
                                      {16, 3072, 768},
                                      {1, 4096, 4096},
                                      {4, 4096, 4096},
                                      {1, 50257, 768}})
    all.push_back({"decode", rows, out, in, false, true, false});
  all.push_back({"small", 64, 64, 64, false, true, false});
  return all;
}

double product_seconds(const Product& s, double budget) {
  const auto values = [](Index count) { return std::vector<float>(static_cast<std::size_t>(count), 0.5F); };
  // Decoding reads each weight once in a pass: here one of many, so that no cache holds it.
  constexpr Index memory = Index{48} << 20;
  const Index copies = s.m <= 16 ? std::max<Index>(1, memory / (s.k * s.n)) : 1;
  const auto a = values(s.m * s.k), b = values(s.k * s.n * copies);
  auto c = values(s.m * s.n);
  Index copy = 0;
  return bench::best_seconds(budget, [&] {
    gemm(Cpu{}, {s.m, s.n, s.k}, GemmInput<float>{a.data(), s.a_transposed ? s.m : s.k, 0, s.a_transposed},
         {b.data() + copy * s.k * s.n, s.b_transposed ? s.k : s.n, 0, s.b_transposed}, GemmOutput<float>{c.data(), s.n},
         s.accumulate);
    copy = (copy + 1) % copies;
  });
}

}  // namespace

int main(int argc, char** argv) {
  int threads = default_thread_count();
  double budget = 0.1;
  bool json = false;
  CLI::App app{"Times the matrix products of transformer layers.\nExample: ATOM_ISA=avx2 gemm --threads 2"};
  bench::add_options(app, threads, budget, json);
  return cli::run(app, argc, argv, [&] {
    const auto all_limits = bench::measure_limits(threads);
    const bench::Output out("gemm", json);
    out.limits(all_limits);
    out.kernels_head();
    for (const auto& limits : all_limits) {
      set_default_threads(limits.threads);
      std::vector<double> shares;  // of the products that computing limits
      for (const Product& s : products()) {
        const double seconds = product_seconds(s, budget);
        if (s.large()) shares.push_back(s.work().share(limits, seconds));
        out.kernel({s.kind, fmt::format("{} x {} x {}", s.m, s.n, s.k), s.work()}, limits, seconds);
      }
      std::ranges::sort(shares);
      const double least = shares.front(), middle = shares[shares.size() / 2];
      out.line("{} threads, products of 20 MFLOP and more: median {:.0f}% of the peak, least {:.0f}%\n\n",
               limits.threads, 100 * middle, 100 * least);
      out.object({{"threads", limits.threads}, {"median_share_of_peak", middle}, {"least_share_of_peak", least}});
    }
    return 0;
  });
}
