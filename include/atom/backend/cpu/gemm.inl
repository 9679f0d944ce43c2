// SPDX-License-Identifier: Apache-2.0
// One tile of a matrix product (contract: backend/gemm.hpp). The inner loop keeps gemm_rows rows of three registers of
// C and streams a packed panel of B from the first-level cache past them; elements of A are broadcast from where they
// are, or from a packed block if A is transposed, since rows of k lie far apart then.

// Twelve sums, three registers of B and one of A: all of sixteen registers; of thirty-two the same with twice the rows.
constexpr int gemm_rows = ATOM_ISA_LEVEL == 2 ? 8 : 4;

// What the sums of a panel are added to (null: nothing) and where they go to; `add`: to what is there.
template <class T> struct GemmSums {
  const T* from;
  Index from_ld;
  T* to;
  Index to_ld;
  bool add;

  ATOM_ALWAYS_INLINE void skip(Index rows) {
    if (from) from += rows * from_ld;
    to += rows * to_ld;
  }
};

template <int rows, int registers, class T>
ATOM_ALWAYS_INLINE void gemm_store(typename Lanes<T>::Raw (&sums)[rows][registers], const GemmSums<T>& s) {
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    using Loose = typename Lanes<T>::Loose;
    Loose& to = reinterpret_cast<Loose*>(s.to + i * s.to_ld)[j];
    if (s.from) sums[i][j] = reinterpret_cast<const Loose*>(s.from + i * s.from_ld)[j] + sums[i][j];
    if (s.add) sums[i][j] = to + sums[i][j];
    to = sums[i][j];
  }
}

// What is packed next: (rows, columns) of a stored B. It is asked for, a few lines of the cache at a time, while the
// panel before it is multiplied: a group of few rows would else wait for its matrix.
template <class T> struct GemmAhead {
  const T* row;
  Index ld, rows, columns, column = 0;

  static constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  ATOM_ALWAYS_INLINE Index lines() const { return rows * ((columns + line - 1) / line); }
  ATOM_ALWAYS_INLINE void ask(Index count) {
    for (; count > 0 && rows > 0; --count) {
      __builtin_prefetch(row + column, 0, 2);
      column += line;
      if (column >= columns) column = 0, row += ld, --rows;
    }
  }
};

constexpr Index gemm_steps = 16;  // of k between two questions

// The sums of (rows, registers) over depth elements of k. `a` has its element (i, p) at i * row_step + p * k_step, the
// panel holds the row p of B at p * panel_step.
template <int rows, int registers, class T>
ATOM_KERNEL void gemm_inner(const T* a, Index row_step, Index k_step, const T* panel, Index panel_step, Index depth,
                            GemmSums<T> s, GemmAhead<T>& ahead, Index lines) {
  using V = Lanes<T>;
  using Raw = typename V::Raw;
  using Loose = typename V::Loose;
  Raw sums[rows][registers] = {};
  for (; depth > 0; depth -= gemm_steps) {
    ahead.ask(lines);
    const Index steps = depth < gemm_steps ? depth : gemm_steps;
    for (Index step = 0; step < steps; ++step) {
      Raw b[registers];
      ATOM_UNROLL for (int j = 0; j < registers; ++j) b[j] = reinterpret_cast<const Loose*>(panel)[j];
      ATOM_UNROLL for (int i = 0; i < rows; ++i) {
        const Raw x = a[i * row_step] - Raw{};
        ATOM_UNROLL for (int j = 0; j < registers; ++j) ATOM_CALL_NATIVE(Native<T>::fma)(sums[i][j], x, b[j]);
      }
      a += k_step;
      panel += panel_step;
    }
  }
  gemm_store<rows, registers>(sums, s);
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
                                                                     const T* panel, Index panel_step, Index rows,
                                                                     Index depth, GemmSums<T> s, GemmAhead<T> ahead) {
  const Index row_step = packed ? 1 : a_ld, k_step = packed ? gemm_rows : 1;
  const Index block_step = gemm_rows * (packed ? gemm_packed_row(depth) : a_ld);
  const Index lines = ahead.lines() * gemm_rows * gemm_steps / (rows * depth + 1) + 1;
  for (; rows >= gemm_rows; rows -= gemm_rows, a += block_step, s.skip(gemm_rows)) {
    gemm_inner<gemm_rows, registers>(a, row_step, k_step, panel, panel_step, depth, s, ahead, lines);
  }
  const auto some = [&]<int count>(std::integral_constant<int, count>) ATOM_INLINE_LAMBDA {
    if ((rows & count) == 0) return;
    gemm_inner<count, registers>(a, row_step, k_step, panel, panel_step, depth, s, ahead, lines);
    a += count * row_step;
    s.skip(count);
  };
  if constexpr (gemm_rows == 8) some(std::integral_constant<int, 4>());
  some(std::integral_constant<int, 2>());
  some(std::integral_constant<int, 1>());
}

