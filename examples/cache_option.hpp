// SPDX-License-Identifier: Apache-2.0
// The flag --cache of programs that generate: how keys and values of the tokens read are kept.
#pragma once

#include <atom/backend/kv_blocks.hpp>

#include <CLI/CLI.hpp>

namespace cli {

// `cache` must outlive the parse.
inline void add_cache_option(CLI::App& app, atom::CacheType& cache) {
  const auto set = [&cache](const std::string& name) {
    for (const auto type : {atom::CacheType::exact, atom::CacheType::f16, atom::CacheType::q8_0})
      if (atom::name_of(type) == name) cache = type;
  };
  app.add_option_function<std::string>("--cache", set, "keeps keys and values so: f16 takes half the memory, q8_0 27 %")
      ->check(CLI::IsMember({"f32", "f16", "q8_0"}))
      ->type_name("TYPE")
      ->default_str("f32");
}

}  // namespace cli
