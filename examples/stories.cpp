// SPDX-License-Identifier: Apache-2.0
// Writes made-up stories to a file, or judges the stories of a file, and prints the entropy of their grammar.
#include "stories.hpp"

#include "cli.hpp"

#include <atom/data/text.hpp>

namespace {

struct Options {
  std::string out, judge;
  std::size_t bytes = 9'000'000;
  std::uint64_t seed = 1;
};

// One line for each story that has a problem, then how many had none.
void judge(const std::string& path) {
  const std::string text = atom::data::read_text(path);
  int all = 0, fine = 0;
  for (std::size_t at = 0; at < text.size(); ++all) {
    const std::size_t end = text.find("\n\n", at);
    const std::size_t next = end == text.npos ? text.size() : end + 2;
    const auto reading = stories::understand(std::string_view(text).substr(at, next - at));
    if (reading)
      ++fine;
    else
      fmt::print("story {}, {}\n", all + 1, reading.problem);
    at = next;
  }
  fmt::print("{} of {} stories are well formed and consistent\n", fine, all);
}

int program(const Options& options) {
  if (!options.out.empty()) atom::data::write_text(options.out, stories::corpus(options.seed, options.bytes));
  if (!options.judge.empty()) judge(options.judge);
  if (options.out.empty() && options.judge.empty()) fmt::print("{}", stories::corpus(options.seed, 1));
  fmt::print("{} possible stories: {:.4f} nats a story, {:.2f} characters on average, {:.6f} nats a character\n",
             stories::count, stories::nats_per_story(), stories::mean_characters(), stories::nats_per_character());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Makes up little stories, or judges some. Without --out and --judge it tells one.\n"
      "Example: stories --out stories.txt --bytes 1000000 --seed 7"};
  app.option_defaults()->always_capture_default();
  app.add_option("--out", options.out, "file to write stories to");
  app.add_option("--bytes", options.bytes, "how many, at least")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "which ones");
  app.add_option("--judge", options.judge, "file whose stories are judged");
  return cli::run(app, argc, argv, [&] { return program(options); });
}
