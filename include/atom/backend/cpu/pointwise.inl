// SPDX-License-Identifier: Apache-2.0
// Element-wise work on a range of elements (contract: backend/pointwise.hpp). One call of f in the text, for every
// stride and tail: each functor is compiled once per instruction set, and there are many functors.

template <class F, std::size_t... I, class T, class... Ts>
ATOM_KERNEL void pointwise_range(F f, const detail::Walk<1 + sizeof...(Ts)>& walk, Index begin, Index end,
                                 std::index_sequence<I...>, T* out, detail::Operand<Ts>... in) {
  T part[16];
  for (detail::Runs<1 + sizeof...(Ts)> run(walk, begin, end); run.length > 0; run.next()) {
    const Index step = run.step(0);
    (in.start_run(run.offset[I + 1], run.step(I + 1)), ...);
    for (Index i = 0; i < run.length; i += 16) {
      const Index count = run.length - i < 16 ? run.length - i : 16;
      const bool direct = count == 16 && step == 1;
      T* const to = out + run.offset[0] + i * step;
      f(Elements<Lanes<T>>{run.first + i}, Lanes<Ts>::load(in.block(i, count))...).store(direct ? to : part);
      if (!direct) detail::move_elements(to, step, part, 1, count);
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
