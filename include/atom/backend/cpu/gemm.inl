// SPDX-License-Identifier: Apache-2.0
// One tile of a matrix product (contract: backend/gemm.hpp). The inner loop keeps gemm_rows rows of three registers of
// C and streams a packed panel of B from the first-level cache past them; elements of A are broadcast from where they
// are, or from a packed block if A is transposed, since rows of k lie far apart then.

// Twelve sums, three registers of B and one of A: all of sixteen registers; of thirty-two the same with twice the rows.
constexpr int gemm_rows = ATOM_ISA_LEVEL == 2 ? 8 : 4;

// C (rows, registers wide) continues its sums over depth elements of k; `first`: from 0. `a` has its element (i, p) at
// i * row_step + p * k_step, the panel holds the row p of B at p * width.
template <int rows, int registers, class T> ATOM_KERNEL void gemm_inner(const T* a, Index row_step, Index k_step,
                                                                        const T* panel, Index depth, bool first, T* c,
                                                                        Index ld) {
  using V = Lanes<T>;
  using Raw = typename V::Raw;
  using Loose = typename V::Loose;
  Raw sums[rows][registers];
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    sums[i][j] = Raw{};
    if (!first) sums[i][j] = reinterpret_cast<const Loose*>(c + i * ld)[j];
  }
  for (; depth > 0; --depth) {
    Raw b[registers];
    ATOM_UNROLL for (int j = 0; j < registers; ++j) b[j] = reinterpret_cast<const Loose*>(panel)[j];
    ATOM_UNROLL for (int i = 0; i < rows; ++i) {
      const Raw x = a[i * row_step] - Raw{};
      ATOM_UNROLL for (int j = 0; j < registers; ++j) detail::native<&Native<T>::fma>(sums[i][j], x, b[j]);
    }
    a += k_step;
    panel += registers * V::per_register;
  }
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    reinterpret_cast<Loose*>(c + i * ld)[j] = sums[i][j];
  }
}

// A packed block of rows lies k after k; from block to block there is a gap, or all of them would fall into the same
// few lines of the cache.
ATOM_ALWAYS_INLINE Index gemm_packed_row(Index depth) { return depth + 16 / gemm_rows; }

// A stored (k, m) -> blocks of gemm_rows rows.
template <class T> ATOM_KERNEL void gemm_pack_a(const T* a, Index ld, Index rows, Index depth, T* packed) {
  const Index packed_row = gemm_packed_row(depth);
  for (Index p = 0; p < depth; ++p, a += ld) {
    T* to = packed + p * gemm_rows;
    Index i = 0;
    for (; i + gemm_rows <= rows; i += gemm_rows, to += gemm_rows * packed_row)
      __builtin_memcpy(to, a + i, gemm_rows * sizeof(T));
    for (Index r = 0; r < rows - i; ++r) to[r] = a[i + r];
  }
}

// All rows of a tile against one panel.
template <int registers, class T> ATOM_ALWAYS_INLINE void gemm_panel(const T* a, Index a_ld, bool packed,
                                                                     const T* panel, Index rows, Index depth,
                                                                     bool first, T* c, Index ld) {
  const Index row_step = packed ? 1 : a_ld, k_step = packed ? gemm_rows : 1;
  const Index block_step = gemm_rows * (packed ? gemm_packed_row(depth) : a_ld);
  for (; rows >= gemm_rows; rows -= gemm_rows, a += block_step, c += gemm_rows * ld)
    gemm_inner<gemm_rows, registers>(a, row_step, k_step, panel, depth, first, c, ld);
  const auto some = [&]<int count>(std::integral_constant<int, count>) ATOM_INLINE_LAMBDA {
    if ((rows & count) == 0) return;
    gemm_inner<count, registers>(a, row_step, k_step, panel, depth, first, c, ld);
    a += count * row_step;
    c += count * ld;
  };
  if constexpr (gemm_rows == 8) some(std::integral_constant<int, 4>());
  some(std::integral_constant<int, 2>());
  some(std::integral_constant<int, 1>());
}

