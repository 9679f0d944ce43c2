// SPDX-License-Identifier: Apache-2.0
// What lanes_test.cpp runs on every instruction set.

template <class T> ATOM_KERNEL void lanes_arithmetic(const T* pa, const T* pb, const T* pc, T* out) {
  using V = Lanes<T>;
  const V a = V::load(pa), b = V::load(pb), c = V::load(pc);
  const V results[] = {a + b,   a - b,         a * b,      a / b,           -a,          abs(a),
                       sqrt(a), round_even(a), V(T(-0.0)), copy_sign(a, b), fma(a, b, c)};
  for (const V& result : results) {
    result.store(out);
    out += 16;
  }
}

template <class T> ATOM_KERNEL void lanes_choices(const T* pa, const T* pb, T* out) {
  using V = Lanes<T>;
  const V a = V::load(pa), b = V::load(pb);
  const Mask<T> masks[] = {a<b, a <= b, a> b, a >= b, a == b, a != b, (a < b) & (a > 0), (a < b) | !(a <= 0)};
  for (const auto& mask : masks) {
    select(mask, a, b).store(out);
    out += 16;
  }
  min(a, b).store(out);
  max(a, b).store(out + 16);
}

template <class T> ATOM_KERNEL void lanes_integers(const T* pa, T* out) {
  using V = Lanes<T>;
  const V a = V::load(pa), results[] = {a * 3, a & 255, a | 255, a ^ 255, ~a, a << 3, a >> 3};
  for (const V& result : results) {
    result.store(out);
    out += 16;
  }
}

template <class T> ATOM_KERNEL void lanes_parts(const T* from, T* out, Index count) {
  using V = Lanes<T>;
  const V a = V::load(from, count);
  a.store(out);
  select(Mask<T>::first(count), V(1), V(2)).store(out + 16);
  a.store(out + 32, count);
}

template <class T> ATOM_KERNEL void lanes_reductions(const T* from, T* out) {
  const auto a = Lanes<T>::load(from);
  out[0] = sum(a);
  out[1] = max_of(a);
  out[2] = a[11];
  const auto none = a > a, some = Lanes<T>::iota() >= 15;
  out[3] = T(any(some) + 2 * all(some) + 4 * all(!none) + 8 * any(none));
}

template <class T> ATOM_KERNEL void lanes_conversions(const T* from, double* wide, float* narrow, std::int32_t* whole) {
  const auto a = Lanes<T>::load(from);
  convert<double>(a).store(wide);
  convert<float>(a).store(narrow);
  convert<std::int32_t>(a).store(whole);
  const auto integer = to_int(round_even(a));
  convert<double>(to_float(integer)).store(wide + 16);
  convert<std::int32_t>(integer).store(whole + 16);
  convert<float>(Lanes<T>::gather(from, 15 - Lanes<std::int32_t>::iota())).store(narrow + 16);
}