// B stored (k, n) -> panel of `width` columns; 0 beyond `columns`.
template <int width, class T>
ATOM_ALWAYS_INLINE void gemm_pack_rows(const T* b, Index ld, Index columns, Index depth, T* panel) {
  using V = Lanes<T>;
  using Loose = typename V::Loose;
  if (columns == width) {
    for (; depth > 0; --depth, b += ld, panel += width) {
      ATOM_UNROLL for (int j = 0; j < width / V::per_register; ++j) {
        reinterpret_cast<Loose*>(panel)[j] = reinterpret_cast<const Loose*>(b)[j];
      }
    }
  } else {
    for (; depth > 0; --depth, b += ld, panel += width)
      for (Index j = 0; j < width; ++j) panel[j] = j < columns ? b[j] : T(0);
  }
}

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
        ATOM_UNROLL for (int r = 0; r < X::per_line; ++r) {
          *reinterpret_cast<typename X::Loose*>(panel + (p + r) * width + j) = x[r];
        }
      }
    for (; p < depth; ++p)
      for (Index r = 0; r < X::width; ++r) panel[p * width + j + r] = j + r < columns ? b[r * ld + p] : T(0);
  }
}

// Few rows of A, as in decoding: reading B is all the time there is, so it is not packed but transposed in registers,
// and read ahead of need. Sixteen columns, all of k.
template <int rows, class T>
ATOM_KERNEL void gemm_thin(const T* a, Index a_ld, const T* b, Index b_ld, Index depth, GemmSums<T> s) {
  using X = Transpose<T>;
  using Raw = typename X::Raw;
  constexpr int registers = Lanes<T>::registers;
  Raw sums[rows][registers] = {}, before[rows][registers] = {};
  Index p = 0;
  const auto end_block = [&]() ATOM_INLINE_LAMBDA {
    if (p == 0 || p % gemm_block != 0) return;
    ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      before[i][j] = p == gemm_block ? sums[i][j] : before[i][j] + sums[i][j];
      sums[i][j] = Raw{};
    }
  };
  for (; p + X::per_line <= depth; p += X::per_line) {
    end_block();
    X::prefetch(b + 16 * b_ld, b_ld, 16, p);
    ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      Raw x[X::per_line];
      X::read(x, b + j * X::width * b_ld + p, b_ld);
      ATOM_UNROLL for (int r = 0; r < X::per_line; ++r) ATOM_UNROLL for (int i = 0; i < rows; ++i) {
        ATOM_CALL_NATIVE(Native<T>::fma)(sums[i][j], a[i * a_ld + p + r] - Raw{}, x[r]);
      }
    }
  }
  for (; p < depth; ++p) {
    end_block();
    T column[16];
    for (int r = 0; r < 16; ++r) column[r] = b[r * b_ld + p];
    ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      const Raw x = reinterpret_cast<const typename X::Loose*>(column)[j];
      ATOM_UNROLL for (int i = 0; i < rows; ++i) {
        ATOM_CALL_NATIVE(Native<T>::fma)(sums[i][j], a[i * a_ld + p] - Raw{}, x);
      }
    }
  }
  if (depth > gemm_block) {
    ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
      sums[i][j] = before[i][j] + sums[i][j];
    }
  }
  gemm_store<rows, registers>(sums, s);
}

// ---- the tile -------------------------------------------------------------------------------------------------------

// What follows the product: C, and `pre`, from the sums of the tile's columns j..j+columns-1.
template <class T> ATOM_KERNEL void gemm_finish(const detail::GemmTile<T>& tile, Index j, Index columns, const T* sums,
                                                Index sums_ld, bool accumulate, Index c_ld) {
  using V = Lanes<T>;
  const GemmEpilogue<T>& e = tile.epilogue;
  for (Index i = 0; i < tile.rows; ++i, sums += sums_ld) {
    for (Index from = 0; from < columns; from += V::size) {
      const Index count = columns - from, at = j + from;
      auto v = V::load(sums + from, count);
      if (accumulate) v = V::load(tile.c + i * c_ld + at, count) + v;
      if (e.bias) v += V::load(e.bias + at, count);
      if (e.pre.data) v.store(e.pre.data + i * e.pre.ld + at, count);
      v = activation_value(e.activation, v);
      if (e.residual.data) v += V::load(e.residual.data + i * e.residual.ld + at, count);
      v.store(tile.c + i * c_ld + at, count);
    }
  }
}

