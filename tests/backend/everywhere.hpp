// SPDX-License-Identifier: Apache-2.0
// What tests of kernels share: values to work on, and running a kernel with every thread count and instruction set.
#pragma once

#include "catch.hpp"

#include <atom/backend/cpu/isa.hpp>
#include <atom/backend/device.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace test {

using atom::Cpu;
using atom::Index;

// Normally distributed, the same on every run.
template <class T> std::vector<T> values(Index n, unsigned seed, double scale = 1) {
  std::mt19937 bits(seed);
  std::vector<T> result(static_cast<std::size_t>(n));
  for (auto& value : result) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(bits()) / 4294967296.0;
    value = static_cast<T>(scale * sum);
  }
  return result;
}

template <class T> bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// max |a - b| / (1 + |b|); infinite where only one is NaN.
template <class T> double difference(const std::vector<T>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]);
    if (x == b[i] || (std::isnan(x) && std::isnan(b[i]))) continue;
    const double error = std::abs(x - b[i]) / (1 + std::abs(b[i]));
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

// run(device) -> std::vector, on 1 to 4 threads and every instruction set. Requires the same bits from all thread
// counts and from avx2 and avx512; hands the result of the wide sets, and that of the baseline, to check_values.
template <class Run, class Check> void everywhere(Run run, Check check_values) {
  const atom::Isa before = atom::isa();
  const auto with_threads = [&] {
    const auto first = run(Cpu{});
    for (int threads = 1; threads <= 4; ++threads) {
      atom::ThreadPool pool(threads);
      INFO(threads << " threads");
      REQUIRE(same_bits(run(Cpu{&pool}), first));
    }
    return first;
  };
  atom::set_isa(atom::Isa::baseline);
  check_values(with_threads());
  if (atom::best_isa() != atom::Isa::baseline) {
    atom::set_isa(atom::Isa::avx2);
    const auto wide = with_threads();
    check_values(wide);
    if (atom::best_isa() == atom::Isa::avx512) {
      atom::set_isa(atom::Isa::avx512);
      REQUIRE(same_bits(with_threads(), wide));
    }
  }
  atom::set_isa(before);
}

}  // namespace test
