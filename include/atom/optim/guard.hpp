// SPDX-License-Identifier: Apache-2.0
// Guard: judges each training step by its loss and gradient norm before the weights change, against the last accepted
// steps. Only accepted, finite values enter the statistics, so a NaN or a spike cannot poison the next verdict.
#pragma once

#include "../core/error.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace atom::optim {

enum class Verdict : std::uint8_t {
  accept,  // apply the step
  skip,    // drop its gradients, go on with the next batch
  stop     // too many skips in a row: training has diverged, or the data changed for good
};

struct GuardOptions {
  Index window = 128;       // accepted steps a value is compared with
  Index warm_up = 32;       // accepted steps before anything finite counts as a spike
  double deviations = 6;    // a spike lies further than this above the window's mean ...
  double loss_ratio = 1.5;  // ... and above this multiple of the mean loss,
  double norm_ratio = 4;    // or of the mean gradient norm: norms have a long tail of their own
  Index patience = 10;      // skips in a row that are borne; the next one stops
};

class Guard {
 public:
  // Errors: a window below 2, a warm-up outside 2..window, a negative patience.
  explicit Guard(const GuardOptions& options = {}) : options_(options) {
    check(options.window >= 2, "guard", "window is at least 2: found ", options.window);
    check(options.warm_up >= 2 && options.warm_up <= options.window, "guard", "warm-up is in 2..window: found ",
          options.warm_up, " with a window of ", options.window);
    check(options.patience >= 0, "guard", "patience is not negative: found ", options.patience);
    losses_.resize(static_cast<std::size_t>(options.window));
    norms_.resize(losses_.size());
  }

  // The verdict on a step; call it once a step, before the optimiser.
  Verdict judge(double loss, double gradient_norm) {
    const bool normal = std::isfinite(loss) && std::isfinite(gradient_norm) &&
                        !is_spike(losses_, loss, options_.loss_ratio) &&
                        !is_spike(norms_, gradient_norm, options_.norm_ratio);
    if (!normal) {
      ++skipped_;
      return ++skips_in_a_row_ > options_.patience ? Verdict::stop : Verdict::skip;
    }
    const auto slot = static_cast<std::size_t>(accepted_ % options_.window);
    losses_[slot] = loss;
    norms_[slot] = gradient_norm;
    ++accepted_;
    skips_in_a_row_ = 0;
    return Verdict::accept;
  }

  Index accepted() const { return accepted_; }
  Index skipped() const { return skipped_; }

  // What a checkpoint keeps: f(name, value) with Index scalars and spans of double. A restored guard goes on in the
  // same bits if its options are the same.
  template <class Self, class F> static void visit_state(Self& self, F&& f) {
    f("accepted", self.accepted_);
    f("skipped", self.skipped_);
    f("skips_in_a_row", self.skips_in_a_row_);
    f("losses", std::span(self.losses_));
    f("norms", std::span(self.norms_));
  }

 private:
  // Plain sums in slot order, so the verdict is the same on every machine.
  ATOM_EXACT bool is_spike(const std::vector<double>& ring, double value, double ratio) const {
    ATOM_EXACT_BODY
    const Index count = std::min(accepted_, options_.window);
    if (count < options_.warm_up) return false;
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += ring[static_cast<std::size_t>(i)];
    const double mean = sum / static_cast<double>(count);
    double squares = 0;
    for (Index i = 0; i < count; ++i) {
      const double offset = ring[static_cast<std::size_t>(i)] - mean;
      squares += offset * offset;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(count - 1));
    const double excess = value - mean;
    return excess > options_.deviations * deviation && excess > (ratio - 1) * std::abs(mean);
  }

  GuardOptions options_;
  std::vector<double> losses_, norms_;  // rings of the last `window` accepted values; slot = accepted % window
  Index accepted_ = 0, skipped_ = 0, skips_in_a_row_ = 0;
};

}  // namespace atom::optim
