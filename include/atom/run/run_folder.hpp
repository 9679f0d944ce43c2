// SPDX-License-Identifier: Apache-2.0
// A run folder and what people read of it: loss.svg, report.html and samples.txt are made from run.json and
// metrics.jsonl alone, at any time. Includes the JSON reader, so it is in no umbrella.
//
//   DIR/run.json  DIR/metrics.jsonl  DIR/loss.svg  DIR/report.html  DIR/samples.txt  DIR/checkpoints/step-N/
#pragma once

#include "../io/json.hpp"
#include "metrics.hpp"
#include "report.hpp"

#include <filesystem>

namespace atom::run {

// metrics.jsonl read back. A value that is null there (not finite) is NaN here.
struct History {
  struct Validation {
    Index step = 0;
    double loss = 0;
  };
  std::vector<StepReport> steps;
  std::vector<Validation> validations;  // of lines {"step":N,"validation_loss":X}
  std::vector<Report::Sample> samples;  // of lines {"step":N,"sample":"text"}
};

// A torn last line is left out. Errors name the file and the line.
inline History read_history(const std::string& path) {
  History history;
  const std::string text = io::read_file(path, std::uint64_t{1} << 36U);
  Index number = 0;
  for (std::size_t begin = 0, end = text.find('\n'); end != text.npos; begin = end + 1, end = text.find('\n', begin)) {
    const auto line = io::parse_json(std::string_view(text).substr(begin, end - begin), to_text(path, ":", ++number));
    const auto step = line.get<Index>("step");
    const auto value = [&](std::string_view name) {
      return line.get_optional<double>(name).value_or(std::numeric_limits<double>::quiet_NaN());
    };
    if (line.contains("loss"))
      history.steps.push_back({step, value("loss"), value("lr"), value("grad_norm"), line.get_or<Index>("tokens", 0),
                               line.get_or<double>("seconds", 0), line.get_or<bool>("skipped", false)});
    if (line.contains("validation_loss")) history.validations.push_back({step, value("validation_loss")});
    if (line.contains("sample")) history.samples.push_back({step, line.get<std::string>("sample")});
  }
  return history;
}

namespace detail {

// Nested objects become rows with dotted names.
inline void append_rows(std::vector<Report::Row>& rows, const std::string& name, const io::Json& value) {
  if (!value.is_object()) return rows.push_back({name, value.is_string() ? value.as<std::string>() : to_text(value)});
  for (const auto& member : value.members())
    append_rows(rows, name.empty() ? member.name : name + "." + member.name, member.value);
}

inline Chart loss_chart(const History& history, const io::Json& config) {
  Curve raw{.style = Curve::Style::faint}, mean, validation{.color = 1, .style = Curve::Style::marked};
  for (const StepReport& step : history.steps) {
    raw.x.push_back(static_cast<double>(step.step));
    raw.y.push_back(step.loss);
  }
  mean.x = raw.x;
  mean.y = smoothed(raw.y, raw.y.size() / 30);
  const auto last = std::find_if(mean.y.rbegin(), mean.y.rend(), [](double y) { return std::isfinite(y); });
  if (last != mean.y.rend()) mean.label = "training " + fixed(*last, 3);
  for (const auto& [step, loss] : history.validations) {
    validation.x.push_back(static_cast<double>(step));
    validation.y.push_back(loss);
  }
  if (!validation.y.empty()) validation.label = "validation " + fixed(validation.y.back(), 3);
  Chart chart{.title = "Loss (nats per token)",
              .x_label = "step",
              .curves = {raw, mean, validation},
              .width = 1040,
              .height = 380};
  if (const auto entropy = config.get_optional<double>("entropy"); entropy && !raw.x.empty())
    chart.curves.push_back({.label = "entropy of the data " + fixed(*entropy, 3),
                            .color = 2,
                            .style = Curve::Style::dashed,
                            .x = {raw.x.front(), raw.x.back()},
                            .y = {*entropy, *entropy}});
  return chart;
}

}  // namespace detail

// The page of a run: `run` is run.json. A number "entropy" in its config is drawn as the loss that cannot be beaten.
inline Report make_report(const io::Json& run, const History& history, const std::string& title) {
  Report report;
  report.title = title;
  const io::Json* found = run.find("config");
  const io::Json config = found && found->is_object() ? *found : io::Json::object();
  Curve rate{.color = 3}, norm{.color = 2, .style = Curve::Style::faint};
  double seconds = 0, tokens = 0;
  Index skipped = 0;
  for (const StepReport& step : history.steps) {
    const auto x = static_cast<double>(step.step);
    rate.x.push_back(x), norm.x.push_back(x);
    rate.y.push_back(step.learning_rate), norm.y.push_back(step.gradient_norm);
    seconds += step.seconds;
    tokens += static_cast<double>(step.tokens);
    skipped += step.skipped;
  }
  const Curve smooth_norm{.color = 2, .x = norm.x, .y = smoothed(norm.y, norm.y.size() / 30)};

  const auto figure = [&](std::string name, std::string value) {
    report.figures.push_back({std::move(name), std::move(value)});
  };
  if (!history.validations.empty()) {
    double best = std::numeric_limits<double>::infinity();
    for (const auto& validation : history.validations) best = std::min(best, validation.loss);
    figure("best validation loss", fixed(best, 4));
  }
  if (!history.steps.empty()) {
    figure("steps", to_text(history.steps.back().step));
    figure("tokens", compact(tokens));
    figure("time in steps", duration(seconds));
    if (seconds > 0) figure("tokens a second", compact(tokens / seconds));
  }
  if (const auto parameters = config.get_optional<double>("parameters")) figure("parameters", compact(*parameters));
  if (skipped > 0) figure("steps skipped by the guard", to_text(skipped));

  report.charts = {detail::loss_chart(history, config),
                   {.title = "Learning rate", .x_label = "step", .curves = {rate}, .width = 520, .height = 280},
                   {.title = "Gradient norm (before clipping)",
                    .x_label = "step",
                    .curves = {norm, smooth_norm},
                    .log_y = true,
                    .width = 520,
                    .height = 280}};
  report.samples = history.samples;
  detail::append_rows(report.config, "", run);
  if (const io::Json* build = run.find("build"); build && build->is_object())
    report.subtitle =
        to_text("atom ", build->get_or<std::string>("atom", "?"), " on ", build->get_or<std::string>("device", "?"),
                ", ", build->get_or<std::string>("compiler", "?"));
  return report;
}

// Writes loss.svg, report.html and samples.txt of the folder, each in one step, from its run.json and metrics.jsonl.
inline void write_report(const std::string& folder) {
  const io::Json run = io::read_json(folder + "/run.json");
  const History history = read_history(folder + "/metrics.jsonl");
  const std::string name = io::base_name(folder.substr(0, folder.find_last_not_of('/') + 1));
  const Report report = make_report(run, history, name.empty() || name.front() == '.' ? "training run" : name);
  io::write_file(folder + "/loss.svg", svg(report.charts.front()));
  io::write_file(folder + "/report.html", html(report));
  std::string samples;
  for (const auto& [step, text] : history.samples) samples += to_text("=== step ", step, " ===\n", text, "\n\n");
  io::write_file(folder + "/samples.txt", samples);
}

}  // namespace atom::run
