// SPDX-License-Identifier: Apache-2.0
// Speed of the matrix product, packing included, beside what the processor can do at most: its rate of multiply-adds in
// registers and its read bandwidth. Each figure is the best of several runs: wall-clock time, but with one thread the
// time that this thread had the processor, so that other programs disturb less.
#include <atom/backend/gemm.hpp>

#include "../../examples/cli.hpp"

#include <ctime>

#define ATOM_KERNEL_TEXT "bench/kernels.inl"
#include <atom/backend/cpu/each_isa.hpp>

using namespace atom;

namespace {

Index multiply_adds(Index steps, float* values) { ATOM_DISPATCH(fma_steps<float>, steps, values); }
float read_floats(const float* from, Index count) { ATOM_DISPATCH(read_all<float>, from, count); }

double now() {
  timespec time{};
  clock_gettime(default_pool().size() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double best_seconds(double budget, const auto& work) {
  const double end = now() + budget;
  double best = 1e9;
  for (int run = 0; run < 5 || now() < end; ++run) {
    const double start = now();
    work();
    best = std::min(best, now() - start);
  }
  return best;
}

double peak_gflops(int threads, double budget) {
  constexpr Index steps = 200000;
  std::vector<float> values(static_cast<std::size_t>(64 * threads), 0.5F);
  Index per_step = 0;
  const double seconds = best_seconds(budget, [&] {
    default_pool().parallel_for(threads, [&](Index i) {
      const Index found = multiply_adds(steps, &values[static_cast<std::size_t>(64 * i)]);
      if (i == 0) per_step = found;
    });
  });
  return 2e-9 * static_cast<double>(steps * per_step * threads) / seconds;
}

double read_gbytes(double budget) {
  constexpr Index chunk = 1 << 18, chunks = 256;  // 256 MiB
  const std::vector<float> from(static_cast<std::size_t>(chunk * chunks), 1.0F);
  std::atomic<float> sink = 0;
  const double seconds = best_seconds(budget, [&] {
    default_pool().parallel_for(chunks, [&](Index i) { sink = read_floats(from.data() + i * chunk, chunk); });
  });
  return 1e-9 * static_cast<double>(chunk * chunks) * sizeof(float) / seconds;
}

// Of a linear layer with a weight (out, in): forward y = x Wᵀ, dx = dy W, dW += dyᵀ x.
struct Product {
  const char* kind;
  Index m, n, k;
  bool a_transposed, b_transposed, accumulate;
};

double product_seconds(const Product& s, double budget) {
  const auto values = [](Index count) { return std::vector<float>(static_cast<std::size_t>(count), 0.5F); };
  const auto a = values(s.m * s.k), b = values(s.k * s.n);
  auto c = values(s.m * s.n);
  return best_seconds(budget, [&] {
    gemm(Cpu{}, {s.m, s.n, s.k}, GemmInput<float>{a.data(), s.a_transposed ? s.m : s.k, 0, s.a_transposed},
         {b.data(), s.b_transposed ? s.k : s.n, 0, s.b_transposed}, GemmOutput<float>{c.data(), s.n}, s.accumulate);
  });
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 1;
  double budget = 0.2;
  bool json = false;
  CLI::App app{"Times the matrix products of transformer layers.\nExample: ATOM_ISA=avx2 kernels --threads 2"};
  app.add_option("--threads", threads, "threads that compute");
  app.add_option("--seconds", budget, "time for each figure");
  app.add_flag("--json", json, "one JSON object a line on stdout");
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    const double peak = peak_gflops(threads, budget), bandwidth = read_gbytes(budget);
    if (json)
      fmt::print("{{\"isa\":\"{}\",\"threads\":{},\"peak_gflops\":{:.1f},\"read_gbytes_per_s\":{:.1f}}}\n",
                 name_of(isa()), threads, peak, bandwidth);
    else
      fmt::print(
          "{}, {} threads: peak {:.0f} GF/s, read {:.1f} GB/s\n\n{:8} {:>6} {:>6} {:>6} {:>9} {:>7} {:>7} {:>9}\n",
          name_of(isa()), threads, peak, bandwidth, "", "m", "n", "k", "us", "GF/s", "of peak", "GB/s of B");
    struct Layer {
      Index rows, out, in;
    };
    std::vector<Product> shapes;
    for (const auto& [rows, out, in] : {Layer{256, 2304, 768},
                                        {256, 768, 768},
                                        {256, 3072, 768},
                                        {256, 768, 3072},
                                        {256, 50257, 768},
                                        {768, 384, 128},
                                        {768, 128, 128},
                                        {768, 512, 128},
                                        {768, 128, 512}}) {
      shapes.push_back({"forward", rows, out, in, false, true, false});
      shapes.push_back({"dx", rows, in, out, false, false, false});
      shapes.push_back({"dW", out, in, rows, true, false, true});
    }
    for (const Index rows : {1, 4, 16}) shapes.push_back({"decode", rows, 3072, 768, false, true, false});
    shapes.push_back({"decode", 1, 50257, 768, false, true, false});
    shapes.push_back({"small", 64, 64, 64, false, true, false});

    std::vector<double> shares;  // of the peak, where it is the bar
    for (const Product& s : shapes) {
      const double operations = 2 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
      const double seconds = product_seconds(s, budget), gflops = 1e-9 * operations / seconds;
      const double gbytes = 1e-9 * static_cast<double>(s.n * s.k) * sizeof(float) / seconds;
      if (s.m > 16 && operations >= 20e6) shares.push_back(gflops / peak);
      if (json)
        fmt::print(
            "{{\"kind\":\"{}\",\"m\":{},\"n\":{},\"k\":{},\"us\":{:.1f},\"gflops\":{:.1f},\"share_of_peak\":{:.3f}}}\n",
            s.kind, s.m, s.n, s.k, 1e6 * seconds, gflops, gflops / peak);
      else
        fmt::print("{:8} {:6} {:6} {:6} {:9.1f} {:7.1f} {:6.0f}% {:9.1f}\n", s.kind, s.m, s.n, s.k, 1e6 * seconds,
                   gflops, 100 * gflops / peak, gbytes);
    }
    std::ranges::sort(shares);
    const double least = shares.front(), median = shares[shares.size() / 2];
    if (json)
      fmt::print("{{\"median_share_of_peak\":{:.3f},\"least_share_of_peak\":{:.3f}}}\n", median, least);
    else
      fmt::print("\nproducts of 20 MFLOP and more: median {:.0f} % of the peak, least {:.0f} %\n", 100 * median,
                 100 * least);
    return 0;
  });
}
