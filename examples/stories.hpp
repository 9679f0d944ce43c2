// SPDX-License-Identifier: Apache-2.0
// A grammar of little stories whose entropy is known exactly: somebody loses a thing, a friend helps to look for it,
// one of the two finds it. Who, what and where are chosen once and then have to agree to the end of the story: that is
// what a model must learn. All stories are equally likely, so a story is a number: `tell` writes the story of a number,
// `understand` gives the number of a story, or says what is wrong with it.
#pragma once

#include <atom/core/random.hpp>

#include <array>
#include <cmath>
#include <span>

namespace stories {

// The plot. What is in braces is chosen at its first mention and said again at the others.
inline constexpr std::string_view plot =
    "{hero} had a {color} {thing}. {She} kept it in {her} {home}. One day {hero} met {friend} at the {place}. "
    "They {game}. Then {hero} lost the {thing} and was {mood}. {seeker} looked {first spot} and found nothing. "
    "{finder} looked {second spot} and found the {color} {thing}. \"Here is the {thing}, {seeker}!\" said {finder}. "
    "{hero} was happy. {She} took the {color} {thing} home and put it back in {her} {home}.\n\n";

using Words = std::span<const std::string_view>;

inline constexpr std::string_view names[] = {"Mia", "Anna", "Lily", "Rose", "Ella", "Zoe",  "Emma", "Ruby",
                                             "Tom", "Ben",  "Max",  "Sam",  "Leo",  "Jack", "Finn", "Noah"};
inline constexpr std::size_t girls = 8;  // the first names
inline constexpr std::string_view colors[] = {"red", "blue", "green", "yellow", "big", "small", "old", "new"};
inline constexpr std::string_view things[] = {"kite", "ball", "hat",  "drum", "boat", "book",  "coat", "cup",
                                              "doll", "bell", "lamp", "shoe", "coin", "flute", "ring", "scarf"};
inline constexpr std::string_view homes[] = {"barn", "shed", "attic", "kitchen", "cellar", "garage", "tower", "hut"};
inline constexpr std::string_view places[] = {"river", "park", "lake", "farm", "beach", "market", "school", "hill"};
inline constexpr std::string_view games[] = {"ran and sang",    "swam and laughed", "danced and jumped",
                                             "talked and ate",  "drew and painted", "fished and rested",
                                             "climbed and hid", "raced and played"};
inline constexpr std::string_view moods[] = {"sad", "angry", "worried", "upset"};
inline constexpr std::string_view spots[] = {"under the bridge", "behind the tree", "near the well",
                                             "in the grass",     "on the bench",    "by the fence",
                                             "inside the box",   "below the stairs"};
inline constexpr std::string_view pronouns[] = {"She", "He"};
inline constexpr std::string_view possessives[] = {"her", "his"};

// What the plot mentions. Up to `choices` these are choices, in the order of the digits of a story's number; the rest
// follows from them.
enum Mention {
  hero,
  color,
  thing,
  home,
  friend_,
  place,
  game,
  mood,
  finder,
  first_spot,
  second_spot,
  choices,
  seeker = choices,
  pronoun,
  possessive,
  mentions
};

struct Kind {
  std::string_view label;
  Words words;
  std::uint64_t options = 0;  // how many of the words can be chosen
};
// The friend is another than the hero, nobody looks where the other has looked, and the finder is one of two.
inline constexpr std::array<Kind, mentions> kinds = {{{"hero", names, 16},
                                                      {"color", colors, 8},
                                                      {"thing", things, 16},
                                                      {"home", homes, 8},
                                                      {"friend", names, 15},
                                                      {"place", places, 8},
                                                      {"game", games, 8},
                                                      {"mood", moods, 4},
                                                      {"finder", names, 2},
                                                      {"first spot", spots, 8},
                                                      {"second spot", spots, 7},
                                                      {"seeker", names},
                                                      {"She", pronouns},
                                                      {"her", possessives}}};

inline constexpr std::uint64_t count = [] {
  std::uint64_t product = 1;
  for (int choice = 0; choice < choices; ++choice) product *= kinds[static_cast<std::size_t>(choice)].options;
  return product;
}();

// For each choice the place of its word among the words of its kind; of the finder 0 for the hero, 1 for the friend.
using Choices = std::array<std::size_t, choices>;

constexpr std::size_t index_of(const Choices& chosen, std::size_t mention) {
  switch (mention) {
    case finder: return chosen[chosen[finder] == 0 ? hero : friend_];
    case seeker: return chosen[chosen[finder] == 0 ? friend_ : hero];
    case pronoun:
    case possessive: return chosen[hero] < girls ? 0 : 1;
    default: return chosen[mention];
  }
}

// The word that a choice must not be, or none.
constexpr std::size_t excluded(const Choices& chosen, std::size_t choice) {
  return choice == friend_ ? chosen[hero] : choice == second_spot ? chosen[first_spot] : std::size_t(-1);
}

// Calls `literal(text)` and `mention(index)` for the parts of the plot, in order, until one returns false.
template <class Literal, class Say> void follow_plot(Literal&& literal, Say&& mention) {
  for (std::string_view rest = plot; !rest.empty();) {
    const std::size_t open = rest.find('{');
    if (!literal(rest.substr(0, open)) || open == rest.npos) return;
    const std::size_t close = rest.find('}');
    const std::string_view label = rest.substr(open + 1, close - open - 1);
    std::size_t found = 0;
    while (kinds[found].label != label) ++found;
    if (!mention(found)) return;
    rest.remove_prefix(close + 1);
  }
}

// The story of a number below `count`, with the blank line that ends it.
inline std::string tell(std::uint64_t number) {
  Choices chosen{};
  for (std::size_t choice = 0; choice < choices; ++choice) {
    chosen[choice] = static_cast<std::size_t>(number % kinds[choice].options);
    number /= kinds[choice].options;
    if (chosen[choice] >= excluded(chosen, choice)) ++chosen[choice];
  }
  std::string text;
  follow_plot([&](std::string_view part) { return text += part, true; },
              [&](std::size_t mention) { return text += kinds[mention].words[index_of(chosen, mention)], true; });
  return text;
}

struct Reading {
  bool well_formed = false;  // the plot, with words of the right kind in its places
  bool consistent = false;   // and everything agrees with what was said before
  std::uint64_t number = 0;  // tell(number) is the story, if both hold
  std::string problem;       // otherwise, the first one
  explicit operator bool() const { return well_formed && consistent; }
};

inline Reading understand(std::string_view story) {
  Reading reading{true, true, 0, {}};
  Choices chosen{};
  std::array<bool, choices> known{};
  std::size_t at = 0;
  const auto complain = [&](bool& verdict, const auto&... parts) {
    if (reading.problem.empty()) reading.problem = atom::to_text("at character ", at, ": ", parts...);
    verdict = false;
    return &verdict != &reading.well_formed;  // go on?
  };
  const auto found = [&] { return story.substr(at, std::min<std::size_t>(16, story.size() - at)); };

  const auto literal = [&](std::string_view part) {
    if (!story.substr(at).starts_with(part))
      return complain(reading.well_formed, "expected '", part, "', found '", found(), "'");
    at += part.size();
    return true;
  };
  const auto mention = [&](std::size_t mentioned) {
    const auto& [label, words, number_of_options] = kinds[mentioned];
    std::size_t word = 0;
    while (word < words.size() && !story.substr(at).starts_with(words[word])) ++word;
    if (word == words.size()) return complain(reading.well_formed, "expected a ", label, ", found '", found(), "'");
    bool fine = true;
    const std::size_t choice = mentioned == seeker ? std::size_t{finder} : mentioned;  // who fails tells who finds
    if (choice < choices && !known[choice]) {
      known[choice] = true;
      chosen[choice] = choice == finder ? (word == chosen[hero] ? 1 : 0) : word;
      if (word == excluded(chosen, choice))
        fine = complain(reading.consistent, "'", words[word], "' is already the other");
    }
    if (const std::size_t expected = index_of(chosen, mentioned); fine && word != expected)
      complain(reading.consistent, "'", words[word], "' does not agree with what came before, expected '",
               words[expected], "'");
    at += words[word].size();
    return true;
  };
  follow_plot(literal, mention);
  if (reading.well_formed && at != story.size()) complain(reading.well_formed, "the story goes on after its end");
  reading.consistent = reading.consistent && reading.well_formed;
  for (std::size_t choice = choices; reading && choice-- > 0;)
    reading.number =
        reading.number * kinds[choice].options + chosen[choice] - (chosen[choice] > excluded(chosen, choice));
  return reading;
}

// ---- entropy: exact, since each of `count` stories is as likely as any other, and no two are the same text ---------

inline double nats_per_story() { return std::log(static_cast<double>(count)); }

// The mean length, with the blank line. Each word of a kind is as likely as any other wherever the kind is mentioned.
inline double mean_characters() {
  double sum = 0;
  follow_plot([&](std::string_view part) { return sum += static_cast<double>(part.size()), true; },
              [&](std::size_t mention) {
                const Words words = kinds[mention].words;
                for (const std::string_view word : words)
                  sum += static_cast<double>(word.size()) / static_cast<double>(words.size());
                return true;
              });
  return sum;
}

// What a perfect model of a long row of stories pays for a character.
inline double nats_per_character() { return nats_per_story() / mean_characters(); }

// Stories drawn one after the other, whole, until there are `bytes` bytes.
inline std::string corpus(std::uint64_t seed, std::size_t bytes = 9'000'000) {
  const atom::RandomKey key = atom::Rng(seed).key("stories");
  std::string text;
  for (atom::Index i = 0; text.size() < bytes; ++i)
    text += tell(static_cast<std::uint64_t>(atom::uniform_index(key, i, static_cast<atom::Index>(count))));
  return text;
}

}  // namespace stories
