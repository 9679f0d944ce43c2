// SPDX-License-Identifier: Apache-2.0
// adapter_config.json of Hugging Face's PEFT, in and out: of which modules, with which ranks and scales.
#pragma once

#include "../io/json.hpp"
#include "../nn/lora.hpp"
#include "published_tensor.hpp"

#include <cctype>
#include <map>

namespace atom::pretrained {

// Where one of our linear layers is in the published model: the rows, of what that module says, that are the layer's. A
// list names every layer of each module that it has.
struct PublishedLinear {
  std::string layer;   // as nn::for_each_linear names it: "blocks.0.attention.q"
  std::string module;  // "model.layers.0.self_attn.q_proj"
  PublishedRows rows = {};
};

// The names of our layers in the modules that PEFT's target_modules mean: names, or their last parts, such as "q_proj".
// Error: a target that no module has.
inline std::vector<std::string> adapter_targets(const std::vector<PublishedLinear>& list,
                                                const std::vector<std::string>& target_modules) {
  std::vector<std::string> layers;
  for (const std::string& target : target_modules) {
    bool known = false;
    for (const PublishedLinear& entry : list) {
      if (!nn::detail::names_layer(target, entry.module)) continue;
      known = true;
      if (std::ranges::find(layers, entry.layer) == layers.end()) layers.push_back(entry.layer);
    }
    check(known, "adapter", "no module is named ", io::in_quotes(target));
  }
  return layers;
}

struct AdapterOptions {
  std::string base_model = {};                // base_model_name_or_path
  std::optional<DType> dtype = std::nullopt;  // of the matrices in the file; their own if not said
  bool fan_in_fan_out = false;                // whether the published model stores these weights (in, out), as GPT-2
};

namespace detail {

// What an adapter is scaled by, of one module.
struct AdapterScale {
  std::string module;
  Index rank = 0;
  double alpha = 0;
};

// The shortest names that mean these modules and no others of the list: the last part where all that have it are there.
inline std::vector<std::string> target_modules(const std::vector<PublishedLinear>& list,
                                               const std::vector<std::string>& modules) {
  std::vector<std::string> targets;
  for (const std::string& module : modules) {
    const std::string last = module.substr(module.rfind('.') + 1);
    const bool all = std::ranges::all_of(list, [&](const PublishedLinear& entry) {
      return !nn::detail::names_layer(last, entry.module) || std::ranges::find(modules, entry.module) != modules.end();
    });
    const std::string& target = all ? last : module;
    if (std::ranges::find(targets, target) == targets.end()) targets.push_back(target);
  }
  return targets;
}

// 16 and not 16.0, where it is.
inline io::Json shortest_number(double value) {
  const bool whole = std::abs(value) < 0x1p53 && value == std::trunc(value);
  return whole ? io::Json(static_cast<std::int64_t>(value)) : io::Json(value);
}

inline io::Json adapter_config(const std::vector<AdapterScale>& all, bool rank_stabilised,
                               const std::vector<PublishedLinear>& list, const AdapterOptions& options) {
  std::map<std::pair<Index, double>, int> counts;
  for (const auto& scale : all) ++counts[{scale.rank, scale.alpha}];
  const auto [rank, alpha] = std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; })->first;
  io::Json ranks = io::Json::object(), alphas = io::Json::object();
  std::vector<std::string> modules;
  for (const auto& scale : all) {
    modules.push_back(scale.module);
    if (scale.rank != rank) ranks.set(scale.module, scale.rank);
    if (scale.alpha != alpha) alphas.set(scale.module, shortest_number(scale.alpha));
  }
  const io::Json base = options.base_model.empty() ? io::Json() : io::Json(options.base_model);
  return io::Json::object({{"peft_type", "LORA"},
                           {"task_type", "CAUSAL_LM"},
                           {"base_model_name_or_path", base},
                           {"r", rank},
                           {"lora_alpha", shortest_number(alpha)},
                           {"rank_pattern", std::move(ranks)},
                           {"alpha_pattern", std::move(alphas)},
                           {"use_rslora", rank_stabilised},
                           {"target_modules", target_modules(list, modules)},
                           {"lora_dropout", 0.0},
                           {"bias", "none"},
                           {"fan_in_fan_out", options.fan_in_fan_out},
                           {"inference_mode", true},
                           {"modules_to_save", nullptr}});
}

// What an adapter_config.json says of all modules, and of some.
class AdapterConfig {
 public:
  // Errors: another method; what would change the model in ways that are not supported, by name.
  explicit AdapterConfig(const std::string& path) : path_(path), json_(io::read_json(path, 1U << 20U)) {
    const auto type = json_.get<std::string>("peft_type");
    check(type == "LORA", path, "peft_type ", io::in_quotes(type), " is not supported: expected \"LORA\"");
    for (const char* name : {"modules_to_save", "use_dora", "lora_bias", "trainable_token_indices", "layer_replication",
                             "target_parameters", "alora_invocation_tokens", "use_qalora", "use_bdlora", "arrow_config",
                             "kasa_config", "velora_config", "monteclora_config", "lora_ga_config", "corda_config"})
      check(!is_set(name), path, io::in_quotes(name), " is not supported");
    const auto bias = json_.get_or<std::string>("bias", "none");
    check(bias == "none", path, "bias ", io::in_quotes(bias), " is not supported: expected \"none\"");
    // Other ways to begin change the weights of the base model too.
    const io::Json* begin = json_.find("init_lora_weights");
    if (begin && begin->is_string() && *begin != io::Json("gaussian") && *begin != io::Json("eva"))
      fail(path, "init_lora_weights ", to_text(*begin), " is not supported");
    check_keys("rank_pattern");
    check_keys("alpha_pattern");
  }

  Index rank(std::string_view module) const { return value_of<Index>("r", "rank_pattern", module); }
  double alpha(std::string_view module) const { return value_of<double>("lora_alpha", "alpha_pattern", module); }
  bool rank_stabilised() const { return json_.get_or("use_rslora", false); }

 private:
  bool is_set(const char* name) const {
    const io::Json* found = json_.find(name);
    if (!found || found->is_null() || *found == io::Json(false)) return false;
    return !(found->is_array() && found->elements().empty()) && !(found->is_object() && found->members().empty());
  }
  // Keys are regular expressions of ends of names; those that are ends of names are read.
  void check_keys(const char* pattern) const {
    if (!is_set(pattern)) return;
    for (const auto& [key, value] : json_.at(pattern).members(path_))
      check(std::ranges::all_of(
                key,
                [](char c) { return c == '.' || c == '_' || c == '-' || std::isalnum(static_cast<unsigned char>(c)); }),
            path_, io::in_quotes(pattern), ": the regular expression ", io::in_quotes(key), " is not supported");
  }
  template <class T> T value_of(const char* name, const char* pattern, std::string_view module) const {
    if (is_set(pattern))
      for (const auto& [key, value] : json_.at(pattern).members(path_))
        if (nn::detail::names_layer(key, module)) return value.template as<T>(path_);
    return json_.get<T>(name);
  }

  std::string path_;
  io::Json json_;
};

}  // namespace detail
}  // namespace atom::pretrained
