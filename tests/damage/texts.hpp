// SPDX-License-Identifier: Apache-2.0
// Damage to small text files: every truncation and every flipped bit of the seeds that fuzzing starts from.
#pragma once

#include "catch.hpp"
#include "damage/heap.hpp"

#include <atom/io/file.hpp>

#include <filesystem>

namespace damage {

inline constexpr std::size_t MiB = std::size_t{1} << 20U;

struct Verdicts {
  int rejected = 0, accepted = 0;
  std::size_t memory = 0;  // most held by one call
};

// Calls read(text), which ends well or in an error of one sentence that begins with one of `names` in brackets.
template <class Read>
bool judge(std::string_view text, std::initializer_list<std::string_view> names, Verdicts& verdicts, Read&& read) {
  std::string message;
  const std::size_t memory = heap::peak_of([&] {
    try {
      read(text);
    } catch (const atom::Error& error) {
      message = error.what();
    }
  });
  verdicts.memory = std::max(verdicts.memory, memory);
  ++(message.empty() ? verdicts.accepted : verdicts.rejected);
  if (message.empty()) return true;
  const bool named =
      std::ranges::any_of(names, [&](std::string_view name) { return message.starts_with("[" + std::string(name)); });
  if (!named || message.size() > 2000 || message.find('\n') != message.npos) FAIL(message);
  return false;
}

inline std::vector<std::string> seeds(const std::string& folder) {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(ATOM_TEST_DIR) + "/fuzz/seeds/" + folder))
    texts.push_back(atom::io::read_file(entry.path().string()));
  return texts;
}

// Calls `use` with every truncation of a text and with every bit flipped.
template <class Use> void truncate_and_flip(const std::string& text, Use&& use) {
  for (std::size_t size = 0; size < text.size(); ++size) use(text.substr(0, size));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    use(damaged);
  }
}

}  // namespace damage
