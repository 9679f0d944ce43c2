// SPDX-License-Identifier: Apache-2.0
// Chooses the next token from a row of logits: repetition penalty, temperature, top-k, top-p, min-p, then one draw.
// Host only; the same choice under every compiler, since exp and the uniform number are the library's own.
#pragma once

#include "../core/math.hpp"
#include "../core/random.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

namespace atom::sample {

struct SamplerOptions {
  double temperature = 1;         // 0: always the most likely
  Index top_k = 0;                // keep the k most likely; 0: all
  double top_p = 1;               // keep the most likely whose probabilities first reach p
  double min_p = 0;               // drop what is less likely than min_p x the most likely
  double repetition_penalty = 1;  // > 1 makes tokens that were seen less likely (Keskar et al. 2019)
};

// Error `[sample] ...`: an option outside its range.
inline void check_options(const SamplerOptions& options) {
  check(options.temperature >= 0, "sample", "temperature is at least 0: found ", options.temperature);
  check(options.top_k >= 0, "sample", "top_k is at least 0: found ", options.top_k);
  check(options.top_p > 0 && options.top_p <= 1, "sample", "top_p is above 0 and at most 1: found ", options.top_p);
  check(options.min_p >= 0 && options.min_p <= 1, "sample", "min_p is between 0 and 1: found ", options.min_p);
  check(options.repetition_penalty > 0, "sample", "repetition_penalty is above 0: found ", options.repetition_penalty);
}

class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options) : options_(options) { check_options(options); }

  // The token drawn from `logits` (v) with the uniform number in [0, 1). `seen`: the tokens so far, for the penalty.
  // Ties go to the lower id. No allocation after the first call with this v.
  TokenId operator()(std::span<const float> logits, std::span<const TokenId> seen, float uniform) {
    check(!logits.empty(), "sample", "no logits");
    scores_.assign(logits.begin(), logits.end());
    penalise(seen);
    if (options_.temperature == 0)
      return static_cast<TokenId>(std::max_element(scores_.begin(), scores_.end()) - scores_.begin());
    return draw(keep(), uniform);
  }

 private:
  ATOM_EXACT void penalise(std::span<const TokenId> seen) {
    if (options_.repetition_penalty == 1) return;
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    done_.assign(scores_.size(), false);
    for (const TokenId id : seen) {
      const auto i = static_cast<std::size_t>(id);
      if (i >= scores_.size() || done_[i]) continue;
      done_[i] = true;
      scores_[i] = scores_[i] > 0 ? scores_[i] / penalty : scores_[i] * penalty;
    }
  }

  // Turns scores into unnormalised probabilities, candidates first. Returns how many candidates there are.
  ATOM_EXACT std::size_t keep() {
    order_.resize(scores_.size());
    std::iota(order_.begin(), order_.end(), TokenId{0});
    std::size_t count = order_.size();
    if (options_.top_k > 0) count = std::min(count, static_cast<std::size_t>(options_.top_k));
    const auto score = [&](TokenId id) { return scores_[static_cast<std::size_t>(id)]; };
    const auto before = [&](TokenId a, TokenId b) { return score(a) != score(b) ? score(a) > score(b) : a < b; };
    const bool ordered = count < order_.size() || options_.top_p < 1;
    if (ordered)
      std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count), order_.end(), before);

    const auto best = static_cast<double>(*std::max_element(scores_.begin(), scores_.end()));
    weights_.resize(count);
    double total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = math::exp((static_cast<double>(score(order_[i])) - best) / options_.temperature);
      total += weights_[i] = weight < options_.min_p ? 0 : weight;
    }
    double sum = 0;
    for (std::size_t i = 0; ordered && i < count; ++i) {
      if (i > 0 && sum >= options_.top_p * total) return i;
      sum += weights_[i];
    }
    return count;
  }

  ATOM_EXACT TokenId draw(std::size_t count, float uniform) const {
    const double total = std::accumulate(weights_.begin(), weights_.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
    const double mark = static_cast<double>(uniform) * total;
    double sum = 0;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      sum += weights_[i];
      if (mark < sum) return order_[i];
    }
    return order_[count - 1];
  }

  SamplerOptions options_;
  std::vector<float> scores_;
  std::vector<double> weights_;
  std::vector<TokenId> order_;
  std::vector<bool> done_;
};

}  // namespace atom::sample