// B stored (k, n) -> panel of `width` columns; beyond `columns` it stays what it was.
template <int width, class T>
ATOM_ALWAYS_INLINE void gemm_pack_rows(const T* b, Index ld, Index columns, Index depth, T* panel) {
  using V = Lanes<T>;
  using Loose = typename V::Loose;
  if (columns == width) {
    for (; depth > 0; --depth, b += ld, panel += width)
      ATOM_UNROLL for (int j = 0; j < width / V::per_register; ++j) reinterpret_cast<Loose*>(panel)[j] =
          reinterpret_cast<const Loose*>(b)[j];
  } else {
    for (; depth > 0; --depth, b += ld, panel += width)
      for (Index j = 0; j < width; ++j) panel[j] = j < columns ? b[j] : T(0);
  }
}

// ---- transposing ----------------------------------------------------------------------------------------------------

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

// B stored (n, k) -> panel of `width` columns; beyond `columns` it is 0.
template <int width, class T>
ATOM_ALWAYS_INLINE void gemm_pack_columns(const T* b, Index ld, Index columns, Index depth, T* panel) {
  using X = Transpose<T>;
  for (Index j = 0; j < width; j += X::width, b += X::width * ld) {
    Index p = 0;
    if (j + X::width <= columns)
      for (; p + X::per_line <= depth; p += X::per_line) {
        typename X::Raw x[X::per_line];
        X::read(x, b + p, ld);
        ATOM_UNROLL for (int r = 0; r < X::per_line; ++r) *
            reinterpret_cast<typename X::Loose*>(panel + (p + r) * width + j) = x[r];
      }
    for (; p < depth; ++p)
      for (Index r = 0; r < X::width; ++r) panel[p * width + j + r] = j + r < columns ? b[r * ld + p] : T(0);
  }
}

// Few rows of A, as in decoding: reading B is all the time there is, so it is not packed but transposed in registers,
// and read ahead of need. Sixteen columns, all of k.
template <int rows, class T>
ATOM_KERNEL void gemm_thin(const T* a, Index a_ld, const T* b, Index b_ld, Index depth, T* c, Index ld) {
  using X = Transpose<T>;
  using Raw = typename X::Raw;
  constexpr int registers = Lanes<T>::registers;
  Raw sums[rows][registers] = {};
  Index p = 0;
  for (; p + X::per_line <= depth; p += X::per_line) {
    X::prefetch(b + 16 * b_ld, b_ld, 16, p);
    ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      Raw x[X::per_line];
      X::read(x, b + j * X::width * b_ld + p, b_ld);
      ATOM_UNROLL for (int r = 0; r < X::per_line; ++r) ATOM_UNROLL for (int i = 0; i < rows; ++i)
          detail::native<&Native<T>::fma>(sums[i][j], a[i * a_ld + p + r] - Raw{}, x[r]);
    }
  }
  for (; p < depth; ++p) {
    T column[16];
    for (int r = 0; r < 16; ++r) column[r] = b[r * b_ld + p];
    ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      const Raw x = reinterpret_cast<const typename X::Loose*>(column)[j];
      ATOM_UNROLL for (int i = 0; i < rows; ++i)
          detail::native<&Native<T>::fma>(sums[i][j], a[i * a_ld + p] - Raw{}, x);
    }
  }
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    reinterpret_cast<typename X::Loose*>(c + i * ld)[j] = sums[i][j];
  }
}

// ---- the tile -------------------------------------------------------------------------------------------------------

// What follows the product: C, and `pre`, from the sums.
template <Activation activation, class T> ATOM_KERNEL void gemm_finish(const GemmEpilogue<T>& e, const T* sums,
                                                                       Index sums_ld, bool accumulate, Index rows,
                                                                       Index columns, T* c, Index c_ld) {
  using V = Lanes<T>;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; j += V::size) {
      const Index count = columns - j;
      auto v = V::load(sums + i * sums_ld + j, count);
      if (accumulate) v = V::load(c + i * c_ld + j, count) + v;
      if (e.bias) v += V::load(e.bias + j, count);
      if (e.pre.data) v.store(e.pre.data + i * e.pre.ld + j, count);
      v = Activate<activation>{}(v);
      if (e.residual.data) v += V::load(e.residual.data + i * e.residual.ld + j, count);
      v.store(c + i * c_ld + j, count);
    }
  }
}

