// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices on the processor (contract: backend/packed_gemm.hpp). Templates all: a program that
// packs nothing compiles none of it.
#pragma once

#include "../packed_gemm.hpp"

namespace atom {

namespace detail {

// 32 elements of a row of x, each half d times integers; their sums, for codes that are larger than their values.
struct ActivationRun {
  std::int32_t quad[8];  // four bytes each
  std::int32_t sum[2];
  float d[2];
  float d_sum;  // sum of the elements
};

struct PackedCall {
  const float* a;          // (m, columns)
  const ActivationRun* x;  // the same as integers, for block formats
  const std::byte* matrix;
  Index rows, columns;  // of the matrix
  GemmOutput<float> y;
  GemmEpilogue<float> epilogue;
  bool has_epilogue;

  // Of y, with its part of what follows the product.
  GemmTile<float> tile(Index row, Index count, Index column, Index width) const {
    GemmTile<float> t{count, std::min(width, rows - column), nullptr, nullptr, y.data + row * y.ld + column, epilogue};
    const auto shift = [&](auto& rows_of) {
      if (rows_of.data) rows_of.data += row * rows_of.ld + column;
    };
    shift(t.epilogue.pre);
    shift(t.epilogue.residual);
    if (t.epilogue.bias) t.epilogue.bias += column;
    return t;
  }
};

}  // namespace detail

}  // namespace atom

#define ATOM_KERNEL_TEXT "packed_float.inl"
#include "each_isa.hpp"
// g++ would note that a vector argument changes the ABI; none is ever passed, all of this is inlined.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#define ATOM_INT8_DOT
#define ATOM_KERNEL_TEXT "native_int8.inl"
#include "each_isa.hpp"
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#define ATOM_INT8_DOT
#define ATOM_KERNEL_TEXT "packed_gemm.inl"
#include "each_isa.hpp"

