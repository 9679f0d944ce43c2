// SPDX-License-Identifier: Apache-2.0
// Products with matrices of f32, f16 or bf16 in packed panels of 48 rows (contract: backend/packed_gemm.hpp). The sums
// are gemm's (gemm.inl), in its order; nothing is packed or transposed on the way.

typedef std::uint16_t PackedShort __attribute__((vector_size(ATOM_LANE_BYTES / 2), aligned(2), may_alias));

// One register of floats from the type that they are stored in.
ATOM_ALWAYS_INLINE void packed_widen(Lanes<float>::Raw& to, const float* p) {
  to = *reinterpret_cast<const Lanes<float>::Loose*>(p);
}
ATOM_ALWAYS_INLINE void packed_widen(Lanes<float>::Raw& to, const bfloat16* p) {
  const auto bits = __builtin_convertvector(*reinterpret_cast<const PackedShort*>(p), Lanes<std::int32_t>::Raw) << 16;
  to = reinterpret_cast<Lanes<float>::Raw>(bits);
}
ATOM_ALWAYS_INLINE void packed_widen(Lanes<float>::Raw& to, const half* p) {
  ATOM_CALL_NATIVE(Native<float>::load_half)(to, p);
}

// Up to 4 rows of A times 48 columns, all of k: only reading B takes time.
template <int rows, class Stored>
ATOM_KERNEL void packed_thin(const float* a, Index a_ld, const Stored* b, Index k, float* c, Index c_ld) {
  using V = Lanes<float>;
  constexpr int registers = 48 / V::per_register, most = registers < 6 ? registers : 6;
  for (int first = 0; first < registers; first += most) {
    V::Raw sums[rows][most] = {}, before[rows][most] = {};
    const Stored* from = b + first * V::per_register;
    for (Index p = 0; p < k; p += gemm_block) {
      const Index depth = k - p < gemm_block ? k - p : gemm_block;
      ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < most; ++j) sums[i][j] = V::Raw{};
      for (Index step = p; step < p + depth; ++step, from += 48) {
        __builtin_prefetch(from + 48 * 24);
        V::Raw x[most];
        ATOM_UNROLL for (int j = 0; j < most; ++j) packed_widen(x[j], from + j * V::per_register);
        ATOM_UNROLL for (int i = 0; i < rows; ++i) {
          const V::Raw y = a[i * a_ld + step] - V::Raw{};
          ATOM_UNROLL for (int j = 0; j < most; ++j) ATOM_CALL_NATIVE(Native<float>::fma)(sums[i][j], y, x[j]);
        }
      }
      ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < most; ++j) before[i][j] =
          p == 0 ? sums[i][j] : before[i][j] + sums[i][j];
    }
    ATOM_UNROLL for (int i = 0; i < rows; ++i)
        ATOM_UNROLL for (int j = 0; j < most; ++j) reinterpret_cast<V::Loose*>(c + i * c_ld)[first + j] = before[i][j];
  }
}

// Rows of A against one panel, by gemm's inner loop; 16-bit values are widened a block of k at a time.
template <class Stored> ATOM_KERNEL void packed_panel(const detail::PackedCall& call, Index first_row, Index rows,
                                                      const Stored* b, float* memory, float* c, Index c_ld) {
  constexpr Index lanes = Lanes<float>::per_register, width = 3 * lanes;
  const Index k = call.columns;
  const float* a = call.a + first_row * k;
  for (Index p = 0; p < k; p += gemm_block, a += gemm_block, b += 48 * gemm_block) {
    const Index depth = k - p < gemm_block ? k - p : gemm_block;
    const float* values = memory;
    if constexpr (std::is_same_v<Stored, float>)
      values = b;
    else
      for (Index i = 0; i < 48 * depth; i += lanes) {
        Lanes<float>::Raw x;
        packed_widen(x, b + i);
        *reinterpret_cast<Lanes<float>::Loose*>(memory + i) = x;
      }
    for (Index j = 0; j < 48; j += width)
      gemm_panel<3>(a, k, false, values + j, 48, rows, depth,
                    GemmSums<float>{p == 0 ? nullptr : c + j, c_ld, c + j, c_ld, false}, GemmAhead<float>{});
  }
}

template <class Stored> ATOM_KERNEL void packed_float_tile(const detail::PackedCall& call, Index first_row, Index rows,
                                                           Index panel, Index panels, float* memory) {
  const Index k = call.columns;
  float* const sums = memory + 48 * gemm_block;
  for (; panels > 0; --panels, ++panel) {
    const auto tile = call.tile(first_row, rows, 48 * panel, 48);
    const auto* const b = reinterpret_cast<const Stored*>(call.matrix) + 48 * k * panel;
    const float* const a = call.a + first_row * k;
    const bool in_y = tile.columns == 48 && tile.epilogue.residual.data != tile.c;
    float* const c = in_y ? tile.c : sums;
    const Index c_ld = in_y ? call.y.ld : 48;
    switch (rows) {
      case 1: packed_thin<1>(a, k, b, k, c, c_ld); break;
      case 2: packed_thin<2>(a, k, b, k, c, c_ld); break;
      case 3: packed_thin<3>(a, k, b, k, c, c_ld); break;
      case 4: packed_thin<4>(a, k, b, k, c, c_ld); break;
      default: packed_panel(call, first_row, rows, b, memory, c, c_ld);
    }
    if (!in_y || call.has_epilogue) gemm_finish(tile, 0, tile.columns, c, c_ld, false, call.y.ld);
  }
}
