// SPDX-License-Identifier: Apache-2.0
#include <atom/run/heat_map.hpp>

#include "../catch.hpp"

using namespace atom::run;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// How many cells of one level are drawn.
std::size_t cells(const std::string& text, int level) {
  const auto begin = text.find(atom::to_text("<path class=\"atom-heat atom-heat", level, "\""));
  return begin == text.npos ? 0 : count(text.substr(begin, text.find("/>", begin) - begin), "M");
}

}  // namespace

TEST_CASE("heat map: a cell's colour is its amount over the mean of its column") {
  CHECK(detail::heat_level(1, 1) == 4);
  CHECK(detail::heat_level(10, 10) == 4);
  CHECK(detail::heat_level(2, 1) == 8);
  CHECK(detail::heat_level(100, 1) == 8);
  CHECK(detail::heat_level(0.5, 1) == 0);
  CHECK(detail::heat_level(0, 1) == 0);
  CHECK(detail::heat_level(1.2, 1) == 5);
  CHECK(detail::heat_level(0.84, 1) == 3);

  // Three columns of two rows: even, one-sided, nothing at all.
  const std::string text = svg({.title = "a < b",
                                .x_label = "step",
                                .row_label = "row & more",
                                .x = {1, 2, 3},
                                .columns = {{5, 5}, {8, 0}, {0, 0}},
                                .width = 376});
  CHECK(count(text, "<svg ") == 1);
  CHECK(count(text, "</svg>") == 1);
  CHECK(count(text, "a &lt; b") == 2);
  CHECK(count(text, "row &amp; more") == 1);
  // From left 58 to right 358, each column 100 wide; rows 16 high from 44 on.
  CHECK(count(text, "atom-heat4\" d=\"M58.0 44h100.0v16h-100.0zM58.0 60h100.0v16h-100.0z\"") == 1);
  CHECK(count(text, "atom-heat8\" d=\"M158.0 44h100.0v16h-100.0z\"") == 1);
  CHECK(count(text, "atom-heat0\" d=\"M158.0 60h100.0v16h-100.0z\"") == 1);
  for (int level : {1, 2, 3, 5, 6, 7}) CHECK(cells(text, level) == 0);
}

TEST_CASE("heat map: neighbours of one level are one cell, many columns are added up") {
  HeatMap map;
  for (int step = 1; step <= 100'000; ++step) {
    map.x.push_back(step);
    map.columns.push_back({3, 1, step > 50'000 ? 4.0 : 2.0});
  }
  const std::string text = svg(map);
  CHECK(text.size() < 10'000);
  CHECK(cells(text, 6) + cells(text, 7) + cells(text, 8) >= 2);
  CHECK(count(text, "nan") + count(text, "inf") == 0);
  for (const char* tick : {">0<", ">20.0k<", ">100k<"}) CHECK(count(text, tick) >= 1);
}

TEST_CASE("heat map: whatever is given is a picture") {
  CHECK(count(svg(HeatMap{}), "</svg>") == 1);
  CHECK(count(svg(HeatMap{.x = {5}, .columns = {{1, 2}}}), "</svg>") == 1);
  CHECK(count(svg(HeatMap{.x = {5, 6}, .columns = {{1, 2}}}), "</svg>") == 1);
  CHECK(count(svg(HeatMap{.x = {5, 6}, .columns = {{}, {}}}), "</svg>") == 1);
  const double gap = std::numeric_limits<double>::quiet_NaN();
  const std::string text = svg(HeatMap{.x = {1, 2}, .columns = {{gap, 1}, {1, 2, 3}}});
  CHECK(count(text, "nan") == 0);
  CHECK(count(svg(HeatMap{.x = {1}, .columns = {std::vector<double>(500, 1.0)}}), "</svg>") == 1);
}
