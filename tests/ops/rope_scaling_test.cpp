// SPDX-License-Identifier: Apache-2.0
// The angles of scaled rotary embeddings beside those of `transformers` 5.23 (modeling_rope_utils.py, and for alpha
// HunYuanDenseV1RotaryEmbedding), whose functions ran with float64 in place of float32.
#include "../catch.hpp"

#include <atom/ops/rope.hpp>

using namespace atom;
using ops::RopeScaling;
using ops::RopeSpec;
using Kind = RopeScaling::Kind;

namespace {

struct Case {
  std::string name;
  RopeSpec spec;
  double magnitude = 1;
  std::vector<double> expected = {};  // n = 1, rotated / 8, rotated / 4, 3 rotated / 8, rotated / 2 - 1
  Index length = 0;
};

const std::vector<double> short_factors{1, 1.1, 1.2, 1.3, 1.5, 2, 2.5, 3}, long_factors{1, 1.5, 3, 6, 12, 24, 48, 64};

RopeScaling yarn(double factor, Index original_context = 4096) {
  return {.kind = Kind::yarn, .factor = factor, .original_context = original_context};
}
RopeScaling yarn_scales(double factor, double mscale, double mscale_all_dim) {
  auto s = yarn(factor);
  s.mscale = mscale;
  s.mscale_all_dim = mscale_all_dim;
  return s;
}
RopeScaling kimi(bool truncate) {
  auto s = truncate ? yarn_scales(32, 1, 1) : yarn(32);
  s.beta_fast = 1;
  s.truncate = truncate;
  return s;
}
RopeScaling gpt_oss() {
  auto s = yarn(32);
  s.truncate = false;
  return s;
}
RopeScaling olmo3() {
  auto s = yarn(8, 8192);
  s.magnitude = 1.25;
  return s;
}
RopeScaling llama3(double factor, double high_turns) {
  return {.kind = Kind::llama3, .factor = factor, .original_context = 8192, .high_turns = high_turns};
}
RopeScaling dynamic() { return {.kind = Kind::dynamic, .factor = 2, .original_context = 4096}; }
RopeScaling longrope() {
  return {.kind = Kind::longrope,
          .factor = 32,
          .original_context = 4096,
          .short_factors = short_factors,
          .long_factors = long_factors};
}
RopeSpec spec(double theta, Index rotated, RopeScaling scaling) {
  return {.theta = theta, .rotated = rotated, .scaling = std::move(scaling)};
}

std::vector<Case> cases() {
  return {
      {"linear",
       spec(1e6, 64, {.kind = Kind::linear, .factor = 8}),
       1,
       {0.08117270394702641, 0.003952847075210474, 0.000125, 3.952847075210474e-06, 1.924908157574365e-07}},
      {"dynamic, not longer",
       spec(1e4, 64, dynamic()),
       1,
       {0.7498942093324559, 0.1, 0.01, 0.001, 0.0001333521432163324},
       4096},
      {"dynamic, longer",
       spec(1e4, 64, dynamic()),
       1,
       {0.7177864848979212, 0.07046317601723166, 0.004965059174435371, 0.0003498538385442105, 3.434421394706348e-05},
       10000},
      {"alpha",
       spec(1e4, 128, {.kind = Kind::ntk_alpha, .factor = 1, .alpha = 1000}),
       1,
       {0.7760343630469744, 0.017301957388458945, 0.00029935772947204905, 5.179474679231213e-06,
        1.1547819846894587e-07}},
      {"llama3",
       spec(5e5, 128, llama3(8, 4)),
       1,
       {0.8146172338565447, 0.03760603093086393, 0.0005248461609929547, 6.647869871181236e-06, 3.068925988914511e-07}},
      {"llama3, nothing between its bounds",
       spec(5e5, 128, llama3(16, 1)),
       1,
       {0.8146172338565447, 0.03760603093086393, 0.001414213562373095, 3.323934935590618e-06, 1.5344629944572555e-07}},
      {"yarn, bounds that are not whole (gpt-oss)",
       spec(1.5e5, 64, gpt_oss()),
       1.3465735902799727,
       {0.6890443058881633, 0.050813274815461475, 0.00045648391922324086, 4.0999784818029795e-06,
        3.0235114281192144e-07}},
      {"yarn, equal mscales (DeepSeek-V3)",
       spec(1e4, 64, yarn_scales(40, 1, 1)),
       1,
       {0.7498942093324559, 0.1, 0.0055, 2.5e-05, 3.33380358040831e-06}},
      {"yarn, one beta (Kimi K2)",
       spec(5e4, 64, kimi(true)),
       1,
       {0.7131110849119321, 0.0668740304976422, 0.00447213595499958, 9.345929882632628e-06, 8.764412911589875e-07}},
      {"yarn, one beta, equal bounds",
       spec(5e4, 64, kimi(false)),
       1.3465735902799727,
       {0.7131110849119321, 0.0668740304976422, 0.00447213595499958, 9.345929882632628e-06, 8.764412911589875e-07}},
      {"yarn, one mscale",
       spec(1e4, 64, yarn_scales(32, 0.707, 0)),
       1.3465735902799727,
       {0.7498942093324559, 0.1, 0.005528846153846153, 3.125e-05, 4.167254475510387e-06}},
      {"yarn, two mscales",
       spec(1e4, 64, yarn_scales(32, 1, 0.5)),
       1.1476934674947155,
       {0.7498942093324559, 0.1, 0.005528846153846153, 3.125e-05, 4.167254475510387e-06}},
      {"yarn, magnitude given (OLMo 3)",
       spec(5e5, 128, olmo3()),
       1.25,
       {0.8146172338565447, 0.03760603093086393, 0.000395147907133659, 6.647869871181236e-06, 3.068925988914511e-07}},
      {"yarn, a bound below 0", spec(1e4, 8, yarn(4, 16)), 1.138629436111989, {0.025, 0.025, 0.0025, 0.00025, 0.00025}},
      {"yarn, factor 1", spec(1e4, 64, yarn(1)), 1, {0.7498942093324559, 0.1, 0.01, 0.001, 0.0001333521432163324}},
      {"longrope, not longer",
       spec(1e4, 16, longrope()),
       1.1902380714238083,
       {0.2874797872880344, 0.08333333333333333, 0.006666666666666667, 0.0004, 0.00010540925533894597},
       4096},
      {"longrope, longer",
       spec(1e4, 16, longrope()),
       1.1902380714238083,
       {0.21081851067789195, 0.03333333333333333, 0.0008333333333333334, 2.0833333333333333e-05, 4.941058844013093e-06},
       4097},
  };
}

double relative(double a, double b) { return std::abs(a - b) / std::abs(b); }

}  // namespace

