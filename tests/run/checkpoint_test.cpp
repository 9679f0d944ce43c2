// SPDX-License-Identifier: Apache-2.0
#include <atom/run/checkpoint.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/optim/guard.hpp>

#include <filesystem>

using namespace atom;
using namespace atom::run;

namespace checkpoint_test {

struct TwoMoments {
  Tensor<float, Cpu> m = Tensor<float, Cpu>::zeros({2, 3}), v = Tensor<float, Cpu>::zeros({2, 3});
  Index updates = 0;
  Index steps() const { return updates; }
  void set_steps(Index steps) { updates = steps; }
  template <class F> void for_each_state(F&& f) {
    f("m.weight", m);
    f("v.weight", v);
  }
};

}  // namespace checkpoint_test

namespace {

// Something of each kind that a state may hold.
struct Run {
  checkpoint_test::TwoMoments optimizer;
  optim::Guard guard{{.window = 8, .warm_up = 4}};
  std::uint64_t seed = 0;
  bool flag = false;
  double best = 0;
  std::vector<float> numbers = std::vector<float>(3);

  auto state() {
    return [this](auto&& part) {
      part("optimizer", optimizer);
      part("guard", guard);
      part("seed", seed);
      part("flag", flag);
      part("best", best);
      part("numbers", numbers);
    };
  }

  void advance(int steps) {
    for (int i = 0; i < steps; ++i) {
      ++optimizer.updates;
      const auto x = static_cast<float>(optimizer.updates);
      optimizer.m.assign(std::vector<float>{x, -x, 1 / x, 3, 4, 5});
      optimizer.v.assign(std::vector<float>{x, x * x, 0, 1, 2, 1e-30F});
      guard.judge(1 / static_cast<double>(x), 0.5);
      seed = ~static_cast<std::uint64_t>(optimizer.updates);
      flag = !flag;
      best = 1 / static_cast<double>(x);
      numbers = {x, x + 1, x + 2};
    }
  }
};

void write_model(const std::string& folder) {
  io::write_file(folder + "/config.json", "{}\n");
  io::write_file(folder + "/model.safetensors", std::string(100, 'w'));
}

std::string bytes_of(Run& run, const std::string& path) {
  save_state(path, run.state());
  return io::read_file(path);
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("state: all comes back in its bits") {
  const Scratch folder;
  Run first, second;
  first.advance(11);
  const std::string bytes = bytes_of(first, folder / "a");
  load_state(folder / "a", second.state());
  CHECK(bytes_of(second, folder / "b") == bytes);
  CHECK(second.optimizer.updates == 11);
  CHECK(second.flag);
  CHECK(second.guard.accepted() == 11);
  first.advance(5);
  second.advance(5);
  CHECK(bytes_of(first, folder / "a") == bytes_of(second, folder / "b"));
}

TEST_CASE("state: nothing changes unless all fits, and the error names the part") {
  const Scratch folder;
  Run saved;
  saved.advance(3);
  const std::string path = folder / "state";
  save_state(path, saved.state());
  double other = 0, best = 7;
  float narrow = 0;
  std::vector<float> longer(4);

  CHECK_THROWS_WITH(load_state(path, [&](auto&& part) { part("other", other); }),
                    Catch::Contains("state \"other\" is missing"));
  CHECK_THROWS_WITH(load_state(path, [&](auto&& part) { part("best", best); }),
                    Catch::Contains("belongs to nothing here"));
  CHECK_THROWS_WITH(load_state(path, [&](auto&& part) { part("best", narrow); }),
                    Catch::Contains("state \"best\": found F64 (), expected F32 ()"));
  CHECK_THROWS_WITH(load_state(path, [&](auto&& part) { part("numbers", longer); }),
                    Catch::Contains("state \"numbers\": found F32 (3), expected F32 (4)"));
  CHECK(best == 7);
}

TEST_CASE("checkpoint: saved, found, loaded; the last few stay") {
  const Scratch folder;
  CHECK(!find_checkpoint(folder.path()).newest);
  CHECK(find_checkpoint(folder / "nowhere").skipped.empty());
  Run run;
  for (Index step = 1; step <= 5; ++step) {
    run.advance(1);
    const std::string path = save_checkpoint(folder.path(), step, write_model, run.state(), {.keep = 2});
    CHECK(path == folder / to_text("checkpoints/step-", step));
  }
  CHECK(entries(folder / "checkpoints") == std::vector<std::string>{"step-4", "step-5"});
  const auto [newest, skipped] = find_checkpoint(folder.path());
  CHECK(skipped.empty());
  REQUIRE(newest);
  CHECK(newest->step == 5);
  CHECK(!newest->stream_change());
  CHECK(Checkpoint{.bits = "other"}.stream_change()->find("'other'") != std::string::npos);
  Run loaded;
  load_training(*newest, loaded.state());
  CHECK(bytes_of(loaded, folder / "a") == bytes_of(run, folder / "b"));
  CHECK(entries(newest->path) ==
        std::vector<std::string>{"checksums.xxh64", "config.json", "model.safetensors", "training"});
}

TEST_CASE("checkpoint: a run that is started over does not find the later steps of the one before") {
  const Scratch folder;
  Run run;
  for (const Index step : {10, 20, 30}) save_checkpoint(folder.path(), step, write_model, run.state());
  save_checkpoint(folder.path(), 15, write_model, run.state());
  CHECK(entries(folder / "checkpoints") == std::vector<std::string>{"step-10", "step-15"});
}

TEST_CASE("checkpoint: a failing save leaves what was there, a killed writer's leftover goes with the next") {
  const Scratch folder;
  Run run;
  run.advance(1);
  save_checkpoint(folder.path(), 1, write_model, run.state());
  CHECK_THROWS_AS(save_checkpoint(
                      folder.path(), 1, [](const std::string&) { fail("model", "no"); }, run.state()),
                  Error);
  CHECK_THROWS_AS(save_checkpoint(
                      folder.path(), 2, [](const std::string&) { fail("model", "no"); }, run.state()),
                  Error);
  CHECK(entries(folder / "checkpoints") == std::vector<std::string>{"step-1"});
  CHECK(find_checkpoint(folder.path()).newest->step == 1);

  std::filesystem::create_directories(folder / "checkpoints/step-7.tmp-999999/training");
  CHECK(find_checkpoint(folder.path()).newest->step == 1);
  save_checkpoint(folder.path(), 3, write_model, run.state());
  CHECK(entries(folder / "checkpoints") == std::vector<std::string>{"step-1", "step-3"});
  save_checkpoint(folder.path(), 3, write_model, run.state());  // again over the same
  CHECK(find_checkpoint(folder.path()).newest->step == 3);
}

TEST_CASE("checkpoint: every flipped bit and every truncation is found, and the one before is taken") {
  const Scratch folder;
  Run run;
  run.advance(1);
  save_checkpoint(folder.path(), 1, write_model, run.state());
  const std::string path = save_checkpoint(folder.path(), 2, write_model, run.state());
  std::size_t cases = 0, taken = 0;
  const auto expect_skipped = [&] {
    const auto search = find_checkpoint(folder.path());
    taken += !search.newest || search.newest->step != 1 || search.skipped.size() != 1;
    ++cases;
  };
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    const std::string file = entry.path(), whole = io::read_file(file);
    const auto put = [&](const std::string& bytes) {  // in place: replacing a file waits for the disk
      std::FILE* stream = std::fopen(file.c_str(), "r+b");
      REQUIRE(stream != nullptr);
      CHECK(std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size());
      std::fclose(stream);
    };
    for (std::size_t bit = cases % 5; bit < 8 * whole.size(); bit += 5) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      put(damaged);
      expect_skipped();
    }
    for (std::size_t length = 0; length < whole.size(); length += 3) {
      put(whole);
      std::filesystem::resize_file(file, length);
      expect_skipped();
    }
    put(whole);
    std::filesystem::rename(file, folder / "away");
    expect_skipped();
    std::filesystem::rename(folder / "away", file);
  }
  CHECK(cases > 2500);
  CHECK(taken == 0);
  CHECK(find_checkpoint(folder.path()).newest->step == 2);
}