namespace atom {

namespace detail {

template <class Stored>
void packed_float_tile(const PackedCall& call, Index first_row, Index rows, Index panel, Index panels, float* memory) {
  ATOM_DISPATCH(packed_float_tile<Stored>, call, first_row, rows, panel, panels, memory);
}
template <class Block>
void packed_block_tile(const PackedCall& call, Index first_row, Index rows, Index group, Index groups) {
  ATOM_DISPATCH_INT8(packed_tile<Block>, call, first_row, rows, group, groups);
}
template <class T> void quantise_activations(const T* x, Index runs, ActivationRun* to) {
  ATOM_DISPATCH_INT8(quantise_runs<T>, x, runs, to);
}

template <class F> void with_float(BlockType type, F&& f) {
  switch (type) {
    case BlockType::f32: return f(std::type_identity<float>());
    case BlockType::f16: return f(std::type_identity<half>());
    default: return f(std::type_identity<bfloat16>());
  }
}

// tile(first_row, rows, first_panel, panels, memory) for all of y, by the pool. Bits do not depend on tiles.
template <class Tile> void for_packed_tiles(Cpu device, Index m, const PackedPart& w, Index scratch, const Tile& tile) {
  // A tile's rows of x and its panels of W stay in the second-level cache, also while a panel has its turn.
  constexpr Index rows_memory = Index{1} << 19, panels_memory = Index{1} << 15;
  const Index width = packed_panel(w.type), panels = (w.rows + width - 1) / width;
  const Index most = std::max<Index>(rows_memory / (w.columns * (is_float(w.type) ? 4 : 1)) / 8 * 8, 16);
  const Index row_tiles = (m + most - 1) / most, tile_rows = ((m + row_tiles - 1) / row_tiles + 7) / 8 * 8;
  const Index panel_bytes = static_cast<Index>(packed_bytes(w.type, width, w.columns));
  const Index step = std::clamp<Index>(panels_memory / panel_bytes, 1, std::max<Index>(panels / 8, 1));
  const Index steps = (panels + step - 1) / step;
  const Index floats = 48 * gemm_block + 48 * std::min(tile_rows, m);
  // Of few rows, reading W takes the time: of a byte as much as of ten operations.
  const double operations =
      std::max(2.0 * double(m) * double(w.rows) * double(w.columns), 10.0 * double(panels) * double(panel_bytes));
  for_gemm_tiles<float>(device, row_tiles * steps, operations, scratch > 0 ? floats : 0,
                        [&](Index index, float* memory) {
                          const Index row = index / steps * tile_rows, panel = index % steps * step;
                          tile(row, std::min(tile_rows, m - row), panel, std::min(step, panels - panel), memory);
                        });
}

}  // namespace detail

template <class T> void packed_gemm(Cpu device, Index m, const T* x, const PackedPart& w, GemmOutput<T> y,
                                    const std::type_identity_t<GemmEpilogue<T>>& epilogue = {}) {
  if (m == 0) return;
  detail::PackedCall call{.a = x,
                          .x = nullptr,
                          .matrix = w.data,
                          .rows = w.rows,
                          .columns = w.columns,
                          .y = y,
                          .epilogue = epilogue,
                          .has_epilogue = epilogue.bias || epilogue.pre.data || epilogue.residual.data ||
                                          epilogue.activation != Activation::none};
  if (is_float(w.type)) {
    detail::with_float(w.type, [&]<class Stored>(std::type_identity<Stored>) {
      detail::for_packed_tiles(device, m, w, 1, [&](Index row, Index rows, Index panel, Index panels, float* memory) {
        detail::packed_float_tile<Stored>(call, row, rows, panel, panels, memory);
      });
    });
    return;
  }
  const Index runs = w.columns / 32;
  const auto bytes = static_cast<std::size_t>(m * runs) * sizeof(detail::ActivationRun);
  auto* const rounded = static_cast<detail::ActivationRun*>(allocate(device, bytes));
  constexpr Index few = 1 << 9;  // runs that one thread rounds sooner than it wakes another
  const Index all = m * runs;
  if (all <= few)
    detail::quantise_activations(x, all, rounded);
  else
    device.pool().parallel_for((all + few - 1) / few, [&](Index chunk) {
      detail::quantise_activations(x + 32 * few * chunk, std::min(few, all - few * chunk), rounded + few * chunk);
    });
  call.x = rounded;
  packed::with_packed(w.type, [&]<class Block>(std::type_identity<Block>) {
    detail::for_packed_tiles(device, m, w, 0, [&](Index row, Index rows, Index group, Index groups, float*) {
      detail::packed_block_tile<Block>(call, row, rows, group, groups);
    });
  });
  deallocate(device, rounded, bytes);
}

// ---- packing --------------------------------------------------------------------------------------------------------

namespace detail {

template <class Stored> void pack_panel(const StoredPart& from, Index first, Index width, Stored* to) {
  const Index count = std::min(width, from.rows - first);
  if (count < width)
    std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(width * from.columns) * sizeof(Stored));
  constexpr Index block = 16;  // of columns: whole lines of the cache are written
  for (Index p = 0; p < from.columns; p += block)
    for (Index r = 0; r < count; ++r) {
      const Stored* const row = from.values<Stored>(first + r);
      for (Index i = p; i < std::min(p + block, from.columns); ++i) to[i * width + r] = row[i];
    }
}

template <class Block> void pack_group(const StoredPart& from, Index first, Block* to) {
  using Source = typename Block::Source;
  const Index blocks = from.columns / values_in<Source>, count = std::min<Index>(packed::rows, from.rows - first);
  for (Index b = 0; b < blocks; ++b) {
    if (count < packed::rows) std::memset(static_cast<void*>(to + b), 0, sizeof(Block));
    for (int r = 0; r < count; ++r) to[b].set(r, from.values<Source>(first + r)[b]);
  }
}

template <class T> void unpack_row(const PackedPart& w, Index row, Index first, Index count, T* to) {
  if (is_float(w.type)) {
    with_float(w.type, [&]<class Stored>(std::type_identity<Stored>) {
      const auto* const from = reinterpret_cast<const Stored*>(w.data) + row / 48 * 48 * w.columns + row % 48;
      for (Index i = 0; i < count; ++i) to[i] = static_cast<T>(from[48 * (first + i)]);
    });
    return;
  }
  packed::with_packed(w.type, [&]<class Block>(std::type_identity<Block>) {
    constexpr int values = info_of(Block::Source::type).values, lane_of = packed::rows;
    const auto* const from = reinterpret_cast<const Block*>(w.data) + row / lane_of * (w.columns / values);
    const int lane = static_cast<int>(row % lane_of);
    for (Index at = first; at < first + count; at += 32) {
      const Block& block = from[at / values];
      const int run = static_cast<int>(at % values / 32);
      const float least = block.least(lane, run);
      for (int i = 0; i < 32; ++i) {
        const float product = block.scale(lane, run, i) * static_cast<float>(block.code(lane, run, i));
        to[at - first + i] = static_cast<T>(product + least);
      }
    }
  });
}

}  // namespace detail

template <class Part = StoredPart> void pack(Cpu device, const Part& from, std::byte* to) {
  const Index width = packed_panel(from.type), panels = (from.rows + width - 1) / width;
  const std::size_t bytes = packed_bytes(from.type, width, from.columns);
  device.pool().parallel_for(panels, [&](Index panel) {
    std::byte* const at = to + bytes * static_cast<std::size_t>(panel);
    if (is_float(from.type))
      detail::with_float(from.type, [&]<class Stored>(std::type_identity<Stored>) {
        detail::pack_panel(from, panel * width, width, reinterpret_cast<Stored*>(at));
      });
    else
      packed::with_packed(from.type, [&]<class Block>(std::type_identity<Block>) {
        detail::pack_group(from, panel * width, reinterpret_cast<Block*>(at));
      });
  });
}

template <class T> void unpack(Cpu device, const PackedPart& w, const StoredPart& wanted, T* to) {
  detail::for_row_chunks(device, wanted.rows, wanted.columns, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      detail::unpack_row(w, wanted.row(i), wanted.first_column, wanted.columns, to + i * wanted.columns);
  });
}

}  // namespace atom
