// SPDX-License-Identifier: Apache-2.0
// Weights that stay in the types of their file: views of what is mapped where rows lie as ours do, else copies of the
// rows. What has no such form becomes numbers.
#pragma once

#include "../nn/weights.hpp"
#include "published_tensor.hpp"

#include <map>

namespace atom::pretrained {

// How a source stores the values of one tensor.
struct KeptValues {
  BlockType type = BlockType::f32;
  std::span<const std::byte> bytes = {};  // of all values, row-major
  std::shared_ptr<const void> owner = {};
  std::vector<float> scales = {};  // of f8_e4m3
  std::array<Index, 2> scale_block = {1, 1};
};

namespace detail {

// Rows of ours, (count, columns), in matrix `matrix` of a stack of (rows, columns) in the file, or of (columns, rows)
// if that is transposed. Nothing where these rows are not in one piece or in pieces that can be copied.
template <class D> std::optional<StoredMatrix<D>> kept_matrix(const KeptValues& kept, Index matrix, Index rows,
                                                              Index columns, const PublishedRows& order, Index count,
                                                              bool transposed, D device) {
  const BlockInfo info = info_of(kept.type);
  const bool scaled = !kept.scales.empty();
  if (columns % info.values != 0) return std::nullopt;
  const auto row_bytes = static_cast<std::size_t>(columns / info.values * info.bytes);
  const auto at = [&](Index row) { return static_cast<std::size_t>(matrix * rows + row) * row_bytes; };
  if (!transposed && order.run == 0) {
    const auto bytes = kept.bytes.subspan(at(0), static_cast<std::size_t>(rows) * row_bytes);
    const ScaleGrid grid{kept.scales, kept.scale_block};
    if constexpr (std::is_same_v<D, Cpu>)
      return StoredMatrix<D>::view_of(kept.type, {rows, columns}, bytes, kept.owner, grid).rows(order.start, count);
    else
      return StoredMatrix<D>::copy_of(kept.type, {rows, columns}, bytes, grid, device).rows(order.start, count);
  }
  if (scaled || (transposed && info.values > 1)) return std::nullopt;
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * row_bytes);
  const auto size = static_cast<std::size_t>(info.bytes);
  for (Index row = 0; row < count; ++row) {
    std::byte* const to = bytes.data() + static_cast<std::size_t>(row) * row_bytes;
    if (!transposed) {
      std::memcpy(to, kept.bytes.data() + at(order(row)), row_bytes);
      continue;
    }
    const std::byte* from = kept.bytes.data() + static_cast<std::size_t>(matrix * rows * columns + order(row)) * size;
    for (Index column = 0; column < columns; ++column, from += static_cast<std::size_t>(rows) * size)
      std::memcpy(to + static_cast<std::size_t>(column) * size, from, size);
  }
  return StoredMatrix<D>::copy_of(kept.type, {count, columns}, bytes, {}, device);
}

}  // namespace detail

// Where the file has a parameter: whole in one tensor, or its elements along the first axis in one each.
using PublishedUses = std::vector<std::pair<const PublishedTensor*, const PublishedPart*>>;

// The parameter of shape (rows, columns) or (count, rows, columns) as it is stored; nothing where it has to become
// numbers. rows_of(tensor) is how many rows the tensor has in the file; kept_of(tensor) its KeptValues, if they are to
// be kept, and whether it is transposed there.
template <class D, class RowsOf, class KeptOf>
std::optional<StoredMatrix<D>> kept_weight(const Shape& shape, const PublishedUses& uses, RowsOf&& rows_of,
                                           KeptOf&& kept_of, D device) {
  const Index rows = shape[-2], columns = shape[-1];
  const bool stack = shape.rank() == 3, alone = uses.size() == 1 && uses[0].second->expert < 0;
  if (uses.empty() || (!alone && (!stack || std::ssize(uses) != shape[0]))) return std::nullopt;
  std::vector<StoredMatrix<D>> members(static_cast<std::size_t>(stack ? shape[0] : 1));
  for (const auto& [tensor, part] : uses) {
    if (part->runs > 0) return std::nullopt;
    const auto [kept, transposed] = kept_of(*tensor);
    if (!kept) return std::nullopt;
    for (std::size_t i = 0; i < (alone ? members.size() : 1); ++i) {
      auto matrix = detail::kept_matrix<D>(*kept, static_cast<Index>(i), rows_of(*tensor), columns, part->rows, rows,
                                           transposed, device);
      if (!matrix) return std::nullopt;
      members[alone ? i : static_cast<std::size_t>(part->expert)] = std::move(*matrix);
    }
  }
  return stack ? StoredMatrix<D>::stack(std::move(members)) : std::move(members[0]);
}

}  // namespace atom::pretrained
