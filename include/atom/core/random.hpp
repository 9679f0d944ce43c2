// SPDX-License-Identifier: Apache-2.0
// Random numbers without state: each is a function of (seed, purpose, step, element), so that any thread, the GPU and a
// resumed run draw the same. Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
// Not for cryptography.
#pragma once

#include "elements.hpp"
#include "error.hpp"
#include "math.hpp"

namespace atom {

// One stream of numbers, indexed by element. Use a stream for one thing: its numbers are the same at every draw.
struct RandomKey {
  std::uint64_t seed = 0, stream = 0;
  friend bool operator==(RandomKey, RandomKey) = default;
};

struct RandomBlock {
  std::uint32_t word[4];
};

// The bijection itself: ten rounds on a counter under a key.
ATOM_HD constexpr RandomBlock philox(RandomBlock counter, std::uint32_t key0, std::uint32_t key1) {
  auto [a, b, c, d] = counter.word;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t x = std::uint64_t{0xD2511F53} * a, y = std::uint64_t{0xCD9E8D57} * c;
    a = static_cast<std::uint32_t>(y >> 32U) ^ b ^ key0;
    b = static_cast<std::uint32_t>(y);
    c = static_cast<std::uint32_t>(x >> 32U) ^ d ^ key1;
    d = static_cast<std::uint32_t>(x);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return {{a, b, c, d}};
}

ATOM_HD constexpr std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
ATOM_HD constexpr std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32U); }

// Four words of a stream; block i holds the words of elements 4 i to 4 i + 3.
ATOM_HD constexpr RandomBlock random_block(RandomKey key, Index block) {
  const auto index = static_cast<std::uint64_t>(block);
  const RandomBlock counter{{low_word(index), high_word(index), low_word(key.stream), high_word(key.stream)}};
  return philox(counter, low_word(key.seed), high_word(key.seed));
}

// A bijection of 64 bits that spreads every bit over all (the finaliser of SplitMix64).
ATOM_HD constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

// Where streams come from: one seed, and a name for each purpose.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : seed_(seed) {}
  std::uint64_t seed() const { return seed_; }

  // The stream of a purpose at a step (of training, of an epoch, of a sequence). Names and steps do not collide in
  // practice: streams are 64-bit hashes.
  RandomKey key(std::string_view purpose, std::uint64_t step = 0) const {
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const char character : purpose) hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3U;
    return {seed_, mix_bits(mix_bits(hash) + step * 0x9E3779B97F4A7C15U)};
  }

 private:
  std::uint64_t seed_;
};

// Uniform in [0, 1): a multiple of 2^-24.
ATOM_HD float uniform(RandomKey key, Index element) {
  const std::uint32_t word = random_block(key, element / 4).word[element % 4];
  return static_cast<float>(word >> 8U) * 0x1p-24F;
}

namespace detail {

// The two uniform numbers that make a normal one, from the words of its pair: a radius in (0, 1], an angle in turns.
// The second of a pair is the sine, which is the cosine a quarter turn earlier. All exact: contraction cannot matter.
template <class T> ATOM_HD void normal_parts(const std::uint32_t* block, Index place, T& radius, T& turns) {
  constexpr unsigned shift = sizeof(T) == 4 ? 8 : 0;
  constexpr T unit = sizeof(T) == 4 ? T(0x1p-24) : T(0x1p-32);
  const Index pair = place & ~Index{1};
  radius = static_cast<T>(block[pair] >> shift) * unit + unit;
  turns = static_cast<T>(block[pair + 1] >> shift) * unit - (place % 2 == 0 ? T(0) : T(0.25));
}

ATOM_HD_QUIET
template <class S> ATOM_HD S normal_of(S radius, S turns) {
  using T = math::detail::scalar_t<S>;
  return math::sqrt(S(T(-2)) * math::log(radius)) * math::cos_turns(turns);
}

// The words of sixteen elements: that of element first + i is words[first % 4 + i]. A real call: inlined into a kernel
// for avx512, g++ makes the same text four times slower.
[[gnu::noinline]] inline void random_words(RandomKey key, Index first, std::uint32_t (&words)[20]) {
  for (Index i = 0; i < (first % 4 == 0 ? 4 : 5); ++i) {
    const RandomBlock block = random_block(key, first / 4 + i);
    for (Index j = 0; j < 4; ++j) words[4 * i + j] = block.word[j];
  }
}

}  // namespace detail

