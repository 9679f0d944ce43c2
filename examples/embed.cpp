// SPDX-License-Identifier: Apache-2.0
// A model inside a program that is about something else. The library prints nothing, installs no handlers, and a const
// model may be used from several threads at once, each with its own cache.
#include <atom/atom.hpp>

#include <cstdio>
#include <thread>

namespace {

using Model = atom::models::Transformer<float>;

// Learns to continue a text; returns the last loss.
float train(Model& model, const atom::data::CharVocab& vocab, const std::string& text) {
  auto batches = atom::data::Batches(vocab.encode(text), {.batch = 8, .context = 32, .seed = 1});
  auto optim = atom::optim::AdamW(model, {.lr = 3e-3F});
  float last = 0;
  for (int step = 0; step < 150; ++step) {
    const auto [x, y] = batches.next();
    const auto loss = model.loss(x, y);
    atom::backward(loss);
    optim.step();
    last = loss.item();
  }
  return last;
}

}  // namespace

int main() try {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "the quick brown fox jumps over the lazy dog. ";
  const atom::data::CharVocab vocab(text);
  Model model({.vocab = vocab.size(), .context = 64, .layers = 2, .heads = 4, .width = 48}, atom::Rng(7));
  const float loss = train(model, vocab, text);

  // Two requests at once, each with its own seed and cancellation.
  std::string answers[2];
  const auto ask = [&](int i) {
    int budget = 40;
    const auto ids = atom::sample::generate(
        std::as_const(model), vocab.encode("the quick"),
        {.tokens = 100, .temperature = 0, .on_token = [&](atom::TokenId) { return --budget > 0; }});
    answers[i] = vocab.decode(ids);
  };
  std::thread other(ask, 1);
  ask(0);
  other.join();

  std::printf("loss %.3f\nthe quick%s\n", static_cast<double>(loss), answers[0].c_str());
  return loss < 0.2F && answers[0] == answers[1] && answers[0].rfind(" brown fox jumps over the lazy dog", 0) == 0 ? 0
                                                                                                                   : 1;
} catch (const atom::Error& error) {  // a GPU build without a GPU, for one
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
