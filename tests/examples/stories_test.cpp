// SPDX-License-Identifier: Apache-2.0
#include "../../examples/stories.hpp"

#include "../catch.hpp"

#include <algorithm>
#include <cctype>
#include <random>
#include <set>

namespace {

std::uint64_t random_number(std::mt19937_64& random) { return random() % stories::count; }

std::string replaced(std::string text, std::string_view part, std::string_view by, bool last = false) {
  const std::size_t at = last ? text.rfind(part) : text.find(part);
  REQUIRE(at != text.npos);
  return text.replace(at, part.size(), by);
}

}  // namespace

TEST_CASE("there are more than 10^9 stories", "[examples]") {
  CHECK(stories::count == 8'053'063'680);
  const std::string first =
      "Mia had a red kite. She kept the red kite in her barn. One day Mia and Anna met at the river. Mia and Anna ran "
      "and sang. Then the kite was not in her barn, and Mia was sad. Anna looked under the bridge and found nothing. "
      "Mia "
      "looked under the table and found the red kite. \"Here is the kite, Anna!\" said Mia. Mia took the red kite home "
      "and put it back in her barn.\n\n";
  CHECK(stories::tell(0) == first);
  const std::string last = stories::tell(stories::count - 1);
  CHECK(last.starts_with("Noah had a round scarf. He kept the round scarf in his hut. One day Noah and Finn met"));
}

TEST_CASE("a story is a number: each has its own, and no two are the same text", "[examples]") {
  std::mt19937_64 random(1);
  std::set<std::string> texts;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t number = i == 0 ? 0 : i == 1 ? stories::count - 1 : random_number(random);
    const auto reading = stories::understand(stories::tell(number));
    if (!reading || reading.number != number) FAIL_CHECK(number << ": " << reading.problem);
    texts.insert(stories::tell(number));
    numbers.insert(number);
  }
  CHECK(texts.size() == numbers.size());
}

TEST_CASE("words of a kind do not begin one another, so a story is read in one way only", "[examples]") {
  for (const auto& kind : stories::kinds)
    for (const auto& a : kind.words)
      for (const auto& b : kind.words)
        if (&a != &b && b.starts_with(a)) FAIL_CHECK(a << " begins " << b);
}

TEST_CASE("what is said early must agree more than 60 tokens later", "[examples]") {
  const std::string story = stories::tell(123456789);
  const auto tokens = [](std::string_view text) {  // words and marks
    std::ptrdiff_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] != ' ') count += std::isalpha(text[i]) == 0 || i == 0 || std::isalpha(text[i - 1]) == 0;
    return count;
  };
  const auto reading = stories::understand(story);
  REQUIRE(reading);
  // The home, the hero and the thing: first and last mention.
  const std::string home = story.substr(story.rfind(' ') + 1, story.rfind('.') - story.rfind(' ') - 1);
  const std::string hero = story.substr(0, story.find(' '));
  for (const std::string& word : {home, hero})
    CHECK(tokens(std::string_view(story).substr(story.find(word), story.rfind(word) - story.find(word))) > 60);
  CHECK(stories::understand(replaced(story, home + ".\n", home == "barn" ? "shed.\n" : "barn.\n", true)).consistent ==
        false);
}

