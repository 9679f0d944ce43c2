// SPDX-License-Identifier: Apache-2.0
// The grouped matrix product on the processor (contract: backend/grouped_gemm.hpp): the tiles of all groups, which are
// those of gemm, in one parallel loop.
#pragma once

#include "../gemm.hpp"
#include "../grouped_gemm.hpp"
#include "../reduce.hpp"

namespace atom {

namespace detail {

// product(g) is the GemmCall of group g: the text of all tiles, and of a matrix product alone.
template <class T, class Product> void grouped_products(Cpu device, Index groups, const Product& product) {
  const Scratch<Index> first_tile(groups + 1);
  Index row_tiles = 0, scratch = 0;
  double operations = 0;
  const auto with_rows = [&](Index g) {
    GemmCall<T> call = product(g);
    if (call.shape.m > 0) call.choose_rows();
    return call;
  };
  for (Index g = 0; g < groups; ++g) row_tiles += with_rows(g).row_tiles;
  const auto with_tiles = [&](Index g) {
    GemmCall<T> call = with_rows(g);
    call.choose_columns(row_tiles);
    return call;
  };
  first_tile.data[0] = 0;
  for (Index g = 0; g < groups; ++g) {
    const GemmCall<T> call = with_tiles(g);
    first_tile.data[g + 1] = first_tile.data[g] + call.tiles();
    scratch = std::max(scratch, call.scratch());
    operations += 2.0 * double(call.shape.m) * double(call.shape.n) * double(call.shape.k);
  }
  const Index* const begin = first_tile.data;
  const Index tiles = begin[groups], threads = device.pool().size();
  const auto group_of = [&](Index tile) { return std::upper_bound(begin, begin + groups + 1, tile) - begin - 1; };
  for_gemm_tiles<T>(device, tiles, operations, scratch, [&](Index tile, T* memory) {
    const Index g = group_of(tile), next = tile + threads;
    GemmCall<T> call = with_tiles(g);
    if (next < tiles) call.next_b = with_tiles(group_of(next)).tile(next - begin[group_of(next)]).b;
    gemm_tile(call, tile - begin[g], memory);
  });
}

}  // namespace detail

template <class T>
void grouped_gemm(Cpu device, const GroupedRows& s, const T* x, const T* weight, const T* bias, T* y) {
  detail::grouped_products<T>(device, s.groups, [&](Index g) {
    const Index begin = s.offsets[g], rows = s.offsets[g + 1] - begin;
    return detail::GemmCall<T>{.shape = {.m = rows, .n = s.out, .k = s.in},
                               .a = {.data = x + begin * s.in, .ld = s.in},
                               .b = {.data = weight + g * s.out * s.in, .ld = s.in, .transposed = true},
                               .c = {.data = y + begin * s.out, .ld = s.out},
                               .accumulate = false,
                               .epilogue = {.bias = bias ? bias + g * s.out : nullptr}};
  });
}

template <class T>
void grouped_gemm_input(Cpu device, const GroupedRows& s, const T* dy, const T* weight, T* dx, bool accumulate) {
  detail::grouped_products<T>(device, s.groups, [&](Index g) {
    const Index begin = s.offsets[g], rows = s.offsets[g + 1] - begin;
    return detail::GemmCall<T>{.shape = {.m = rows, .n = s.in, .k = s.out},
                               .a = {.data = dy + begin * s.out, .ld = s.out},
                               .b = {.data = weight + g * s.out * s.in, .ld = s.in},
                               .c = {.data = dx + begin * s.in, .ld = s.in},
                               .accumulate = accumulate,
                               .epilogue = {}};
  });
}

template <class T>
void grouped_gemm_weight(Cpu device, const GroupedRows& s, const T* dy, const T* x, T* dweight, bool accumulate) {
  detail::grouped_products<T>(device, s.groups, [&](Index g) {
    const Index begin = s.offsets[g], rows = s.offsets[g + 1] - begin;
    return detail::GemmCall<T>{.shape = {.m = accumulate && rows == 0 ? 0 : s.out, .n = s.in, .k = rows},
                               .a = {.data = dy + begin * s.out, .ld = s.out, .transposed = true},
                               .b = {.data = x + begin * s.in, .ld = s.in},
                               .c = {.data = dweight + g * s.out * s.in, .ld = s.in},
                               .accumulate = accumulate,
                               .epilogue = {}};
  });
}

template <class T> void grouped_sum_rows(Cpu device, const GroupedRows& s, const T* dy, T* dbias, bool accumulate) {
  constexpr Index width = 64;  // columns are independent: any width gives the same bits
  const Index strips = (s.out + width - 1) / width;
  device.pool().parallel_for(s.groups * strips, [&](Index tile) {
    [[maybe_unused]] const Index g = tile / strips, first = tile % strips * width, begin = s.offsets[g];
    ATOM_DISPATCH_MEMORY_BOUND(reduce_columns<detail::SumOf>, dy + begin * s.out + first, s.offsets[g + 1] - begin,
                               s.out, std::min(width, s.out - first), dbias + g * s.out + first, accumulate);
  });
}

}  // namespace atom
