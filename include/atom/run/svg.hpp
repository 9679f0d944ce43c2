// SPDX-License-Identifier: Apache-2.0
// Line charts as SVG text, for a file of their own or inside a page: no fonts, scripts or files from elsewhere.
// Points that are not finite leave a gap; long curves are thinned to what a chart can show.
#pragma once

#include "text.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace atom::run {

struct Curve {
  enum class Style { line, faint, marked, dashed };  // marked: with a dot at each point that tells its value
  std::string label = {};                            // empty: not in the legend
  int color = 0;                                     // 0 blue, 1 orange, 2 green, 3 violet
  Style style = Style::line;
  std::vector<double> x = {}, y = {};  // of equal length, x not falling
};

struct Chart {
  std::string title = {};
  std::string x_label = {};
  std::vector<Curve> curves = {};
  bool log_y = false;  // values <= 0 are left out
  int width = 760, height = 320;
};

// Text that may stand in HTML and SVG, in attributes too.
inline std::string escape_html(std::string_view text) {
  std::string result;
  for (const char letter : valid_utf8(text)) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '&')
      result += "&amp;";
    else if (letter == '<')
      result += "&lt;";
    else if (letter == '>')
      result += "&gt;";
    else if (letter == '"')
      result += "&quot;";
    else if (code >= 0x20 || letter == '\n' || letter == '\t')
      result += letter;
    else
      result += replacement_text;  // control characters may stand in no document
  }
  return result;
}

// The mean of up to `span` neighbours around each point, as many on one side as on the other, so nothing is shifted.
// What is not finite stays as it is and enters no mean.
inline std::vector<double> smoothed(const std::vector<double>& y, std::size_t span) {
  std::vector<double> sums(y.size() + 1), counts(y.size() + 1), result(y);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool finite = std::isfinite(y[i]);
    sums[i + 1] = sums[i] + (finite ? y[i] : 0);
    counts[i + 1] = counts[i] + (finite ? 1 : 0);
  }
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t side = std::min({i, y.size() - 1 - i, span / 2});
    if (std::isfinite(y[i]))
      result[i] = (sums[i + side + 1] - sums[i - side]) / (counts[i + side + 1] - counts[i - side]);
  }
  return result;
}

namespace detail {

// Round numbers inside [low, high], about `wanted` of them: steps of 1, 2 or 5 times a power of ten.
inline std::vector<double> linear_ticks(double low, double high, int wanted) {
  const double raw = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step && ticks.size() < 100; ++i)
    ticks.push_back(i * step);
  return ticks;
}

// 1, 2, 5 times powers of ten; only the powers where there are many.
inline std::vector<double> log_ticks(double low, double high) {
  std::vector<double> ticks;
  const bool many = std::log10(high / low) > 3;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high && ticks.size() < 100; power *= 10)
    for (const double digit : {1.0, 2.0, 5.0})
      if (digit * power >= low && digit * power <= high && (digit == 1 || !many)) ticks.push_back(digit * power);
  return ticks;
}

inline std::string tick_text(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 10'000) return compact(value);
  if (size < 0.0099) {
    std::string text = scientific(value, 1);
    if (const auto zero = text.find(".0"); zero != text.npos) text.erase(zero, 2);
    return text;
  }
  std::string text = fixed(value, size >= 100 ? 0 : size >= 1 ? 2 : 4);
  if (text.find('.') != text.npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

// Linear map of [low, high] to [from, to], through the logarithm where asked.
struct Axis {
  double low, high, from, to;
  bool log = false;

  double scaled(double value) const { return log ? std::log(value) : value; }
  double operator()(double value) const {
    return from + (scaled(value) - scaled(low)) / (scaled(high) - scaled(low)) * (to - from);
  }
};

// The extent of all values `get` gives of the curves, widened where it is a point; {0, 1} of nothing.
template <class Get> Axis extent(const Chart& chart, Get get, bool log) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& curve : chart.curves)
    for (const double value : get(curve))
      if (std::isfinite(value) && (!log || value > 0)) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
  if (low > high) return {log ? 0.1 : 0.0, 1, 0, 1, log};
  if (high - low <= 1e-12 * std::abs(high)) {
    const double margin = low == 0 ? 1 : 0.1 * std::abs(low);
    return {low - margin, high + margin, 0, 1, log};
  }
  return {low, high, 0, 1, log};
}

inline void append_path(std::string& out, const Curve& curve, const Axis& x, const Axis& y) {
  // Of each stretch that falls on one column only the lowest and highest point are drawn, in their order.
  const std::size_t count = std::min(curve.x.size(), curve.y.size());
  const std::size_t stretch = std::max<std::size_t>(count / 700, 1);
  const auto drawable = [&](std::size_t i) {
    return std::isfinite(curve.x[i]) && std::isfinite(curve.y[i]) && (!y.log || curve.y[i] > 0);
  };
  bool pen_down = false;
  const auto point = [&](std::size_t i) {
    out += to_text(pen_down ? 'L' : 'M', fixed(x(curve.x[i]), 1), ' ', fixed(y(curve.y[i]), 1));
    pen_down = true;
  };
  out += "<path d=\"";
  for (std::size_t begin = 0; begin < count; begin += stretch) {
    std::size_t low = count, high = count;
    for (std::size_t i = begin; i < std::min(begin + stretch, count); ++i) {
      if (!drawable(i)) continue;
      if (low == count || curve.y[i] < curve.y[low]) low = i;
      if (high == count || curve.y[i] > curve.y[high]) high = i;
    }
    if (low == count) {
      pen_down = false;
      continue;
    }
    point(std::min(low, high));
    if (low != high) point(std::max(low, high));
  }
  constexpr std::string_view style[] = {"", " atom-faint", "", " atom-dashed"};
  out += to_text("\" class=\"atom-line atom-stroke", curve.color, style[static_cast<int>(curve.style)], "\"/>\n");
  if (curve.style != Curve::Style::marked) return;
  for (std::size_t i = 0; i < count; i += stretch)
    if (drawable(i))
      out += to_text("<circle cx=\"", fixed(x(curve.x[i]), 1), "\" cy=\"", fixed(y(curve.y[i]), 1),
                     "\" r=\"2.6\" class=\"atom-fill", curve.color, "\"><title>", escape_html(curve.label), " ",
                     fixed(curve.y[i], 4), " at ", tick_text(curve.x[i]), "</title></circle>\n");
}

