// SPDX-License-Identifier: Apache-2.0
// What turns a rotary embedding per position: the base frequencies theta^(-2 n / rotated) of RoFormer (Su et al. 2021),
// and how published models change them to reach further than they were trained for.
#pragma once

#include "../backend/rope.hpp"
#include "../core/error.hpp"
#include "../core/math.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace atom::ops {

// theta^(-2 i / rotated) for i = 0..rotated / 2 - 1. Error: `rotated` is odd or negative.
inline std::vector<double> rope_frequencies(Index rotated, double theta = 10000) {
  check(rotated >= 0 && rotated % 2 == 0, "rope", "the number of rotated elements is even: found ", rotated);
  std::vector<double> frequencies;
  const double log_theta = math::log(theta);
  for (Index i = 0; i < rotated; i += 2)
    frequencies.push_back(math::exp(-static_cast<double>(i) / static_cast<double>(rotated) * log_theta));
  return frequencies;
}

// The members that a kind does not name have no effect on it. w is the frequency that the kind replaces.
struct RopeScaling {
  enum class Kind : std::uint8_t {
    none,
    linear,     // w / factor
    dynamic,    // theta (factor t / original_context - (factor - 1))^(rotated / (rotated - 2)) for a text of t tokens
                // beyond original_context; bloc97 and emozilla 2023
    ntk_alpha,  // theta alpha^(rotated / (rotated - 2)), always
    llama3,     // w where it turns high_turns times or more in the original context, w / factor at low_turns and less
    yarn,       // the same between beta_fast and beta_slow turns, linear in n; Peng et al. 2023, arXiv 2309.00071
    longrope,   // w / f_n, f by whether the text is longer than original_context; Ding et al. 2024, arXiv 2402.13753
    factors,    // w / f_n, f the short_factors
  };

  Kind kind = Kind::none;
  double factor = 1;  // how many times the original context the model is to read
  double alpha = 1;
  Index original_context = 0;              // tokens: the length that the model was trained on, before the scaling
  double low_turns = 1, high_turns = 4;    // published as low_freq_factor and high_freq_factor
  double beta_fast = 32, beta_slow = 1;    // turns
  bool truncate = true;                    // yarn's bounds become whole numbers
  double mscale = 0, mscale_all_dim = 0;   // yarn; 0: not given
  double magnitude = 0;                    // yarn, longrope: of cosine and sine (attention_factor); 0: by their rules
  std::vector<double> short_factors = {};  // longrope and factors, rotated / 2 of them
  std::vector<double> long_factors = {};   // longrope, rotated / 2 of them
  double short_magnitude = 0, long_magnitude = 0;  // longrope: in place of `magnitude` (Phi-3.5-MoE); 0: not given

  // Texts of two lengths have the same angles where this is the same number: where it changes, keys that were turned
  // before are not valid any more. A length counts the prompt and what was generated.
  Index regime(Index length) const {
    if (kind == Kind::dynamic) return std::max(length, original_context);
    return kind == Kind::longrope && length > original_context ? 1 : 0;
  }

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

struct RopeSpec {
  double theta = 10000;
  Index rotated = 0;  // elements of a head, from its first; even
  RopePairing pairing = RopePairing::half_split;
  RopeScaling scaling = {};

