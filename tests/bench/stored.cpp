// SPDX-License-Identifier: Apache-2.0
// Speed of stored weights of each type: reading a matrix that lies in memory and not in a cache, a few rows at a time,
// and a linear layer over it beside the same layer over float. Each figure is the best of several runs.
#include <atom/ops/linear.hpp>

#include "../../examples/cli.hpp"

#include <chrono>

using namespace atom;

namespace {

double best_seconds(double budget, const auto& work) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](auto from) { return std::chrono::duration<double>(Clock::now() - from).count(); };
  const auto begin = Clock::now();
  double best = 1e9;
  for (int run = 0; run < 3 || seconds(begin) < budget; ++run) {
    const auto start = Clock::now();
    work();
    best = std::min(best, seconds(start));
  }
  return best;
}

StoredMatrix<Cpu> some_matrix(BlockType type, Index rows, Index columns) {
  const BlockInfo info = info_of(type);
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows * columns / info.values * info.bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 & 0x3fU);
  const bool scaled = type == BlockType::f8_e4m3;
  const std::vector<float> scales(scaled ? static_cast<std::size_t>((rows / 128) * (columns / 128)) : 0, 1.F);
  return StoredMatrix<Cpu>::copy_of(type, {rows, columns}, bytes, {scales, {128, 128}});
}

double read_seconds(const StoredMatrix<Cpu>& matrix, double budget) {
  constexpr Index panel = 256;
  const Buffer<float, Cpu> values(Cpu{}, {panel, matrix.dim(1)});
  return best_seconds(budget, [&] {
    StoredPart part = matrix.part();
    part.rows = panel;
    for (; part.first_row < matrix.dim(0); part.first_row += panel) matrix.read(part, values.mutable_data());
  });
}

double linear_seconds(const ops::Weight<float, Cpu>& weight, Index rows, double budget) {
  const NoGrad no_grad;
  const auto x = Tensor<float, Cpu>::full({rows, weight.shape()[1]}, 0.5F);
  return best_seconds(budget, [&] { ops::linear(x, weight, {}); });
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 1;
  double budget = 0.3;
  Index rows = 16384, columns = 4096;
  CLI::App app{"Times reading stored weights and a linear layer over them.\nExample: stored --threads 2"};
  app.add_option("--threads", threads, "threads that compute");
  app.add_option("--seconds", budget, "time for each figure");
  app.add_option("--rows", rows, "of the matrix, a multiple of 256");
  app.add_option("--columns", columns, "of the matrix, a multiple of 256");
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    const double values = static_cast<double>(rows * columns);
    const auto dense = Tensor<float, Cpu>::full({rows, columns}, 0.5F);
    const double few = linear_seconds({dense}, 1, budget), many = linear_seconds({dense}, 64, budget);
    fmt::print("{}, {} threads, {} x {}; linear over float: 1 row {:.2f} ms, 64 rows {:.1f} ms\n\n", name_of(isa()),
               threads, rows, columns, 1e3 * few, 1e3 * many);
    fmt::print("{:8} {:>10} {:>12} {:>12} {:>12}\n", "", "Gvalues/s", "stored GB/s", "1 row ms", "64 rows ms");
    using enum BlockType;
    for (const BlockType type :
         {f32, bf16, f16, f8_e4m3, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, mxfp4}) {
      const auto matrix = some_matrix(type, rows, columns);
      const double seconds = read_seconds(matrix, budget);
      fmt::print("{:8} {:10.1f} {:12.1f} {:12.2f} {:12.1f}\n", name_of(type), 1e-9 * values / seconds,
                 1e-9 * static_cast<double>(matrix.bytes()) / seconds, 1e3 * linear_seconds({{}, matrix}, 1, budget),
                 1e3 * linear_seconds({{}, matrix}, 64, budget));
    }
    return 0;
  });
}
