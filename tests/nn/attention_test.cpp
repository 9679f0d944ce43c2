// SPDX-License-Identifier: Apache-2.0
// Grouped-query attention with the options of the open families: against numbers from PyTorch, finite differences, and
// over caches.
#include "attention_checks.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <atom/policy/chunked.hpp>
#include <atom/policy/sliding_window.hpp>

using namespace test;
using nn::AttentionShape;
using nn::QkNorm;

namespace {

template <class T> ops::RopeTable<T, Cpu> table(RopePairing pairing) {
  return ops::RopeTable<T, Cpu>(ops::rope_frequencies(4, 100), 128, pairing, 1, Cpu{});
}

AttentionShape sized(AttentionShape options = {}) {
  options.width = 6, options.heads = 4, options.kv_heads = 2, options.head_dim = 4;
  return options;
}

// What open models ask for, one of each.
std::vector<AttentionShape> families() {
  return {
      sized(),
      sized({.qk_norm = QkNorm::whole}),
      sized({.qk_norm = QkNorm::per_head}),
      sized({.qk_norm = QkNorm::per_head, .qk_norm_shape = {.eps = 1e-6, .weight = false}, .qk_norm_after_rope = true}),
      sized({.temperature = {.beta = 0.5, .floor_scale = 2, .offset = 1}}),
      sized({.qkv_bias = true, .o_bias = true, .scale = 0.3, .sinks = true}),
      sized({.qk_norm = QkNorm::per_head, .qk_norm_after_rope = true})};
}

std::string names_of(const AttentionShape& shape) {
  std::string names;
  const nn::Attention<float, Cpu> module(shape);
  nn::for_each_tensor(module, [&](const std::string& name, const auto&, Role role) {
    names += to_text(name, role == Role::norm ? "(norm) " : role == Role::bias ? "(bias) " : " ");
  });
  return names;
}

}  // namespace

TEST_CASE("attention with the options of open families gives PyTorch's numbers") {
  const auto split = table<double>(RopePairing::half_split), interleaved = table<double>(RopePairing::interleaved);
  const auto shapes = families();
  const auto check = [&](std::size_t i, const auto* rope, const LayerPolicy& mask, const Golden& golden) {
    INFO("family " << i);
    check_golden(nn::Attention<double, Cpu>(shapes[i]), rope, mask, golden);
  };
  check(0, &split, {},
        {{-0.0126428072960981, 0.0281101186819435, -0.0223002355468505, 2.90076261372937},
         {1.22184082409681, 0.561094379489539, 1.7920856227915, 17.1648674091872}});
  check(1, &split, {},  // OLMoE
        {{-0.0126428072960981, 0.112642007617402, -0.0857410363577505, 4.57477768918901},
         {4.0772568294794, 2.46811984721245, 3.2939303377156, 21.9019758203295, 0.517603393332458, 0.303764764297582}});
  check(2, &split, {},  // Qwen 3
        {{-0.0126428072960981, 0.0185425462037523, 0.0124343917512093, 3.79975589354158},
         {2.16378402521935, 0.993067606589625, 2.09277976715827, 17.7573070254543, 0.146409732788081,
          0.0806344173269723}});
  check(3, &interleaved, {},  // Llama 4, layers with rope
        {{-0.0126428072960981, 0.0936932269698859, -0.019318857933347, 6.42841629011889},
         {1.86359433048911, 1.52905093405089, 4.39797332228355, 22.3168748721015}});
  check(4, static_cast<decltype(&split)>(nullptr), {},  // and without
        {{-0.0126428072960981, 0.0755288615359291, 0.0158342877283081, 6.03790673241362},
         {1.59385560536591, 0.94917008496206, 3.79039366942031, 17.9133813748665}});
  check(5, &split, {.window = 3},  // gpt-oss
        {{0.308609092421491, -0.317590774505957, -0.403845697585156, 15.8773745275357},
         {1.60530665190776, 0.427800798422161, 1.17569918033743, 0.163984572390913, 1.33216782564966, 0.660973808525566,
          21.2716202982794, 2.59584271979673, 0.106349623345711}});
  check(6, &split, {},  // Hunyuan
        {{-0.0126428072960981, 0.079227906520468, -0.0574114832509541, 4.5007242308673},
         {2.14159869689551, 0.767756044095541, 1.81113832621101, 16.9479847484563, 0.0537624328238802,
          0.0405509197588569}});
}

