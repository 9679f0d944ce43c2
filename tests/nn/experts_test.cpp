// SPDX-License-Identifier: Apache-2.0
// Routers and experts as modules: gradients of every rule against differences in double, what is counted and observed,
// and each token's bits alone and in any batch.
#include <atom/nn/experts.hpp>

#include "catch.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <atom/nn/sparse_mixer.hpp>
#include <atom/optim/balance.hpp>

using namespace atom;

namespace experts_test {

struct Holder {
  nn::Experts<double, Cpu> experts;
  template <class Self, class F> static void visit(Self& self, F&& f) { f("experts", self.experts); }
};

}  // namespace experts_test

namespace {

using Module = nn::Experts<double, Cpu>;
using Pass = nn::Pass<double, Cpu>;
enum class Situation { several, one_token, all_to_one };

struct Case {
  nn::ExpertsShape shape;
  nn::TopKRouter router;
};

constexpr Index width = 4, experts = 8;

nn::ExpertsShape shape_of(nn::ExpertsShape s) {
  s.width = width;
  s.hidden = 3;
  s.experts = experts;
  return s;
}

std::vector<Case> cases() {
  using enum nn::RouterScore;
  std::vector<Case> all;
  const nn::TopKRouter routers[] = {{.score = softmax},
                                    {.score = softmax, .normalise = true, .balance = 0.3, .z = 0.2},
                                    {.score = sigmoid, .scale = 1.7},
                                    {.score = sigmoid,
                                     .normalise = true,
                                     .scale = 2.5,
                                     .groups = 4,
                                     .top_groups = 2,
                                     .balance = 0.1,
                                     .sequence_balance = 0.4}};
  const nn::ExpertsShape shapes[] = {
      {.active = 2},
      {.active = 3, .clamped = true, .clamp_limit = 0.3, .bias = true, .router_bias = true},
      {.active = 1, .activation = Activation::gelu_tanh, .scale_input = true, .shared_hidden = 5},
      {.active = 2, .select_bias = true, .shared_hidden = 2, .shared_gate = true}};
  for (const auto& router : routers)
    for (const auto& shape : shapes) all.push_back({shape_of(shape), router});
  return all;
}

Module random_module(const nn::ExpertsShape& shape, unsigned seed) {
  Module module(shape);
  nn::for_each_tensor(module, [&](const std::string& name, auto& tensor, Role) {
    tensor.assign(Tensor<double, Cpu>::normal(Rng(seed).key(name), tensor.shape(), 0.7).to_vector());
  });
  return module;
}

Tensor<double, Cpu> input(Situation situation, unsigned seed) {
  const Index rows = situation == Situation::one_token ? 1 : 6;
  auto x = Tensor<double, Cpu>::normal(Rng(seed).key("x"),
                                       {situation == Situation::one_token ? 1 : 2, rows / 2 + rows % 2, width}, 1);
  if (situation == Situation::all_to_one) {  // nearly the same token again and again
    auto values = x.to_vector();
    for (std::size_t i = width; i < values.size(); ++i) values[i] = values[i % width] + 1e-4 * values[i];
    x.assign(values);
  }
  return x;
}

// How far the choice is from another one: the least gap between a chosen selection score and one left out, groups too.
double margin(const Module& module, const nn::TopKRouter& router, const Tensor<double, Cpu>& x) {
  const NoGrad no_grad;
  const auto logits = module.router(ops::reshape(x, {x.size() / width, width}));
  auto scores = router.score == nn::RouterScore::softmax ? ops::softmax(logits) : ops::sigmoid(logits);
  double least = 1;
  for (int biased = 0; biased < 2; ++biased) {  // sequence_balance chooses without the bias
    if (biased && module.select_bias.defined()) scores = scores + module.select_bias;
    const auto values = scores.to_vector();
    const Index n = scores.dim(0), per_group = experts / router.groups;
    for (Index row = 0; row < n; ++row) {
      std::vector<std::pair<double, std::vector<double>>> groups;
      for (Index g = 0; g < router.groups; ++g) {
        const auto first = values.begin() + row * experts + g * per_group;
        std::vector<double> members(first, first + per_group);
        std::ranges::sort(members, std::greater());
        groups.push_back({members[0] + (per_group > 1 ? members[1] : 0), members});
      }
      std::ranges::sort(groups, std::greater());
      if (router.groups > router.top_groups)
        least = std::min(least, groups[static_cast<std::size_t>(router.top_groups - 1)].first -
                                    groups[static_cast<std::size_t>(router.top_groups)].first);
      std::vector<double> kept;
      for (Index g = 0; g < router.top_groups; ++g) {
        const auto& members = groups[static_cast<std::size_t>(g)].second;
        kept.insert(kept.end(), members.begin(), members.end());
      }
      std::ranges::sort(kept, std::greater());
      const auto k = static_cast<std::size_t>(module.shape.active);
      if (k < kept.size()) least = std::min(least, kept[k - 1] - kept[k]);
    }
  }
  return least;
}

// The output and what the router wants minimised, in one row.
template <class Router> Tensor<double, Cpu> everything(const Module& module, const Tensor<double, Cpu>& x,
                                                       const Router& router, bool training = true) {
  Pass pass{.mode = {.training = training, .key = Rng(9).key("noise")}};
  const auto y = module(x, x, pass, 0, router);
  const auto flat = ops::reshape(y, {y.size()});
  return pass.losses.defined() ? ops::concat(flat, ops::reshape(pass.losses, {1}), 0) : flat;
}

// Worst ratio to the tolerance over the input and every parameter.
template <class Router>
double check_all(Module& module, Tensor<double, Cpu>& x, const Router& router, bool training = true) {
  const GradcheckOptions options{.step = 1e-5, .absolute = 1e-6, .relative = 1e-6};
  const auto f = [&] { return everything(module, x, router, training); };
  double worst = gradcheck(f, options, x);
  nn::for_each_tensor(module, [&](const std::string&, auto& tensor, Role role) {
    if (role != Role::buffer) worst = std::max(worst, gradcheck(f, options, tensor));
  });
  return worst;
}

std::vector<std::int64_t> load_of(const Module& module) {
  std::vector<std::int64_t> load(static_cast<std::size_t>(experts));
  std::copy_n(module.load.data(), load.size(), load.begin());
  return load;
}

}  // namespace