// One panel of B, packed, and all rows of the tile.
template <int registers, class T> ATOM_KERNEL void gemm_columns(const detail::GemmCall<T>& call, const T* a, const T* b,
                                                                Index columns, Index rows, Index depth, T* panel,
                                                                const GemmSums<T>& s, const GemmAhead<T>& ahead) {
  constexpr int width = registers * Lanes<T>::per_register;
  if (call.b.transposed)
    gemm_pack_columns<width>(b, call.b.ld, columns, depth, panel);
  else
    gemm_pack_rows<width>(b, call.b.ld, columns, depth, panel);
  gemm_panel<registers>(a, call.a.ld, call.a.transposed, panel, width, rows, depth, s, ahead);
}

template <class T> ATOM_KERNEL void gemm_tile_kernel(const detail::GemmCall<T>& call, Index index, T* scratch) {
  constexpr Index register_width = Lanes<T>::per_register, width = 3 * register_width;
  const detail::GemmTile<T> tile = call.tile(index);
  const Index k = call.shape.k, rows = tile.rows, columns = tile.columns;
  T* const packed_a = scratch;
  T* const panel = packed_a + call.packed_a();
  T* const sums = panel + call.packed_b();  // for what may not go to C at once

  // Whole registers fit into C, unless its old values are still to be read.
  const auto fits = [&](Index count) ATOM_INLINE_LAMBDA {
    return count % register_width == 0 && call.epilogue.residual.data != call.c.data;
  };
  const auto place = [&](Index j, Index count, bool first, bool last) ATOM_INLINE_LAMBDA {
    const bool in_c = fits(count), partial_in_c = in_c && !call.accumulate;
    T* const partial = partial_in_c ? tile.c + j : sums + j;
    const Index partial_ld = partial_in_c ? call.c.ld : call.tile_columns;
    GemmSums<T> s{first ? nullptr : partial, partial_ld, partial, partial_ld, false};
    if (last && in_c) s.to = tile.c + j, s.to_ld = call.c.ld, s.add = call.accumulate;
    return s;
  };
  const auto finish = [&](Index j, Index count) ATOM_INLINE_LAMBDA {
    const bool in_c = fits(count);
    if (in_c && !call.has_epilogue()) return;
    gemm_finish(tile, j, count, in_c ? tile.c + j : sums + j, in_c ? call.c.ld : call.tile_columns,
                call.accumulate && !in_c, call.c.ld);
  };

  // What follows the panel before column j.
  const auto ahead = [&](Index p, Index j) ATOM_INLINE_LAMBDA {
    const T* from = tile.b;
    if (j >= columns) j = 0, p += call.depth;
    if (p >= k) from = call.next_b, p = 0, j = 0;
    const Index deep = from ? std::min(call.depth, k - p) : 0, wide = from ? std::min(columns - j, width) : 0;
    return call.b.transposed ? GemmAhead<T>{from + j * call.b.ld + p, call.b.ld, wide, deep}
                             : GemmAhead<T>{from + p * call.b.ld + j, call.b.ld, deep, wide};
  };

  Index first_column = 0;  // that is not done yet
  if (rows <= 4 && !call.a.transposed && call.b.transposed) {
    const auto thin = [&](auto count) ATOM_INLINE_LAMBDA {
      for (Index& j = first_column; j + 16 <= columns; j += 16)
        gemm_thin<count()>(tile.a, call.a.ld, tile.b + j * call.b.ld, call.b.ld, k, place(j, 16, true, true));
    };
    switch (rows) {
      case 1: thin(std::integral_constant<int, 1>()); break;
      case 2: thin(std::integral_constant<int, 2>()); break;
      case 3: thin(std::integral_constant<int, 3>()); break;
      default: thin(std::integral_constant<int, 4>());
    }
    if (first_column > 0) finish(0, first_column);
    if (first_column == columns) return;
  }

  Index p = 0;
  do {
    const Index depth = std::min(call.depth, k - p);
    const T* a = tile.a + p * (call.a.transposed ? call.a.ld : 1);
    const T* const b = tile.b + p * (call.b.transposed ? 1 : call.b.ld);
    if (call.a.transposed) gemm_pack_a(a, call.a.ld, rows, depth, packed_a), a = packed_a;
    for (Index j = first_column; j < columns; j += width) {
      const Index count = std::min(columns - j, width);
      const bool last = p + depth == k;
      const auto run = [&](auto registers) ATOM_INLINE_LAMBDA {
        gemm_columns<registers()>(call, a, b + j * (call.b.transposed ? call.b.ld : 1), count, rows, depth, panel,
                                  place(j, count, p == 0, last), ahead(p, j + width));
      };
      if (count > 2 * register_width)
        run(std::integral_constant<int, 3>());
      else if (count > register_width)
        run(std::integral_constant<int, 2>());
      else
        run(std::integral_constant<int, 1>());
      if (last) finish(j, count);
    }
    p += depth;
  } while (p < k);
}
