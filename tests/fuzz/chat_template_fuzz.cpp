// SPDX-License-Identifier: Apache-2.0
// Any bytes as a template, and after a zero byte as the JSON of its variables: an Error, or the same text twice.
#include <atom/io/chat_template.hpp>
#include <atom/io/json.hpp>

#include <cstdlib>
#include <cstring>

using namespace atom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(all.find('\0'), all.size());
  io::TemplateOptions options;
  options.now = io::CivilTime{2026, 11, 23, 12, 0, 0};
  options.limits = {.steps = 20'000, .depth = 16, .output = 1 << 16, .bytes = 1 << 20};
  try {
    const io::ChatTemplate chat(all.substr(0, zero), "fuzz");
    static const std::string usual =
        R"({"s": "a B \u00e9", "n": null, "i": 3, "x": 2.5, "l": [3, "a", [1]], "tools": [],
      "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "<think>a</think> b"}]})";
    const io::Json variables = io::parse_json(zero < all.size() ? all.substr(zero + 1) : usual, "variables");
    if (!variables.is_object()) return 0;
    const std::string text = chat.render(variables, options);
    if (text.size() > options.limits.output || chat.render(variables, options) != text) std::abort();
  } catch (const Error& error) {
    if (std::string_view(error.what()).empty()) std::abort();
  }
  return 0;
}
