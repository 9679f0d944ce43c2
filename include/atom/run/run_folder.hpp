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
    std::string name = {};  // of the model, where several are compared
  };
  struct ExpertLoad {
    Index step = 0;
    std::vector<std::vector<double>> tokens;  // [layer with experts][expert]
  };
  std::vector<StepReport> steps;
  std::vector<Validation> validations;  // of lines {"step":N,"validation_loss":X}, or in place of X {"name":X,...}
  std::vector<ExpertLoad> loads;        // of lines {"step":N,"expert_load":[[...],...]}
  std::vector<Report::Sample> samples;  // of lines {"step":N,"sample":"text"}

  // Tokens of the last `count` loads together: the busiest expert's over the mean, in the layer where this is worst. 1
  // when even, 0 of nothing.
  double busiest_expert(std::size_t count = 50) const {
    double worst = 0;
    for (std::size_t layer = 0; !loads.empty() && layer < loads[0].tokens.size(); ++layer) {
      std::vector<double> sums(loads[0].tokens[layer].size());
      for (std::size_t i = loads.size() - std::min(count, loads.size()); i < loads.size(); ++i)
        for (std::size_t e = 0; e < sums.size(); ++e) sums[e] += loads[i].tokens[layer][e];
      double total = 0, most = 0;
      for (const double sum : sums) total += sum, most = std::max(most, sum);
      if (total > 0) worst = std::max(worst, most * static_cast<double>(sums.size()) / total);
    }
    return worst;
  }
};

// A torn last line is left out. Errors name the file and the line.
inline History read_history(const std::string& path) {
  using Row = std::vector<double>;
  History history;
  const std::string text = io::read_file(path, std::uint64_t{1} << 36U);
  Index number = 0;
  for (std::size_t begin = 0, end = text.find('\n'); end != text.npos; begin = end + 1, end = text.find('\n', begin)) {
    const std::string where = to_text(path, ":", ++number);
    const auto line = io::parse_json(std::string_view(text).substr(begin, end - begin), where);
    const auto step = line.get<Index>("step");
    const auto number_of = [](const io::Json& object, std::string_view name) {
      return object.get_optional<double>(name).value_or(std::numeric_limits<double>::quiet_NaN());
    };
    const auto value = [&](std::string_view name) { return number_of(line, name); };
    if (line.contains("loss"))
      history.steps.push_back({step, value("loss"), value("lr"), value("grad_norm"), line.get_or<Index>("tokens", 0),
                               line.get_or<double>("seconds", 0), line.get_or<bool>("skipped", false)});
    if (const io::Json* loss = line.find("validation_loss"); loss && loss->is_object())
      for (const auto& member : loss->members())
        history.validations.push_back({step, number_of(*loss, member.name), member.name});
    else if (loss)
      history.validations.push_back({step, value("validation_loss")});
    if (line.contains("expert_load")) {
      History::ExpertLoad load{step, line.get<std::vector<std::vector<double>>>("expert_load")};
      check(
          history.loads.empty() || std::ranges::equal(load.tokens, history.loads[0].tokens, {}, &Row::size, &Row::size),
          where, "\"expert_load\" has as many layers and experts as in the lines before");
      history.loads.push_back(std::move(load));
    }
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

// A curve for each name, which is its label, in order of appearance.
inline std::vector<Curve> validation_curves(const History& history) {
  constexpr int colors[] = {1, 3, 2, 0};
  std::vector<Curve> curves;
  for (const auto& [step, loss, name] : history.validations) {
    auto curve = std::ranges::find(curves, name, &Curve::label);
    if (curve == curves.end())
      curve = curves.insert(
          curve, {.label = name, .color = colors[curves.size() % std::size(colors)], .style = Curve::Style::marked});
    curve->x.push_back(static_cast<double>(step));
    curve->y.push_back(loss);
  }
  return curves;
}
inline std::string of_model(const std::string& name, std::string_view what) {
  return name.empty() ? std::string(what) : to_text(name, ": ", what);
}

inline std::vector<HeatMap> load_maps(const History& history) {
  std::vector<HeatMap> maps(history.loads.empty() ? 0 : history.loads[0].tokens.size());
  for (std::size_t layer = 0; layer < maps.size(); ++layer) {
    HeatMap& map = maps[layer];
    map.title = to_text("Load of the experts, layer ", layer + 1, " of ", maps.size());
    map.x_label = "step", map.row_label = "expert", map.scale_label = "tokens / mean:", map.width = 520;
    for (const auto& load : history.loads) {
      map.x.push_back(static_cast<double>(load.step));
      map.columns.push_back(load.tokens[layer]);
    }
  }
  return maps;
}

inline Chart loss_chart(const History& history, const io::Json& config) {
  Curve raw{.style = Curve::Style::faint}, mean;
  for (const StepReport& step : history.steps) {
    raw.x.push_back(static_cast<double>(step.step));
    raw.y.push_back(step.loss);
  }
  mean.x = raw.x;
  mean.y = smoothed(raw.y, raw.y.size() / 30);
  const auto last = std::find_if(mean.y.rbegin(), mean.y.rend(), [](double y) { return std::isfinite(y); });
  if (last != mean.y.rend()) mean.label = "training " + fixed(*last, 3);
  Chart chart{.title = "Loss (nats per token)", .x_label = "step", .curves = {raw, mean}, .width = 1040, .height = 380};
  for (Curve& curve : validation_curves(history)) {
    curve.label = to_text(of_model(curve.label, "validation "), fixed(curve.y.back(), 3));
    chart.curves.push_back(std::move(curve));
  }
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
  for (const Curve& curve : detail::validation_curves(history)) {
    double best = std::numeric_limits<double>::infinity();
    for (const double loss : curve.y) best = std::min(best, loss);
    figure(detail::of_model(curve.label, "best validation loss"), fixed(best, 4));
  }
  if (!history.steps.empty()) {
    figure("steps", to_text(history.steps.back().step));
    figure("tokens", compact(tokens));
    figure("time in steps", duration(seconds));
    if (seconds > 0) figure("tokens a second", compact(tokens / seconds));
  }
  if (const auto parameters = config.get_optional<double>("parameters")) figure("parameters", compact(*parameters));
  if (!history.loads.empty())
    figure("busiest expert / mean, last 50 steps, worst layer", fixed(history.busiest_expert(), 2));
  if (skipped > 0) figure("steps skipped by the guard", to_text(skipped));

  report.charts = {detail::loss_chart(history, config),
                   {.title = "Learning rate", .x_label = "step", .curves = {rate}, .width = 520, .height = 280},
                   {.title = "Gradient norm (before clipping)",
                    .x_label = "step",
                    .curves = {norm, smooth_norm},
                    .log_y = true,
                    .width = 520,
                    .height = 280}};
  report.heat_maps = detail::load_maps(history);
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
