// SPDX-License-Identifier: Apache-2.0
// Speed of stored weights of each type: reading a matrix that lies in memory and not in a cache, a few rows at a time,
// and a linear layer over it beside the same layer over float. The floats that reading writes stay in a cache and do
// not count.
#include <atom/ops/linear.hpp>

#include "machine.hpp"

using namespace atom;

namespace {

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
  return bench::best_seconds(budget, [&] {
    StoredPart part = matrix.part();
    part.rows = panel;
    for (; part.first_row < matrix.dim(0); part.first_row += panel) matrix.read(part, values.mutable_data());
  });
}

double linear_seconds(const ops::Weight<float, Cpu>& weight, Index rows, double budget) {
  const NoGrad no_grad;
  const auto x = Tensor<float, Cpu>::full({rows, weight.shape()[1]}, 0.5F);
  return bench::best_seconds(budget, [&] { ops::linear(x, weight, {}); });
}

}  // namespace

int main(int argc, char** argv) {
  int threads = default_thread_count();
  double budget = 0.1;
  Index rows = 8192, columns = 4096;
  bool json = false;
  CLI::App app{"Times reading stored weights and a linear layer over them.\nExample: stored --threads 2"};
  bench::add_options(app, threads, budget, json);
  app.add_option("--rows", rows, "of the matrix, a multiple of 256");
  app.add_option("--columns", columns, "of the matrix, a multiple of 256");
  return cli::run(app, argc, argv, [&] {
    const auto all_limits = bench::measure_limits(threads);
    const bench::Output out("stored", json);
    out.limits(all_limits);
    out.kernels_head();
    const auto values = static_cast<double>(rows * columns);
    const auto shape = to_text(Shape{rows, columns});
    const auto time_linear = [&](std::string_view type, const ops::Weight<float, Cpu>& weight, double bytes) {
      for (const Index count : {1, 64})
        for (const auto& limits : all_limits) {
          set_default_threads(limits.threads);
          out.kernel({fmt::format("{}, linear of {} row{}", type, count, count == 1 ? "" : "s"),
                      shape,
                      {2 * values * static_cast<double>(count), bytes}},
                     limits, linear_seconds(weight, count, budget));
        }
    };
    time_linear("float", {Tensor<float, Cpu>::full({rows, columns}, 0.5F)}, 4 * values);
    using enum BlockType;
    for (const BlockType type :
         {f32, bf16, f16, f8_e4m3, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, mxfp4}) {
      const auto matrix = some_matrix(type, rows, columns);
      const auto bytes = static_cast<double>(matrix.bytes());
      for (const auto& limits : all_limits) {
        set_default_threads(limits.threads);
        out.kernel({fmt::format("{}, read", name_of(type)), shape, {.bytes = bytes}}, limits,
                   read_seconds(matrix, budget));
      }
      time_linear(name_of(type), {{}, matrix}, bytes);
    }
    return 0;
  });
}
