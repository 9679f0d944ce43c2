// SPDX-License-Identifier: Apache-2.0
// How many values a Transformer holds, by its config alone, in double: for a look at a config before anything of its
// sizes is made. parameter_count.hpp counts exactly.
#pragma once

#include "config.hpp"

namespace atom::models {

namespace detail {

// In double: no config is too large to be counted.
class ValueCounter {
 public:
  explicit ValueCounter(const TransformerConfig& c)
      : c_(c),
        width_(of(c.width)),
        norm_(!c.norm_weight                  ? 0
              : c.norm == nn::NormKind::layer ? 2 * width_
                                              : width_) {}

  double all() const {
    double count = of(c_.vocab) * width_ * (c_.tie_embeddings ? 1 : 2) + norm_;
    if (c_.head_bias) count += of(c_.vocab);
    if (c_.embedding_norm) count += norm_;
    if (c_.learned_positions) count += of(c_.context) * width_;
    double sparse = 0, with_qk_norm = 0;
    for (Index i = 0; i < c_.layers; ++i) {
      const LayerConfig layer = i < std::ssize(c_.layer) ? c_.layer[static_cast<std::size_t>(i)] : LayerConfig();
      sparse += layer.sparse ? 1 : 0;
      with_qk_norm += layer.qk_norm ? 1 : 0;
    }
    const double common = norms() + (c_.latent.kv_rank > 0 ? latent() : attention());
    count += of(c_.layers) * common + sparse * experts() + (of(c_.layers) - sparse) * feed_forward();
    return count + (c_.latent.kv_rank > 0 ? 0 : with_qk_norm * qk_norm());
  }

 private:
  static double of(Index value) { return static_cast<double>(value); }
  static double linear(double in, double out, bool bias) { return out * (in + (bias ? 1 : 0)); }

  double norms() const {
    const double before = c_.residual == nn::Residual::parallel_one_norm ? 1 : 2;
    return norm_ * ((c_.pre_norm ? before : 0) + (c_.post_norm ? 2 : 0));
  }
  double attention() const {
    const double queries = of(c_.heads) * of(c_.head_dim), keys = of(c_.kv_heads) * of(c_.head_dim);
    return linear(width_, queries, c_.qkv_bias) + 2 * linear(width_, keys, c_.qkv_bias) +
           linear(queries, width_, c_.o_bias) + (c_.sinks ? of(c_.heads) : 0);
  }
  double qk_norm() const {
    if (c_.qk_norm == nn::QkNorm::none || !c_.qk_norm_weight) return 0;
    return of(c_.head_dim) * (c_.qk_norm == nn::QkNorm::whole ? of(c_.heads) + of(c_.kv_heads) : 2);
  }
  double latent() const {
    const auto& a = c_.latent;
    const bool bias = c_.qkv_bias && c_.o_bias;
    const double heads = of(c_.heads), queries = heads * (of(a.nope_dim) + of(a.rope_dim)), rank = of(a.q_rank);
    const double q =
        a.q_rank == 0 ? width_ * queries : linear(width_, rank, bias) + rank + linear(rank, queries, false);
    return q + linear(width_, of(a.kv_rank) + of(a.rope_dim), bias) + of(a.kv_rank) +
           of(a.kv_rank) * heads * (of(a.nope_dim) + of(a.value_dim)) + linear(heads * of(a.value_dim), width_, bias);
  }
  double feed_forward() const {
    const double hidden = of(c_.feed_forward);
    return (c_.gated ? 2 : 1) * linear(width_, hidden, c_.ffn_bias) + linear(hidden, width_, c_.ffn_bias);
  }
  double experts() const {
    const auto& m = c_.moe;
    const double count = of(m.experts), hidden = of(m.expert_width);
    const double each = 2 * linear(width_, hidden, m.expert_bias) + linear(hidden, width_, m.expert_bias);
    return linear(width_, count, m.router_bias) + (m.select_bias ? count : 0) + count * each +
           3 * width_ * of(m.shared_width) + (m.shared_gate ? width_ : 0);
  }

  const TransformerConfig& c_;
  double width_, norm_;
};

}  // namespace detail

// The values in the parameters and buffers of a Transformer of this config, which is resolved, without those of its
// multi-token prediction.
inline double value_count(const TransformerConfig& config) { return detail::ValueCounter(config).all(); }

}  // namespace atom::models
