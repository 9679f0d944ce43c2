// SPDX-License-Identifier: Apache-2.0
// The matrix product on the processor (contract: backend/gemm.hpp). C is cut into tiles; one thread computes one tile,
// over all of k in blocks, packing the operands as it goes. Tiles follow from the shape alone.
#pragma once

#include "../gemm.hpp"
#include "lanes.hpp"
#include "memory.hpp"

namespace atom::detail {

// One tile of C with what it needs; the epilogue's pointers are those of its first element.
template <class T> struct GemmTile {
  Index rows, columns;
  const T *a, *b;
  T* c;
  GemmEpilogue<T> epilogue;
};

template <class T> struct GemmCall {
  // Elements of k that a tile takes at a time: what the inner loop reads of B then stays in the first-level cache.
  static constexpr Index depth = gemm_block;
  static constexpr Index widest = 48;  // the widest panel of B on any instruction set; columns per tile: a multiple

  GemmShape shape;
  GemmInput<T> a, b;
  GemmOutput<T> c;
  bool accumulate;
  GemmEpilogue<T> epilogue;

  Index tile_rows = 0, tile_columns = 0;  // of a tile of C
  Index row_tiles = 0, column_tiles = 0;  // of one product
  const T* next_b = nullptr;              // of the tile that this thread may take next; null: not known

  Index tiles() const { return shape.batch * row_tiles * column_tiles; }

  static Index tiles_of(Index size, Index tile) { return (size + tile - 1) / tile; }

  void choose_rows() {
    const Index most_rows = a.transposed ? 256 : 512;  // a packed block of A should stay in the second-level cache
    row_tiles = tiles_of(shape.m, most_rows);
    tile_rows = (tiles_of(shape.m, row_tiles) + 15) / 16 * 16;
    row_tiles = tiles_of(shape.m, tile_rows);
  }
  // Wide tiles read A fewer times; enough of them keep many threads busy. `all_row_tiles`: those of all products.
  void choose_columns(Index all_row_tiles) {
    for (tile_columns = 8 * widest;; tile_columns /= 2) {
      column_tiles = tiles_of(shape.n, tile_columns);
      if (all_row_tiles * column_tiles >= 8 || tile_columns == widest) break;
    }
  }

  GemmTile<T> tile(Index index) const {
    const Index column = index % column_tiles * tile_columns, row = index / column_tiles % row_tiles * tile_rows;
    const Index product = index / (column_tiles * row_tiles);
    GemmTile<T> t{std::min(tile_rows, shape.m - row),
                  std::min(tile_columns, shape.n - column),
                  a.data + product * a.batch_stride + row * (a.transposed ? 1 : a.ld),
                  b.data + product * b.batch_stride + column * (b.transposed ? b.ld : 1),
                  c.data + product * c.batch_stride + row * c.ld + column,
                  epilogue};
    const auto shift = [&](auto& matrix) {
      if (matrix.data) matrix.data += product * matrix.batch_stride + row * matrix.ld + column;
    };
    shift(t.epilogue.pre);
    shift(t.epilogue.residual);
    if (t.epilogue.bias) t.epilogue.bias += column;
    return t;
  }

  bool has_epilogue() const {
    return epilogue.bias || epilogue.pre.data || epilogue.residual.data || epilogue.activation != Activation::none;
  }

  // Elements of memory that computing a tile needs: a block of A, a panel of B, sums that may not go to C at once.
  Index packed_a() const { return a.transposed ? tile_rows * (depth + 16) : 0; }
  Index packed_b() const { return depth * widest; }
  bool needs_sums() const {
    return (accumulate && shape.k > depth) || shape.n % widest != 0 || epilogue.residual.data == c.data;
  }
  Index scratch() const { return packed_a() + packed_b() + (needs_sums() ? tile_rows * tile_columns : 0); }
};

}  // namespace atom::detail

#define ATOM_KERNEL_TEXT "transpose.inl"
#include "each_isa.hpp"
#define ATOM_KERNEL_TEXT "gemm.inl"
#include "each_isa.hpp"

namespace atom {

namespace detail {

template <class T> void gemm_tile(const GemmCall<T>& call, Index tile, T* scratch) {
  ATOM_DISPATCH(gemm_tile_kernel, call, tile, scratch);
}

// run(tile, memory) for each tile of `operations` in all, with `scratch` elements of memory.
template <class T, class Run>
void for_gemm_tiles(Cpu device, Index tiles, double operations, Index scratch, const Run& run) {
  // Fewer operations than that are done before another thread has woken up.
  constexpr double least_parallel = 1 << 20;
  const Index workers = operations < least_parallel ? 1 : std::min<Index>(tiles, device.pool().size());
  const auto bytes = static_cast<std::size_t>(workers * scratch) * sizeof(T);
  T* const memory = static_cast<T*>(allocate(device, bytes));
  std::atomic<Index> next = 0;
  // A worker takes tiles until none is left, so that scratch memory goes by worker and not by tile.
  device.pool().parallel_for(workers, [&](Index worker) {
    for (Index tile; (tile = next.fetch_add(1, std::memory_order_relaxed)) < tiles;)
      run(tile, memory + worker * scratch);
  });
  deallocate(device, memory, bytes);
}

}  // namespace detail

template <class T> void gemm(Cpu device, const GemmShape& shape, std::type_identity_t<GemmInput<T>> a,
                             std::type_identity_t<GemmInput<T>> b, GemmOutput<T> c, bool accumulate = false,
                             const std::type_identity_t<GemmEpilogue<T>>& epilogue = {}) {
  if (shape.m == 0 || shape.n == 0 || shape.batch == 0) return;
  detail::GemmCall<T> call{shape, a, b, c, accumulate, epilogue};
  call.choose_rows();
  call.choose_columns(shape.batch * call.row_tiles);
  const double operations = 2.0 * double(shape.m) * double(shape.n) * double(shape.k) * double(shape.batch);
  detail::for_gemm_tiles<T>(device, call.tiles(), operations, call.scratch(),
                            [&](Index tile, T* scratch) { detail::gemm_tile(call, tile, scratch); });
}

}  // namespace atom