// Standard normal, by the method of Box and Muller; at most 5.8 (float) or 6.7 (double) in size.
template <class T> ATOM_HD T normal(RandomKey key, Index element) {
  T radius = 0, turns = 0;
  detail::normal_parts(random_block(key, element / 4).word, element % 4, radius, turns);
  return detail::normal_of(radius, turns);
}

// The same for S = scalar or lanes, in a function of pointwise_indexed.
ATOM_HD_QUIET
template <class S> ATOM_HD S uniform(RandomKey key, Elements<S> at) {
  if constexpr (math::Vector<S>) {
    std::uint32_t words[20];
    detail::random_words(key, at.first, words);
    typename S::Scalar value[16];
    for (Index i = 0; i < 16; ++i) value[i] = static_cast<float>(words[at.first % 4 + i] >> 8U) * 0x1p-24F;
    return S::load(value);
  } else {
    return static_cast<S>(uniform(key, at.first));
  }
}
ATOM_HD_QUIET
template <class S> ATOM_HD S normal(RandomKey key, Elements<S> at) {
  if constexpr (math::Vector<S>) {
    std::uint32_t words[20];
    detail::random_words(key, at.first, words);
    typename S::Scalar radius[16], turns[16];
    for (Index i = 0; i < 16; ++i) detail::normal_parts(words, at.first % 4 + i, radius[i], turns[i]);
    return detail::normal_of(S::load(radius), S::load(turns));
  } else {
    return normal<S>(key, at.first);
  }
}

// Uniform in 0..n-1 for n >= 1; the bias is below n / 2^64.
ATOM_HD Index uniform_index(RandomKey key, Index element, Index n) {
  const RandomBlock block = random_block(key, element);
  const auto bound = static_cast<std::uint64_t>(n);
  // The high 64 bits of (word0 + 2^32 word1) * n.
  const std::uint64_t low = bound & 0xFFFFFFFFU, high = bound >> 32U;
  const std::uint64_t carry = (block.word[0] * low >> 32U) + (block.word[1] * low & 0xFFFFFFFFU);
  const std::uint64_t middle = block.word[0] * high + carry;
  return static_cast<Index>(block.word[1] * high + (block.word[1] * low >> 32U) + (middle >> 32U));
}

// A permutation of 0..n-1 that is computed, never stored: a Feistel network over the next power of two, walked until it
// is back inside. For order, not for statistics of permutations: it reaches only a part of the n! orders.
class Permutation {
 public:
  Permutation(RandomKey key, Index n) : n_(n) {
    check(n >= 0, "permutation", "the size is not negative: found ", n);
    const int bits = n < 2 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
    right_bits_ = bits - bits / 2;
    left_mask_ = (std::uint64_t{1} << static_cast<unsigned>(bits / 2)) - 1;
    right_mask_ = (std::uint64_t{1} << static_cast<unsigned>(right_bits_)) - 1;
    for (Index i = 0; i < rounds; ++i) {
      const RandomBlock block = random_block(key, i);
      keys_[i] = block.word[0] | std::uint64_t{block.word[1]} << 32U;
    }
  }

  Index size() const { return n_; }

  // Where element i of 0..n-1 goes.
  Index operator()(Index i) const {
    auto x = static_cast<std::uint64_t>(i);
    do x = step(x);
    while (x >= static_cast<std::uint64_t>(n_));
    return static_cast<Index>(x);
  }

 private:
  static constexpr Index rounds = 8;

  std::uint64_t step(std::uint64_t x) const {
    std::uint64_t left = x >> static_cast<unsigned>(right_bits_), right = x & right_mask_;
    for (int i = 0; i < rounds; i += 2) {
      left ^= mix_bits(right + keys_[i]) & left_mask_;
      right ^= mix_bits(left + keys_[i + 1]) & right_mask_;
    }
    return left << static_cast<unsigned>(right_bits_) | right;
  }

  Index n_;
  int right_bits_ = 0;
  std::uint64_t left_mask_ = 0, right_mask_ = 0, keys_[rounds] = {};
};

}  // namespace atom
