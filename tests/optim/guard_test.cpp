// SPDX-License-Identifier: Apache-2.0
#include <atom/optim/guard.hpp>

#include "../catch.hpp"

#include <cmath>
#include <limits>
#include <random>

using atom::Index;
using atom::optim::Guard;
using atom::optim::Verdict;

namespace {

// A training run's numbers: the loss falls and flattens, both carry noise; norms are log-normal, as real ones are.
struct Curve {
  std::mt19937_64 bits;
  std::normal_distribution<double> normal;
  Index step = 0;
  explicit Curve(unsigned seed) : bits(seed) {}

  double level() const { return 2 + 3 * std::exp(-static_cast<double>(step) / 500); }
  double loss = 0, norm = 0;
  void next() {
    ++step;
    loss = level() * (1 + 0.05 * normal(bits));
    norm = 0.3 * level() * std::exp(0.3 * normal(bits));
  }
};

constexpr double infinity = std::numeric_limits<double>::infinity();
const double bad_values[] = {infinity, -infinity, std::nan(""), -std::nan("")};

}  // namespace

TEST_CASE("guard: at most one false alarm in 1e5 normal steps") {
  Guard guard;
  Curve curve(1);
  for (int i = 0; i < 100'000; ++i) {
    curve.next();
    guard.judge(curve.loss, curve.norm);
  }
  CHECK(guard.skipped() <= 1);
  CHECK(guard.accepted() + guard.skipped() == 100'000);
}

TEST_CASE("guard: every tenfold spike of loss or norm is caught") {
  Guard guard;
  Curve curve(2);
  int caught = 0, planted = 0;
  for (int i = 0; i < 20'000; ++i) {
    curve.next();
    if (i >= 64 && i % 50 == 0) {
      ++planted;
      const bool in_loss = i % 100 == 0;
      const double loss = in_loss ? 10 * curve.loss : curve.loss;
      const double norm = in_loss ? curve.norm : 10 * 0.3 * curve.level();
      caught += guard.judge(loss, norm) == Verdict::skip;
    } else {
      guard.judge(curve.loss, curve.norm);
    }
  }
  CHECK(planted > 300);
  CHECK(caught == planted);
}

TEST_CASE("guard: what is not finite is skipped from the first step and leaves no trace") {
  Guard clean, hit;
  Curve curve(3);
  std::mt19937 bits(4);
  for (int i = 0; i < 2'000; ++i) {
    curve.next();
    if (i % 10 == 0) {
      const double bad = bad_values[bits() % 4];
      CHECK(hit.judge(i % 20 == 0 ? bad : curve.loss, i % 20 == 0 ? curve.norm : bad) == Verdict::skip);
    }
    CHECK(hit.judge(curve.loss, curve.norm) == clean.judge(curve.loss, curve.norm));
  }
  CHECK(hit.skipped() == clean.skipped() + 200);
}

TEST_CASE("guard: stops after too many skips in a row, and an accepted step clears the count") {
  Guard guard({.patience = 2});
  for (int round = 0; round < 2; ++round) {
    CHECK(guard.judge(1, 1) == Verdict::accept);
    CHECK(guard.judge(std::nan(""), 1) == Verdict::skip);
    CHECK(guard.judge(std::nan(""), 1) == Verdict::skip);
  }
  CHECK(guard.judge(1, infinity) == Verdict::stop);
}

TEST_CASE("guard: a falling loss is never a spike, nor is a constant one") {
  Guard guard;
  for (int i = 0; i < 1'000; ++i) CHECK(guard.judge(5, 1) == Verdict::accept);
  CHECK(guard.judge(0.1, 0.01) == Verdict::accept);
  CHECK(guard.judge(5.001, 1.001) == Verdict::accept);
}

TEST_CASE("guard: a restored state judges the same") {
  Guard first;
  Curve curve(5);
  for (int i = 0; i < 300; ++i) {
    curve.next();
    first.judge(curve.loss, curve.norm);
  }
  std::vector<double> kept;
  Guard::visit_state(first, [&](const char*, auto value) {
    if constexpr (std::is_same_v<decltype(value), Index>)
      kept.push_back(static_cast<double>(value));
    else
      kept.insert(kept.end(), value.begin(), value.end());
  });
  Guard second;
  std::size_t at = 0;
  Guard::visit_state(second, [&](const char*, auto&& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Index>)
      value = static_cast<Index>(kept[at++]);
    else
      for (double& x : value) x = kept[at++];
  });
  CHECK(at == kept.size());
  for (int i = 0; i < 5'000; ++i) {
    curve.next();
    const double loss = i % 37 == 0 ? 3 * curve.loss : curve.loss;
    CHECK(first.judge(loss, curve.norm) == second.judge(loss, curve.norm));
  }
}

TEST_CASE("guard: impossible options") {
  CHECK_THROWS_WITH(Guard({.window = 1}), "[guard] window is at least 2: found 1");
  CHECK_THROWS_WITH(Guard({.window = 8, .warm_up = 9}), "[guard] warm-up is in 2..window: found 9 with a window of 8");
  CHECK_THROWS_WITH(Guard({.patience = -1}), "[guard] patience is not negative: found -1");
}