  friend bool operator==(const RopeSpec&, const RopeSpec&) = default;
};

struct RopeAngles {
  std::vector<double> frequencies;  // radians per position, rotated / 2 of them
  double magnitude = 1;             // multiplies cosine and sine, so its square multiplies a product of two turned rows
};

// 0.1 mscale ln(factor) + 1, and 1 where nothing is stretched. DeepSeek-V3 multiplies the scale of its softmax by the
// square of it at mscale_all_dim.
ATOM_EXACT inline double yarn_magnitude(double factor, double mscale = 1) {
  ATOM_EXACT_BODY
  return factor <= 1 ? 1 : 0.1 * mscale * math::log(factor) + 1;
}

namespace detail {

inline double rope_power(double base, double exponent) { return math::exp(exponent * math::log(base)); }

// Between w / factor (share 0) and w (share 1).
ATOM_EXACT inline double blend(double w, double factor, double share) {
  ATOM_EXACT_BODY
  return (1 - share) * (w / factor) + share * w;
}

inline void scale_llama3(const RopeScaling& s, std::vector<double>& frequencies) {
  for (double& w : frequencies) {
    const double turns = static_cast<double>(s.original_context) * w / (2 * std::numbers::pi);
    // Equal bounds have nothing between them.
    const double share = turns >= s.high_turns  ? 1
                         : turns <= s.low_turns ? 0
                                                : (turns - s.low_turns) / (s.high_turns - s.low_turns);
    w = blend(w, s.factor, share);
  }
}

inline void scale_yarn(const RopeSpec& spec, std::vector<double>& frequencies) {
  const RopeScaling& s = spec.scaling;
  const auto rotated = static_cast<double>(spec.rotated);
  // The index, not a whole number, of the frequency that makes so many turns in the original context.
  const auto index_of = [&](double turns) {
    return rotated * math::log(static_cast<double>(s.original_context) / (turns * 2 * std::numbers::pi)) /
           (2 * math::log(spec.theta));
  };
  double low = index_of(s.beta_fast), high = index_of(s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rotated - 1);
  if (low == high) high += 0.001;
  for (std::size_t n = 0; n < frequencies.size(); ++n) {
    const double ramp = std::clamp((static_cast<double>(n) - low) / (high - low), 0.0, 1.0);
    frequencies[n] = blend(frequencies[n], s.factor, 1 - ramp);
  }
}

inline void check_scaling(const RopeSpec& spec) {
  using Kind = RopeScaling::Kind;
  const RopeScaling& s = spec.scaling;
  check(spec.theta > 0, "rope", "theta is positive: found ", spec.theta);
  check(s.factor > 0, "rope", "the scaling factor is positive: found ", s.factor);
  check(s.alpha > 0, "rope", "alpha is positive: found ", s.alpha);
  const bool needs_context =
      s.kind == Kind::dynamic || s.kind == Kind::llama3 || s.kind == Kind::yarn || s.kind == Kind::longrope;
  check(!needs_context || s.original_context > 0, "rope", "this scaling needs the original context: found ",
        s.original_context);
  if (s.kind == Kind::llama3)
    check(s.low_turns > 0 && s.low_turns <= s.high_turns, "rope",
          "low_turns is positive and at most high_turns: found ", s.low_turns, " and ", s.high_turns);
  if (s.kind == Kind::yarn) {
    check(spec.theta > 1, "rope", "yarn needs theta above 1: found ", spec.theta);
    check(s.beta_slow > 0 && s.beta_slow <= s.beta_fast, "rope", "beta_slow is positive and at most beta_fast: found ",
          s.beta_slow, " and ", s.beta_fast);
  }
  const auto check_factors = [&](const std::vector<double>& factors) {
    check(2 * std::ssize(factors) == spec.rotated, "rope", "there is a factor for each pair: found ",
          std::ssize(factors), ", expected ", spec.rotated / 2);
    for (const double factor : factors) check(factor > 0, "rope", "factors are positive: found ", factor);
  };
  if (s.kind == Kind::longrope || s.kind == Kind::factors) check_factors(s.short_factors);
  if (s.kind == Kind::longrope) check_factors(s.long_factors);
}

inline double longrope_magnitude(const RopeScaling& s, bool is_long) {
  const double given = is_long ? s.long_magnitude : s.short_magnitude;
  if (given != 0) return given;
  if (s.magnitude != 0) return s.magnitude;
  if (s.factor <= 1) return 1;
  return std::sqrt(1 + math::log(s.factor) / math::log(static_cast<double>(s.original_context)));
}

ATOM_EXACT inline double rope_theta(const RopeSpec& spec, Index length) {
  ATOM_EXACT_BODY
  const RopeScaling& s = spec.scaling;
  const auto rotated = static_cast<double>(spec.rotated);
  if (spec.rotated <= 2) return spec.theta;  // one frequency, which is 1 for every theta
  const double exponent = rotated / (rotated - 2);
  if (s.kind == RopeScaling::Kind::ntk_alpha) return spec.theta * rope_power(s.alpha, exponent);
  if (s.kind != RopeScaling::Kind::dynamic || length <= s.original_context) return spec.theta;
  const double reach = static_cast<double>(length) / static_cast<double>(s.original_context);
  return spec.theta * rope_power(s.factor * reach - (s.factor - 1), exponent);
}

}  // namespace detail

// The angles for a text of `length` tokens, prompt and generation together: it matters to `dynamic` and `longrope`,
// where it is one number for every position of the text. Errors: numbers that are not positive; longrope's lists.
inline RopeAngles rope_angles(const RopeSpec& spec, Index length = 0) {
  using Kind = RopeScaling::Kind;
  detail::check_scaling(spec);
  const RopeScaling& s = spec.scaling;
  RopeAngles angles{rope_frequencies(spec.rotated, detail::rope_theta(spec, length))};
  auto& frequencies = angles.frequencies;
  switch (s.kind) {
    case Kind::none:
    case Kind::dynamic:
    case Kind::ntk_alpha: break;
    case Kind::linear:
      for (double& w : frequencies) w /= s.factor;
      break;
    case Kind::llama3: detail::scale_llama3(s, frequencies); break;
    case Kind::yarn:
      detail::scale_yarn(spec, frequencies);
      angles.magnitude = s.magnitude != 0 ? s.magnitude : yarn_magnitude(s.factor);
      if (s.magnitude == 0 && s.mscale != 0 && s.mscale_all_dim != 0)
        angles.magnitude = yarn_magnitude(s.factor, s.mscale) / yarn_magnitude(s.factor, s.mscale_all_dim);
      break;
    case Kind::factors:
      for (std::size_t n = 0; n < frequencies.size(); ++n) frequencies[n] /= s.short_factors[n];
      break;
    case Kind::longrope: {
      const bool is_long = length > s.original_context;
      const auto& factors = is_long ? s.long_factors : s.short_factors;
      for (std::size_t n = 0; n < frequencies.size(); ++n) frequencies[n] /= factors[n];
      angles.magnitude = detail::longrope_magnitude(s, is_long);
      break;
    }
  }
  return angles;
}

}  // namespace atom::ops
