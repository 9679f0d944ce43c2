// SPDX-License-Identifier: Apache-2.0
#include <atom/run/run_folder.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/run/run_json.hpp>

#include <limits>

using namespace atom::run;
using atom::io::Json;
using atom::io::read_file;

TEST_CASE("run.json tells config, seed, build and data") {
  const Scratch folder;
  const std::string data = folder / "data.txt";
  atom::io::write_file(data, "abc");
  const Json run = describe_run({.config = Json::object({{"layers", 2}}), .seed = ~0ULL, .threads = 3, .data = {data}});
  const Json read = atom::io::parse_json(atom::io::to_pretty_text(run), "run.json");
  CHECK(read.get<std::uint64_t>("seed") == ~0ULL);
  CHECK(read.get<int>("threads") == 3);
  CHECK(read.at("config").get<int>("layers") == 2);
  const Json& file = read.at("data").elements().at(0);
  CHECK(file.get<std::uint64_t>("bytes") == 3);
  CHECK(file.get<std::string>("xxh64") == "44bc2cf5ad770999");  // by xxhsum
  const Json& build = read.at("build");
  CHECK(build.get<std::string>("atom") == ATOM_VERSION);
  const std::string bits = build.get<std::string>("instruction_set") == "baseline" ? "baseline" : "fma-256";
  CHECK(build.get<std::string>("bits") == (std::is_same_v<atom::Device, atom::Cpu> ? bits : "cuda"));
  CHECK_THROWS_AS(describe_run({.data = {"/nowhere"}}), atom::Error);
}

TEST_CASE("run folder: history comes back as it was written, the report shows it") {
  const Scratch folder;
  const std::string metrics_path = folder / "metrics.jsonl";
  {
    Metrics metrics(metrics_path);
    for (atom::Index step = 1; step <= 100; ++step)
      metrics.write({step, 4.0 / static_cast<double>(step) + 1, 1e-3, 0.5, 1000, 0.1});
    metrics.write({101, std::numeric_limits<double>::quiet_NaN(), 1e-3, 0.5, 1000, 0.1, true});
    metrics.write(101, Json::object({{"validation_loss", 1.25}}));
    metrics.write(101, Json::object({{"sample", "Once upon a <time>\n\"…\""}}));
  }
  const Json run =
      describe_run({.config = Json::object({{"entropy", 1.125}, {"model", Json::object({{"width", 64}})}})});
  atom::io::write_file(folder / "run.json", to_pretty_text(run));

  const History history = read_history(metrics_path);
  REQUIRE(history.steps.size() == 101);
  CHECK(history.steps[3].step == 4);
  CHECK(history.steps[3].loss == 2.0);
  CHECK(history.steps[3].tokens == 1000);
  CHECK(history.steps[3].seconds == Approx(0.1));
  CHECK(std::isnan(history.steps[100].loss));
  CHECK(history.steps[100].skipped);
  REQUIRE(history.validations.size() == 1);
  CHECK(history.validations[0].loss == 1.25);

  write_report(folder.path());
  const std::string page = read_file(folder / "report.html"), chart = read_file(folder / "loss.svg");
  for (const std::string part : {"validation 1.250", "entropy of the data 1.125", "Once upon a &lt;time&gt;", ">width<",
                                 "Learning rate", "Gradient norm", "steps skipped", "101k"})
    CHECK_THAT(page, Catch::Contains(part));
  CHECK(chart.starts_with("<svg xmlns"));
  CHECK_NOTHROW(Metrics(metrics_path, 200).write(102, Json::object({{"sample", "cut \xe2\x80"}})));
  CHECK(read_history(metrics_path).samples.back().text == "cut \xef\xbf\xbd");
  CHECK(read_file(folder / "samples.txt") == "=== step 101 ===\nOnce upon a <time>\n\"…\"\n\n");
}

TEST_CASE("run folder: several models and the load of experts") {
  const Scratch folder;
  const std::string path = folder / "metrics.jsonl";
  {
    Metrics metrics(path);
    const auto losses = [](double a, double b) {
      return Json::object({{"validation_loss", Json::object({{"experts", a}, {"dense", b}})}});
    };
    metrics.write(0, losses(4, 5));
    const std::vector<std::vector<int>> one_sided = {{8, 0}, {4, 4}}, even = {{4, 4}, {5, 3}};
    for (atom::Index step = 1; step <= 60; ++step) {
      metrics.write({step, 2.0, 1e-3, 0.5, 8, 0.1});
      metrics.write(step, Json::object({{"expert_load", step <= 10 ? one_sided : even}}));
    }
    metrics.write(60, losses(1.5, 1.75));
  }
  const History history = read_history(path);
  REQUIRE(history.validations.size() == 4);
  CHECK(history.validations[1].name == "dense");
  CHECK(history.validations[3].loss == 1.75);
  REQUIRE(history.loads.size() == 60);
  CHECK(history.loads[9].tokens == std::vector<std::vector<double>>{{8, 0}, {4, 4}});
  CHECK(history.busiest_expert() == 1.25);
  CHECK(history.busiest_expert(60) == Approx(2 * (80 + 200) / 480.0).margin(0.1));
  CHECK(history.busiest_expert(1000) == history.busiest_expert(60));
  CHECK(History{}.busiest_expert() == 0);

  atom::io::write_file(folder / "run.json", "{}");
  write_report(folder.path());
  const std::string page = read_file(folder / "report.html");
  for (const std::string part :
       {"experts: validation 1.500", "dense: validation 1.750", "experts: best validation loss",
        "Load of the experts, layer 2 of 2", "busiest expert", ">1.25<"})
    CHECK_THAT(page, Catch::Contains(part));

  Metrics(path, 60).write(61, Json::object({{"expert_load", std::vector<std::vector<int>>{{1, 2, 3}, {1, 2}}}}));
  CHECK_THROWS_WITH(read_history(path), Catch::Contains(path + ":123] \"expert_load\" has as many"));
}

TEST_CASE("run folder: errors name file and line; nothing yet is a report too") {
  const Scratch folder;
  const std::string path = folder / "metrics.jsonl";
  atom::io::write_file(path, "{\"step\":1,\"loss\":2}\n{\"step\":true}\n");
  CHECK_THROWS_WITH(read_history(path), Catch::Contains(path + ":2] \"step\": found true, expected an integer"));
  atom::io::write_file(path, "{\"step\":1,\"loss\":2}\n{\"ste");
  CHECK(read_history(path).steps.size() == 1);
  atom::io::write_file(path, "");
  atom::io::write_file(folder / "run.json", "{}");
  CHECK_NOTHROW(write_report(folder.path()));
  atom::io::write_file(folder / "run.json", "[1]");
  CHECK_THROWS_AS(write_report(folder.path()), atom::Error);
}
