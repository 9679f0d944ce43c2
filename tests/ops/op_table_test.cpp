// SPDX-License-Identifier: Apache-2.0
// Every operation of the table against finite differences, in double; and proof that the check finds wrong gradients.
#include "ops/op_cases.hpp"

#include <atom/autograd/gradcheck.hpp>
#include <map>

#include "catch.hpp"

using namespace test;

namespace {

using Leaves = Inputs<double, Cpu>;

template <class F> double check_gradient(F f, Leaves& in) {
  switch (in.size()) {
    case 1: return gradcheck(f, in[0]);
    case 2: return gradcheck(f, in[0], in[1]);
    case 3: return gradcheck(f, in[0], in[1], in[2]);
    case 4: return gradcheck(f, in[0], in[1], in[2], in[3]);
    default: FAIL("a case has 1 to 4 inputs"); return 0;
  }
}

}  // namespace

TEST_CASE("the gradient of every operation agrees with finite differences") {
  for (const auto& c : op_cases<double, Cpu>())
    for (const Shapes& shapes : c.calls)
      for (const bool strided : {false, true}) {
        std::string text(c.op);
        for (const Shape& shape : shapes) text += to_text(" ", shape);
        INFO(text << (strided ? " strided" : ""));
        Leaves leaves = case_leaves<double>(shapes, c.positive, strided, Cpu{});
        CHECK(check_gradient([&] { return run_case(c, leaves, strided); }, leaves) <= 1);
      }
}

TEST_CASE("a second gradient is added to the first") {
  for (const auto& c : op_cases<double, Cpu>())
    for (const Shapes& shapes : c.calls) {
      INFO(c.op << to_text(" ", shapes[0]));
      Leaves leaves = case_leaves<double>(shapes, c.positive, false, Cpu{});
      std::vector<std::vector<double>> once;
      for (auto& leaf : leaves) leaf.require_grad();
      for (const int times : {1, 2}) {
        const auto y = run_case(c, leaves, false);
        backward(y, Tensor<double, Cpu>::from(case_values<double>(y.size(), 9, false), y.shape()));
        for (std::size_t i = 0; i < leaves.size(); ++i) {
          auto found = leaves[i].grad().defined() ? leaves[i].grad().to_vector() : std::vector<double>();
          if (times == 1) once.push_back(found);
          for (std::size_t j = 0; times == 2 && j < found.size(); ++j)
            if (std::abs(found[j] - 2 * once[i][j]) > 1e-12 * (1 + std::abs(found[j])))
              FAIL_CHECK("input " << i << ", element " << j << ": " << found[j] << ", expected twice " << once[i][j]);
        }
      }
    }
}

TEST_CASE("every operation is checked on at least twelve shapes, an empty one among them") {
  std::map<std::string_view, std::pair<std::size_t, bool>> seen;
  for (const auto& c : op_cases<double, Cpu>()) {
    auto& [count, empty] = seen[c.op];
    count = std::max(count, c.calls.size());
    for (const Shapes& shapes : c.calls)
      for (const Shape& shape : shapes) empty = empty || element_count(shape) == 0;
  }
  for (const auto& [op, what] : seen) {
    INFO(op);
    CHECK(what.first >= 12);
    CHECK(what.second);
  }
}

// Three mistakes that are made in practice. (record's name is theirs alone: they are no operations of the library.)
TEST_CASE("wrong gradients are caught") {
  using Values = Buffer<double, Cpu>;
  Leaves in = case_leaves<double>({{2, 3}, {2, 3}}, false, false, Cpu{});
  const auto product = [&] { return ops::mul(in[0], in[1]).buffer(); };
  const auto with_rule = [&](auto rule) {
    return check_gradient([&, rule] { return record<"planted">(product(), rule, in[0], in[1]); }, in);
  };
  const auto times = [](const Values& a, const Values& b, double factor) {
    const NoGrad no_grad;
    return ops::scale(ops::mul(constant(a), constant(b)), factor).buffer();
  };
  const Values a = in[0].buffer(), b = in[1].buffer();
  CHECK(with_rule([=](const Values& dy) { return grads(times(dy, b, 1), times(dy, a, 1)); }) <= 1);
  SECTION("of the other input") {
    CHECK(with_rule([=](const Values& dy) { return grads(times(dy, a, 1), times(dy, b, 1)); }) > 1);
  }
  SECTION("with the wrong sign") {
    CHECK(with_rule([=](const Values& dy) { return grads(times(dy, b, 1), times(dy, a, -1)); }) > 1);
  }
  SECTION("off by one part in ten thousand") {
    CHECK(with_rule([=](const Values& dy) { return grads(times(dy, b, 1.0001), times(dy, a, 1)); }) > 1);
  }
}
