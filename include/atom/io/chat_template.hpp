// SPDX-License-Identifier: Apache-2.0
// Chat templates: Jinja as Hugging Face models use it, within limits. A template reads what it is given and writes a
// text: there is nothing in it that could reach a file, a process, the network or a clock.
#pragma once

#include "jinja/execution.hpp"
#include "json.hpp"  // what messages come in; and so the umbrella leaves this out

namespace atom::io {

namespace jinja {

// The value of a JSON value. Errors: nested too deep; a text that is not UTF-8.
inline Value from_json(Context& context, const Json& json, int level = 0) {
  context.require(level < most_nested / 2, "values nested too deep: expected at most ", most_nested / 2, " levels");
  const auto text_of = [&](std::string_view text) {
    require_utf8(context, text);
    return plain_text(text);
  };
  if (json.is_null()) return None{};
  if (json.is_bool()) return json.as<bool>();
  if (json.is_integer())
    return json.as<double>() < 0 ? Value(json.as<std::int64_t>()) : Value(json.as<std::uint64_t>());
  if (json.is_number()) return json.as<double>();
  if (json.is_string()) return text_of(json.as<std::string_view>());
  int depth = 0;
  if (json.is_array()) {
    Sequence list;
    list.items.reserve(json.elements().size());
    for (const Json& element : json.elements()) {
      list.items.push_back(from_json(context, element, level + 1));
      depth = std::max(depth, depth_of(list.items.back()));
    }
    list.depth = depth + 1;
    return std::make_shared<const Sequence>(std::move(list));
  }
  Dict dict;
  dict.members.reserve(json.members().size());
  for (const auto& [name, member] : json.members()) {
    dict.members.emplace_back(text_of(name), from_json(context, member, level + 1));
    depth = std::max(depth, depth_of(dict.members.back().second));
  }
  dict.depth = depth + 1;
  return std::make_shared<const Dict>(std::move(dict));
}

}  // namespace jinja

struct TemplateOptions {
  std::optional<CivilTime> now = {};  // what strftime_now() shows; without it there is no such function
  TemplateLimits limits = {};
};

// A template as `transformers` renders it: trim_blocks, lstrip_blocks, break and continue, the immutable sandbox, its
// own tojson(). Rendering is const and may happen in many threads at once.
class ChatTemplate {
 public:
  // `name` is for messages. Errors `[template NAME:LINE] ...`: not a template; a tag, filter or test that is unknown.
  explicit ChatTemplate(std::string_view source, std::string_view name = "chat_template")
      : program_(std::make_shared<const jinja::Program>(jinja::make_program(source, name))) {}

  // The text for `variables`, an object: messages, tools, documents, add_generation_prompt, bos_token, whatever the
  // template reads. `tools` and `documents` are none where absent. Errors `[template NAME:LINE] ...`: what the template
  // raises (`raise_exception: MESSAGE`), a wrong type, an attribute of something undefined, a limit.
  std::string render(const Json& variables, const TemplateOptions& options = {}) const {
    jinja::Context context(program_->name, options.limits, options.now);
    jinja::Interpreter::Variables values;
    for (const auto& [name, value] : variables.members("chat template"))
      values.emplace_back(name, jinja::from_json(context, value));
    for (const std::string_view name : {"tools", "documents"})
      if (!variables.contains(name)) values.emplace_back(name, jinja::None{});
    return jinja::Interpreter(context, *program_, std::move(values)).render();
  }

 private:
  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace atom::io
