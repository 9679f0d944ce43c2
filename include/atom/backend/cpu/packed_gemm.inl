// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices (contract: backend/packed_gemm.hpp). Sixteen rows of W are the sixteen lanes: a quad of
// x, four bytes, is broadcast to all lanes and multiplied with the quads of the rows, so nothing is ever summed across.

struct PackedReader {
  using I = Lanes<std::int32_t>;
  using V = Lanes<float>;

  template <bool is_signed> static ATOM_ALWAYS_INLINE void dot(I& sum, I w, I x) {
    ATOM_UNROLL for (int i = 0; i < I::registers; ++i)
        ATOM_CALL_NATIVE(Native8::dot<is_signed>)(sum.r[i], w.r[i], x.r[i]);
  }
  static ATOM_ALWAYS_INLINE V halves(const half* p) {
    V a;
    ATOM_UNROLL for (int i = 0; i < V::registers; ++i)
        ATOM_CALL_NATIVE(Native<float>::load_half)(a.r[i], p + i * V::per_register);
    return a;
  }
  static ATOM_ALWAYS_INLINE I quads(const void* p) { return I::load(static_cast<const std::int32_t*>(p)); }
  // Sixteen bytes as integers.
  static ATOM_ALWAYS_INLINE I bytes(const std::uint8_t* p) {
    I a;
    ATOM_UNROLL for (int i = 0; i < I::registers; ++i)
        ATOM_CALL_NATIVE(Native8::widen)(a.r[i], p + i * I::per_register);
    return a;
  }
  static ATOM_ALWAYS_INLINE I bytes(const std::int8_t* p) {
    return (bytes(reinterpret_cast<const std::uint8_t*>(p)) ^ I(128)) - I(128);
  }
  // Bytes of all lanes, shifted: what a shift moves into the neighbour is masked away.
  static ATOM_ALWAYS_INLINE I masked(I a, int left, int mask) {
    return (left > 0 ? a << left : left < 0 ? a >> -left : a) & I(mask * 0x01010101);
  }
  static ATOM_ALWAYS_INLINE void nibbles(const packed::Nibbles& q, int c, I& low, I& high) {
    const I both = quads(q.quad[c]);
    low = masked(both, 0, 15);
    high = masked(both, -4, 15);
  }
  static ATOM_ALWAYS_INLINE void fifths(const packed::FifthBits& fifth, int c, I& low, I& high) {
    const I all = quads(fifth.byte);
    low = low | masked(all, 4 - c, 16);
    high = high | masked(all, -c, 16);
  }
};

// How one run of 32 values is read. pair(): the quads c and c + 4; offset: how much larger than the values they are.
template <class Block> struct ReadPacked;

