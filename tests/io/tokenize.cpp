// SPDX-License-Identifier: Apache-2.0
// Compares a tokenizer with published encodings.
//
//   tokenize TOKENIZER.json|tiktoken.model|FILE.gguf CASES.json...
//
// CASES.json is a list of cases (`text`, `ids`, optional `decoded`, `decoded_plain`, `add_special`; without `text` ids
// are only decoded), or an object with `blocks` of scalars and the sha256 of their ids. The last line is
// `N passed, N failed`; the status is 1 if any failed.
#include "sha256.hpp"

#include <atom/io/gguf.hpp>
#include <atom/io/gguf_tokenizer.hpp>
#include <atom/io/tiktoken.hpp>
#include <atom/io/tokenizer_json.hpp>

#include <cstdio>

using namespace atom;

namespace {

int passed = 0, failed = 0;

void count(bool good, const std::string& what) {
  ++(good ? passed : failed);
  if (!good && failed <= 20) std::printf("failed: %s\n", what.c_str());
}

std::string shown(std::span<const TokenId> ids) {
  std::string text;
  for (const TokenId id : ids.first(std::min<std::size_t>(ids.size(), 60))) append_text(text += ' ', id);
  return text;
}

// Decoding token by token gives whole characters, and together the same.
bool streams(const io::Tokenizer& tokenizer, std::span<const TokenId> ids, io::DecodeOptions options,
             const std::string& expected) {
  io::StreamDecoder stream(tokenizer, options);
  std::string joined;
  const auto add = [&](std::string_view part) {
    for (std::size_t at = 0; at < part.size();) {
      const auto character = utf8_at(part, at);
      if (character.code == no_character) return false;
      at += character.length;
    }
    joined += part;
    return true;
  };
  for (const TokenId id : ids)
    if (!add(stream.push(id))) return false;
  return add(stream.finish()) && joined == expected;
}

void run_case(const io::Tokenizer& tokenizer, const io::Json& entry, std::size_t index) {
  const auto text = entry.get_optional<std::string>("text");
  const auto expected = entry.get<std::vector<TokenId>>("ids");
  std::string what;
  const auto ids = text ? tokenizer.encode(*text, {.add_special = entry.get_or("add_special", true)}) : expected;
  if (ids != expected) what += "\n  ids     " + shown(ids) + "\n  expected" + shown(expected);
  const auto decode = [&](const char* name, std::string wanted, io::DecodeOptions options) {
    const std::string decoded = tokenizer.decode(expected, options);
    if (decoded != wanted)
      what += to_text("\n  ", name, " ", io::in_quotes(decoded, 300), ", expected ", io::in_quotes(wanted, 300));
    else if (!streams(tokenizer, expected, options, wanted))
      what += to_text("\n  ", name, " differs as a stream");
  };
  if (const auto decoded = entry.get_optional<std::string>("decoded")) {
    decode("decoded", *decoded, {});
    decode("decoded_plain", entry.get_optional<std::string>("decoded_plain").value_or(*decoded),
           {.skip_special = true});
  }
  count(what.empty(), to_text("case ", index, " ", io::in_quotes(text.value_or(""), 200), what));
}

void run_block(const io::Tokenizer& tokenizer, const io::Json& block) {
  const auto first = block.get<std::uint32_t>("first"), last = block.get<std::uint32_t>("last");
  std::string bytes;
  for (char32_t code = first; code <= last; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string character, text = "a";
    append_utf8(character, code);
    text += character + "b 1" + character;
    for (const TokenId id : tokenizer.encode(text, {.add_special = false}))
      for (unsigned shift = 0; shift < 32; shift += 8)
        bytes += static_cast<char>(static_cast<std::uint32_t>(id) >> shift & 255U);
  }
  count(sha256(bytes) == block.get<std::string>("sha256"), to_text("scalars from ", first, " to ", last));
}

io::Tokenizer load(const std::string& path) {
  if (path.ends_with(".model")) return io::load_tiktoken(path);
  if (path.ends_with(".gguf")) return io::gguf_tokenizer(io::Gguf(path).metadata(), path);
  return io::load_tokenizer(path);
}

}  // namespace

int main(int count_of, char** arguments) {
  if (count_of < 3) {
    std::fprintf(stderr, "usage: tokenize TOKENIZER.json|tiktoken.model|FILE.gguf CASES.json...\n");
    return 2;
  }
  try {
    const io::Tokenizer tokenizer = load(arguments[1]);
    for (int i = 2; i < count_of; ++i) {
      const io::Json cases = io::read_json(arguments[i]);
      if (cases.is_object()) {
        for (const io::Json& block : cases.at("blocks").elements()) run_block(tokenizer, block);
      } else {
        for (const io::Json& entry : cases.elements())
          run_case(tokenizer, entry, static_cast<std::size_t>(&entry - cases.elements().data()));
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
