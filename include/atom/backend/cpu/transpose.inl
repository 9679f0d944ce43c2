// SPDX-License-Identifier: Apache-2.0
// Transpose<T>: a block of a row-major matrix into registers, a register's worth of rows at a time.

// out = elements at(0), at(1), ... of a and b. Written out, as nvcc does not pass on a pack of shuffle indices.
#define ATOM_SHUFFLE(count, out, a, b, at)                                                                          \
  if constexpr ((count) == 2) out = __builtin_shufflevector(a, b, at(0), at(1));                                    \
  if constexpr ((count) == 4) out = __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3));                      \
  if constexpr ((count) == 8)                                                                                       \
    out = __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));                    \
  if constexpr ((count) == 16)                                                                                      \
  out = __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9), at(10), \
                                at(11), at(12), at(13), at(14), at(15))

// A register of rows at a time. An instruction shuffles within the 16-byte lines of a register, so line L of the r-th
// input comes from the row r + per_line * L: transposed within the lines, the rows are then in order.
template <class T> struct Transpose {
  using V = Lanes<T>;
  using Raw = typename V::Raw;
  using Loose = typename V::Loose;
  static constexpr int width = V::per_register, per_line = 16 / static_cast<int>(sizeof(T)), lines = width / per_line;
  typedef T Line __attribute__((vector_size(16), aligned(alignof(T)), may_alias));
  typedef T TwoLines __attribute__((vector_size(32), aligned(16)));

  // Of each line: elements from `first` on, `run` of a, `run` of b, and so on.
  template <int first, int run> static constexpr int place(int e) {
    const int at = e % per_line, index = at / (2 * run) * run + at % run;
    return (at / run % 2) * width + (e - at) + first + index;
  }
  static constexpr int in_order(int e) { return e; }

  template <int first, int run> static ATOM_ALWAYS_INLINE void interleave(Raw& out, const Raw& a, const Raw& b) {
    ATOM_SHUFFLE(width, out, a, b, (place<first, run>));
  }
  static ATOM_ALWAYS_INLINE Line line(const T* p) { return *reinterpret_cast<const Line*>(p); }
  static ATOM_ALWAYS_INLINE void two_lines(TwoLines& out, const T* p, Index step) {
    const Line a = line(p), b = line(p + step);
    ATOM_SHUFFLE(2 * per_line, out, a, b, in_order);
  }
  static ATOM_ALWAYS_INLINE void load_lines(Raw& out, const T* p, Index step) {
    if constexpr (lines == 1) {
      out = line(p);
    } else if constexpr (lines == 2) {
      two_lines(out, p, step);
    } else {
      TwoLines a, b;
      two_lines(a, p, step);
      two_lines(b, p + 2 * step, step);
      ATOM_SHUFFLE(width, out, a, b, in_order);
    }
  }

  // Asks for what lies around p in `rows` rows: a fourth of them, so that four blocks in a row, a line of the cache or
  // two, cover all.
  static ATOM_ALWAYS_INLINE void prefetch(const T* from, Index ld, int rows, Index p) {
    from += p / per_line % 4 * ld + p;
    ATOM_UNROLL for (int r = 0; r < rows; r += 4) __builtin_prefetch(from + r * ld);
  }
  // x[p][row] = from[row * ld + p] for p < per_line, row < width
  static ATOM_ALWAYS_INLINE void read(Raw (&x)[per_line], const T* from, Index ld) {
    Raw y[per_line];
    ATOM_UNROLL for (int r = 0; r < per_line; ++r) load_lines(y[r], from + r * ld, per_line * ld);
    if constexpr (per_line == 4) {
      Raw z[per_line];
      interleave<0, 1>(z[0], y[0], y[1]);
      interleave<2, 1>(z[1], y[0], y[1]);
      interleave<0, 1>(z[2], y[2], y[3]);
      interleave<2, 1>(z[3], y[2], y[3]);
      interleave<0, 2>(x[0], z[0], z[2]);
      interleave<2, 2>(x[1], z[0], z[2]);
      interleave<0, 2>(x[2], z[1], z[3]);
      interleave<2, 2>(x[3], z[1], z[3]);
    } else {
      interleave<0, 1>(x[0], y[0], y[1]);
      interleave<1, 1>(x[1], y[0], y[1]);
    }
  }
};
#undef ATOM_SHUFFLE
