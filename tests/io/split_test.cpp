// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"

#include <atom/io/split.hpp>

#include <random>
#include <vector>

using namespace atom;
using io::CharClass;

namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text) {
  Words words;
  io::split_gpt2(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

// The pattern word for word, alternative by alternative, on characters.
Words split_by_the_pattern(const std::vector<char32_t>& text) {
  const auto encoded = [&](std::size_t first, std::size_t last) {
    std::string word;
    for (std::size_t i = first; i < last; ++i) append_utf8(word, text[i]);
    return word;
  };
  const auto is = [&](std::size_t i, CharClass wanted) { return i < text.size() && io::class_of(text[i]) == wanted; };
  Words words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    for (const std::string_view tail : {"s", "t", "re", "ve", "m", "ll", "d"})
      if (end == at && text[at] == '\'' && encoded(at + 1, std::min(text.size(), at + 1 + tail.size())) == tail)
        end = at + 1 + tail.size();
    for (const CharClass run : {CharClass::letter, CharClass::number, CharClass::other}) {
      std::size_t i = at + (text[at] == ' ' ? 1 : 0);
      if (end != at || !is(i, run)) continue;
      while (is(i, run)) ++i;
      end = i;
    }
    if (end == at) {
      while (is(end, CharClass::space)) ++end;
      if (end < text.size() && end - at > 1) --end;
    }
    words.push_back(encoded(at, end));
    at = end;
  }
  return words;
}

}  // namespace

TEST_CASE("GPT-2's pattern on text", "[io]") {
  CHECK(split("Hello world's end") == Words{"Hello", " world", "'s", " end"});
  CHECK(split("they'll've 'tis ''s") == Words{"they", "'ll", "'ve", " '", "tis", " ''", "s"});
  CHECK(split("a  b   c") == Words{"a", " ", " b", "  ", " c"});
  CHECK(split("a\n\nb\n c") == Words{"a", "\n", "\n", "b", "\n", " c"});
  CHECK(split("x12y 34!? ...") == Words{"x", "12", "y", " 34", "!?", " ..."});
  CHECK(split("end  ") == Words{"end", "  "});
  CHECK(split(" ") == Words{" "});
  CHECK(split("'") == Words{"'"});
  CHECK(split("'r") == Words{"'", "r"});
  CHECK(split("").empty());
}

TEST_CASE("the splitter is the pattern, on random characters", "[io]") {
  const std::vector<char32_t> characters = {' ',  ' ',  ' ',   '\n', '\t',   '\'',   '\'',   's',   't',    'r',
                                            'e',  'v',  'l',   'm',  'd',    'S',    '1',    '9',   '.',    '-',
                                            0xA0, 0xE9, 0x663, 0xBD, 0x4E2D, 0x3000, 0x200B, 0x301, 0x1F600};
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::vector<char32_t> codes(random() % 24);
    std::string text;
    for (char32_t& code : codes) append_utf8(text, code = characters[random() % characters.size()]);
    const Words words = split(text);
    if (words != split_by_the_pattern(codes)) FAIL_CHECK("differs on '" << text << "'");
  }
}

TEST_CASE("any bytes are split without loss, in linear time", "[io]") {
  std::mt19937 random(8);
  for (int i = 0; i < 20000; ++i) {
    std::string text, joined;
    for (auto length = random() % 16; length > 0; --length) text += static_cast<char>(random() % 2 ? random() : ' ');
    for (const std::string& word : split(text)) {
      CHECK_FALSE(word.empty());
      joined += word;
    }
    if (joined != text) FAIL_CHECK("lost something");
  }
  for (const char c : {' ', 'a', '\'', '\xE4', '1', '.'}) CHECK(split(std::string(3'000'000, c)).size() <= 2);
}