TEST_CASE("scaled rotary frequencies and magnitudes are those of transformers") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const auto angles = ops::rope_angles(c.spec, c.length);
    const auto n = static_cast<std::size_t>(c.spec.rotated / 2);
    REQUIRE(angles.frequencies.size() == n);
    CHECK(relative(angles.magnitude, c.magnitude) <= 1e-15);
    const std::size_t picked[] = {1, n / 4, n / 2, 3 * n / 4, n - 1};
    for (std::size_t i = 0; i < std::size(picked); ++i) {
      INFO("n = " << picked[i]);
      CHECK(relative(angles.frequencies[picked[i]], c.expected[i]) <= 1e-14);
    }
    CHECK(relative(angles.frequencies[0], c.spec.scaling.kind == Kind::linear ? 1 / c.spec.scaling.factor : 1) <=
          1e-15);
  }
}

TEST_CASE("published magnitudes and softmax scales") {
  CHECK(relative(ops::yarn_magnitude(8), 1.2079441541679836) <= 1e-15);
  CHECK(relative(ops::yarn_magnitude(4), 1.138629436111989) <= 1e-15);
  CHECK(ops::yarn_magnitude(0.5) == 1);
  const auto softmax_scale = [](double factor) { return std::pow(ops::yarn_magnitude(factor), 2) / std::sqrt(192.0); };
  CHECK(relative(softmax_scale(40), 0.1352337788608801) <= 1e-15);   // DeepSeek-V3
  CHECK(relative(softmax_scale(32), 0.13086079996295005) <= 1e-15);  // Kimi K2
  auto phi = longrope();
  phi.short_magnitude = 1.2;
  phi.long_magnitude = 1.3;
  CHECK(ops::rope_angles(spec(1e4, 16, phi), 4096).magnitude == 1.2);
  CHECK(ops::rope_angles(spec(1e4, 16, phi), 4097).magnitude == 1.3);
  auto unstretched = longrope();
  unstretched.factor = 1;
  CHECK(ops::rope_angles(spec(1e4, 16, unstretched), 9000).magnitude == 1);
}

