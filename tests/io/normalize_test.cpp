// SPDX-License-Identifier: Apache-2.0
#include <atom/io/normalize.hpp>

#include "../catch.hpp"

using namespace atom;

namespace {

std::string nfc(std::string_view text) {
  std::string composed;
  io::append_nfc(composed, text);
  return composed;
}

}  // namespace

TEST_CASE("canonical composition", "[io]") {
  CHECK(nfc("").empty());
  CHECK(nfc("plain") == "plain");
  CHECK(nfc("e\u0301te\u0301") == "\u00E9t\u00E9");
  CHECK(nfc("A\u030A \u212B") == "\u00C5 \u00C5");
  CHECK(nfc("\u2126\uF900") == "\u03A9\u8C48");
  CHECK(nfc("a\u0301\u0323") == "\u1EA1\u0301");  // reordered, then composed
  CHECK(nfc("s\u0323\u0307") == "\u1E69");
  CHECK(nfc("\u1E9B\u0323") == "\u1E9B\u0323");
  CHECK(nfc("\u0958") == "\u0915\u093C");  // excluded from composition
  CHECK(nfc("\u1100\u1161\u11A8\uAC00\u11A8") == "\uAC01\uAC01");
  CHECK(nfc("\u09C7\u09BE") == "\u09CB");
  CHECK(nfc("\u0344") == "\u0308\u0301");
  CHECK(nfc("\u0301a") == "\u0301a");
  CHECK(nfc("a\xFF\u0301") == "a\xFF\u0301");  // bytes that are not UTF-8 stay
  CHECK(nfc("\xE4\xB8") == "\xE4\xB8");
  CHECK(nfc("\U000105D2\u0307") == "\U000105D2\u0307");  // composes only since Unicode 16
}

TEST_CASE("composition of composed text changes nothing, and long runs of marks are no trap", "[io]") {
  std::string text;
  for (char32_t code = 0x80; code < 0x3000; ++code) append_utf8(text, code);
  const std::string once = nfc(text);
  CHECK(nfc(once) == once);
  std::string marks = "a";
  for (int i = 0; i < 200'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  CHECK(nfc(marks).size() == marks.size());  // a and the first dot below become one letter of 3 bytes
}
