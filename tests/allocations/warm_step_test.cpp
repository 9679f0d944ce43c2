// SPDX-License-Identifier: Apache-2.0
// A program of its own: it replaces malloc and operator new to count their calls, by any thread.
#include "catch.hpp"

#include <atom/atom.hpp>
#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0  // the sanitizers bring their own malloc
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#if !defined(COUNTS_ALLOCATIONS)
#define COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> calls = 0;
std::atomic<bool> counting = false;
[[maybe_unused]] void count() {
  if (counting.load(std::memory_order_relaxed)) calls.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

#if COUNTS_ALLOCATIONS && !defined(__CUDA_ARCH__)  // nvcc takes malloc for a device's too
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t bytes) noexcept {
  count();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t n, std::size_t bytes) noexcept {
  count();
  return __libc_calloc(n, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
  count();
  return __libc_realloc(memory, bytes);
}
}
#endif

using namespace atom;

namespace {

models::TransformerConfig small(bool gpt2) {
  auto c =
      gpt2 ? models::TransformerConfig::gpt2(61, 2, 4, 32, 32) : models::TransformerConfig::llama(61, 2, 4, 32, 32);
  c.dropout = gpt2 ? 0.1 : 0;
  return c;
}

// Latent attention, experts chosen by group, balance by bias and by loss, multi-token prediction.
models::TransformerConfig sparse() {
  return {.vocab = 61,
          .context = 32,
          .layers = 2,
          .heads = 4,
          .width = 32,
          .latent = {.q_rank = 12, .kv_rank = 16, .nope_dim = 8, .rope_dim = 4, .value_dim = 8},
          .moe = {.experts = 8,
                  .active = 2,
                  .expert_width = 16,
                  .shared_width = 16,
                  .select_bias = true,
                  .router = {.score = nn::RouterScore::sigmoid,
                             .normalise = true,
                             .groups = 4,
                             .top_groups = 2,
                             .sequence_balance = 1e-3}},
          .mtp = 1};
}

long count_calls(auto&& f) {
  calls = 0;
  counting = true;
  f();
  counting = false;
  return calls;
}

}  // namespace

TEST_CASE("the counter sees malloc and operator new", "[allocations]") {
  if (!COUNTS_ALLOCATIONS) return;
  static void* volatile bytes = nullptr;  // the compiler may drop a pair that nobody sees
  static int* volatile number = nullptr;
  CHECK(count_calls([] {
          bytes = std::malloc(10);
          std::free(bytes);
        }) > 0);
  CHECK(count_calls([] {
          number = new int(3);
          delete number;
        }) > 0);
}

// Allocations of warm training steps.
template <class M> long while_training(M model) {
  const Rng rng(1);
  auto optim = optim::AdamW(model, {});
  const auto x = Tensor<TokenId>::full({3, 16}, 5), y = Tensor<TokenId>::full({3, 16}, 7);
  double sum = 0;
  const auto step = [&](std::uint64_t i) {
    const auto loss = model.loss(x, y, {.mode = nn::training(rng.key("dropout", i))});
    backward(loss);
    sum += optim.step().norm + static_cast<double>(loss.item());
    optim::update_balance(model, 1e-3);
  };
  for (std::uint64_t i = 0; i < 3; ++i) step(i);
  const long found = count_calls([&] {
    for (std::uint64_t i = 3; i < 10; ++i) step(i);
  });
  CHECK(std::isfinite(sum));
  return found;
}

// Allocations of warm decoding steps.
template <class M> long while_decoding(const M& model) {
  long during = -1;
  Index drawn = 0;
  sample::GenerateOptions options{.tokens = 20, .seed = 3};
  options.on_token = [&](TokenId) {
    ++drawn;
    if (drawn == 3) {
      calls = 0;
      counting = true;
    }
    if (drawn == 10) {
      counting = false;
      during = calls;
    }
    return true;
  };
  sample::generate(model, {1, 2, 3}, options);
  CHECK(drawn == 20);
  return during;
}

TEST_CASE("a warm training step allocates nothing", "[allocations]") {
  for (const bool gpt2 : {true, false}) CHECK(while_training(models::Transformer<float>(small(gpt2), Rng(1))) == 0);
  CHECK(while_training(models::FullTransformer<float>(sparse(), Rng(1))) == 0);
}

TEST_CASE("a warm decoding step allocates nothing", "[allocations]") {
  CHECK(while_decoding(models::Transformer<float>(small(false), Rng(1))) == 0);
  CHECK(while_decoding(models::FullTransformer<float>(sparse(), Rng(1))) == 0);
}

TEST_CASE("metrics, guard and schedule allocate nothing in a warm step", "[allocations]") {
  run::Metrics metrics("/dev/null");
  optim::Guard guard;
  const optim::Schedule schedule{.steps = 10};
  const auto step = [&](Index i) {
    const double loss = 1 / static_cast<double>(i + 1);
    metrics.write({.step = i,
                   .loss = loss,
                   .learning_rate = static_cast<double>(schedule.lr(i)),
                   .gradient_norm = 1e-30,
                   .tokens = 1 << 20,
                   .seconds = 0.123456,
                   .skipped = guard.judge(loss, 0.5) != optim::Verdict::accept});
  };
  for (Index i = 0; i < 3; ++i) step(i);
  CHECK(count_calls([&] {
          for (Index i = 3; i < 10; ++i) step(i);
        }) == 0);
}