TEST_CASE("gradients of routers and experts", "[experts]") {
  for (const auto& [shape, router] : cases())
    for (const auto situation : {Situation::several, Situation::one_token, Situation::all_to_one}) {
      unsigned seed = 1;
      while (margin(random_module(shape, seed), router, input(situation, seed)) < 1e-3) ++seed;
      auto module = random_module(shape, seed);
      auto x = input(situation, seed);
      REQUIRE(check_all(module, x, router) <= 1);
      const auto load = load_of(module);  // some expert had no token; in this situation only `active` had any
      REQUIRE(std::ranges::count(load, 0) >= (situation == Situation::several ? 0 : experts - shape.active));
    }
}

TEST_CASE("ties go to the lowest experts", "[experts]") {
  auto layer = random_module(shape_of({.active = 3}), 1);
  layer.router.weight.assign(std::vector<double>(static_cast<std::size_t>(experts * width), 0.0));
  std::vector<std::int32_t> seen;
  const nn::RoutingProbe<double, Cpu> probe = [&](const auto& event) { seen = event.ids.to_vector(); };
  Pass pass{.probe = &probe};
  layer(input(Situation::one_token, 1), {}, pass, 0, nn::TopKRouter{});
  CHECK(seen == std::vector<std::int32_t>{0, 1, 2});
}

TEST_CASE("jitter is noise of a key, in training only", "[experts]") {
  const nn::TopKRouter router{.jitter = 0.2};
  unsigned seed = 1;
  auto module = random_module(shape_of({.active = 2}), seed);
  auto x = input(Situation::several, seed);
  const auto once = everything(module, x, router).to_vector();
  CHECK(once == everything(module, x, router).to_vector());
  CHECK(once != everything(module, x, router, false).to_vector());
  CHECK(everything(module, x, router, false).to_vector() == everything(module, x, nn::TopKRouter{}, false).to_vector());
  CHECK(check_all(module, x, router) <= 1);
}

TEST_CASE("loads count training passes once, not evaluation nor recomputation", "[experts]") {
  const auto module = random_module(shape_of({.active = 2}), 3);
  auto x = input(Situation::several, 3);
  x.require_grad();
  everything(module, x, nn::TopKRouter{}, false);
  CHECK(std::ranges::count(load_of(module), 0) == experts);
  everything(module, x, nn::TopKRouter{});
  const auto once = load_of(module);
  CHECK(std::accumulate(once.begin(), once.end(), std::int64_t{0}) == 2 * 6);
  backward(ops::sum(checkpoint([&](const auto& input) { return everything(module, input, nn::TopKRouter{}); }, x)));
  auto twice = once;
  for (auto& count : twice) count *= 2;
  CHECK(load_of(module) == twice);
}

TEST_CASE("update_balance moves the choice by the sign of the load's error", "[experts]") {
  experts_test::Holder model{random_module(shape_of({.active = 2, .select_bias = true}), 3)};
  const auto before = model.experts.select_bias.to_vector();
  everything(model.experts, input(Situation::several, 3), nn::TopKRouter{});
  const auto load = load_of(model.experts);
  optim::update_balance(model, 0.01);
  const auto after = model.experts.select_bias.to_vector();
  for (std::size_t e = 0; e < load.size(); ++e) {
    const double mean = 12.0 / experts, expected = double(load[e]) < mean ? 0.01 : double(load[e]) > mean ? -0.01 : 0;
    CHECK(after[e] == before[e] + expected);
  }
  CHECK(std::ranges::count(load_of(model.experts), 0) == experts);
}

