// SPDX-License-Identifier: Apache-2.0
#include <atom/run/report.hpp>

#include "../catch.hpp"

using namespace atom::run;

TEST_CASE("report: one page, self-contained, everything escaped") {
  Report report;
  report.title = "<run>";
  report.subtitle = "a & b";
  report.figures = {{"loss", "1.5"}};
  report.charts = {{.title = "Loss", .curves = {{.x = {1, 2}, .y = {2, 1}}}}};
  report.heat_maps = {{.title = "Load & more", .x = {1, 2}, .columns = {{1, 2}, {3, 4}}}};
  report.samples = {{10, "<script>old</script>"}, {20, "new\x01"}};
  report.config = {{"seed", "1"}, {"model.layers", "2"}, {"model.width", "\"64\""}};
  const std::string page = html(report);

  const auto has = [&](std::string_view part) { return page.find(part) != page.npos; };
  CHECK(has("<title>&lt;run&gt;</title>"));
  CHECK(has("&lt;script&gt;old&lt;/script&gt;"));
  CHECK(has("new\xef\xbf\xbd"));
  CHECK(has("&quot;64&quot;"));
  CHECK(has("<th colspan=\"2\">model</th>"));
  CHECK(page.find("step 20") < page.find("step 10"));
  for (const char* outside : {"<script", "src=", "href=", "@import", "url("}) CHECK(!has(outside));
  CHECK(has("Load &amp; more"));
  // The one address is the name of the SVG format.
  for (auto at = page.find("http"); at != page.npos; at = page.find("http", at + 4))
    CHECK(page.substr(at).starts_with("http://www.w3.org/2000/svg"));
}

TEST_CASE("report: nothing to show is still a page") {
  const std::string page = html({});
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(page.ends_with("</html>\n"));
}
