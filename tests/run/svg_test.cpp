// SPDX-License-Identifier: Apache-2.0
#include <atom/run/svg.hpp>

#include "../catch.hpp"

#include <numeric>

using namespace atom::run;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

const double gap = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("svg: points land where the axes say") {
  Chart chart{.title = "a < b", .curves = {{.label = "x & y", .x = {0, 100}, .y = {1, 3}}}};
  const std::string text = svg(chart);
  CHECK(count(text, "<svg ") == 1);
  CHECK(count(text, "</svg>") == 1);
  CHECK(count(text, "a &lt; b") == 2);
  CHECK(count(text, "x &amp; y") == 1);
  // 4 % of the range above and below: from (58, 280 - 0.04/1.08 * 236) to the mirrored corner.
  CHECK(count(text, "d=\"M58.0 271.3L742.0 52.7\"") == 1);
  for (const char* tick : {">1<", ">1.5<", ">3<", ">0<", ">100<"}) CHECK(count(text, tick) == 1);
}

TEST_CASE("svg: what is not finite leaves a gap, an empty chart is a chart") {
  const std::string text = svg({.curves = {{.x = {1, 2, 3, 4, 5}, .y = {1, 2, gap, infinity, 3}}}});
  CHECK(count(text, "M") == 2);
  CHECK(count(text, "nan") + count(text, "inf") == 0);
  CHECK(count(svg({}), "</svg>") == 1);
  CHECK(count(svg({.curves = {{.x = {1}, .y = {gap}}}}), "<path d=\"\"") == 1);
  CHECK(count(svg({.curves = {{.x = {7}, .y = {2}}}}), "M") == 1);
  CHECK(count(svg({.curves = {{.x = {1, 2}, .y = {-1, 0}}}, .log_y = true}), "<path d=\"\"") == 1);
}

TEST_CASE("svg: a million points become a small file that keeps the outliers") {
  Curve curve;
  for (int i = 0; i < 1'000'000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i == 500'001 ? 50 : i % 7);
  }
  const std::string text = svg({.curves = {curve}});
  CHECK(text.size() < 60'000);
  CHECK(count(text, " 52.7") >= 1);  // the top of the plot
}

TEST_CASE("svg: logarithmic ticks") {
  CHECK(detail::log_ticks(0.5, 20) == std::vector<double>{0.5, 1, 2, 5, 10, 20});
  CHECK(detail::log_ticks(1, 1e5).size() == 6);
  CHECK(detail::tick_text(0.0005) == "5e-04");
  CHECK(detail::tick_text(0.0015) == "1.5e-03");
  CHECK(detail::tick_text(0.25) == "0.25");
  CHECK(detail::tick_text(1500) == "1500");
  CHECK(detail::tick_text(150'000) == "150k");
}

TEST_CASE("smoothed: the mean of symmetric neighbours") {
  CHECK(smoothed({1, 2, 6, 2, 9}, 2) == std::vector<double>{1, 3, 10.0 / 3, 17.0 / 3, 9});
  const auto with_gap = smoothed({1, gap, 3}, 2);
  CHECK(with_gap[0] == 1);
  CHECK(std::isnan(with_gap[1]));
  CHECK(smoothed({}, 5).empty());
}
