// SPDX-License-Identifier: Apache-2.0
// An operation of your own: y = x * x + s * x, with its backward rule, in one text for both backends.
#include <fmt/core.h>
#include <atom/atom.hpp>

using atom::Index;

// One call per element: a loop on the processor, a thread each on the GPU.
template <class T> struct Quadratic {
  const T* x;
  T s;
  T* y;
  ATOM_HD void operator()(Index i) const { y[i] = x[i] * x[i] + s * x[i]; }
};
template <class T> struct QuadraticGradient {
  const T *x, *dy;
  T s;
  T* dx;
  ATOM_HD void operator()(Index i) const { dx[i] = (2 * x[i] + s) * dy[i]; }
};

// `record` is the only way from the buffer that a kernel wrote to a tensor, and it demands the rule.
template <class T, class D> atom::Tensor<T, D> quadratic(const atom::Tensor<T, D>& input, T s) {
  const auto x = contiguous(input.buffer());
  atom::Buffer<T, D> y(x.device(), x.shape());
  for_each(x.device(), x.size(), Quadratic<T>{x.data(), s, y.mutable_data()});
  return atom::record<"quadratic">(
      y,
      [x = atom::save(x), s](const atom::Buffer<T, D>& dy) {
        atom::Buffer<T, D> dx(dy.device(), dy.shape());
        for_each(dy.device(), dy.size(), QuadraticGradient<T>{x->data(), dy.data(), s, dx.mutable_data()});
        return dx;
      },
      input);
}

int main() try {
  using namespace atom;
  auto x = Tensor<double>::normal(Rng(5).key("x"), {3, 7}, 1.0);
  const double worst = gradcheck([&] { return quadratic(x, 0.5); }, x);
  fmt::print("gradient error on {}: {:.3f} of what is allowed\n", Device::name, worst);
  return worst <= 1 ? 0 : 1;
} catch (const atom::Error& error) {  // a GPU build without a GPU, for one
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
