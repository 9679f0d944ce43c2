// SPDX-License-Identifier: Apache-2.0
// Latent attention: against numbers from PyTorch, finite differences; the form over a cache against the other, its bits
// and its memory.
#include <atom/nn/latent_attention.hpp>

#include "attention_checks.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <atom/policy/causal.hpp>

using namespace test;
using nn::LatentShape;

namespace {

template <class T> ops::RopeTable<T, Cpu> table() {
  return ops::RopeTable<T, Cpu>(ops::rope_frequencies(4, 100), 128, RopePairing::interleaved, 1, Cpu{});
}

LatentShape sized(LatentShape options = {}) {
  options.width = 6, options.heads = 3, options.kv_rank = 5;
  options.nope_dim = 3, options.rope_dim = 4, options.value_dim = 2;
  return options;
}

nn::KvCacheShape cache_of(const LatentShape& shape, Index capacity, std::vector<Index> windows) {
  return {.capacity = capacity,
          .kv_heads = 1,
          .head_dim = shape.kept_dim(),
          .windows = std::move(windows),
          .value_dim = shape.kv_rank};
}

template <class T> void check_cache(const LatentShape& shape, double tolerance) {
  const auto rope = table<T>();
  nn::LatentAttention<T, Cpu> module(shape);
  fill_by_formula(module);
  for (const LayerPolicy& mask : {LayerPolicy{}, LayerPolicy{.window = 9}, LayerPolicy{.chunk = 20}}) {
    const auto results = check_same_bits(module, cache_of(shape, 100, {0}), &rope, mask);
    const double off = difference_without_cache(module, &rope, mask, results);
    CHECK(off <= tolerance);
    CHECK(off > 0);  // the two forms are different sums
  }
}

}  // namespace

TEST_CASE("latent attention gives PyTorch's numbers") {
  const auto rope = table<double>();
  check_golden(nn::LatentAttention<double, Cpu>(sized()), &rope, Causal{},
               {{-0.0682552022501487, -0.0393761239171152, 0.0123795678922544, 2.31412342141881},
                {0.371027628349664, 1.14939745836492, 0.114875960715812, 0.960580197292844, 3.29226925168679}});
  check_golden(nn::LatentAttention<double, Cpu>(sized({.q_rank = 4, .bias = true, .scale = 0.9})), &rope, Causal{},
               {{0.281154692472896, 0.187255183023242, 0.15354868802223, 21.0493670750049},
                {0.116181358277568, 0.0436867331102365, 0.0136635252493748, 0.226354668541139, 0.494973271129999,
                 0.143164730255779, 0.0460680210770796, 1.93237810113223, 5.7147342432739, 2.59584271979673}});
}

TEST_CASE("gradients of latent attention are finite differences") {
  const auto rope = table<double>();
  for (const Index t : {1, 2, 5, 0})
    for (const Index b : {1, 2})
      for (const LatentShape& shape : {sized(), sized({.q_rank = 4, .bias = true, .scale = 0.9})}) {
        nn::LatentAttention<double, Cpu> module(shape);
        fill_by_formula(module);
        auto x = wave<double>({b, t, 6}, 0.3), residual = wave<double>({b, t, 6}, 0.5);
        const auto run = [&] {
          nn::Pass<double, Cpu> pass{.rope = rope};
          return module(x, residual, pass, 0, LayerPolicy{.window = 3});
        };
        CHECK(gradcheck(run, x, residual) <= 1);
        nn::for_each_tensor(module, [&](const std::string& name, auto& tensor, Role) {
          INFO(name);
          CHECK(gradcheck(run, tensor) <= 1);
        });
      }
}

TEST_CASE("over a cache latent attention is the same function, in the same bits however it is read") {
  check_cache<float>(sized(), 1e-5);
  check_cache<float>(sized({.q_rank = 4, .bias = true, .scale = 0.9}), 1e-5);
  check_cache<double>(sized({.q_rank = 4}), 1e-12);
  const LatentShape wide{.width = 70, .heads = 5, .kv_rank = 64, .nope_dim = 32, .rope_dim = 4, .value_dim = 32};
  check_cache<double>(wide, 1e-12);
  check_cache<float>(wide, 1e-5);
}

TEST_CASE("a cache of latents holds kv_rank + rope_dim numbers for each token and layer") {
  const LatentShape shape = sized();
  nn::KvCache<float, Cpu> cache(cache_of(shape, 128, {0, 0, 0}));
  CHECK(cache.bytes_per_token() == std::size_t(5 + 4) * sizeof(float) * 3);
  CHECK(cache.bytes() == 128 * cache.bytes_per_token());
  CHECK(cache.layer(2).values(0, 64, 0).data == cache.layer(2).keys(0, 64, 0).data);
  const nn::KvCache<double, Cpu> plain(
      nn::KvCacheShape{.batch = 3, .capacity = 64, .kv_heads = 2, .head_dim = 8, .windows = {0, 16}});
  CHECK(plain.bytes_per_token() == 2 * std::size_t(2 * 8) * sizeof(double) * 2);
  nn::KvCacheShape coded{.capacity = 64, .kv_heads = 2, .head_dim = 64, .windows = {0}, .type = CacheType::q8_0};
  CHECK(nn::KvCache<float, Cpu>(coded).bytes_per_token() == std::size_t(2 * 2 * (64 + 2 * 2)));
  CHECK_THROWS_WITH((nn::KvCache<float, Cpu>(
                        nn::KvCacheShape{.capacity = 8, .kv_heads = 1, .head_dim = 4, .windows = {0}, .value_dim = 5})),
                    "[kv_cache] values that lie within the keys are at most as wide, 4: found 5");

  // DeepSeek V3: 576 numbers a token and layer.
  const LatentShape v3{.heads = 128, .q_rank = 1536, .kv_rank = 512, .nope_dim = 128, .rope_dim = 64, .value_dim = 128};
  CHECK(v3.kept_dim() == 576);
  CHECK(v3.head_dim() == 192);
}

TEST_CASE("latent attention names its parts") {
  const auto names_of = [](const LatentShape& shape) {
    std::string names;
    const nn::LatentAttention<float, Cpu> module(shape);
    nn::for_each_tensor(module, [&](const std::string& name, const auto& tensor, Role) {
      names += to_text(name, " ", tensor.shape(), "; ");
    });
    return names;
  };
  CHECK(names_of(sized()) ==
        "q.weight (21, 6); kv_a.weight (9, 6); kv_a_norm.weight (5); kv_b.weight (15, 5); o.weight (6, 6); ");
  CHECK(names_of(sized({.q_rank = 4, .bias = true})) ==
        "q_a.weight (4, 6); q_a.bias (4); q_a_norm.weight (4); q_b.weight (21, 4); kv_a.weight (9, 6); kv_a.bias (9); "
        "kv_a_norm.weight (5); kv_b.weight (15, 5); o.weight (6, 6); o.bias (6); ");
}
