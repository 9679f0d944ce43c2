// SPDX-License-Identifier: Apache-2.0
// parameter_count: how many parameters a configuration has, counted on the modules themselves, without their memory.
#pragma once

#include "../backend/meta.hpp"
#include "transformer.hpp"

namespace atom::models {

// A model of shapes alone, for walks over its modules and for the sizes of its caches.
using MetaTransformer = FullTransformer<float, Meta>;

// Errors: as resolved; a tensor of more than 2^63 bytes.
inline MetaTransformer meta_transformer(const TransformerConfig& config) {
  const auto whole = resolved(config);
  auto bare = whole;
  if (whole.rotary()) {  // tables of angles are no parameters, but computed
    bare.context = 1;
    bare.rotary_dim = 2;
    bare.rope_scaling = {};
  }
  MetaTransformer model(bare);
  model.config = whole;
  return model;
}

struct ParameterCount {
  Index total = 0;      // what training changes; the head of a tied embedding counts once
  Index active = 0;     // of those, what one token meets: without the experts it is not sent to, and without mtp
  Index embedding = 0;  // of tokens and positions
  Index experts = 0;    // those that a router chooses from
  Index mtp = 0;        // multi-token prediction
  Index buffers = 0;    // saved but not differentiated, such as biases of a choice; not in the total
};

namespace detail {
template <class M> Index routed_parameters(const M& model) {
  Index count = 0;
  nn::for_each_module(model, [&]<class Part>(const Part& part) {
    if constexpr (std::is_same_v<Part, nn::Experts<float, Meta>>)
      for (const auto* stack : {&part.gate, &part.up, &part.down, &part.gate_bias, &part.up_bias, &part.down_bias})
        count += stack->size();
  });
  return count;
}
}  // namespace detail

// Errors: as meta_transformer; more than 2^63 parameters.
inline ParameterCount parameter_count(const MetaTransformer& model) {
  ParameterCount count;
  nn::for_each_tensor(model, [&](const std::string&, const auto& tensor, Role role) {
    auto& sum = role == Role::buffer ? count.buffers : count.total;
    check(tensor.size() <= std::numeric_limits<Index>::max() - sum, "parameter_count", "more than 2^63 parameters");
    sum += tensor.size();
    if (role == Role::embedding) count.embedding += tensor.size();
  });
  count.experts = detail::routed_parameters(model);
  if (model.mtp) count.mtp = nn::parameter_count(*model.mtp);
  const auto& moe = model.config.moe;
  count.active = count.total - count.mtp;
  if (moe.experts > 0) {
    const Index main = count.experts - (model.mtp ? detail::routed_parameters(*model.mtp) : 0);
    count.active -= main / moe.experts * (moe.experts - moe.active);
  }
  return count;
}
inline ParameterCount parameter_count(const TransformerConfig& config) {
  return parameter_count(meta_transformer(config));
}

}  // namespace atom::models