TEST_CASE("gradients of attention's options are finite differences") {
  const auto split = table<double>(RopePairing::half_split);
  auto shapes = families();
  shapes.push_back(
      sized({.scale = 0.4, .sinks = true, .qk_norm = QkNorm::whole, .temperature = {.beta = 0.3, .floor_scale = 1}}));
  for (const auto& shape : shapes) {
    nn::Attention<double, Cpu> module(shape);
    fill_by_formula(module);
    auto x = wave<double>({2, 5, 6}, 0.3), residual = wave<double>({2, 5, 6}, 0.5);
    const auto run = [&] {
      nn::Pass<double, Cpu> pass{.rope = split};
      return module(x, residual, pass, 0, LayerPolicy{.window = 3});
    };
    CHECK(gradcheck(run, x, residual, module.q.weight, module.k.weight, module.v.weight, module.o.weight) <= 1);
    nn::for_each_tensor(module, [&](const std::string& name, auto& tensor, Role role) {
      INFO(name);
      if (role != Role::matrix) CHECK(gradcheck(run, tensor) <= 1);
    });
  }
}

TEST_CASE("attention with options gives the same bits over a cache, however it is read") {
  const auto split = table<float>(RopePairing::half_split);
  const nn::KvCacheShape cache{.capacity = 100, .kv_heads = 2, .head_dim = 4, .windows = {0}};
  for (const auto& shape : families())
    for (const LayerPolicy& mask : {LayerPolicy{}, LayerPolicy{.window = 9}, LayerPolicy{.chunk = 20}}) {
      nn::Attention<float, Cpu> module(shape);
      fill_by_formula(module);
      const auto results = check_same_bits(module, cache, &split, mask);
      CHECK(difference_without_cache(module, &split, mask, results) == 0);
    }
}

TEST_CASE("attention names its parts, and none that it does not have") {
  CHECK(names_of(sized()) == "q.weight k.weight v.weight o.weight ");
  CHECK(names_of(sized({.sinks = true, .qk_norm = QkNorm::per_head})) ==
        "q.weight k.weight v.weight o.weight q_norm.weight(norm) k_norm.weight(norm) sinks(bias) ");
  CHECK(names_of(sized({.qk_norm = QkNorm::per_head, .qk_norm_shape = {.eps = 1e-6, .weight = false}})) ==
        "q.weight k.weight v.weight o.weight ");
  const nn::Attention<float, Cpu> whole(sized({.qk_norm = QkNorm::whole}));
  CHECK(whole.q_norm.weight.shape() == Shape{16});
  CHECK(whole.k_norm.weight.shape() == Shape{8});
}

TEST_CASE("the temperature of queries grows by steps of the position") {
  const nn::QueryTemperature llama{.beta = 0.1, .floor_scale = 8192, .offset = 1};
  CHECK(llama(0) == 1);
  CHECK(llama(8190) == 1);
  CHECK(llama(8191) == Approx(1 + 0.1 * std::log(2.0)).epsilon(1e-15));
  CHECK(llama(24575) == Approx(1 + 0.1 * std::log(4.0)).epsilon(1e-15));
  const nn::QueryTemperature none{};
  CHECK(none(1 << 20) == 1);
}

TEST_CASE("a ring is as long as the policy looks back") {
  CHECK(nn::looks_back(LayerPolicy{}, 4096) == 0);
  CHECK(nn::looks_back(LayerPolicy{.window = 128}, 4096) == 128);
  CHECK(nn::looks_back(LayerPolicy{.window = 4096}, 4096) == 0);
  CHECK(nn::looks_back(LayerPolicy{.window = 128}, 100) == 0);
  CHECK(nn::looks_back(LayerPolicy{.chunk = 512}, 4096) == 512);
  CHECK(nn::looks_back(Chunked{.chunk = 500}, 750) == 500);
  CHECK(nn::looks_back(LayerPolicy{.window = 100, .chunk = 512}, 4096) == 100);
  CHECK(nn::looks_back(SlidingWindow{}, 4096) == 0);
}