inline constexpr std::string_view svg_style = R"(<style>
.atom-back{fill:#fff}.atom-text{fill:#4b5563;font:11px system-ui,sans-serif}.atom-title{fill:#111827;font-weight:600;font-size:14px}
.atom-grid{stroke:#e5e7eb}.atom-line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.atom-faint{stroke-opacity:.28;stroke-width:1}.atom-dashed{stroke-dasharray:6 5;stroke-width:1.4}
.atom-stroke0{stroke:#2563eb}.atom-stroke1{stroke:#ea580c}.atom-stroke2{stroke:#059669}.atom-stroke3{stroke:#9333ea}
.atom-fill0{fill:#2563eb}.atom-fill1{fill:#ea580c}.atom-fill2{fill:#059669}.atom-fill3{fill:#9333ea}
@media(prefers-color-scheme:dark){.atom-back{fill:#161b26}.atom-text{fill:#9ca3af}.atom-title{fill:#f3f4f6}.atom-grid{stroke:#2b3342}
.atom-stroke0{stroke:#60a5fa}.atom-stroke1{stroke:#fb923c}.atom-stroke2{stroke:#34d399}.atom-stroke3{stroke:#c084fc}
.atom-fill0{fill:#60a5fa}.atom-fill1{fill:#fb923c}.atom-fill2{fill:#34d399}.atom-fill3{fill:#c084fc}}
</style>
)";

// An <svg> element in the making: back and title, to which the rest is added.
struct Drawing {
  std::string out;

  Drawing(std::string_view title, int width, int height)
      : out(to_text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", width, ' ', height,
                    "\" role=\"img\" aria-label=\"", escape_html(title), "\">\n", svg_style,
                    "<rect width=\"100%\" height=\"100%\" class=\"atom-back\"/>\n")) {
    text(16, 24, "start", title, " atom-title");
  }
  void text(double x, double y, std::string_view anchor, std::string_view words, std::string_view more = "") {
    out += to_text("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor,
                   "\" class=\"atom-text", more, "\">", escape_html(words), "</text>\n");
  }
  void rule(double x1, double y1, double x2, double y2) {
    out += to_text("<line x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1), "\" y2=\"",
                   fixed(y2, 1), "\" class=\"atom-grid\"/>\n");
  }
  void ticks_below(const Axis& x, double bottom) {
    for (const double tick : linear_ticks(x.low, x.high, 8)) {
      rule(x(tick), bottom, x(tick), bottom + 4);
      text(x(tick), bottom + 17, "middle", tick_text(tick));
    }
  }
};

}  // namespace detail

// The chart as one <svg> element.
inline std::string svg(const Chart& chart) {
  using detail::Axis;
  const double left = 58, right = chart.width - 18.0, top = 44, bottom = chart.height - 40.0;
  Axis x = detail::extent(
      chart, [](const Curve& c) -> const std::vector<double>& { return c.x; }, false);
  Axis y = detail::extent(
      chart, [](const Curve& c) -> const std::vector<double>& { return c.y; }, chart.log_y);
  x.from = left, x.to = right, y.from = bottom, y.to = top;
  const double margin = y.log ? 0 : 0.04 * (y.high - y.low);
  y.low -= margin, y.high += margin;

  detail::Drawing drawing(chart.title, chart.width, chart.height);
  std::string& out = drawing.out;
  drawing.text(right, chart.height - 8.0, "end", chart.x_label);
  std::vector<double> ticks = y.log ? detail::log_ticks(y.low, y.high) : std::vector<double>();
  if (ticks.size() < 3) ticks = detail::linear_ticks(y.low, y.high, 5);
  for (const double tick : ticks) {
    drawing.rule(left, y(tick), right, y(tick));
    drawing.text(left - 8, y(tick) + 4, "end", detail::tick_text(tick));
  }
  drawing.ticks_below(x, bottom);
  for (const Curve& curve : chart.curves) detail::append_path(out, curve, x, y);

  double at = right;  // the legend grows from the right
  for (auto curve = chart.curves.rbegin(); curve != chart.curves.rend(); ++curve) {
    if (curve->label.empty()) continue;
    drawing.text(at, 24, "end", curve->label);
    at -= 5.8 * static_cast<double>(curve->label.size()) + 6;
    out += to_text("<rect x=\"", fixed(at - 12, 1), "\" y=\"18\" width=\"12\" height=\"4\" rx=\"2\" class=\"atom-fill",
                   curve->color, "\"/>\n");
    at -= 26;
  }
  return out + "</svg>\n";
}

}  // namespace atom::run