struct ReadNibbles : PackedReader {
  static constexpr bool is_signed = false, has_least = false;
  static constexpr int offset = 0, scales = 1;
  template <class Block> static ATOM_ALWAYS_INLINE V scale(const Block& b, int, int) { return halves(b.d); }
  template <class Block> static ATOM_ALWAYS_INLINE V least(const Block& b, int) { return halves(b.m); }
  template <class Block> static ATOM_ALWAYS_INLINE void pair(const Block& b, int, int c, I& low, I& high) {
    nibbles(b.q, c, low, high);
  }
};
template <> struct ReadPacked<packed::Q4_0> : ReadNibbles { static constexpr int offset = 8; };
template <> struct ReadPacked<packed::Q4_1> : ReadNibbles { static constexpr bool has_least = true; };
struct ReadFifths : ReadNibbles {
  template <class Block> static ATOM_ALWAYS_INLINE void pair(const Block& b, int, int c, I& low, I& high) {
    nibbles(b.q, c, low, high);
    fifths(b.fifth, c, low, high);
  }
};
template <> struct ReadPacked<packed::Q5_0> : ReadFifths { static constexpr int offset = 16; };
template <> struct ReadPacked<packed::Q5_1> : ReadFifths { static constexpr bool has_least = true; };
template <> struct ReadPacked<packed::Q8_0> : ReadNibbles {
  static constexpr bool is_signed = true;
  static constexpr int offset = Native8::flip;
  static ATOM_ALWAYS_INLINE void pair(const packed::Q8_0& b, int, int c, I& low, I& high) {
    low = quads(b.quad[c]) ^ I(static_cast<std::int32_t>(offset * 0x01010101U));
    high = quads(b.quad[c + 4]) ^ I(static_cast<std::int32_t>(offset * 0x01010101U));
  }
};
template <> struct ReadPacked<packed::MXFP4> : ReadNibbles {
  static constexpr int offset = 12;
  static ATOM_ALWAYS_INLINE V scale(const packed::MXFP4& b, int, int) {
    const I e = bytes(b.e);
    return float_of_bits(select(e < I(2), select(e < I(1), I(0x00200000), I(0x00400000)), (e - I(1)) << 23));
  }
  static ATOM_ALWAYS_INLINE void pair(const packed::MXFP4& b, int, int c, I& low, I& high) {
    nibbles(b.q, c, low, high);
    low = number(low);
    high = number(high);
  }
  // A doubled number (doubled_e2m1), 12 more.
  static ATOM_ALWAYS_INLINE I number(I code) {
    static constexpr std::uint8_t table[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
    ATOM_UNROLL for (int i = 0; i < I::registers; ++i) ATOM_CALL_NATIVE(Native8::look_up)(code.r[i], table);
    return code;
  }
};
struct ReadRuns : PackedReader {
  static constexpr bool is_signed = false, has_least = true;
  static constexpr int offset = 0, scales = 1;
  template <class Block> static ATOM_ALWAYS_INLINE V scale(const Block& b, int run, int) {
    return halves(b.d) * to_float(bytes(b.run[run].scale));
  }
  template <class Block> static ATOM_ALWAYS_INLINE V least(const Block& b, int run) {
    return -(halves(b.m) * to_float(bytes(b.run[run].offset)));
  }
};
template <> struct ReadPacked<packed::Q4_K> : ReadRuns {
  static ATOM_ALWAYS_INLINE void pair(const packed::Q4_K& b, int run, int c, I& low, I& high) {
    nibbles(b.run[run].q, c, low, high);
  }
};
template <> struct ReadPacked<packed::Q5_K> : ReadRuns {
  static ATOM_ALWAYS_INLINE void pair(const packed::Q5_K& b, int run, int c, I& low, I& high) {
    nibbles(b.run[run].q, c, low, high);
    fifths(b.run[run].fifth, c, low, high);
  }
};
template <> struct ReadPacked<packed::Q6_K> : PackedReader {
  static constexpr bool is_signed = false, has_least = false;
  static constexpr int offset = 32, scales = 2;
  static ATOM_ALWAYS_INLINE V scale(const packed::Q6_K& b, int run, int part) {
    return halves(b.d) * to_float(bytes(b.run[run].scale[part]));
  }
  static ATOM_ALWAYS_INLINE void pair(const packed::Q6_K& b, int run, int c, I& low, I& high) {
    nibbles(b.run[run].q, c, low, high);
    low = low | masked(quads(b.run[run].high.byte[0]), 4 - 2 * c, 48);
    high = high | masked(quads(b.run[run].high.byte[1]), 4 - 2 * c, 48);
  }
};

constexpr int packed_rows_at_once = ATOM_ISA_LEVEL == 2 ? 8 : 2;

// sums (rows, 16): `rows` rows of x, `ld` runs from one to the next, times sixteen rows of W.
template <int rows, class Block>
ATOM_KERNEL void packed_sums(const detail::ActivationRun* x, Index ld, const Block* block, Index blocks, float* sums) {
  using R = ReadPacked<Block>;
  using I = Lanes<std::int32_t>;
  using V = Lanes<float>;
  constexpr int runs = packed::runs_of<Block>;
  V total[rows];
  ATOM_UNROLL for (int r = 0; r < rows; ++r) total[r] = V(0);
  for (; blocks > 0; --blocks, ++block) {
    for (int run = 0; run < runs; ++run, ++x) {
      I part[rows][2];
      ATOM_UNROLL for (int r = 0; r < rows; ++r) ATOM_UNROLL for (int half = 0; half < 2; ++half) part[r][half] =
          I(-R::offset * x[r * ld].sum[half]);
      ATOM_UNROLL for (int c = 0; c < 4; ++c) {
        I low, high;
        R::pair(*block, run, c, low, high);
        ATOM_UNROLL for (int r = 0; r < rows; ++r) {
          R::template dot<R::is_signed>(part[r][0], low, I(x[r * ld].quad[c]));
          R::template dot<R::is_signed>(part[r][1], high, I(x[r * ld].quad[c + 4]));
        }
      }
      const V scale = R::scale(*block, run, 0);
      ATOM_UNROLL for (int r = 0; r < rows; ++r) total[r] =
          fma(to_float(part[r][0]), scale * V(x[r * ld].d[0]), total[r]);
      const V second = R::scales == 2 ? R::scale(*block, run, 1) : scale;
      ATOM_UNROLL for (int r = 0; r < rows; ++r) total[r] =
          fma(to_float(part[r][1]), second * V(x[r * ld].d[1]), total[r]);
      if constexpr (R::has_least) {
        const V least = R::least(*block, run);
        ATOM_UNROLL for (int r = 0; r < rows; ++r) total[r] = fma(least, V(x[r * ld].d_sum), total[r]);
      }
    }
  }
  ATOM_UNROLL for (int r = 0; r < rows; ++r) total[r].store(sums + 16 * r);
}

// Rows of x against groups of W: y's tile with what follows the product.
template <class Block>
ATOM_KERNEL void packed_tile(const detail::PackedCall& call, Index first_row, Index rows, Index group, Index groups) {
  const Index runs = call.columns / 32, blocks = runs / packed::runs_of<Block>;
  alignas(64) float sums[16 * packed_rows_at_once];
  for (; groups > 0; --groups, ++group) {
    const auto* const block = reinterpret_cast<const Block*>(call.matrix) + group * blocks;
    for (Index row = first_row, left = rows; left > 0;) {
      const auto* const x = call.x + row * runs;
      Index count = packed_rows_at_once;
      if constexpr (packed_rows_at_once == 8) {
        if (left >= 8)
          packed_sums<8>(x, runs, block, blocks, sums);
        else if (left >= 4)
          count = 4, packed_sums<4>(x, runs, block, blocks, sums);
      }
      if (left < 2)
        count = 1, packed_sums<1>(x, runs, block, blocks, sums);
      else if (left < 4 || packed_rows_at_once == 2)
        count = 2, packed_sums<2>(x, runs, block, blocks, sums);
      const auto tile = call.tile(row, count, 16 * group, 16);
      gemm_finish(tile, 0, tile.columns, sums, 16, false, call.y.ld);
      row += count;
      left -= count;
    }
  }
}

// Runs of 32 elements of x as integers.
template <class T> ATOM_KERNEL void quantise_runs(const T* x, Index runs, detail::ActivationRun* to) {
  using V = Lanes<float>;
  for (; runs > 0; --runs, ++to) {
    to->d_sum = 0;
    for (int half = 0; half < 2; ++half, x += 16) {
      const V values = V::load(x);
      const float largest = max_of(abs(values));
      const auto codes = to_int(round_even(values * V(largest > 0 ? 127 / largest : 0.F)));
      alignas(64) std::int32_t wide[16];
      codes.store(wide);
      std::int8_t narrow[16];
      for (int i = 0; i < 16; ++i) narrow[i] = static_cast<std::int8_t>(wide[i]);
      __builtin_memcpy(to->quad + 4 * half, narrow, 16);
      to->sum[half] = sum(codes);
      to->d[half] = largest / 127;
      const float part = to->d[half] * static_cast<float>(to->sum[half]);
      to->d_sum += part;
    }
  }
}