TEST_CASE("without a scaling the angles are the plain ones, and a single pair knows no theta") {
  CHECK(ops::rope_angles({.theta = 500, .rotated = 12}).frequencies == ops::rope_frequencies(12, 500));
  CHECK(ops::rope_angles({.theta = 500, .rotated = 12}).magnitude == 1);
  CHECK(ops::rope_angles(spec(1e4, 2, dynamic()), 9000).frequencies == std::vector<double>{1});
  CHECK(ops::rope_angles(spec(1e4, 2, {.kind = Kind::ntk_alpha, .alpha = 7})).frequencies == std::vector<double>{1});
  CHECK(ops::rope_angles(spec(1e4, 0, yarn(4))).frequencies.empty());
}

TEST_CASE("a scaling says which lengths share their angles") {
  CHECK(yarn(4).regime(1) == yarn(4).regime(100000));
  CHECK(dynamic().regime(1) == dynamic().regime(4096));
  CHECK(dynamic().regime(4096) != dynamic().regime(4097));
  CHECK(dynamic().regime(5000) != dynamic().regime(5001));
  CHECK(longrope().regime(1) == longrope().regime(4096));
  CHECK(longrope().regime(4096) != longrope().regime(4097));
  CHECK(longrope().regime(4097) == longrope().regime(9000));
}

TEST_CASE("a table of scaled angles holds the magnitude, and its length's frequencies") {
  const auto close = [](const ops::RopeTable<double, Cpu>& table, const ops::RopeAngles& angles) {
    const auto cosines = table.cosines.span(), sines = table.sines.span();
    const std::size_t n = angles.frequencies.size();
    double worst = 0;
    for (std::size_t i = 0; i < cosines.size(); ++i) {
      const double angle = static_cast<double>(i / n) * angles.frequencies[i % n];
      worst = std::max({worst, std::abs(cosines[i] - angles.magnitude * std::cos(angle)),
                        std::abs(sines[i] - angles.magnitude * std::sin(angle))});
    }
    CHECK(worst <= 1e-15);
  };
  auto interleaved = spec(1.5e5, 64, gpt_oss());
  interleaved.pairing = RopePairing::interleaved;
  const ops::RopeTable<double, Cpu> table(interleaved, 40);
  CHECK(table.pairing == RopePairing::interleaved);
  CHECK(table.positions() == 40);
  close(table, ops::rope_angles(interleaved));
  close(ops::RopeTable<double, Cpu>(spec(1e4, 16, longrope()), 5000, {}, 4000),
        ops::rope_angles(spec(1e4, 16, longrope()), 4000));
  close(ops::RopeTable<double, Cpu>(spec(1e4, 16, longrope()), 5000),
        ops::rope_angles(spec(1e4, 16, longrope()), 5000));
}

TEST_CASE("impossible rotary scalings are refused") {
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 7, {})), "[rope] the number of rotated elements is even: found 7");
  CHECK_THROWS_WITH(ops::rope_angles(spec(0, 8, {})), "[rope] theta is positive: found 0");
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 8, yarn(0))), "[rope] the scaling factor is positive: found 0");
  CHECK_THROWS_WITH(ops::rope_angles(spec(1, 8, yarn(4))), "[rope] yarn needs theta above 1: found 1");
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 8, yarn(4, 0))),
                    "[rope] this scaling needs the original context: found 0");
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 8, llama3(8, 0.5))),
                    "[rope] low_turns is positive and at most high_turns: found 1 and 0.5");
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 8, longrope())),
                    "[rope] there is a factor for each pair: found 8, expected 4");
  auto negative = longrope();
  negative.long_factors[3] = -1;
  CHECK_THROWS_WITH(ops::rope_angles(spec(1e4, 16, negative)), "[rope] factors are positive: found -1");
}
