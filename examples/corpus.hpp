// SPDX-License-Identifier: Apache-2.0
// What the training examples share: a text as tokens, from a file or made up, and the validation loss on it.
#pragma once

#include "story_report.hpp"

#include <atom/atom.hpp>
#include <atom/io/tokenizer_json.hpp>

#include <filesystem>

struct Corpus {
  std::string path;  // where the text lies
  atom::io::Tokenizer tokenizer;
  atom::data::Split parts;
  std::vector<atom::TokenId> boundary;  // what separates documents: a blank line
  double entropy = 0;                   // nats a token, of stories that were made up; 0: not known
};

// "char", "bpe:N" or the path of a tokenizer.json.
inline atom::io::Tokenizer make_tokenizer(const std::string& kind, const std::string& text) {
  using namespace atom;
  if (kind == "char") return io::character_tokenizer(text);
  if (!kind.starts_with("bpe:")) return io::load_tokenizer(kind);
  Index size = 0;
  const auto [end, error] = std::from_chars(kind.data() + 4, kind.data() + kind.size(), size);
  check(error == std::errc() && end == kind.data() + kind.size(), "--tokenizer", "a size follows bpe: found '", kind,
        "'");
  return io::train_bpe(text, {.size = size});
}

struct CorpusOptions {
  std::string data, out;   // a text file, or empty: stories, which are written to OUT/stories.txt
  std::string tokenizer;   // as make_tokenizer wants it
  std::uint64_t seed = 1;  // of the stories
};

inline Corpus read_corpus(const CorpusOptions& o) {
  using namespace atom;
  const std::string path = o.data.empty() ? o.out + "/stories.txt" : o.data;
  if (o.data.empty() && !std::filesystem::exists(path)) io::write_file(path, stories::corpus(o.seed));
  const std::string text = data::read_text(path);
  auto tokenizer = make_tokenizer(o.tokenizer, text);
  auto ids = tokenizer.encode(text);
  const double entropy = o.data.empty() ? story_entropy(text, std::ssize(ids)) : 0;
  auto boundary = text.find("\n\n") == text.npos ? std::vector<TokenId>() : blank_line(tokenizer);
  auto parts = data::split(std::move(ids), {.boundary = boundary});
  return {path, std::move(tokenizer), std::move(parts), boundary, entropy};
}

// Mean loss over the validation part, at most `limit` batches of it.
template <class Model> double validation_loss(const Model& model, const Corpus& corpus, atom::Index batch,
                                              atom::Index context, int limit = 64) {
  const atom::NoGrad no_grad;
  atom::data::Batches<typename Model::DeviceType> batches(
      corpus.parts.validation, {.batch = batch, .context = context, .shuffle = false, .boundary = corpus.boundary});
  double sum = 0, targets = 0;
  for (int i = 0; i < limit && batches.cursor().epoch == 0; ++i) {
    const auto [x, y] = batches.next();
    const auto count = static_cast<double>(batches.targets());
    if (count == 0) continue;
    sum += static_cast<double>(model.loss(x, y).item()) * count;
    targets += count;
  }
  return sum / targets;
}
