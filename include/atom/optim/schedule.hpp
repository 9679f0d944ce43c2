// SPDX-License-Identifier: Apache-2.0
// Schedule: the learning rate of each step. A plain value with no state, so a resumed run needs only its step number.
#pragma once

#include "../core/error.hpp"

#include <algorithm>

namespace atom::optim {

enum class ScheduleKind : std::uint8_t {
  constant,             // peak
  linear,               // peak to floor in a straight line
  cosine,               // peak to floor along half a cosine (Loshchilov and Hutter 2017)
  warmup_stable_decay,  // peak, then to floor in a straight line over the last `decay` steps (Hu et al. 2024)
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double peak = 1e-3;
  double floor = 0;   // where the fall ends; never reached by `constant`
  Index warm_up = 0;  // steps that rise to the peak in a straight line: peak / warm_up, 2 peak / warm_up, ...
  Index steps = 0;    // of the whole run; from this step on the rate is `floor`. `constant` does not use it
  Index decay = 0;    // of the last kind only

  // The rate of step 0, 1, 2, ... The same bits under every compiler and flag.
  // Errors: a negative step or length; a warm-up and decay longer than the run.
  ATOM_EXACT float lr(Index step) const {
    ATOM_EXACT_BODY
    check(step >= 0 && warm_up >= 0 && steps >= 0 && decay >= 0, "schedule", "lengths are not negative: found step ",
          step, ", warm-up ", warm_up, ", steps ", steps, ", decay ", decay);
    const bool endless = kind == ScheduleKind::constant;
    const Index last = kind == ScheduleKind::warmup_stable_decay ? decay : 0;
    check(endless || (warm_up <= steps && last <= steps - warm_up), "schedule",
          "warm-up and decay are no longer than the run: found ", warm_up, " and ", last, " of ", steps, " steps");
    if (step < warm_up)
      return static_cast<float>(peak * (static_cast<double>(step + 1) / static_cast<double>(warm_up)));
    if (endless) return static_cast<float>(peak);
    const Index begin = kind == ScheduleKind::warmup_stable_decay ? steps - decay : warm_up;
    if (step >= steps) return static_cast<float>(floor);
    if (step <= begin) return static_cast<float>(peak);
    const double done = static_cast<double>(step - begin) / static_cast<double>(steps - begin);
    const double left = kind == ScheduleKind::cosine ? half_cosine(done) : 1 - done;
    return static_cast<float>(floor + (peak - floor) * left);
  }

 private:
  // (1 + cos(pi p)) / 2 for p in 0..1, within 2e-16: a squared sine of at most pi / 4, by its Taylor series.
  ATOM_EXACT static double half_cosine(double p) {
    ATOM_EXACT_BODY
    constexpr double half_pi = 1.5707963267948966;
    const double x = half_pi * std::min(p, 1 - p);
    const double square = x * x;
    double sine = 1;
    for (int k = 14; k > 0; k -= 2) sine = 1 - sine * square / (k * (k + 1));
    sine *= x;
    return p < 0.5 ? 1 - sine * sine : sine * sine;
  }
};

}  // namespace atom::optim
