// SPDX-License-Identifier: Apache-2.0
// read_by_length: next_logits of a model whose angles depend on how long a text is. Where a text passes into another
// regime, what a cache holds of it is not valid, and the whole text is read again.
#pragma once

#include "../nn/kv_cache.hpp"
#include "../ops/embedding.hpp"
#include "../ops/shape.hpp"

#include <map>

namespace atom::models::detail {

// Contract: Transformer::next_logits. A text that reads on within a regime costs what it always does; `dynamic` scaling
// beyond the original length is a regime of its own for every length.
template <class Model, class T, class D> Tensor<T, D> read_by_length(const Model& model, const Tensor<TokenId, D>& ids,
                                                                     std::span<const std::int32_t> counts,
                                                                     nn::KvCache<T, D>& cache) {
  const Index batch = ids.dim(0), t = ids.dim(1);
  const auto given = ids.to_vector();
  struct Group {
    Index length = 0, columns = 0;
    std::vector<Index> rows = {};
  };
  std::map<Index, Group> groups;  // by regime
  for (Index b = 0; b < batch; ++b) {
    const auto i = static_cast<std::size_t>(b);
    auto& text = cache.text(b);
    text.resize(static_cast<std::size_t>(cache.lengths()[i]));  // what a truncation left
    if (counts[i] == 0) continue;
    const Index length = std::ssize(text) + counts[i], regime = model.ropes.regime(length);
    check(length <= cache.shape().capacity, "kv_cache", "sequence ", b, " is full: ", text.size(), " + ", counts[i],
          " tokens of ", cache.shape().capacity);
    if (regime != model.ropes.regime(std::ssize(text))) cache.truncate(b, 0);
    text.insert(text.end(), given.begin() + b * t, given.begin() + b * t + counts[i]);
    Group& group = groups[regime];
    group.length = std::max(group.length, length);
    group.columns = std::max<Index>(group.columns, length - cache.lengths()[i]);
    group.rows.push_back(b);
  }
  Tensor<T, D> logits = Tensor<T, D>::zeros({batch, model.config.vocab}, model.device());
  for (const auto& [regime, group] : groups) {
    std::vector<TokenId> unread(static_cast<std::size_t>(batch * group.columns));
    std::vector<std::int32_t> added(static_cast<std::size_t>(batch)), from(added.size());
    for (Index b = 0; b < batch; ++b) from[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(b);
    for (const Index b : group.rows) {
      const auto i = static_cast<std::size_t>(b);
      const std::span<const TokenId> text = cache.text(b);
      const auto rest = text.subspan(static_cast<std::size_t>(cache.lengths()[i]));
      std::ranges::copy(rest, unread.begin() + b * group.columns);
      added[i] = static_cast<std::int32_t>(rest.size());
      from[i] += static_cast<std::int32_t>(batch);
    }
    const auto columns = Tensor<TokenId, D>::from(unread, {batch, group.columns}, model.device());
    const auto both = ops::concat(logits, model.read_on(columns, added, cache, group.length), 0);
    logits = ops::embedding(Tensor<TokenId, D>::from(from, {batch}, model.device()), both);
  }
  return logits;
}

}  // namespace atom::models::detail
