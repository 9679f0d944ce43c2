// SPDX-License-Identifier: Apache-2.0
// A published model with the adapter of a PEFT folder in it.
#pragma once

#include <atom/pretrained/adapter.hpp>
#include <atom/pretrained/pairing.hpp>
#include <atom/pretrained/published_linears.hpp>

using FullModel = atom::models::FullTransformer<float>;

// Adapters are published for models as folders have them.
inline void add_adapter(FullModel& model, const std::string& path, const std::string& adapter) {
  using namespace atom;
  if (adapter.empty()) return;
  if (pretrained::is_gguf(path)) pretrained::set_pairing(model, pretrained::folder_pairing(path));
  pretrained::load_adapter(adapter, model, pretrained::published_linears(path, model));
}