TEST_CASE("checkpoint: one made by a newer program is refused, not passed over") {
  const Scratch folder;
  Run run;
  save_checkpoint(folder.path(), 1, write_model, run.state());
  const std::string path = save_checkpoint(folder.path(), 2, write_model, run.state());
  io::write_file(path + "/training/manifest.json", R"({"format": 9, "unknown": {}})");
  CHECK(find_checkpoint(folder.path()).newest->step == 1);  // without checksums it is damage
  io::write_checksums(path);
  CHECK_THROWS_WITH(find_checkpoint(folder.path()),
                    "[" + path + "] made by a newer program: checkpoint format 9, this program reads up to 1");
}

TEST_CASE("checkpoint: a whole checkpoint under the wrong name is not that step's") {
  const Scratch folder;
  Run run;
  const std::string path = save_checkpoint(folder.path(), 2, write_model, run.state());
  std::filesystem::rename(path, folder / "checkpoints/step-3");
  CHECK_THROWS_WITH(find_checkpoint(folder.path()),
                    Catch::Contains("none of the 1 checkpoints can be used; of the newest: [") &&
                        Catch::Contains("of step 2, expected 3"));
  for (const char* name : {"step-", "step-03", "step--1", "step-3x", "step-99999999999999999999"})
    CHECK(!run::detail::step_of(name));
}
