// SPDX-License-Identifier: Apache-2.0
// Element-wise work on a range of elements (contract: backend/pointwise.hpp).

// p[0], p[stride], ... ; the lanes from `count` on have no meaning.
template <class T> ATOM_ALWAYS_INLINE Lanes<T> load_strided(const T* p, Index stride, Index count) {
  if (stride == 1) return Lanes<T>::load(p, count);
  if (stride == 0) return Lanes<T>(*p);
  T part[16] = {};
  for (Index i = 0; i < (count < 16 ? count : 16); ++i) part[i] = p[i * stride];
  return Lanes<T>::load(part);
}

template <class T> ATOM_ALWAYS_INLINE void store_strided(Lanes<T> value, T* p, Index stride, Index count) {
  if (stride == 1) return value.store(p, count);
  T part[16];
  value.store(part);
  for (Index i = 0; i < (count < 16 ? count : 16); ++i) p[i * stride] = part[i];
}

template <class F, class T, class... Ts>
ATOM_KERNEL void pointwise_dense(F f, Index begin, Index end, T* out, const Ts*... in) {
  Index i = begin;
  for (; i + 16 <= end; i += 16) f(Elements<Lanes<T>>{i}, Lanes<Ts>::load(in + i)...).store(out + i);
  if (i < end) f(Elements<Lanes<T>>{i}, Lanes<Ts>::load(in + i, end - i)...).store(out + i, end - i);
}

template <class F, std::size_t... I, class T, class... Ts>
ATOM_KERNEL void pointwise_strided(F f, const detail::Walk<1 + sizeof...(Ts)>& walk, Index begin, Index end,
                                   std::index_sequence<I...>, T* out, const Ts*... in) {
  for (detail::Runs<1 + sizeof...(Ts)> run(walk, begin, end); run.length > 0; run.next()) {
    for (Index i = 0; i < run.length; i += 16) {
      const Index count = run.length - i;
      store_strided<T>(f(Elements<Lanes<T>>{run.first + i},
                         load_strided<Ts>(in + run.offset[I + 1] + i * run.step(I + 1), run.step(I + 1), count)...),
                       out + run.offset[0] + i * run.step(0), run.step(0), count);
    }
  }
}

template <class To, class From>
ATOM_KERNEL void convert_range(const detail::Walk<2>& walk, Index begin, Index end, To* out, const From* in) {
  for (detail::Runs<2> run(walk, begin, end); run.length > 0; run.next()) {
    To* const to = out + run.offset[0];
    const From* const from = in + run.offset[1];
    const Index to_step = run.step(0), from_step = run.step(1);
    Index i = 0;
    if (to_step == 1 && from_step == 1)
      for (; i + 16 <= run.length; i += 16)
        for (Index j = i; j < i + 16; ++j) to[j] = detail::converted<To>(from[j]);
    for (; i < run.length; ++i) to[i * to_step] = detail::converted<To>(from[i * from_step]);
  }
}
