// SPDX-License-Identifier: Apache-2.0
// generate_text: from text to text, with stop strings and streaming. For any tokenizer with `encode` and `decode`.
#pragma once

#include "generate.hpp"

#include <string>

namespace atom::sample {

template <class V>
concept TextCodec = requires(const V& codec, std::string_view text, std::span<const TokenId> ids) {
  { codec.encode(text) } -> std::convertible_to<std::vector<TokenId>>;
  { codec.decode(ids) } -> std::convertible_to<std::string>;
};

struct TextOptions {
  GenerateOptions generate = {};
  std::vector<std::string> stop = {};  // any of them ends the text; it is not part of the result
  // Called with each piece of new text that is sure to stay: whole characters, nothing that may begin a stop string.
  // false ends the text.
  std::function<bool(std::string_view)> on_text = {};
};

namespace detail {

// How much of the end of `text` may be the beginning of a stop string, or half a character.
inline std::size_t undecided(std::string_view text, const std::vector<std::string>& stop) {
  std::size_t held = 0;
  for (const auto& s : stop)
    for (std::size_t n = std::min(s.size(), text.size()); n > held; --n)
      if (text.ends_with(std::string_view(s).substr(0, n))) held = n;
  if (text.ends_with("\xEF\xBF\xBD")) held = std::max<std::size_t>(held, 3);  // what decoders show for half of one
  return held;
}

}  // namespace detail

// The continuation of a prompt. Errors: as `encode` and `generate`; an empty prompt.
template <LanguageModel M, TextCodec V>
std::string generate_text(const M& model, const V& codec, std::string_view prompt, const TextOptions& options = {}) {
  std::vector<TokenId> ids;
  std::string text;
  std::size_t shown = 0;
  bool stopped = false;
  const auto show = [&](std::size_t end) {
    if (end <= shown) return true;
    const auto piece = std::string_view(text).substr(shown, end - shown);
    shown = end;
    return !options.on_text || options.on_text(piece);
  };
  GenerateOptions generating = options.generate;
  generating.on_token = [&](TokenId id) {
    if (options.generate.on_token && !options.generate.on_token(id)) return false;
    ids.push_back(id);
    text = codec.decode(ids);
    std::size_t end = std::string::npos;
    for (const auto& s : options.stop) end = std::min(end, text.find(s));
    if (end != std::string::npos) {
      text.resize(end);
      stopped = true;
      show(end);
      return false;
    }
    return show(text.size() - std::min(text.size(), detail::undecided(text, options.stop)));
  };
  const std::vector<TokenId> start = codec.encode(prompt);
  generate(model, std::span(start), generating);
  if (!stopped) show(text.size());
  return text;
}

}  // namespace atom::sample
