// SPDX-License-Identifier: Apache-2.0
#include <atom/optim/schedule.hpp>

#include "../catch.hpp"

#include <bit>
#include <cmath>
#include <numbers>

using atom::Index;
using atom::optim::Schedule;
using atom::optim::ScheduleKind;

TEST_CASE("schedule: warm-up rises in a straight line to the peak") {
  for (const auto kind :
       {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::warmup_stable_decay}) {
    const Schedule schedule{.kind = kind, .peak = 8e-4, .floor = 1e-5, .warm_up = 4, .steps = 40, .decay = 10};
    CHECK(schedule.lr(0) == 2e-4F);
    CHECK(schedule.lr(1) == 4e-4F);
    CHECK(schedule.lr(3) == 8e-4F);
    CHECK(schedule.lr(4) == 8e-4F);
  }
}

TEST_CASE("schedule: each kind at points computed by hand") {
  CHECK(Schedule{.kind = ScheduleKind::constant, .peak = 0.5}.lr(1'000'000) == 0.5F);

  const Schedule linear{.kind = ScheduleKind::linear, .peak = 1, .floor = 0.5, .steps = 4};
  CHECK(linear.lr(1) == 0.875F);
  CHECK(linear.lr(3) == 0.625F);
  CHECK(linear.lr(4) == 0.5F);
  CHECK(linear.lr(9) == 0.5F);

  const Schedule stable{.kind = ScheduleKind::warmup_stable_decay, .peak = 1, .steps = 10, .decay = 4};
  CHECK(stable.lr(6) == 1.0F);
  CHECK(stable.lr(7) == 0.75F);
  CHECK(stable.lr(9) == 0.25F);
  CHECK(stable.lr(10) == 0.0F);

  const Schedule cosine{.peak = 1, .floor = 0.2, .steps = 4};
  CHECK(cosine.lr(2) == 0.6F);
  CHECK(cosine.lr(4) == 0.2F);
}

TEST_CASE("schedule: the cosine is the cosine, and falls") {
  const Schedule schedule{.peak = 3e-4, .floor = 3e-5, .warm_up = 100, .steps = 5000};
  float before = schedule.lr(100);
  for (Index step = 101; step <= 5000; ++step) {
    const double expected =
        3e-5 + 2.7e-4 * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step - 100) / 4900));
    CHECK(schedule.lr(step) == Approx(expected).epsilon(1e-7));
    CHECK(schedule.lr(step) <= before);
    before = schedule.lr(step);
  }
}

TEST_CASE("schedule: the bits are the same under every compiler and flag") {
  const Schedule schedule{.peak = 6e-4, .floor = 6e-5, .warm_up = 13, .steps = 2000};
  std::uint64_t hash = 1469598103934665603U;
  for (Index step = 0; step <= 2000; ++step)
    hash = (hash ^ std::bit_cast<std::uint32_t>(schedule.lr(step))) * 1099511628211U;
  CHECK(hash == 0x3776415c7a6b3777U);
}

TEST_CASE("schedule: impossible lengths") {
  CHECK_THROWS_WITH((Schedule{.warm_up = 11, .steps = 10}.lr(0)),
                    "[schedule] warm-up and decay are no longer than the run: found 11 and 0 of 10 steps");
  CHECK_THROWS_WITH((Schedule{.kind = ScheduleKind::warmup_stable_decay, .warm_up = 5, .steps = 10, .decay = 6}.lr(0)),
                    "[schedule] warm-up and decay are no longer than the run: found 5 and 6 of 10 steps");
  CHECK_THROWS_AS(Schedule{}.lr(-1), atom::Error);
  CHECK_NOTHROW(Schedule{}.lr(0));  // a run of no steps is at its end
}
