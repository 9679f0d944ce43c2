// SPDX-License-Identifier: Apache-2.0
// Operations and their gradients against PyTorch's numbers, in float and double (tests/golden/README.md).
#include "golden/golden.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/ops/activation.hpp>
#include <atom/ops/attention.hpp>
#include <atom/ops/embedding.hpp>
#include <atom/ops/linear.hpp>
#include <atom/ops/linear_cross_entropy.hpp>
#include <atom/ops/matmul.hpp>
#include <atom/ops/norm.hpp>
#include <atom/ops/rope.hpp>
#include <atom/ops/softmax.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/sliding_window.hpp>
#include <map>
#include <set>

using namespace atom;

namespace {

// The inputs of one case; those that are numbers become leaves.
template <class T> class Inputs {
 public:
  Inputs(const Golden& file, std::string name) : file_(file), name_(std::move(name)) {}

  bool has(const std::string& part) const { return file_.contains(name_ + "/" + part); }
  double number(const std::string& part) const { return file_.number(name_ + "/" + part); }
  Tensor<T, Cpu> operator()(int i) {
    auto& leaf = leaves_[i];
    if (!leaf.defined()) leaf = file_.tensor<T>(name_ + "/in" + std::to_string(i)).require_grad();
    return leaf;
  }
  Tensor<TokenId, Cpu> ids(int i) const { return file_.tensor<TokenId>(name_ + "/in" + std::to_string(i)); }
  const std::map<int, Tensor<T, Cpu>>& leaves() const { return leaves_; }

 private:
  const Golden& file_;
  std::string name_;
  std::map<int, Tensor<T, Cpu>> leaves_;
};

template <class T> Tensor<T, Cpu> run(const std::string& op, Inputs<T>& in, bool interleaved) {
  if (op == "softmax") return ops::softmax(in(0));
  if (op == "log_softmax") return ops::log_softmax(in(0));
  if (op == "layer_norm") return ops::layer_norm(in(0), in(1), in(2), in.number("eps"));
  if (op == "rms_norm") return ops::rms_norm(in(0), in(1), in.number("eps"));
  if (op == "gelu") return ops::gelu(in(0));
  if (op == "gelu_tanh") return ops::gelu_tanh(in(0));
  if (op == "silu") return ops::silu(in(0));
  if (op == "swiglu") return ops::swiglu(in(0), in(1));
  if (op == "geglu_tanh") return ops::gated(Activation::gelu_tanh, in(0), in(1));
  if (op == "cross_entropy") return ops::cross_entropy(in(0), in.ids(1));
  if (op == "linear_cross_entropy") return ops::linear_cross_entropy(in(0), in(1), in.ids(2));
  if (op == "embedding") return ops::embedding(in.ids(0), in(1));
  if (op == "linear") return ops::linear(in(0), in(1), in.has("in2") ? in(2) : Tensor<T, Cpu>());
  if (op == "matmul") return ops::matmul(in(0), in(1));
  if (op == "rope") {
    const auto pairing = interleaved ? RopePairing::interleaved : RopePairing::half_split;
    const ops::RopeTable<T, Cpu> table(ops::rope_frequencies(in(0).dim(3), in.number("theta")), 128, pairing);
    return ops::rope(in(0), table, static_cast<Index>(in.number("offset")));
  }
  if (op == "attention") {
    const auto window = static_cast<std::int32_t>(in.number("window"));
    if (window == 0) return ops::attention(in(0), in(1), in(2), Causal{});
    return ops::attention(in(0), in(1), in(2), SlidingWindow{window});
  }
  fail(op, "golden numbers of an operation that this test does not know");
}

}  // namespace

TEMPLATE_TEST_CASE("operations and gradients agree with PyTorch", "", float, double) {
  using T = TestType;
  // Where terms cancel to almost 0, float leaves 3e-8, and twice that without fma.
  const double bar = sizeof(T) == 8 ? 1e-12 : isa() == Isa::baseline ? 8e-5 : 4e-5;
  const Golden file("ops.safetensors");
  std::set<std::string> cases;
  for (const auto& tensor : file.tensors()) cases.insert(std::string(tensor.name.substr(0, tensor.name.rfind('/'))));
  REQUIRE(cases.size() > 30);
  for (const std::string& name : cases) {
    INFO(name);
    Inputs<T> in(file, name);
    const auto y = run(name.substr(0, name.find('/')), in, name.find("interleaved") != std::string::npos);
    backward(y, file.tensor<T>(name + "/dout"));
    CHECK(excess(y.to_vector(), file.values<double>(name + "/out"), bar) <= 1);
    for (const auto& [i, leaf] : in.leaves()) {
      INFO("gradient of input " << i);
      CHECK(excess(leaf.grad().to_vector(), file.values<double>(name + "/din" + std::to_string(i)), bar) <= 1);
    }
  }
}
