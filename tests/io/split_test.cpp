// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"

#include <atom/io/split_patterns.hpp>

#include <random>
#include <vector>

using namespace atom;
namespace chars = io::chars;
using io::CharSet;
using io::Splitter;

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
  const auto is = [&](std::size_t i, CharSet wanted) {
    return i < text.size() && (io::char_set(text[i]) & wanted) != 0;
  };
  Words words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    for (const std::string_view tail : {"s", "t", "re", "ve", "m", "ll", "d"})
      if (end == at && text[at] == '\'' && encoded(at + 1, std::min(text.size(), at + 1 + tail.size())) == tail)
        end = at + 1 + tail.size();
    constexpr CharSet rest = chars::any & ~(chars::letter | chars::number | chars::space);
    for (const CharSet run : {chars::letter, chars::number, rest}) {
      std::size_t i = at + (text[at] == ' ' ? 1 : 0);
      if (end != at || !is(i, run)) continue;
      while (is(i, run)) ++i;
      end = i;
    }
    if (end == at) {
      while (is(end, chars::space)) ++end;
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

TEST_CASE("any bytes are split without loss, in linear time, by every splitter", "[io]") {
  constexpr std::string_view pieces[] = {"a",
                                         "B",
                                         " ",
                                         "\n",
                                         "\r",
                                         "1",
                                         ".",
                                         "'",
                                         "\xE4",
                                         "\xE4\xB8\xAD",
                                         "\xC3\xA9",
                                         "\xCC\x81",
                                         "\xE2\x96\x81",
                                         "\xE3\x81\x82",
                                         "\xC7\x85",
                                         "$",
                                         "\xE3\x80\x80"};
  std::mt19937 random(8);
  for (int splitter = 0; splitter <= static_cast<int>(Splitter::marked_words); ++splitter) {
    const std::vector<Splitter> splitters = {static_cast<Splitter>(splitter)};
    for (int i = 0; i < 2000; ++i) {
      std::string text, joined;
      for (auto length = random() % 16; length > 0; --length) text += pieces[random() % std::size(pieces)];
      bool empty = false;
      io::split_text(splitters, text, [&](std::string_view word) {
        empty = empty || word.empty();
        joined += word;
      });
      if (joined != text || empty) FAIL_CHECK("splitter " << splitter << " lost something");
    }
    for (const std::string_view piece : pieces) {
      std::string text;
      while (text.size() < 300'000) text += piece;
      std::size_t size = 0;
      for (const std::string_view end : {"", "x", " ", "\n"})
        io::split_text(splitters, text + std::string(end), [&](std::string_view word) { size += word.size(); });
      CHECK(size == 4 * text.size() + 3);
    }
  }
}

TEST_CASE("each pattern on text", "[io]") {
  const auto words = [](std::vector<Splitter> splitters, std::string_view text) {
    std::string joined;
    io::split_text(splitters, text, [&](std::string_view word) { (joined += joined.empty() ? "" : "|") += word; });
    return joined;
  };
  using enum Splitter;
  const std::string text = "It'S  naïve: 1234 DogsCats\n\n x";
  CHECK(words({llama3}, text) == "It|'S| | naïve|:| |123|4| DogsCats|\n\n| x");
  CHECK(words({qwen2}, text) == "It|'S| | naïve|:| |1|2|3|4| DogsCats|\n\n| x");
  CHECK(words({gpt4o}, text) == "It'S| | naïve|:| |123|4| Dogs|Cats|\n\n| x");
  CHECK(words({tekken}, text) == "It|'S| | naïve|:| |1|2|3|4| Dogs|Cats|\n\n| x");
  CHECK(words({deepseek3}, text) == "It|'S| | naïve|:| |1234| DogsCats|\n\n| x");
  CHECK(words({kimi}, "abc中文def 中 文") == "abc|中文|def| |中| |文");
  CHECK(words({bloom}, "a, b (c) d") == "a|,| b| (|c|)| d");
  CHECK(words({line_breaks, letters, punctuation, east_asian, digit}, "a b, 12\n中") == "a| b|,| |1|2|\n|中");
  CHECK(words({end_spaces}, "a  b  \n") == "a  b|  \n");
  CHECK(words({end_spaces}, "a \n b") == "a| |\n b");
  CHECK(words({symbols, gpt2, digits, three_digits}, "a+=1234") == "a|+=|123|4");
  CHECK(words({lines}, "a\n\nb") == "a|\n\n|b");
  CHECK(words({marked_words}, "▁a▁▁b") == "▁a|▁▁b");
  CHECK(words({space_marks}, "a▁▁b") == "a|▁|▁b");
  // What can be capital or small: the word ends with the last such letter before a capital.
  CHECK(words({gpt4o}, "AʰB") == "Aʰ|B");
  CHECK(words({gpt4o}, "éÉaÉ") == "é|Éa|É");
}

TEST_CASE("patterns are known by their text, with line breaks spelled or not", "[io]") {
  CHECK(io::splitter_of_pattern(R"([\r\n])") == Splitter::line_breaks);
  CHECK(io::splitter_of_pattern("[\r\n]") == Splitter::line_breaks);
  CHECK_FALSE(io::splitter_of_pattern(R"([\n])").has_value());
  for (int i = 1; i < static_cast<int>(Splitter::space_marks); ++i)
    CHECK(io::splitter_of_pattern(io::pattern_of(static_cast<Splitter>(i))) == static_cast<Splitter>(i));
}
