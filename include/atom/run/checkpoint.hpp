// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a run: DIR/checkpoints/step-N is a Hugging Face folder with training/ beside the model. Each appears
// whole or not at all, is checked byte for byte before it is used, and old ones go when a new one is safe.
#pragma once

#include "../io/checksum.hpp"
#include "run_json.hpp"
#include "state.hpp"

namespace atom::run {

inline constexpr int checkpoint_format = 1;  // raised when an older program could not read a new checkpoint

struct Checkpoint {
  Index step = 0;         // steps done
  std::string path = {};  // the folder: what pretrained::load takes
  std::string bits = {};  // the stream it was computed in, see bit_stream()

  // A sentence if going on here gives other bits than where it was made; said once by a resuming program.
  std::optional<std::string> stream_change() const {
    if (bits == bit_stream()) return std::nullopt;
    return to_text("resuming a run of the stream '", bits, "' in the stream '", bit_stream(),
                   "': the result will differ in bits from an uninterrupted run");
  }
};

struct CheckpointSearch {
  std::optional<Checkpoint> newest;  // of the valid ones
  std::vector<std::string> skipped;  // why newer ones are not it: a sentence each
};

namespace detail {

// N of the name step-N, nothing for other names.
inline std::optional<Index> step_of(std::string_view name) {
  constexpr std::string_view head = "step-";
  Index step = 0;
  if (!name.starts_with(head)) return std::nullopt;
  const auto parsed = std::from_chars(name.data() + head.size(), name.data() + name.size(), step);
  const bool exact = parsed.ec == std::errc() && to_text(head, step) == name && step >= 0;
  return exact ? std::optional(step) : std::nullopt;
}

// Steps of the checkpoints in the folder, valid or not, newest first. Also cleans up after writers that were killed.
inline std::vector<Index> list_steps(const std::string& folder, bool clean) {
  std::vector<Index> steps;
  std::vector<std::string> leftovers;
  const io::detail::Folder entries(io::detail::Descriptor(folder, O_RDONLY | O_DIRECTORY));
  if (!entries && errno == ENOENT) return steps;
  if (!entries) io::fail_system(folder, "cannot be listed");
  while (const char* entry = entries.next()) {
    const std::string_view name = entry;
    if (const auto step = step_of(name))
      steps.push_back(*step);
    else if (const auto dot = name.find(".tmp-"); dot != name.npos && step_of(name.substr(0, dot)))
      leftovers.push_back(to_text(folder, '/', name.substr(0, dot)));
  }
  if (errno != 0) io::fail_system(folder, "cannot be listed");
  if (clean)
    for (const std::string& path : leftovers) io::detail::Temporary{path};
  std::ranges::sort(steps, std::greater());
  return steps;
}

// Errors: damaged, `damage` then true; made by a newer program.
inline Checkpoint checked_checkpoint(const std::string& path, Index step, bool& damage) {
  damage = true;
  io::verify_checksums(path);
  const std::string name = path + "/training/manifest.json";
  const io::Json manifest = io::read_json(name, 1U << 20U);
  const int format = manifest.get<int>("format");
  damage = false;
  check(format <= checkpoint_format, path, "made by a newer program: checkpoint format ", format,
        ", this program reads up to ", checkpoint_format);
  damage = true;
  check(manifest.get<Index>("step") == step, name, "of step ", manifest.get<Index>("step"), ", expected ", step);
  return {step, path, manifest.get<std::string>("bits")};
}

}  // namespace detail

struct CheckpointOptions {
  Index keep = 3;  // newest checkpoints that stay; 0: all
};

// Writes RUN/checkpoints/step-N and returns its path. `write_model(folder)` puts config.json, model.safetensors,
// tokenizer.json and what else belongs to the model into a folder that exists; `state` is as in state.hpp. A checkpoint
// of the same step is replaced. Returns when all is durable; only then older ones are removed, and those of later
// steps: they are of a run that was started over, or damaged. Errors: the system's, naming the file; everything that
// was there before is then still there.
template <class WriteModel, class State> std::string save_checkpoint(const std::string& run, Index step,
                                                                     WriteModel&& write_model, State&& state,
                                                                     const CheckpointOptions& options = {}) {
  check(step >= 0, "checkpoint", "step is not negative: found ", step);
  const std::string folder = run + "/checkpoints", path = to_text(folder, "/step-", step);
  for (const std::string& parent : {run, folder})
    if (::mkdir(parent.c_str(), 0777) != 0 && errno != EEXIST) io::fail_system(parent, "cannot be created");
  io::write_folder(path, [&](const std::string& temporary) {
    write_model(temporary);
    const std::string training = temporary + "/training";
    if (::mkdir(training.c_str(), 0777) != 0) io::fail_system(training, "cannot be created");
    save_state(training + "/state.safetensors", state);
    io::write_file(training + "/manifest.json",
                   to_pretty_text(io::Json::object({{"format", checkpoint_format},
                                                    {"step", step},
                                                    {"atom", ATOM_VERSION},
                                                    {"bits", bit_stream()},
                                                    {"instruction_set", name_of(isa())}})));
    io::write_checksums(temporary);
  });
  Index kept = 0;
  for (const Index other : detail::list_steps(folder, true)) {
    if (other == step || (other < step && (options.keep == 0 || ++kept < options.keep))) continue;
    // Under a temporary name first: a crash in the middle leaves no damaged checkpoint, but a leftover to clean up.
    const std::string old = to_text(folder, "/step-", other), doomed = to_text(old, ".tmp-", ::getpid());
    if (::rename(old.c_str(), doomed.c_str()) != 0) io::fail_system(old, "cannot be removed");
    io::detail::remove_tree(AT_FDCWD, doomed.c_str());
  }
  return path;
}

// The newest checkpoint of a run whose every byte is as it was written; nothing if the run has no checkpoint at all.
// Errors, where going on would lose work in silence: there are some and none is whole; the newest whole one was made by
// a newer program.
inline CheckpointSearch find_checkpoint(const std::string& run) {
  CheckpointSearch search;
  const std::string folder = run + "/checkpoints";
  for (const Index step : detail::list_steps(folder, false)) {
    bool damage = false;
    try {
      search.newest = detail::checked_checkpoint(to_text(folder, "/step-", step), step, damage);
      break;
    } catch (const Error& error) {
      if (!damage) throw;
      search.skipped.emplace_back(error.what());
    }
  }
  check(search.newest || search.skipped.empty(), folder, "none of the ", search.skipped.size(),
        " checkpoints can be used; of the newest: ", search.skipped.empty() ? "" : search.skipped.front());
  return search;
}

// Sets `state` to what a checkpoint holds. Errors: as load_state.
template <class State> void load_training(const Checkpoint& checkpoint, State&& state) {
  load_state(checkpoint.path + "/training/state.safetensors", state);
}

}  // namespace atom::run
