// SPDX-License-Identifier: Apache-2.0
// Heat maps as SVG text, in the style of svg.hpp: how a total is shared out over time, such as tokens among experts.
#pragma once

#include "svg.hpp"

namespace atom::run {

// A column for each moment, a row for each part. The colour is a part's amount over the mean of its column: grey where
// they are equal, blue below, orange above, in steps of a quarter octave up to half and twice the mean.
struct HeatMap {
  std::string title = {};
  std::string x_label = {}, row_label = {}, scale_label = {};
  std::vector<double> x = {};                     // of each column, rising
  std::vector<std::vector<double>> columns = {};  // [column][row], amounts >= 0, of equal length
  int width = 760;                                // the height follows from the rows
};

namespace detail {

inline constexpr int heat_levels = 9;

// 0 for half the mean and less, 4 for the mean, 8 for twice the mean and more.
inline int heat_level(double amount, double mean) {
  if (!(amount > 0)) return 0;
  return static_cast<int>(std::clamp(std::round(4 * std::log2(amount / mean)), -4.0, 4.0)) + 4;
}

inline constexpr std::string_view heat_style = R"(<style>
.atom-heat{shape-rendering:crispEdges}.atom-heat0{fill:#1e40af}.atom-heat1{fill:#3b82f6}.atom-heat2{fill:#93c5fd}
.atom-heat3{fill:#dbeafe}.atom-heat4{fill:#eef0f3}.atom-heat5{fill:#ffedd5}.atom-heat6{fill:#fdba74}.atom-heat7{fill:#ea580c}
.atom-heat8{fill:#7c2d12}
@media(prefers-color-scheme:dark){.atom-heat0{fill:#93c5fd}.atom-heat1{fill:#3b82f6}.atom-heat2{fill:#1d4ed8}
.atom-heat3{fill:#1f3560}.atom-heat4{fill:#262e3d}.atom-heat5{fill:#5c351b}.atom-heat6{fill:#c2560f}.atom-heat7{fill:#f97316}
.atom-heat8{fill:#fdba74}}
</style>
)";

// The first `count` columns, each `stretch` neighbours added up.
inline std::vector<std::vector<double>> binned(const HeatMap& map, std::size_t count, std::size_t stretch) {
  std::vector<std::vector<double>> bins;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& column = map.columns[i];
    if (i % stretch == 0) bins.emplace_back(map.columns.front().size());
    for (std::size_t row = 0; row < std::min(column.size(), bins.back().size()); ++row)
      if (std::isfinite(column[row])) bins.back()[row] += column[row];
  }
  return bins;
}

}  // namespace detail

// The map as one <svg> element. Columns in which nothing is shared out are left blank.
inline std::string svg(const HeatMap& map) {
  const std::size_t count = std::min(map.columns.size(), map.x.size());
  const std::size_t rows = count == 0 ? 0 : map.columns.front().size();
  const double row_height = rows == 0 ? 16 : std::clamp(std::floor(360 / static_cast<double>(rows)), 2.0, 16.0);
  const double left = 58, right = map.width - 18.0, top = 44;
  const double bottom = top + row_height * static_cast<double>(std::max<std::size_t>(rows, 1));
  detail::Drawing drawing(map.title, map.width, static_cast<int>(bottom) + 40);
  drawing.out += detail::heat_style;

  // Cells of one level are one path. More columns than can be told apart are added up.
  const std::size_t stretch = count / 241 + 1;
  const auto bins = detail::binned(map, count, stretch);
  const auto edge = [&](std::size_t bin) {
    return left + (right - left) * static_cast<double>(std::min(bin * stretch, count)) / static_cast<double>(count);
  };
  std::vector<std::string> paths(detail::heat_levels);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto level_of = [&](std::size_t bin) {
      double total = 0;
      for (const double amount : bins[bin]) total += amount;
      return total > 0 ? detail::heat_level(bins[bin][row], total / static_cast<double>(rows)) : -1;
    };
    for (std::size_t bin = 0, next = 0; bin < bins.size(); bin = next) {
      const int level = level_of(bin);
      for (next = bin + 1; next < bins.size() && level_of(next) == level;) ++next;
      if (level < 0) continue;
      const double from = edge(bin), y = top + row_height * static_cast<double>(row);
      paths[static_cast<std::size_t>(level)] +=
          to_text('M', fixed(from, 1), ' ', fixed(y, 0), 'h', fixed(edge(next) - from, 1), 'v', fixed(row_height, 0),
                  'h', fixed(from - edge(next), 1), 'z');
    }
  }
  for (std::size_t level = 0; level < paths.size(); ++level)
    if (!paths[level].empty())
      drawing.out += to_text("<path class=\"atom-heat atom-heat", level, "\" d=\"", paths[level], "\"/>\n");

  // Rows are numbered at their middle, each or as many as there is room for.
  if (rows > 0)
    for (const double row :
         detail::linear_ticks(0, static_cast<double>(rows) - 0.5, row_height >= 11 ? static_cast<int>(rows) : 8))
      if (row == std::floor(row))
        drawing.text(left - 8, top + row_height * (row + 0.5) + 4, "end", detail::tick_text(row));
  if (count > 0) {
    const double half = count > 1 ? (map.x[count - 1] - map.x[0]) / static_cast<double>(count - 1) / 2 : 0.5;
    drawing.ticks_below({map.x[0] - half, map.x[count - 1] + half, left, right}, bottom);
  }
  drawing.text(16, bottom + 32, "start", map.row_label);
  drawing.text(right, bottom + 32, "end", map.x_label);

  drawing.text(right, 24, "end", "2");
  for (int level = 0; level < detail::heat_levels; ++level)
    drawing.out += to_text("<rect x=\"", fixed(right - 106 + 10 * level, 1),
                           "\" y=\"15\" width=\"10\" height=\"10\" class=\"atom-heat atom-heat", level, "\"/>\n");
  drawing.text(right - 112, 24, "end", map.scale_label + " 0.5");
  return drawing.out + "</svg>\n";
}

}  // namespace atom::run
