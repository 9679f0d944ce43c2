// SPDX-License-Identifier: Apache-2.0
// Session: one text that grows turn by turn. What the model has read of it stays in the cache, so that a turn costs
// what is new in it.
#pragma once

#include "../backend/kv_blocks.hpp"
#include "generate.hpp"

namespace atom::sample {

template <LanguageModel M> class Session {
 public:
  struct Answer {
    std::vector<TokenId> ids;
    End end;
    std::size_t reused;  // tokens of the prompt that were not read again
  };

  // Room for `capacity` tokens, 0: the model's context; kept as `type` says. The model must outlive the session.
  explicit Session(const M& model, Index capacity = 0, CacheType type = CacheType::exact)
      : model_(&model), cache_(model.make_cache(1, capacity, type)) {}

  Index capacity() const { return cache_.shape().capacity; }

  // The continuation of a text, with nothing left out where the cache is full: the answer then ends.
  // Errors: as generate.
  Answer generate(std::span<const TokenId> prompt, const GenerateOptions& options = {}) {
    check(options.tokens >= 0, "generate", "tokens is at least 0: found ", options.tokens);
    std::vector<detail::Sequence> one{{prompt, options.tokens}};
    const std::span<const TokenId> held(held_);
    auto same = static_cast<std::size_t>(std::ranges::mismatch(held, prompt).in1 - held.begin());
    same = std::min(same, prompt.size() - 1);  // the last token is read for what follows it
    if (!cache_.keeps(0, static_cast<Index>(same))) same = 0;
    cache_.truncate(0, static_cast<Index>(same));
    held_.resize(same);
    one[0].read = same;
    detail::generate_on(*model_, cache_, one, options, false);
    held_.assign(one[0].all.begin(), one[0].all.begin() + static_cast<std::ptrdiff_t>(cache_.lengths()[0]));
    return {one[0].answer(), *one[0].end, same};
  }

 private:
  const M* model_;
  detail::CacheOf<M> cache_;
  std::vector<TokenId> held_;  // what the cache holds
};

}  // namespace atom::sample
