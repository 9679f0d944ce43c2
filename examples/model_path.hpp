// SPDX-License-Identifier: Apache-2.0
// Where the example programs find a model: a GGUF file, a Hugging Face folder, or a run folder's newest checkpoint.
#pragma once

#include <atom/pretrained/load.hpp>
#include <atom/run/checkpoint.hpp>

#include <fmt/core.h>

// Error: none of them.
inline std::string model_path(const std::string& path) {
  using namespace atom;
  if (pretrained::is_gguf(path) || io::exists(path + "/config.json")) return path;
  const auto search = run::find_checkpoint(path);
  for (const auto& why : search.skipped) fmt::print(stderr, "skipped a damaged checkpoint: {}\n", why);
  check(search.newest.has_value(), path, "neither a model nor a run with a valid checkpoint");
  return search.newest->path;
}
