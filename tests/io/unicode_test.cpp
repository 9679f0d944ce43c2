// SPDX-License-Identifier: Apache-2.0
#include <atom/io/unicode.hpp>

#include "../catch.hpp"

#include <atom/io/bpe_alphabet.hpp>

using namespace atom;
namespace chars = io::chars;

TEST_CASE("classes that are easily taken wrong", "[io]") {
  const auto is = [](char32_t code, io::CharSet set) { return (io::char_set(code) & set) != 0; };
  for (const char32_t code : {U'a', U'\u00AA', U'\u00E9', U'\u4E2D', U'\u03B0', char32_t{0x105C0}})
    CHECK(is(code, chars::letter));
  for (const char32_t code : {U'7', U'\u0663', U'\u00BD', U'\u2163', U'\u3007'}) CHECK(is(code, chars::number));
  for (const char32_t code : {U' ', U'\u0085', U'\u00A0', U'\u3000', U'\u2028', U'\u202F'})
    CHECK(is(code, chars::space));
  // Separators that are controls, zero width, a letter of Unicode 17, no character, beyond Unicode.
  for (const char32_t code :
       {char32_t{0x1C}, U'\u200B', U'\uFEFF', char32_t{0x10940}, no_character, char32_t{0x110000}})
    CHECK(is(code, chars::other));
  CHECK(is(0x301, chars::mark));
  CHECK(is(0x1F600, chars::symbol));
  CHECK(is(0x3002, chars::punctuation));
  CHECK(is(0x1C5, chars::title));
  CHECK(is(0x2B0, chars::modifier));
  for (const char32_t code : {U'\u4E2D', U'\u2E80', U'\u3007'}) CHECK(is(code, chars::han));
  for (const char32_t code : {U'_', U'9', U'\u0301', U'\u200D', U'\u24D0'}) CHECK(is(code, chars::word));
  CHECK_FALSE(is(0xBD, chars::word));
}

TEST_CASE("how many characters each class has in Unicode 16.0", "[io]") {
  std::array<int, 13> count{};
  int wrong = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    const io::CharSet set = io::char_set(code);
    for (unsigned bit = 0; bit < count.size(); ++bit) count[bit] += set >> bit & 1U;
    wrong += std::popcount(set & chars::any) != 1;
  }
  CHECK(wrong == 0);
  CHECK(count[1] == 25);
  CHECK(count[2] == 1911);
  CHECK(count[6] + count[7] + count[8] + count[9] + count[10] == 141028);
}

TEST_CASE("bytes have letters", "[io]") {
  CHECK(io::spell_bytes(" the\n") == "\xC4\xA0the\xC4\x8A");
  std::string all, bytes;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  REQUIRE(io::unspell_bytes(io::spell_bytes(all), bytes));
  CHECK(bytes == all);
  CHECK_FALSE(io::unspell_bytes("a b", bytes));
  CHECK_FALSE(io::unspell_bytes("\xE4\xB8\xAD", bytes));
  CHECK_FALSE(io::unspell_bytes("a\x80", bytes));
  CHECK(io::bytes_by_letter[0] == '!');
  CHECK(io::bytes_by_letter[188] == 0);
  CHECK(io::bytes_by_letter[220] == ' ');
  CHECK(io::bytes_by_letter[255] == 0xAD);
}
