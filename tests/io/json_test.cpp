// SPDX-License-Identifier: Apache-2.0
#include <atom/io/json.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <clocale>

using namespace atom;
using io::Json;
using io::parse_json;

namespace {

std::string round_trip(std::string_view text) { return to_text(parse_json(text, "file")); }

}  // namespace

TEST_CASE("values of every kind are read and written") {
  CHECK(round_trip(" { \"b\" : [ 1 , -2.5 , true , null , \"x\" ] , \"a\" : { } } ") ==
        "{\"b\":[1,-2.5,true,null,\"x\"],\"a\":{}}");
  for (const char* text : {"null", "false", "0", "-9223372036854775808", "18446744073709551615", "0.1", "1e+100", "3.0",
                           "\"\"", "[]", "{}", "[[[]]]", "5e-324"})
    CHECK(round_trip(text) == text);
  CHECK(round_trip("\"\\u00e9\\ud83d\\ude00\\n\\u0001\\/\\\"\\\\\"") == "\"\u00e9\U0001f600\\n\\u0001/\\\"\\\\\"");
  CHECK(to_text(Json::object({{"step", 3}, {"loss", 0.1F}, {"name", "tiny"}, {"ids", std::vector<int>{1, 2}}})) ==
        "{\"step\":3,\"loss\":0.1,\"name\":\"tiny\",\"ids\":[1,2]}");
  CHECK(to_text(Json(std::numeric_limits<double>::infinity())) == "null");
  CHECK(to_pretty_text(Json::object({{"a", Json::Array{1, 2}}, {"b", Json::object()}})) ==
        "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}\n");
  Json built;
  built.set("a", 1).set("b", Json().push_back(1).push_back("x")).set("a", 2);
  CHECK(to_text(built) == "{\"a\":2,\"b\":[1,\"x\"]}");
  CHECK(built == parse_json("{\"a\":2,\"b\":[1,\"x\"]}", "file"));
  CHECK_FALSE(Json(1) == Json(1.0));
  CHECK(Json(nullptr).is_null());
}

TEST_CASE("getters convert, and say what is wrong") {
  const Json config = parse_json(
      R"({"width": 64, "eps": 1e-5, "theta": 10000, "tied": true, "act": "silu", "none": null, "big": 18446744073709551615,
          "ids": [1, 2, 3], "rope": {"factor": "x"}, "half": 2.5})",
      "config.json");
  CHECK(config.get<Index>("width") == 64);
  CHECK(config.get<float>("eps") == 1e-5F);
  CHECK(config.get<double>("theta") == 10000.0);
  CHECK(config.get<bool>("tied"));
  CHECK(config.get<std::string>("act") == "silu");
  CHECK(config.get<std::string_view>("act") == "silu");
  CHECK(config.get<std::uint64_t>("big") == ~std::uint64_t{0});
  CHECK(config.get<std::vector<TokenId>>("ids") == std::vector<TokenId>{1, 2, 3});
  CHECK(config.get_or("heads", 8) == 8);
  CHECK(config.get_or("width", 8) == 64);
  CHECK_FALSE(config.get_optional<int>("none"));
  CHECK_FALSE(config.get_optional<int>("heads"));
  CHECK(config.get_optional<int>("width") == 64);
  CHECK(config.contains("none"));

  CHECK(error_of([] {
          Json::object({{"theta", 1e39}}).get<float>("theta");
        }) == "[json] \"theta\": found 1e+39, expected a smaller number");
  CHECK(error_of([&] { config.get<int>("heads"); }) == "[config.json] \"heads\" is missing");
  CHECK(error_of([&] { config.get<bool>("width"); }) == "[config.json] \"width\": found 64, expected true or false");
  CHECK(error_of([&] { config.get<std::int8_t>("theta"); }) ==
        "[config.json] \"theta\": found 10000, expected an integer in -128..127");
  CHECK(error_of([&] { config.get<Index>("big"); }) ==
        "[config.json] \"big\": found 18446744073709551615, expected an integer in "
        "-9223372036854775808..9223372036854775807");
  CHECK(error_of([&] { config.get<int>("half"); }) ==
        "[config.json] \"half\": found 2.5, expected an integer in -2147483648..2147483647");
  CHECK(error_of([&] { config.get_or("none", 1.0F); }) == "[config.json] \"none\": found null, expected a number");
  CHECK(error_of([&] { config.get<std::vector<std::string>>("ids"); }) ==
        "[config.json] \"ids\": found 1, expected a string");
  CHECK(error_of([&] { config.at("rope").get<float>("factor"); }) ==
        "[config.json] \"factor\": found \"x\", expected a number");
  CHECK(error_of([&] { config.get<int>("rope"); }) ==
        "[config.json] \"rope\": found an object, expected an integer in -2147483648..2147483647");
  CHECK(error_of([&] { config.at("ids").get<int>("x"); }) ==
        "[json] \"x\" is looked up in an array, expected an object");
}

