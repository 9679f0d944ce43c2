// SPDX-License-Identifier: Apache-2.0
// What the example programs share: a command line that names the nearest flag when one is unknown, and exit codes:
// 0 done, 1 error (one sentence on stderr), 2 usage.
#pragma once

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace cli {

// Letters to insert, delete or replace to make b of a.
inline std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

inline std::string nearest_flag(const CLI::App& app, const std::string& unknown) {
  std::string best;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      if (best.empty() || edit_distance(unknown, "--" + name) < edit_distance(unknown, best)) best = "--" + name;
  return best;
}

// Parses, then runs `program() -> int`.
template <class Program> int run(CLI::App& app, int argc, char** argv, Program&& program) {
  app.allow_extras();
  app.get_formatter()->column_width(34);
  app.option_defaults()->always_capture_default();
  try {
    app.parse(argc, argv);
    if (const auto extras = app.remaining(); !extras.empty()) {
      fmt::print(stderr, "unknown argument {}: did you mean {}? See --help\n", extras[0], nearest_flag(app, extras[0]));
      return 2;
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return program();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

}  // namespace cli
