// SPDX-License-Identifier: Apache-2.0
// The program that crash.sh kills: a "training run" whose step is cheap and exact, with a checkpoint after every step.
//
//   crash_run DIR STEPS         resumes the newest valid checkpoint, goes on to STEPS; `saved N` once step N is safe
//   crash_run DIR newest        prints the step of the newest valid checkpoint, -1 if there is none
//   crash_run - STEPS           prints what the run ends on, without a folder
#include <atom/run/checkpoint.hpp>
#include <atom/run/metrics.hpp>

#include <cstdio>
#include <cstring>

using namespace atom;

namespace {

struct Run {
  std::vector<std::uint64_t> weights = std::vector<std::uint64_t>(3000);
  std::uint64_t moment = 1;
  Index step = 0;

  auto state() {
    return [this](auto&& part) {
      part("moment", moment);
      part("step", step);
    };
  }
  void advance() {
    for (std::uint64_t& weight : weights) weight += moment = moment * 6364136223846793005U + 1442695040888963407U;
    ++step;
  }
  std::uint64_t result() const { return io::checksum_of(std::as_bytes(std::span(weights))) ^ moment; }

  void save(const std::string& folder) {
    run::save_checkpoint(folder, step,
                         [&](const std::string& files) {
                           io::write_file(files + "/config.json", "{}");
                           io::write_file(
                               files + "/model.safetensors",
                               std::string_view(reinterpret_cast<const char*>(weights.data()), 8 * weights.size()));
                         },
                         state(), {.keep = 2});
  }
  void load(const run::Checkpoint& checkpoint) {
    const std::string bytes = io::read_file(checkpoint.path + "/model.safetensors");
    check(bytes.size() == 8 * weights.size(), checkpoint.path, "not this model");
    std::memcpy(weights.data(), bytes.data(), bytes.size());
    run::load_training(checkpoint, state());
  }
};

void run_to(const std::string& folder, Index steps) {
  Run run;
  if (folder != "-") {
    const auto found = run::find_checkpoint(folder);
    for (const std::string& sentence : found.skipped) std::fprintf(stderr, "skipped: %s\n", sentence.c_str());
    if (found.newest) run.load(*found.newest);
    ::mkdir(folder.c_str(), 0777);
    run::Metrics metrics(folder + "/metrics.jsonl", run.step);
    while (run.step < steps) {
      run.advance();
      metrics.write({.step = run.step, .loss = static_cast<double>(run.moment % 1000)});
      run.save(folder);
      std::printf("saved %lld\n", static_cast<long long>(run.step));
      std::fflush(stdout);
    }
  }
  while (run.step < steps) run.advance();
  std::printf("result %s\n", run::hexadecimal(run.result()).c_str());
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const std::string folder = count > 1 ? arguments[1] : "-", what = count > 2 ? arguments[2] : "1";
    if (what == "newest") {
      const auto found = run::find_checkpoint(folder);
      for (const std::string& sentence : found.skipped) std::fprintf(stderr, "skipped: %s\n", sentence.c_str());
      std::printf("%lld\n", found.newest ? static_cast<long long>(found.newest->step) : -1);
    } else {
      run_to(folder, std::stoll(what));
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