TEST_CASE("a story that disagrees with itself is well formed, not consistent, and the reason is named", "[examples]") {
  const std::string story = stories::tell(0);
  const auto problem = [&](std::string_view part, std::string_view by) {
    const auto reading = stories::understand(replaced(story, part, by, true));
    CHECK(reading.well_formed);
    CHECK_FALSE(reading.consistent);
    CHECK_FALSE(reading);
    return reading.problem;
  };
  const auto says = [&](std::string_view part, std::string_view by, std::string_view what) {
    return problem(part, by).find(what) != std::string::npos;
  };
  CHECK(problem("her barn", "her shed") ==
        "at character 358: 'shed' does not agree with what came before, expected 'barn'");
  CHECK(says("her barn", "his barn", "'his' does not agree"));
  CHECK(says("She kept", "He kept", "expected 'She'"));
  CHECK(says("red kite home", "blue kite home", "expected 'red'"));
  CHECK(says("kite home", "drum home", "expected 'kite'"));
  CHECK(says("Mia took", "Anna took", "expected 'Mia'"));
  CHECK(says("said Mia", "said Anna", "expected 'Mia'"));
  CHECK(says("kite, Anna!", "kite, Mia!", "expected 'Anna'"));
  CHECK(says("Anna looked", "Mia looked", "'Mia' does not agree"));
  CHECK(says("Anna looked", "Tom looked", "'Tom' does not agree"));
  CHECK(problem("Mia and Anna met", "Mia and Mia met") == "at character 71: 'Mia' cannot be the friend");
}

TEST_CASE("what is no story is not well formed, and the reason is named", "[examples]") {
  const std::string story = stories::tell(0);
  const auto problem = [&](const std::string& text) {
    const auto reading = stories::understand(text);
    CHECK_FALSE(reading.well_formed);
    CHECK_FALSE(reading.consistent);
    return reading.problem;
  };
  CHECK(problem("") == "at character 0: expected a hero, found ''");
  CHECK(problem("Once upon a time there was") == "at character 0: expected a hero, found 'Once upon a time'");
  CHECK(problem(replaced(story, "red", "pink")) == "at character 10: expected a color, found 'pink kite. She k'");
  CHECK(problem(replaced(story, "barn", "barns")).starts_with("at character 53: expected '. One day ', found 's. One"));
  CHECK(problem(replaced(story, "the table", "the well")).starts_with("at character 232: expected a good spot"));
  CHECK(problem(story + "M") == "at character 365: the story goes on after its end");
  CHECK(problem(story.substr(0, story.size() - 1)).find("expected '.\n\n'") != std::string::npos);
  for (std::size_t size = 0; size < story.size(); ++size) CHECK_FALSE(stories::understand(story.substr(0, size)));
  // Any one character changed: never both well formed and another text.
  for (std::size_t at = 0; at < story.size(); ++at)
    for (const char c : {'a', 'T', ' ', '.', '\n', '\xFF'}) {
      std::string other = story;
      other[at] = c;
      const auto reading = stories::understand(other);
      CHECK((!reading || stories::tell(reading.number) == other));
    }
}

TEST_CASE("the entropy is that of the choices, and the mean length that of the stories", "[examples]") {
  CHECK(stories::nats_per_story() == Approx(22.8093).margin(1e-4));
  std::mt19937_64 random(2);
  double sum = 0, squares = 0;
  const int samples = 100000;
  for (int i = 0; i < samples; ++i) {
    const auto length = static_cast<double>(stories::tell(random_number(random)).size());
    sum += length;
    squares += length * length;
  }
  const double mean = sum / samples, deviation = std::sqrt((squares / samples - mean * mean) / samples);
  CHECK(std::abs(mean - stories::mean_characters()) < 5 * deviation);
  CHECK(5 * deviation < 0.001 * mean);
  CHECK(stories::nats_per_character() == Approx(stories::nats_per_story() / mean).epsilon(0.001));
}

TEST_CASE("a corpus is whole stories, the same for a seed, drawn evenly", "[examples]") {
  const std::string text = stories::corpus(5, 400000);
  CHECK(text.size() >= 400000);
  CHECK(text == stories::corpus(5, 400000));
  CHECK(text != stories::corpus(6, 400000));
  std::vector<int> heroes(16);
  int all = 0;
  for (std::size_t at = 0; at < text.size(); ++all) {
    const std::size_t next = text.find("\n\n", at) + 2;
    const auto reading = stories::understand(std::string_view(text).substr(at, next - at));
    REQUIRE(reading);
    ++heroes[reading.number % 16];
    at = next;
  }
  CHECK(all > 1000);
  for (const int times : heroes) CHECK(std::abs(times - all / 16) < all / 40);
}
