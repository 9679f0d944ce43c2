// SPDX-License-Identifier: Apache-2.0
// pack: stored matrices laid out so that products compute on them directly (backend/packed_gemm.hpp).
#pragma once

#include "../backend/packed_gemm.hpp"
#include "../core/mapped_file.hpp"
#include "stored_matrix.hpp"

namespace atom {

namespace detail {

inline PackedPart packed_part(const StoredPart& part) {
  const BlockInfo info = info_of(part.type);
  return {part.type, part.data, part.rows, part.row_bytes / info.bytes * info.values};
}

template <class D> typename StoredMatrix<D>::Layout packed_layout() {
  return {
      .read = [](D device, const StoredPart& wanted, float* to) { unpack(device, packed_part(wanted), wanted, to); },
      .multiply =
          [](D device, Index m, const float* x, const StoredPart& matrix, GemmOutput<float> y,
             const GemmEpilogue<float>& epilogue) { packed_gemm(device, m, x, packed_part(matrix), y, epilogue); }};
}

}  // namespace detail

// The same values, copied; pages of a mapped file that they came from are given back. Products with f32, f16 and bf16
// keep their bits; with block formats they round x, see backend/packed_gemm.hpp. A matrix of another type
// (can_pack), with scales, or that is packed stays what it is; of a stack each member is packed by itself.
template <class D> StoredMatrix<D> pack(const StoredMatrix<D>& matrix) {
  if (matrix.rank() == 3) {
    std::vector<StoredMatrix<D>> members;
    for (Index i = 0; i < matrix.dim(0); ++i) members.push_back(pack(matrix.member(i)));
    return StoredMatrix<D>::stack(std::move(members));
  }
  if constexpr (std::is_same_v<D, Cpu>) {
    if (!matrix.defined() || matrix.is_packed() || !can_pack(matrix.type())) return matrix;
    const StoredPart part = matrix.part();
    const auto bytes = static_cast<Index>(packed_bytes(part.type, part.rows, part.columns));
    const auto memory = std::make_shared<Buffer<std::uint8_t, D>>(matrix.device(), Shape{bytes});
    auto* const to = reinterpret_cast<std::byte*>(memory->mutable_data());
    pack(matrix.device(), part, to);
    matrix.give_back_pages();
    return StoredMatrix<D>::laid_out(part.type, matrix.shape(), to, memory, detail::packed_layout<D>(),
                                     matrix.device());
  } else {
    return matrix;
  }
}

}  // namespace atom
