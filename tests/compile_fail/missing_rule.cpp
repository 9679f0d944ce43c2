// SPDX-License-Identifier: Apache-2.0
// record without a backward rule.
// must say: the rule is missing
#include <atom/autograd/record.hpp>

using F32 = atom::Buffer<float, atom::Cpu>;

atom::Tensor<float, atom::Cpu> twice(const atom::Tensor<float, atom::Cpu>& x) {
  const F32 result(x.device(), x.shape());
#ifdef ATOM_MUST_FAIL
  return atom::record<"twice">(result, x);
#else
  return atom::record<"twice">(
      result, [](const F32& dy) { return dy; }, x);
#endif
}
