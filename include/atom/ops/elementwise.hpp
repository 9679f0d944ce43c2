// SPDX-License-Identifier: Apache-2.0
// Element-wise arithmetic with broadcasting, and functions of one element. Results are new and contiguous; inputs may
// have any strides. Error: shapes that do not broadcast.
#pragma once

#include "../core/math.hpp"
#include "map.hpp"

namespace atom::ops {

namespace detail {

struct Minus {
  template <class S> ATOM_HD S operator()(S a, S b) const { return a - b; }
};
struct Times {
  template <class S> ATOM_HD S operator()(S a, S b) const { return a * b; }
};
struct Over {
  template <class S> ATOM_HD S operator()(S a, S b) const { return a / b; }
};
struct OverGradient {  // of the divisor
  template <class S> ATOM_HD S operator()(S a, S b, S dy) const { return -dy * a / (b * b); }
};
struct Negate {
  template <class S> ATOM_HD S operator()(S a) const { return -a; }
};
template <class T> struct Scale {
  T factor;
  template <class S> ATOM_HD S operator()(S a) const { return S(factor) * a; }
};
template <class T> struct Shift {
  T term;
  template <class S> ATOM_HD S operator()(S a) const { return a + S(term); }
};
struct Square {
  template <class S> ATOM_HD S operator()(S a) const { return a * a; }
};
struct SquareGradient {
  template <class S> ATOM_HD S operator()(S a, S dy) const { return (a + a) * dy; }
};
struct SqrtGradient {  // from the result
  template <class S> ATOM_HD S operator()(S y, S dy) const { return dy / (y + y); }
};
struct Sqrt {
  template <class S> ATOM_HD S operator()(S a) const { return math::sqrt(a); }
};
template <class T> struct Clip {
  T limit;
  template <class S> ATOM_HD S operator()(S a) const { return math::max(math::min(a, S(limit)), S(-limit)); }
};
template <class T> struct ClipGradient {
  T limit;
  template <class S> ATOM_HD S operator()(S a, S dy) const { return math::select(math::abs(a) <= S(limit), dy, S(0)); }
};
template <class T> struct SoftCap {
  T cap;
  template <class S> ATOM_HD S operator()(S a) const { return S(cap) * math::tanh(a / S(cap)); }
};
template <class T> struct SoftCapGradient {  // from the result
  T cap;
  template <class S> ATOM_HD S operator()(S y, S dy) const {
    const S share = y / S(cap);
    return dy * (S(T(1)) - share * share);
  }
};
struct Exp {
  template <class S> ATOM_HD S operator()(S a) const { return math::exp(a); }
};
struct Log {
  template <class S> ATOM_HD S operator()(S a) const { return math::log(a); }
};
struct LogGradient {
  template <class S> ATOM_HD S operator()(S a, S dy) const { return dy / a; }
};

// a op b over their broadcast shape.
template <class F, class T, class D>
Buffer<T, D> binary(const char* name, F f, const Tensor<T, D>& a, const Tensor<T, D>& b) {
  const Shape shape = broadcast(name, a.shape(), b.shape());
  return map(f, expand(a.buffer(), shape), expand(b.buffer(), shape));
}

}  // namespace detail

template <class T, class D> Tensor<T, D> add(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return record<"add">(
      detail::binary("add", atom::detail::Add{}, a, b),
      [to_a = a.shape(), to_b = b.shape()](const Buffer<T, D>& dy) {
        return grads(detail::sum_to(dy, to_a), detail::sum_to(dy, to_b));
      },
      a, b);
}

template <class T, class D> Tensor<T, D> sub(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return record<"sub">(
      detail::binary("sub", detail::Minus{}, a, b),
      [to_a = a.shape(), to_b = b.shape()](const Buffer<T, D>& dy) {
        return grads(detail::sum_to(dy, to_a), detail::sum_to(detail::map(detail::Negate{}, dy), to_b));
      },
      a, b);
}

template <class T, class D> Tensor<T, D> mul(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return record<"mul">(
      detail::binary("mul", detail::Times{}, a, b),
      [a = save(a), b = save(b)](const Buffer<T, D>& dy) {
        const auto times = [&](const Buffer<T, D>& other) {
          return detail::map(detail::Times{}, dy, detail::expand(other, dy.shape()));
        };
        return grads(detail::sum_to(times(*b), a->shape()), detail::sum_to(times(*a), b->shape()));
      },
      a, b);
}

template <class T, class D> Tensor<T, D> div(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return record<"div">(
      detail::binary("div", detail::Over{}, a, b),
      [a = save(a), b = save(b)](const Buffer<T, D>& dy) {
        const auto x = detail::expand(*a, dy.shape()), y = detail::expand(*b, dy.shape());
        return grads(detail::sum_to(detail::map(detail::Over{}, dy, y), a->shape()),
                     detail::sum_to(detail::map(detail::OverGradient{}, x, y, dy), b->shape()));
      },
      a, b);
}

template <class T, class D> Tensor<T, D> neg(const Tensor<T, D>& x) {
  return record<"neg">(detail::map(detail::Negate{}, x.buffer()), detail::rule(detail::Negate{}), x);
}
// factor * x
template <class T, class D> Tensor<T, D> scale(const Tensor<T, D>& x, std::type_identity_t<T> factor) {
  const detail::Scale<T> f{factor};
  return record<"scale">(detail::map(f, x.buffer()), detail::rule(f), x);
}
// x + term
template <class T, class D> Tensor<T, D> shift(const Tensor<T, D>& x, std::type_identity_t<T> term) {
  return record<"shift">(
      detail::map(detail::Shift<T>{term}, x.buffer()), [](const Buffer<T, D>& dy) { return dy; }, x);
}
// x kept within -limit..limit; the gradient is 1 there and 0 beyond. limit > 0.
template <class T, class D> Tensor<T, D> clip(const Tensor<T, D>& x, std::type_identity_t<T> limit) {
  return record<"clip">(detail::map(detail::Clip<T>{limit}, x.buffer()),
                        detail::rule(detail::ClipGradient<T>{limit}, save(x)), x);
}
// cap tanh(x / cap); cap > 0.
template <class T, class D> Tensor<T, D> soft_cap(const Tensor<T, D>& x, std::type_identity_t<T> cap) {
  const auto y = detail::map(detail::SoftCap<T>{cap}, x.buffer());
  return record<"soft_cap">(y, detail::rule(detail::SoftCapGradient<T>{cap}, save(y)), x);
}
template <class T, class D> Tensor<T, D> square(const Tensor<T, D>& x) {
  return record<"square">(detail::map(detail::Square{}, x.buffer()), detail::rule(detail::SquareGradient{}, save(x)),
                          x);
}
template <class T, class D> Tensor<T, D> sqrt(const Tensor<T, D>& x) {
  const auto y = detail::map(detail::Sqrt{}, x.buffer());
  return record<"sqrt">(y, detail::rule(detail::SqrtGradient{}, save(y)), x);
}
template <class T, class D> Tensor<T, D> exp(const Tensor<T, D>& x) {
  const auto y = detail::map(detail::Exp{}, x.buffer());
  return record<"exp">(y, detail::rule(detail::Times{}, save(y)), x);
}
template <class T, class D> Tensor<T, D> log(const Tensor<T, D>& x) {
  return record<"log">(detail::map(detail::Log{}, x.buffer()), detail::rule(detail::LogGradient{}, save(x)), x);
}

}  // namespace atom::ops

namespace atom {

template <class T, class D> Tensor<T, D> operator+(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return ops::add(a, b);
}
template <class T, class D> Tensor<T, D> operator-(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return ops::sub(a, b);
}
template <class T, class D> Tensor<T, D> operator*(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return ops::mul(a, b);
}
template <class T, class D> Tensor<T, D> operator/(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  return ops::div(a, b);
}
template <class T, class D> Tensor<T, D> operator-(const Tensor<T, D>& x) { return ops::neg(x); }
template <class T, class D> Tensor<T, D> operator*(const Tensor<T, D>& x, std::type_identity_t<T> factor) {
  return ops::scale(x, factor);
}
template <class T, class D> Tensor<T, D> operator*(std::type_identity_t<T> factor, const Tensor<T, D>& x) {
  return ops::scale(x, factor);
}
template <class T, class D> Tensor<T, D> operator+(const Tensor<T, D>& x, std::type_identity_t<T> term) {
  return ops::shift(x, term);
}

}  // namespace atom
