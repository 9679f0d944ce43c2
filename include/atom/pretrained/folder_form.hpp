// SPDX-License-Identifier: Apache-2.0
// set_folder_form: the model of a GGUF file as folders of its family have it.
#pragma once

#include "pairing.hpp"
#include "published_linears.hpp"

namespace atom::pretrained {

// The same model with its rms norms stored as their distance from `wanted`. Error: latent attention.
template <class T, class D, class Policy, class Router>
void set_norm_offset(models::Transformer<T, D, Policy, Router>& model, double wanted) {
  auto& c = model.config;
  if (c.norm != nn::NormKind::rms || c.norm_offset == wanted) return;
  check(c.latent.kv_rank == 0, "set_norm_offset", "latent attention keeps its own");
  const NoGrad no_grad;
  nn::for_each_module(model, [&](auto& norm) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(norm)>, nn::Norm<T, D>>) {
      if (norm.weight.defined())
        norm.weight.assign((norm.weight.detach() + static_cast<T>(norm.shape.offset - wanted)).to_vector());
      norm.shape.offset = wanted;
    }
  });
  c.norm_offset = wanted;
}

// The model_type that folders give to what is in a FILE.gguf, or a kind of model that is much like it.
inline std::string folder_model_type(const std::string& path) {
  return detail::model_type_of_architecture(io::Gguf(path).metadata().get<std::string>("general.architecture"));
}

// Gives the model of a FILE.gguf the order of rows and the offset of norms that folders have. Error: an adapter.
template <class T, class D, class Policy, class Router>
void set_folder_form(models::Transformer<T, D, Policy, Router>& model, const std::string& path) {
  set_pairing(model, folder_pairing(path));
  set_norm_offset(model, folder_model_type(path).starts_with("gemma") ? 1 : 0);
}

}  // namespace atom::pretrained
