// SPDX-License-Identifier: Apache-2.0
// Compares a chat template with published renderings.
//
//   render TEMPLATE.jinja CASES.json
//
// Each conversation of CASES.json (what is in it: rendering.hpp) is rendered and compared, byte for byte, with its text
// or with the error that the template raises. The last line is `N passed, N failed`; the status is 1 if any failed.
#include "io/rendering.hpp"

#include <cstdio>

namespace {

constexpr const char* usage = "usage: render TEMPLATE.jinja CASES.json\n";

// Both texts from shortly before the byte where they part.
void show_difference(int number, const std::string& found, const std::string& expected) {
  const auto [end, ignored] = std::mismatch(found.begin(), found.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::size_t>(end - found.begin()), start = at < 40 ? 0 : at - 40;
  const auto shown = [start](const std::string& text) { return atom::io::in_quotes(text.substr(start), 300); };
  std::printf("case %d differs at byte %zu\n  found    %s\n  expected %s\n", number, at, shown(found).c_str(),
              shown(expected).c_str());
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  if (count != 3) {
    std::fputs(usage, stderr);
    return 2;
  }
  int number = 0, failed = 0;
  try {
    for (const Rendering& result : render_cases(arguments[1], arguments[2])) {
      if (!result.good && ++failed <= 20) show_difference(number, result.found, result.expected);
      ++number;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  std::printf("%d passed, %d failed\n", number - failed, failed);
  return failed == 0 ? 0 : 1;
}
