// SPDX-License-Identifier: Apache-2.0
// A real model beside what another implementation says to some prompts.
#pragma once

#include "parity.hpp"

#include <atom/pretrained/tokenizer.hpp>

namespace parity {

struct RealAgreement {
  bool ids = false;
  double top = 0;       // largest difference of the logits after the prompt; the bar is 2e-3
  double mean_nll = 0;  // of the prompt's own tokens; 1e-4
  int greedy = 0, greedy_of = 0;

  bool good() const { return ids && top <= 2e-3 && mean_nll <= 1e-4 && greedy == greedy_of; }
};

// `prompt`: text, special, ids, mean_nll, top10 [[id, logit]], greedy.
inline RealAgreement compare_prompt(const Model& model, const io::Tokenizer& tokenizer, const io::Json& prompt) {
  RealAgreement agreement;
  const auto ids = tokenizer.encode(prompt.get<std::string>("text"), {.find_special = prompt.get<bool>("special")});
  agreement.ids = ids == prompt.get<std::vector<TokenId>>("ids");
  const NoGrad no_grad;
  const Index t = std::ssize(ids);
  const auto logits = ops::reshape(model(Tensor<TokenId, Cpu>::from(ids, {1, t})), {t, model.config.vocab});
  const auto last = ops::slice(logits, 0, t - 1, 1).to_vector();
  for (const auto& entry : prompt.at("top10").elements()) {
    const auto id = static_cast<std::size_t>(entry.elements()[0].as<TokenId>());
    agreement.top =
        std::max(agreement.top, std::abs(static_cast<double>(last.at(id)) - entry.elements()[1].as<double>()));
  }
  const std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  const auto told =
      model.log_probabilities(Tensor<TokenId, Cpu>::from(std::span(ids).first(targets.size()), {1, t - 1}),
                              Tensor<TokenId, Cpu>::from(targets, {1, t - 1}));
  double nll = 0;
  for (const float p : told.to_vector()) nll -= static_cast<double>(p);
  agreement.mean_nll = std::abs(nll / static_cast<double>(t - 1) - prompt.get<double>("mean_nll"));
  const auto greedy = prompt.get<std::vector<TokenId>>("greedy");
  const auto found = sample::generate(model, ids, {.tokens = std::ssize(greedy), .temperature = 0});
  agreement.greedy_of = static_cast<int>(greedy.size());
  const auto differ = std::ranges::mismatch(found, greedy);
  agreement.greedy = static_cast<int>(differ.in2 - greedy.begin());
  return agreement;
}

}  // namespace parity
