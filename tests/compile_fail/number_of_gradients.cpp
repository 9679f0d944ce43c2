// SPDX-License-Identifier: Apache-2.0
// A rule that returns more gradients than there are inputs.
// must say: one gradient for each input
#include <atom/autograd/record.hpp>

using F32 = atom::Buffer<float, atom::Cpu>;

atom::Tensor<float, atom::Cpu> twice(const atom::Tensor<float, atom::Cpu>& x) {
  const F32 result(x.device(), x.shape());
#ifdef ATOM_MUST_FAIL
  return atom::record<"twice">(
      result, [](const F32& dy) { return atom::grads(dy, dy); }, x);
#else
  return atom::record<"twice">(
      result, [](const F32& dy) { return dy; }, x);
#endif
}
