// SPDX-License-Identifier: Apache-2.0
// Conversations as examples for supervised fine-tuning: the text that a model's chat template makes of them, of which
// the assistant's turns are learnt.
#pragma once

#include "../data/examples.hpp"
#include "../io/chat_template.hpp"
#include "../io/tokenizer.hpp"

namespace atom::pretrained {

struct MessageOptions {
  io::Json variables = io::Json::object();  // of the template, such as bos_token, eos_token and enable_thinking
  io::TemplateOptions rendering = {};
};

// A text of which some parts are to be learnt.
struct MarkedText {
  struct Part {
    std::size_t first = 0, last = 0;  // bytes
    friend bool operator==(const Part&, const Part&) = default;
  };
  std::string text;
  std::vector<Part> parts;      // in order
  bool last_turn_only = false;  // there are turns of the assistant before it that are not marked
};

// The text of {"messages": [{"role", ...}, ...], "tools": [...] or nothing, ...} up to its last assistant turn; what
// else the object has is not looked at. A turn is marked from where the generation prompt ends to where the turn ends,
// found by rendering the messages before it and up to it. Where these are no beginnings of the whole text, since the
// template shows earlier turns otherwise than the last one (Qwen3 leaves out what was thought), only the last turn is
// marked. Errors `[where] ...`: no assistant turn; those of the template; a last turn that does not begin with the
// generation prompt.
inline MarkedText mark_turns(const io::ChatTemplate& chat, const io::Json& conversation,
                             const MessageOptions& options = {}, std::string_view where = "messages") {
  const auto& messages = conversation.at("messages").elements(where);
  std::vector<std::size_t> turns;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    check(messages[i].is_object(), where, "message ", i, ": found ", messages[i].kind(), ", expected an object");
    if (messages[i].get<std::string_view>("role") == "assistant") turns.push_back(i);
  }
  check(!turns.empty(), where, "found no message of the role assistant, expected something to learn");

  io::Json variables = options.variables;
  if (const io::Json* tools = conversation.find("tools")) variables.set("tools", *tools);
  const auto rendered = [&](std::size_t count, bool prompt) {
    variables.set("messages", io::Json::Array(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count)));
    variables.set("add_generation_prompt", prompt);
    try {
      return chat.render(variables, options.rendering);
    } catch (const Error& error) {
      fail(where, error.what());
    }
  };

  MarkedText marked{.text = rendered(turns.back() + 1, false), .parts = {}};
  for (const std::size_t turn : turns) {
    const bool last = turn == turns.back();
    const std::string before = rendered(turn, true), after = last ? marked.text : rendered(turn + 1, false);
    if (marked.text.starts_with(after) && after.starts_with(before)) {
      marked.parts.push_back({before.size(), after.size()});
      continue;
    }
    check(!last, where, "the template begins the last turn otherwise than its generation prompt says: found ",
          io::in_quotes(marked.text, 300), ", expected it to begin with ", io::in_quotes(before, 300));
    marked.last_turn_only = true;
  }
  if (marked.last_turn_only) marked.parts = {marked.parts.back()};
  return marked;
}

namespace detail {

// How many ids lie wholly before a place in the text, and which is the first that lies wholly after it. They differ by
// the tokens across it.
struct Border {
  std::size_t before = 0, after = 0;
};

inline std::vector<Border> borders(const io::Tokenizer& tokenizer, std::string_view text,
                                   const std::vector<TokenId>& ids, const std::vector<std::size_t>& places) {
  const auto encode = [&](std::size_t first, std::size_t last) {
    return tokenizer.encode(text.substr(first, last - first), {.add_special = false});
  };
  std::vector<Border> result;
  std::vector<TokenId> joined;
  for (std::size_t i = 0; i <= places.size(); ++i) {
    const auto piece = encode(i == 0 ? 0 : places[i - 1], i == places.size() ? text.size() : places[i]);
    joined.insert(joined.end(), piece.begin(), piece.end());
    if (i < places.size()) result.push_back({joined.size(), joined.size()});
  }
  if (joined == ids) return result;
  // Some token lies across a place, or pieces begin otherwise than what follows in a text.
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto left = encode(0, places[i]), right = encode(places[i], text.size());
    const auto same_left = std::ranges::mismatch(left, ids).in1 - left.begin();
    const auto same_right =
        std::mismatch(right.rbegin(), right.rend(), ids.rbegin(), ids.rend()).first - right.rbegin();
    const auto before = static_cast<std::size_t>(same_left);
    result[i] = {before, before == left.size() ? before : ids.size() - static_cast<std::size_t>(same_right)};
  }
  return result;
}

// Where a turn really ends: with the token that ends it, since what a template puts after that no model writes.
inline std::size_t end_of_turn(const io::Tokenizer& tokenizer, std::string_view turn) {
  std::size_t blank = 0;  // bytes of white space after the last special token
  const auto plain = [&](std::string_view part) {
    blank = part.find_first_not_of(" \t\r\n") == part.npos ? blank + part.size() : 0;
  };
  bool ended = false;
  tokenizer.split_added(turn, plain, [&](const io::AddedToken& token) {
    ended = token.special;
    blank = 0;
  });
  return turn.size() - (ended ? blank : 0);
}

}  // namespace detail

// The text as tokens, special ones found in it; none are put around it, since the template writes what is to be there.
// A token counts if it lies wholly in a marked part, up to the token that ends the turn.
inline data::Example encode(const io::Tokenizer& tokenizer, const MarkedText& marked) {
  data::Example example{tokenizer.encode(marked.text, {.add_special = false}), {}};
  example.counts.resize(example.ids.size());
  std::vector<std::size_t> places;
  for (const auto& [first, last] : marked.parts) {
    places.push_back(first);
    places.push_back(first + detail::end_of_turn(tokenizer, std::string_view(marked.text).substr(first, last - first)));
  }
  const auto borders = detail::borders(tokenizer, marked.text, example.ids, places);
  for (std::size_t i = 0; i < borders.size(); i += 2)
    for (std::size_t at = borders[i].after; at < borders[i + 1].before; ++at) example.counts[at] = true;
  return example;
}

struct Conversations {
  std::vector<data::Example> examples;  // one for each conversation
  Index last_turn_only = 0;             // of how many only the last turn is learnt
};

// The conversations of a JSONL file, one in each line that is not blank. Errors `[PATH:LINE] ...`: not JSON; those of
// mark_turns.
inline Conversations read_messages(const std::string& path, const io::ChatTemplate& chat,
                                   const io::Tokenizer& tokenizer, const MessageOptions& options = {}) {
  const std::string text = io::read_file(path, std::uint64_t{1} << 36U);
  Conversations result;
  Index number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string where = to_text(path, ':', number);
    const MarkedText marked = mark_turns(chat, io::parse_json(line, where), options, where);
    result.examples.push_back(encode(tokenizer, marked));
    result.last_turn_only += marked.last_turn_only ? 1 : 0;
  }
  return result;
}

}  // namespace atom::pretrained
