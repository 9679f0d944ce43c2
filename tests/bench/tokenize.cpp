// SPDX-License-Identifier: Apache-2.0
// Speed of a tokenizer on one thread: megabytes of text a second, encoded and decoded, and seconds for texts made to be
// slow. Each figure is the best of several runs, in the time that this thread had the processor.
#include <atom/io/bpe_trainer.hpp>
#include <atom/io/gguf.hpp>
#include <atom/io/gguf_tokenizer.hpp>
#include <atom/io/tiktoken.hpp>
#include <atom/io/tokenizer_json.hpp>

#include "machine.hpp"

#include <cmath>
#include <random>

using namespace atom;

namespace {

// Words made of syllables, the n-th of 200,000 as frequent as 1/n, as in prose: most of a text are few of them, but new
// ones keep coming.
std::string made_up_text(std::size_t bytes) {
  constexpr std::string_view starts[] = {"b", "d", "f", "gr", "k", "l", "m", "n", "p", "r", "st", "t", "w", "th", "sh"};
  constexpr std::string_view middles[] = {"a", "e", "i", "o", "u", "ea", "ou"}, ends[] = {"", "", "n", "r", "s", "ng"};
  const auto pick = [](auto& random, const auto& list) { return list[random() % std::size(list)]; };
  std::vector<std::string> words(200'000);
  std::mt19937 random(1);
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t syllable = 0; syllable <= random() % (1 + std::bit_width(i) / 6U); ++syllable)
      ((words[i] += pick(random, starts)) += pick(random, middles)) += pick(random, ends);
  std::string text;
  for (std::size_t in_sentence = 0; text.size() < bytes; ++in_sentence) {
    const double share = static_cast<double>(random()) / 4294967296.0;
    const auto rank = static_cast<std::size_t>(std::pow(static_cast<double>(words.size()), share)) - 1;
    if (in_sentence > 4 && random() % 12 == 0) {
      text += random() % 8 == 0 ? ".\n" : ".";
      in_sentence = 0;
    } else if (random() % 16 == 0) {
      text += random() % 8 == 0 ? to_text(" ", random() % 3000) : ",";
    }
    text += ' ';
    text += words[rank];
  }
  return text;
}

io::Tokenizer load(const std::string& path) {
  if (path.ends_with(".model")) return io::load_tiktoken(path);
  if (path.ends_with(".gguf")) return io::gguf_tokenizer(io::Gguf(path).metadata(), path);
  return io::load_tokenizer(path);
}

struct Hostile {
  const char* name;
  std::string text;
};

// A megabyte each.
std::vector<Hostile> hostile_texts() {
  constexpr std::size_t size = 1'000'000;
  const auto made = [](auto&& next) {
    std::string text;
    while (text.size() < size) next(text);
    return text;
  };
  std::mt19937 random(2);
  const auto one_of = [&](char32_t first, char32_t count) { return first + static_cast<char32_t>(random() % count); };
  return {{"one letter", std::string(size, 'a')},
          {"spaces", std::string(size, ' ')},
          {"line feeds", std::string(size, '\n')},
          {"letters", made([&](std::string& t) { append_utf8(t, one_of('a', 26)); })},
          {"marks", made([&](std::string& t) { append_utf8(t, t.empty() ? U'a' : one_of(0x300, 0x40)); })},
          {"emoji", made([&](std::string& t) { append_utf8(t, random() % 4 == 0 ? 0x200D : one_of(0x1F600, 0x50)); })},
          {"Chinese", made([&](std::string& t) { append_utf8(t, one_of(0x4E00, 0x5000)); })},
          {"mixed scripts", made([&](std::string& t) {
             append_utf8(t, random() % 2 == 0 ? one_of(0x4E00, 0x5000) : one_of(0x3041, 0x50));
             if (random() % 8 == 0) append_utf8(t, one_of('A', 58));
           })},
          {"bytes", made([&](std::string& t) { t += static_cast<char>(random()); })},
          {"<", std::string(size, '<')}};
}

}  // namespace

int main(int argc, char** argv) {
  std::string file, text_file;
  Index vocab = 20'000;
  double budget = 2;
  bool json = false, no_hostile = false;
  CLI::App app{
      "Times encoding and decoding on one thread.\n"
      "Example: tokenize tokenizer.json --text book.txt"};
  app.add_option("tokenizer", file, "tokenizer.json, tiktoken.model or FILE.gguf; none: one is learnt from the text");
  app.add_option("--text", text_file, "a file of text; none: 5 MB of made-up words");
  app.add_option("--vocab", vocab, "tokens to learn");
  app.add_option("--seconds", budget, "time for each of the two figures");
  app.add_flag("--no-hostile", no_hostile, "leave out the texts made to be slow");
  app.add_flag("--json", json, bench::json_help);
  return cli::run(app, argc, argv, [&] {
    set_default_threads(1);  // tells bench::best_seconds to leave out the time of other programs
    const bench::Output out("tokenize", json);
    const std::string text = text_file.empty() ? made_up_text(5'000'000) : io::read_file(text_file);
    const io::Tokenizer tokenizer = file.empty() ? io::train_bpe(text, {.size = vocab}) : load(file);
    std::vector<TokenId> ids;
    const double encoding = bench::best_seconds(budget, [&] { ids = tokenizer.encode(text, {.add_special = false}); });
    std::size_t decoded = 0;
    const double decoding = bench::best_seconds(budget, [&] { decoded = tokenizer.decode(ids).size(); });
    const auto rate = [](std::size_t bytes, double seconds) { return 1e-6 * static_cast<double>(bytes) / seconds; };
    const double encoded_rate = rate(text.size(), encoding), decoded_rate = rate(decoded, decoding);
    out.line("{} tokens know {} bytes as {}: encodes {:.2f} MB/s, decodes {:.2f} MB/s\n", tokenizer.size(), text.size(),
             ids.size(), encoded_rate, decoded_rate);
    out.object({{"vocab", tokenizer.size()},
                {"bytes", text.size()},
                {"tokens", ids.size()},
                {"encode_mb_per_s", encoded_rate},
                {"decode_mb_per_s", decoded_rate}});
    double slowest = 0;
    for (const Hostile& hostile : no_hostile ? std::vector<Hostile>() : hostile_texts()) {
      const double seconds = bench::best_seconds(
          0, [&] { ids = tokenizer.encode(hostile.text, {.add_special = false}); }, 2);
      slowest = std::max(slowest, seconds);
      out.line("  1 MB, {:14} {:8} tokens, {:.3f} s\n", hostile.name, ids.size(), seconds);
      out.object({{"hostile", hostile.name}, {"tokens", ids.size()}, {"s", seconds}});
    }
    if (slowest > 1) fmt::print(stderr, "a megabyte took more than a second\n");
    return slowest > 1 ? 1 : 0;
  });
}