TEST_CASE("a token's bits do not depend on its batch or on threads", "[experts]") {
  using Single = nn::Experts<float, Cpu>;
  for (const bool scaled : {false, true}) {
    auto shape = shape_of({.active = 3, .bias = true, .scale_input = scaled, .shared_hidden = 5});
    Single layer(shape);
    nn::for_each_tensor(layer, [&](const std::string& name, auto& tensor, Role) {
      tensor.assign(Tensor<float, Cpu>::normal(Rng(1).key(name), tensor.shape(), 0.7F).to_vector());
    });
    const nn::TopKRouter router{.score = nn::RouterScore::sigmoid, .normalise = true};
    const NoGrad no_grad;
    nn::Pass<float, Cpu> pass;
    const auto x = Tensor<float, Cpu>::normal(Rng(2).key("x"), {1, 150, width}, 1.0F);
    const auto whole = layer(x, x, pass, 0, router).to_vector();
    for (Index row = 0; row < 150; row += 7) {
      const auto alone = ops::slice(x, 1, row, 1).clone();
      const auto y = layer(alone, alone, pass, 0, router).to_vector();
      REQUIRE(std::equal(y.begin(), y.end(), whole.begin() + row * width));
    }
    const int threads = default_pool().size();
    for (const int count : {1, 3}) {
      set_default_threads(count);
      CHECK(layer(x, x, pass, 0, router).to_vector() == whole);
    }
    set_default_threads(threads);
  }
}

TEST_CASE("SparseMixer: its rule in evaluation, by differences", "[experts]") {
  for (unsigned seed = 1; seed < 8; ++seed) {
    auto module = random_module(shape_of({.active = 2}), seed);
    auto x = input(seed % 2 == 0 ? Situation::one_token : Situation::several, seed);
    CHECK(check_all(module, x, nn::SparseMixer{.jitter = 0.2}, false) <= 1);
  }
}

// The numbers of transformers 5.23 (PhimoeMultiplier and the masks of its sparsemixer, in float64) for the same scores,
// draws and choices: weights, and the estimated gradient for dweights = 0.5, 0.6, ... 1.4.
TEST_CASE("SparseMixer: its estimator in training, against transformers", "[experts]") {
  const Index n = 5, e = 6;
  const std::vector<double> weights = {0.409337106517563, 0.131655681492224, 0.048763707246382, 0.071211902817509,
                                       0.251573927649378, 0.078980852649986, 0.263564861783852, 0.260292385583946,
                                       0.196499062750087, 0.060359321007584};
  const std::vector<double> gradient = {0.120890119872696,
                                        0.095633233539258,
                                        0,
                                        -0.216523353411954,
                                        0,
                                        0,
                                        -0.053967950618707,
                                        0.087423018448666,
                                        0.115719713179303,
                                        -0.068150077841242,
                                        -0.041013419170125,
                                        -0.040011283997894,
                                        0.169456037918799,
                                        -0.09861846809084,
                                        0.140649432579019,
                                        -0.083351635750126,
                                        0,
                                        -0.128135366656852,
                                        0.175473735100374,
                                        -0.108673382108523,
                                        -0.115597586615056,
                                        -0.164711034335176,
                                        0,
                                        0.213508267958382,
                                        -0.093866984503349,
                                        0.205253335414951,
                                        -0.095344045190807,
                                        0.170437368470475,
                                        -0.075040306936172,
                                        -0.111439367255099};
  nn::Linear<double, Cpu> identity(e, e, false);
  std::vector<double> ones(static_cast<std::size_t>(e * e), 0.0);
  for (std::size_t i = 0; i < ones.size(); i += 7) ones[i] = 1;
  identity.weight.assign(ones);
  auto x = Tensor<double, Cpu>::normal(Rng(11).key("x"), {n, e}, 0.3);
  auto values = x.to_vector();
  for (double& value : values) value += 1;
  x.assign(values);
  x.require_grad();
  const auto routing = nn::SparseMixer{.jitter = 0.2}(nn::RouterInput<double, Cpu>{
      .linear = identity, .x = x, .active = 2, .length = n, .mode = nn::training(Rng(5).key("noise"))});
  CHECK(routing.ids.to_vector() == std::vector<std::int32_t>{0, 1, 1, 2, 0, 2, 5, 0, 1, 3});
  const auto found = routing.weights.to_vector();
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(found[i] - weights[i]) <= 1e-8);  // its 1/3 is 0.3333
  backward(routing.weights, Tensor<double, Cpu>::from({0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4}, {n, 2}));
  const auto found_gradient = x.grad().to_vector();
  for (std::size_t i = 0; i < gradient.size(); ++i) CHECK(std::abs(found_gradient[i] - gradient[i]) <= 1e-12);
}
