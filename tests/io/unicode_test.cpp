// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"

#include <atom/io/bpe_alphabet.hpp>
#include <atom/io/unicode.hpp>

using namespace atom;
using io::CharClass;

TEST_CASE("the table's runs ascend, and ASCII's short cut agrees with it", "[io]") {
  std::size_t wrong = 0;
  for (std::size_t i = 1; i < std::size(io::detail::unicode_runs); ++i) {
    wrong += io::detail::unicode_runs[i - 1] >> 2U >= io::detail::unicode_runs[i] >> 2U;
    wrong += (io::detail::unicode_runs[i - 1] & 3U) == (io::detail::unicode_runs[i] & 3U);
  }
  CHECK(wrong == 0);
  for (char32_t code = 0; code < 0x80; ++code) {
    const auto* after =
        std::upper_bound(std::begin(io::detail::unicode_runs), std::end(io::detail::unicode_runs), code << 2U | 3U);
    CHECK(io::class_of(code) == static_cast<CharClass>(after[-1] & 3U));
  }
}

TEST_CASE("classes that are easily taken wrong", "[io]") {
  for (const char32_t code : {U'\u00AA', U'\u00E9', U'\u4E2D', U'\u03B0', char32_t{0x105C0}})
    CHECK(io::class_of(code) == CharClass::letter);
  for (const char32_t code : {U'\u0663', U'\u00BD', U'\u2163', U'\u3007'})
    CHECK(io::class_of(code) == CharClass::number);
  for (const char32_t code : {U'\u0085', U'\u00A0', U'\u3000', U'\u2028', U'\u202F'})
    CHECK(io::class_of(code) == CharClass::space);
  // Separators that are controls, zero width, a combining mark, an emoji, no character, beyond Unicode.
  for (const char32_t code :
       {char32_t{0x1C}, U'\u200B', U'\uFEFF', U'\u0301', U'\U0001F600', no_character, char32_t{0x110000}})
    CHECK(io::class_of(code) == CharClass::other);
}

TEST_CASE("how many characters each class has in Unicode 16.0", "[io]") {
  std::array<int, 4> count{};
  for (char32_t code = 0; code < 0x110000; ++code) ++count[static_cast<std::size_t>(io::class_of(code))];
  CHECK(count[1] == 141028);
  CHECK(count[2] == 1911);
  CHECK(count[3] == 25);
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
