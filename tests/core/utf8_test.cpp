// SPDX-License-Identifier: Apache-2.0
#include <atom/core/utf8.hpp>

#include "../catch.hpp"

using namespace atom;

TEST_CASE("every scalar value goes to UTF-8 and back", "[core]") {
  std::size_t wrong = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(text, code);
    const auto length = text.size();
    text += '\x80';  // bytes behind it do not matter
    const auto [found, used, cut] = utf8_at(text, 0);
    wrong += found != code || used != length || cut;
    for (std::size_t kept = 1; kept < length; ++kept) {
      const auto part = utf8_at(std::string_view(text).substr(0, kept), 0);
      wrong += part.code != no_character || part.length != kept || !part.cut;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bad bytes are taken in the standard's maximal parts", "[core]") {
  const auto lengths = [](std::string_view text) {
    std::string found;
    for (std::size_t at = 0; at < text.size();) {
      const auto character = utf8_at(text, at);
      found += character.code == no_character ? '?' : '.';
      found += static_cast<char>('0' + character.length);
      at += character.length;
    }
    return found;
  };
  CHECK(lengths("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == "?1?1?1?1?1?1?1?1.1");  // overlong
  CHECK(lengths("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == "?1?1?1?1?1?1?1?1.1");  // surrogates
  CHECK(lengths("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == "?1?1?1?1?1.1?1?1.1");  // beyond the last code
  CHECK(lengths("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == "?2?1?3?2.1");          // cut characters
}

TEST_CASE("characters in messages", "[core]") {
  CHECK(describe_character('x') == "'x' (U+0078)");
  CHECK(describe_character('\t') == "U+0009");
  CHECK(describe_character(0x85) == "U+0085");
  CHECK(describe_character(0x1F600) == "'\xF0\x9F\x98\x80' (U+1F600)");
  CHECK(describe_character(0x10FFFF) == "'\xF4\x8F\xBF\xBF' (U+10FFFF)");
}
