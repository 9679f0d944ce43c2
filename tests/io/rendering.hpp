// SPDX-License-Identifier: Apache-2.0
// Conversations of a file, rendered with a chat template: {"bos_token", "eos_token", "now": "2026-11-23 12:00:00",
// "cases": [{"input": {...}, "output": "..."} or {"input": {...}, "error": "what the template raises"}]}.
#pragma once

#include <atom/io/chat_template.hpp>
#include <atom/io/json.hpp>

struct Rendering {
  bool good = false;
  std::string found, expected;
};

inline atom::io::CivilTime read_time(std::string_view text) {
  atom::io::CivilTime time;
  const char* at = text.data();
  const char* end = at + text.size();
  for (int* part : {&time.year, &time.month, &time.day, &time.hour, &time.minute, &time.second}) {
    const auto [next, error] = std::from_chars(at, end, *part);
    atom::check(error == std::errc(), "cases", "\"now\": found ", atom::io::in_quotes(text),
                ", expected YYYY-MM-DD HH:MM:SS");
    at = next == end ? end : next + 1;
  }
  return time;
}

inline std::vector<Rendering> render_cases(const std::string& template_path, const std::string& cases_path) {
  using namespace atom;
  const io::Json file = io::read_json(cases_path);
  const io::ChatTemplate chat(io::read_file(template_path), template_path);
  io::TemplateOptions options;
  if (const auto now = file.get_optional<std::string>("now")) options.now = read_time(*now);
  std::vector<Rendering> results;
  for (const io::Json& one : file.at("cases").elements("cases")) {
    io::Json variables = io::Json::object();
    for (const char* token : {"bos_token", "eos_token"})
      if (file.contains(token)) variables.set(token, file.at(token));
    for (const auto& [name, value] : one.at("input").members("input")) variables.set(name, value);
    const auto error = one.get_optional<std::string>("error");
    Rendering result;
    result.expected = error ? *error : one.get<std::string>("output");
    try {
      result.found = chat.render(variables, options);
      result.good = !error && result.found == result.expected;
    } catch (const Error& thrown) {
      result.found = thrown.what();
      result.good = error && result.found.ends_with("] raise_exception: " + result.expected);
    }
    results.push_back(std::move(result));
  }
  return results;
}
