// SPDX-License-Identifier: Apache-2.0
// A training run as one HTML page that needs nothing else: key figures, curves, heat maps, samples over time,
// configuration.
// No script, no font, no file from elsewhere; follows the reader's light or dark mode.
#pragma once

#include "heat_map.hpp"

namespace atom::run {

struct Report {
  struct Row {
    std::string name, value;
  };
  struct Sample {
    Index step = 0;
    std::string text;
  };
  std::string title, subtitle;
  std::vector<Row> figures;  // a handful, shown large
  std::vector<Chart> charts;
  std::vector<HeatMap> heat_maps;
  std::vector<Sample> samples;  // oldest first; shown newest first
  std::vector<Row> config;      // names with dots are grouped by what stands before the last
};

namespace detail {

inline constexpr std::string_view report_style = R"(<style>
:root{color-scheme:light dark;--ink:#111827;--soft:#6b7280;--page:#f6f7f9;--card:#fff;--rule:#e5e7eb}
@media(prefers-color-scheme:dark){:root{--ink:#f3f4f6;--soft:#9ca3af;--page:#0d111a;--card:#161b26;--rule:#2b3342}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;margin:0}h2{font-size:17px;margin:36px 0 12px}.soft{color:var(--soft);margin:4px 0 20px}
.grid{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}
.wide{grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;overflow:hidden}
.figure{padding:12px 16px}.figure b{display:block;font-size:21px;font-weight:600;font-variant-numeric:tabular-nums}
.figure span{color:var(--soft);font-size:13px}.first{grid-column:1/-1}.card svg{display:block;width:100%;height:auto}
pre{margin:0;padding:12px 16px;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.55 ui-monospace,monospace}
summary{padding:9px 16px;cursor:pointer;font-weight:600}details+details{margin-top:8px}details[open] summary{border-bottom:1px solid var(--rule)}
table{border-collapse:collapse;width:100%;font-size:14px}td,th{padding:5px 16px;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{padding-top:12px}td:first-child{color:var(--soft);width:34%}tr+tr td{border-top:1px solid var(--rule)}
</style>
)";

inline void append_config(std::string& out, const std::vector<Report::Row>& config) {
  out += "<h2>Configuration</h2><div class=\"card\"><table>\n";
  std::string group;
  for (const Report::Row& row : config) {
    const auto dot = row.name.rfind('.');
    const std::string head = dot == row.name.npos ? "" : row.name.substr(0, dot);
    if (head != group && !head.empty()) out += to_text("<tr><th colspan=\"2\">", escape_html(head), "</th></tr>\n");
    group = head;
    out += to_text("<tr><td>", escape_html(dot == row.name.npos ? row.name : row.name.substr(dot + 1)), "</td><td>",
                   escape_html(row.value), "</td></tr>\n");
  }
  out += "</table></div>\n";
}

}  // namespace detail

inline std::string html(const Report& report) {
  const std::string title = escape_html(report.title);
  std::string out = to_text(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
      title, "</title>\n", detail::report_style, "</head><body><main>\n<h1>", title, "</h1><p class=\"soft\">",
      escape_html(report.subtitle), "</p>\n");
  if (!report.figures.empty()) {
    out += "<div class=\"grid\">\n";
    for (const Report::Row& figure : report.figures)
      out += to_text("<div class=\"card figure\"><b>", escape_html(figure.value), "</b><span>",
                     escape_html(figure.name), "</span></div>\n");
    out += "</div>\n";
  }
  if (!report.charts.empty()) {
    out += "<h2>Curves</h2><div class=\"grid wide\">\n";
    for (std::size_t i = 0; i < report.charts.size(); ++i)
      out += to_text("<div class=\"card", i == 0 ? " first" : "", "\">", svg(report.charts[i]), "</div>\n");
    out += "</div>\n";
  }
  if (!report.heat_maps.empty()) {
    out += "<h2>Load</h2><div class=\"grid wide\">\n";
    for (const HeatMap& map : report.heat_maps) out += to_text("<div class=\"card\">", svg(map), "</div>\n");
    out += "</div>\n";
  }
  if (!report.samples.empty()) {
    out += "<h2>Samples</h2>\n";
    for (auto sample = report.samples.rbegin(); sample != report.samples.rend(); ++sample)
      out += to_text("<details class=\"card\"", sample == report.samples.rbegin() ? " open" : "", "><summary>step ",
                     sample->step, "</summary><pre>", escape_html(sample->text), "</pre></details>\n");
  }
  if (!report.config.empty()) detail::append_config(out, report.config);
  return out + "</main></body></html>\n";
}

}  // namespace atom::run
