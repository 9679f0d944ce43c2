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
    "{hero} had a {color} {thing}. {She} kept the {color} {thing} in {her} {home}. One day {hero} and {friend} met at "
    "the {place}. {hero} and {friend} {game}. Then the {thing} was not in {her} {home}, and {hero} was {mood}. "
    "{seeker} looked {empty spot} and found nothing. {finder} looked {good spot} and found the {color} {thing}. "
    "\"Here is the {thing}, {seeker}!\" said {finder}. {hero} took the {color} {thing} home and put it back in {her} "
    "{home}.\n\n";

using Words = std::span<const std::string_view>;

inline constexpr std::string_view names[] = {"Mia", "Anna", "Lily", "Rose", "Ella", "Zoe",  "Emma", "Ruby",
                                             "Tom", "Ben",  "Max",  "Sam",  "Leo",  "Jack", "Finn", "Noah"};
inline constexpr std::size_t girls = 8;  // the first names
inline constexpr std::string_view colors[] = {"red", "blue", "green", "yellow", "big", "small", "new", "round"};
inline constexpr std::string_view things[] = {"kite", "ball", "hat",  "drum", "boat", "book",  "coat", "cup",
                                              "doll", "bell", "lamp", "shoe", "coin", "flute", "ring", "scarf"};
inline constexpr std::string_view homes[] = {"barn", "shed", "attic", "kitchen", "cellar", "garage", "tower", "hut"};
inline constexpr std::string_view places[] = {"river", "park", "lake", "farm", "beach", "market", "school", "hill"};
inline constexpr std::string_view games[] = {"ran and sang",    "swam and laughed", "danced and jumped",
                                             "talked and ate",  "drew and painted", "fished and rested",
                                             "climbed and hid", "raced and played"};
inline constexpr std::string_view moods[] = {"sad", "angry", "worried", "upset"};
inline constexpr std::string_view empty_spots[] = {"under the bridge", "behind the tree", "near the well",
                                                   "in the grass",     "on the bench",    "by the fence",
                                                   "inside the box",   "below the stairs"};
inline constexpr std::string_view good_spots[] = {"under the table",   "behind the door", "near the oven",
                                                  "in the hay",        "on the roof",     "by the gate",
                                                  "inside the barrel", "below the window"};
inline constexpr std::string_view pronouns[] = {"She", "He"};
inline constexpr std::string_view possessives[] = {"her", "his"};

// What the plot mentions. Up to `choices` these are choices, in the order of the digits of a story's number; the rest
// follows from them.
enum Mention {
  hero,
  color,
  thing,
  home,
  companion,
  place,
  game,
  mood,
  finder,
  empty_spot,
  good_spot,
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
// The friend is another than the hero, and the finder is one of these two.
inline constexpr std::array<Kind, mentions> kinds = {{{"hero", names, 16},
                                                      {"color", colors, 8},
                                                      {"thing", things, 16},
                                                      {"home", homes, 8},
                                                      {"friend", names, 15},
                                                      {"place", places, 8},
                                                      {"game", games, 8},
                                                      {"mood", moods, 4},
                                                      {"finder", names, 2},
                                                      {"empty spot", empty_spots, 8},
                                                      {"good spot", good_spots, 8},
                                                      {"seeker", names},
                                                      {"She", pronouns},
                                                      {"her", possessives}}};

inline constexpr std::uint64_t count = [] {
  std::uint64_t product = 1;
  for (int choice = 0; choice < choices; ++choice) product *= kinds[static_cast<std::size_t>(choice)].options;
  return product;
}();

// The digits of a story's number. Most are the place of a word among the words of its kind; the friend's counts on from
// the hero, who is nobody's friend here; the finder's is 0 for the hero and 1 for the friend.
using Digits = std::array<std::size_t, choices>;

constexpr std::size_t word_of(const Digits& digits, std::size_t mention) {
  switch (mention) {
    case companion: return (digits[hero] + 1 + digits[companion]) % std::size(names);
    case finder: return word_of(digits, digits[finder] == 0 ? hero : companion);
    case seeker: return word_of(digits, digits[finder] == 0 ? companion : hero);
    case pronoun:
    case possessive: return digits[hero] < girls ? 0 : 1;
    default: return digits[mention];
  }
}

// The digit that the first mention of a choice tells. The seeker, who does not find it, tells who will.
constexpr std::size_t digit_of(const Digits& digits, std::size_t choice, std::size_t word) {
  if (choice == companion) return (word + std::size(names) - 1 - digits[hero]) % std::size(names);
  if (choice == finder) return word == digits[hero] ? 1 : 0;
  return word;
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
  Digits digits{};
  for (std::size_t choice = 0; choice < choices; ++choice) {
    digits[choice] = static_cast<std::size_t>(number % kinds[choice].options);
    number /= kinds[choice].options;
  }
  std::string text;
  follow_plot([&](std::string_view part) { return text += part, true; },
              [&](std::size_t mention) { return text += kinds[mention].words[word_of(digits, mention)], true; });
  return text;
}

struct Reading {
  bool well_formed = false;  // the plot, with words of the right kind in its places
  bool consistent = false;   // and everything agrees with what was said before
  std::uint64_t number = 0;  // tell(number) is the story, if both hold
  std::string problem = {};  // otherwise, the first one
  explicit operator bool() const { return well_formed && consistent; }
};

inline Reading understand(std::string_view story) {
  Reading reading{.well_formed = true, .consistent = true};
  Digits digits{};
  std::array<bool, choices> known{};
  std::size_t at = 0;
  const auto complain = [&](bool& verdict, const auto&... parts) {
    if (reading.problem.empty()) reading.problem = atom::to_text("at character ", at, ": ", parts...);
    return verdict = false;
  };
  const auto found = [&] { return story.substr(at, 16); };

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
    const std::size_t choice = mentioned == seeker ? std::size_t{finder} : mentioned;
    if (choice < choices && !known[choice]) {
      known[choice] = true;
      digits[choice] = digit_of(digits, choice, word);
      if (digits[choice] >= kinds[choice].options)
        complain(reading.consistent, "'", words[word], "' cannot be the ", label);
    }
    if (const std::size_t expected = word_of(digits, mentioned); word != expected)
      complain(reading.consistent, "'", words[word], "' does not agree with what came before, expected '",
               words[expected], "'");
    at += words[word].size();
    return true;
  };
  follow_plot(literal, mention);
  if (reading.well_formed && at != story.size()) complain(reading.well_formed, "the story goes on after its end");
  reading.consistent = reading.consistent && reading.well_formed;
  for (std::size_t choice = choices; reading && choice-- > 0;)
    reading.number = reading.number * kinds[choice].options + digits[choice];
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