TEST_CASE("what is not strict JSON is refused in one sentence") {
  const auto refused = [](std::string_view text) { return error_of([&] { parse_json(text, "f"); }); };
  CHECK(refused("{\"a\":1,\"a\":2}") == "[f] a name is there twice: \"a\"");
  CHECK(refused("{\"x\":[0,{\"a\":{\"b\":1,\"b\":2}}]}") == "[f] \"x[1].a\": a name is there twice: \"b\"");
  // Publishers write such numbers; whoever asks for an integer is told.
  const auto large = parse_json("[18446744073709551616, -9223372036854775809]", "f");
  CHECK(large.elements()[0].as<double>() == 0x1p64);
  CHECK(large.elements()[1].as<double>() == -0x1p63);
  CHECK_THROWS_WITH(large.elements()[0].as<std::uint64_t>("f"), Catch::Contains("expected an integer"));
  for (const char* text :
       {"",        " ",           "{",        "[1,]",  "{\"a\":1,}", "nul",   "01",  "1.",  "+1",    "\"\t\"",
        "\"\\x\"", "\"\\ud800\"", "\"\xff\"", "[1] 2", "/* c */ 1",  "1e400", "NaN", "'a'", "{1:2}", "{\"a\"}"})
    CHECK(refused(text).starts_with("[f] not JSON at byte "));
  CHECK(refused(std::string(1000000, '[')) ==
        "[f] \"[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
        "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]["
        "0]\": "
        "nested too deep: expected at most 64 levels");
  CHECK(refused("\"" + std::string(100000, 'a')).size() < 300);
  CHECK(refused(std::string_view("{}\0", 3)) == "[f] not JSON at byte 3: a zero byte");
  CHECK(refused("\xef\xbb\xbf{}") == "[f] not JSON at byte 1: a byte order mark");
}

TEST_CASE("the number of values is limited by the size of the text") {
  std::string text = "[0";
  for (int i = 0; i < 200000; ++i) text += ",0";
  text += ']';
  CHECK(error_of([&] { parse_json(text, "f"); }) ==
        "[f] \"[165535]\": too many values: expected at most 165536 in a text of this size");
  CHECK(parse_json(text, "f", {.values = 200000}).elements().size() == 200001);
}

TEST_CASE("an object is read member by member") {
  std::string seen;
  io::parse_json_members(R"({"a": {"x": [1]}, "b": 2, "a": "again"})", "f",
                         [&](std::string& name, Json& value) { seen += to_text(name, '=', value, ' '); });
  CHECK(seen == "a={\"x\":[1]} b=2 a=\"again\" ");
  CHECK(error_of([] { io::parse_json_members("[1]", "f", [](std::string&, Json&) {}); }) ==
        "[f] found an array, expected an object");
}

TEST_CASE("numbers do not depend on the locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) return;
  CHECK(round_trip("[0.5,1e-7]") == "[0.5,1e-07]");
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("every truncation and every flipped bit of a text ends in a value or an error") {
  const std::string text = R"({"a": [1, -2.5e3, true, null, "\u00e9\n"], "b": {"c": {}, "d": 18446744073709551615}})";
  for (std::size_t size = 0; size < text.size(); ++size)
    REQUIRE(error_of([&] { parse_json(text.substr(0, size), "f"); }).starts_with("[f] not JSON at byte "));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    const std::string message = error_of([&] {
      const Json value = parse_json(damaged, "f");
      REQUIRE(parse_json(to_text(value), "f") == value);
    });
    REQUIRE((message == "no error" || message.starts_with("[f] ")));
  }
}