template <int registers, class T> ATOM_KERNEL void gemm_columns(const detail::GemmCall<T>& call, const T* a,
                                                                bool packed, const T* b, Index columns, Index rows,
                                                                Index depth, bool first, T* panel, T* c, Index ld) {
  constexpr int width = registers * Lanes<T>::per_register;
  if (call.b.transposed)
    gemm_pack_columns<width>(b, call.b.ld, columns, depth, panel);
  else
    gemm_pack_rows<width>(b, call.b.ld, columns, depth, panel);
  gemm_panel<registers>(a, call.a.ld, packed, panel, rows, depth, first, c, ld);
}

template <class T> ATOM_KERNEL void gemm_tile_kernel(const detail::GemmCall<T>& call, Index tile, T* scratch) {
  constexpr Index register_width = Lanes<T>::per_register, width = 3 * register_width;
  const Index column = tile % call.column_tiles * call.tile_columns;  // of this tile: first column, first row, product
  const Index row = tile / call.column_tiles % call.row_tiles * call.tile_rows;
  const Index product = tile / (call.column_tiles * call.row_tiles);
  const Index rows = std::min(call.tile_rows, call.shape.m - row);
  const Index columns = std::min(call.tile_columns, call.shape.n - column);
  const T* a = call.a.data + product * call.a.batch_stride + row * (call.a.transposed ? 1 : call.a.ld);
  const T* b = call.b.data + product * call.b.batch_stride + column * (call.b.transposed ? call.b.ld : 1);
  T* const c = call.c.data + product * call.c.batch_stride + row * call.c.ld + column;

  T* const packed_a = scratch;
  T* const panel = packed_a + call.packed_a();
  // Sums, which come in whole registers, go to C itself where they fit and its old values are not needed.
  const bool in_place = !call.keeps_c() && columns % register_width == 0;
  T* const sums = in_place ? c : panel + call.packed_b();
  const Index ld = in_place ? call.c.ld : call.tile_columns;

  Index first_column = 0;  // that is not done yet
  if (rows <= 4 && !call.a.transposed && call.b.transposed) {
    const auto thin = [&](auto count) ATOM_INLINE_LAMBDA {
      for (Index& j = first_column; j + 16 <= columns; j += 16)
        gemm_thin<count()>(a, call.a.ld, b + j * call.b.ld, call.b.ld, call.shape.k, sums + j, ld);
    };
    switch (rows) {
      case 1: thin(std::integral_constant<int, 1>()); break;
      case 2: thin(std::integral_constant<int, 2>()); break;
      case 3: thin(std::integral_constant<int, 3>()); break;
      default: thin(std::integral_constant<int, 4>());
    }
  }

  Index done = 0;
  do {
    const Index depth = std::min(call.depth, call.shape.k - done);
    if (call.a.transposed) gemm_pack_a(a, call.a.ld, rows, depth, packed_a);
    const T* const block = call.a.transposed ? packed_a : a;
    for (Index j = first_column; j < columns; j += width) {
      const T* const from = b + j * (call.b.transposed ? call.b.ld : 1);
      const Index left = columns - j;
      const auto run = [&](auto registers) ATOM_INLINE_LAMBDA {
        gemm_columns<registers()>(call, block, call.a.transposed, from, std::min(left, width), rows, depth, done == 0,
                                  panel, sums + j, ld);
      };
      if (left > 2 * register_width)
        run(std::integral_constant<int, 3>());
      else if (left > register_width)
        run(std::integral_constant<int, 2>());
      else
        run(std::integral_constant<int, 1>());
    }
    a += depth * (call.a.transposed ? call.a.ld : 1);
    b += depth * (call.b.transposed ? 1 : call.b.ld);
    done += depth;
  } while (done < call.shape.k);

  GemmEpilogue<T> e = call.epilogue;
  if (in_place && !e.bias && !e.pre.data && !e.residual.data && e.activation == Activation::none) return;
  if (e.bias) e.bias += column;
  if (e.pre.data) e.pre.data += product * e.pre.batch_stride + row * e.pre.ld + column;
  if (e.residual.data) e.residual.data += product * e.residual.batch_stride + row * e.residual.ld + column;
  with_activation(e.activation, [&](auto activation) {
    gemm_finish<activation()>(e, sums, ld, call.accumulate, rows, columns, c, call.c.ld);
  });
}
