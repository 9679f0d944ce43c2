// SPDX-License-Identifier: Apache-2.0
// StoredMatrix<D>: a matrix in the type of the file it came from, or a stack of them. Its bytes are only read, and
// become numbers a few rows at a time. Copies, rows and members of a stack share the bytes.
#pragma once

#include "../backend/dequantise.hpp"
#include "../backend/for_each.hpp"
#include "../backend/gemm.hpp"
#include "../core/mapped_file.hpp"
#include "buffer.hpp"

#include <memory>
#include <vector>

namespace atom {

// Of f8_e4m3: a factor for each block of rows and columns, ceil(rows / block[0]) x ceil(columns / block[1]) of them, in
// the host's memory. Of a stack: those of its matrices one after the other.
struct ScaleGrid {
  std::span<const float> values = {};
  std::array<Index, 2> block = {1, 1};
};

namespace detail {
struct WidenFloat {
  const float* from;
  double* to;
  ATOM_HD void operator()(Index i) const { to[i] = static_cast<double>(from[i]); }
};
}  // namespace detail

template <class D = Device> class StoredMatrix {
 public:
  // What reads the bytes and, if they are laid out for that (tensor/pack.hpp), multiplies with them: behind pointers,
  // so that only programs that make such matrices compile it.
  struct Layout {
    void (*read)(D, const StoredPart& wanted, float* to) = nullptr;
    void (*multiply)(D, Index m, const float* x, const StoredPart& matrix, GemmOutput<float> y,
                     const GemmEpilogue<float>&) = nullptr;
  };

  StoredMatrix() = default;  // undefined
  // Undefined too, but of a shape: the place of one that is still to be loaded.
  static StoredMatrix place(const Shape& shape, D device = {}) {
    return StoredMatrix(new Content{.shape = shape, .device = device});
  }

  // `bytes`, in the host's memory, are those of shape (rows, columns) or (count, rows, columns), row-major; rows are
  // whole blocks. Errors: a type that cannot be read; sizes that do not fit.
  static StoredMatrix copy_of(BlockType type, const Shape& shape, std::span<const std::byte> bytes,
                              const ScaleGrid& scales = {}, D device = {}) {
    check_parts(type, shape, bytes.size(), scales);
    const auto memory = std::make_shared<Buffer<std::uint8_t, D>>(device, Shape{std::ssize(bytes)});
    copy_from_host(device, memory->mutable_data(), bytes.data(), bytes.size());
    return make(type, shape, reinterpret_cast<const std::byte*>(memory->data()), memory, scales, device);
  }
  // The same without a copy: `owner` keeps the bytes alive and unchanged. Bytes not aligned to 4 are copied.
  static StoredMatrix view_of(BlockType type, const Shape& shape, std::span<const std::byte> bytes,
                              const std::shared_ptr<const void>& owner, const ScaleGrid& scales = {},
                              D device = {}) requires std::is_same_v<D, Cpu> {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 4 != 0) return copy_of(type, shape, bytes, scales, device);
    check_parts(type, shape, bytes.size(), scales);
    return make(type, shape, bytes.data(), owner, scales, device);
  }
  // A matrix whose bytes lie as `layout` reads them; `owner` keeps them.
  static StoredMatrix laid_out(BlockType type, const Shape& shape, const std::byte* data,
                               const std::shared_ptr<const void>& owner, const Layout& layout, D device) {
    StoredMatrix result = make(type, shape, data, owner, {}, device);
    result.content_->layout = layout;
    return result;
  }
  // Matrices of one shape, of any types. Errors: none; different shapes.
  static StoredMatrix stack(std::vector<StoredMatrix> matrices) {
    check(!matrices.empty(), "stored_matrix", "a stack has members");
    const Shape one = matrices[0].shape();
    for (const auto& matrix : matrices)
      check(matrix.defined() && one.rank() == 2 && matrix.shape() == one, "stored_matrix", "a stack has shape ", one,
            " and ", matrix.shape(), ", expected defined matrices of one shape");
    const Shape shape{std::ssize(matrices), one[0], one[1]};
    return StoredMatrix(new Content{.shape = shape, .members = std::move(matrices)});
  }

  bool defined() const { return content_ && (content_->data || !content_->members.empty()); }
  const Shape& shape() const {
    static const Shape none;
    return content_ ? content_->shape : none;
  }
  int rank() const { return shape().rank(); }
  Index dim(int axis) const { return shape()[axis]; }
  BlockType type() const { return rank() == 3 ? member(0).type() : content_->type; }  // of a stack: of its first
  D device() const { return content_->members.empty() ? content_->device : member(0).device(); }
  // In memory, without the scales.
  std::size_t bytes() const {
    if (!defined()) return 0;
    std::size_t sum = static_cast<std::size_t>(dim(0) * content_->row_bytes);  // 0 of a stack
    for (const auto& member : content_->members) sum += member.bytes();
    return sum;
  }

  // Of a stack.
  const StoredMatrix& member(Index i) const { return content_->members[static_cast<std::size_t>(i)]; }

  // ---- of a matrix ----------------------------------------------------------------------------------------------
  // Rows first..first + count - 1. Error: there are fewer.
  StoredMatrix rows(Index first, Index count) const {
    check(rank() == 2 && first >= 0 && count >= 0 && first <= dim(0) - count, "stored_matrix", "rows ", first, " to ",
          first + count, " of shape ", shape());
    const Content& c = *content_;
    return StoredMatrix(new Content{.shape = {count, dim(1)},
                                    .type = c.type,
                                    .device = c.device,
                                    .data = c.data,
                                    .row_bytes = c.row_bytes,
                                    .first_row = c.first_row + first,
                                    .owner = c.owner,
                                    .scales = c.scales,
                                    .scale_block = c.scale_block,
                                    .layout = c.layout});
  }
  // Rows in another order, copied. Error: it has scales or is packed.
  StoredMatrix reordered(const std::vector<std::int32_t>& order) const {
    const Content& c = *content_;
    check(rank() == 2 && !c.scales.defined() && !is_packed(), "stored_matrix", "rows of ", shape(),
          " with scales or packed keep their order");
    const auto memory = std::make_shared<Buffer<std::uint8_t, D>>(c.device, Shape{std::ssize(order) * c.row_bytes});
    std::uint8_t* to = memory->mutable_data();
    for (const Index row : order) {
      copy(c.device, to, c.data + (c.first_row + row) * c.row_bytes, static_cast<std::size_t>(c.row_bytes));
      to += c.row_bytes;
    }
    return make(c.type, {std::ssize(order), dim(1)}, reinterpret_cast<const std::byte*>(memory->data()), memory, {},
                c.device);
  }
  // All of it, for kernels.
  StoredPart part() const {
    const Content& c = *content_;
    return {.type = c.type,
            .data = c.data,
            .row_bytes = c.row_bytes,
            .first_row = c.first_row,
            .rows = c.shape[0],
            .columns = c.shape[1],
            .scales = c.scales.data(),
            .scale_rows = c.scale_block[0],
            .scale_columns = c.scale_block[1],
            .scales_across = c.scales.defined() ? c.scales.dim(1) : 0};
  }
  // Whether products compute on it directly (tensor/pack.hpp): multiply().
  bool is_packed() const { return content_ && content_->layout.multiply; }
  // y = epilogue(x Wᵀ), x (m, columns), of a matrix that is packed, all of it: backend/packed_gemm.hpp.
  void multiply(Index m, const float* x, GemmOutput<float> y, const GemmEpilogue<float>& epilogue) const {
    check(content_->first_row == 0, "stored_matrix", "some rows of a packed matrix are not multiplied alone");
    content_->layout.multiply(device(), m, x, part(), y, epilogue);
  }
  // Its bytes, where they are a mapped file, take no memory until they are read again.
  void give_back_pages() const {
    const Content& c = *content_;
    detail::give_back_pages(c.owner, {c.data + c.first_row * c.row_bytes, bytes()});
  }
  // Fills `to`, dense, with a part of part().
  template <class T> void read(const StoredPart& wanted, T* to) const {
    if constexpr (std::is_same_v<T, float>) {
      content_->layout.read(device(), wanted, to);
    } else {
      const Buffer<float, D> values(device(), {wanted.rows, wanted.columns});
      content_->layout.read(device(), wanted, values.mutable_data());
      for_each(device(), values.size(), detail::WidenFloat{values.data(), to});
    }
  }
  // All values. Error: it is undefined.
  template <class T> Buffer<T, D> to_buffer() const {
    check(defined() && rank() == 2, "stored_matrix", "found shape ", shape(), ", expected a matrix that is loaded");
    Buffer<T, D> result(device(), shape());
    read(part(), result.mutable_data());
    return result;
  }

 private:
  // Of a place: the shape alone. Of a stack: the shape and the members.
  struct Content {
    Shape shape = {};
    BlockType type = BlockType::f32;
    D device = {};
    const std::byte* data = nullptr;  // of row 0; the first row of this matrix is first_row
    Index row_bytes = 0, first_row = 0;
    std::shared_ptr<const void> owner = {};
    Buffer<float, D> scales = {};  // (down, across)
    std::array<Index, 2> scale_block = {1, 1};
    Layout layout = {};
    std::vector<StoredMatrix> members = {};
    std::atomic<int> owners = 1;

    void retain() noexcept { owners.fetch_add(1, std::memory_order_relaxed); }
    [[gnu::noinline]] void release() noexcept {
      if (owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
  };

  explicit StoredMatrix(Content* content) : content_(Ref<Content>::adopt(content)) {}

  static void check_parts(BlockType type, const Shape& shape, std::size_t bytes, const ScaleGrid& scales) {
    const bool scaled = type == BlockType::f8_e4m3;
    check(scaled || can_dequantise(type), "stored_matrix", "values of type ", name_of(type), " cannot be read");
    check(shape.rank() == 2 || shape.rank() == 3, "stored_matrix", "found shape ", shape, ", expected 2 or 3 axes");
    const BlockInfo info = info_of(type);
    const auto count = static_cast<std::uint64_t>(element_count(shape)), size = static_cast<std::uint64_t>(info.bytes);
    check(count > 0 && shape[-1] % info.values == 0 && bytes % size == 0 &&
              bytes / size == count / static_cast<std::uint64_t>(info.values),
          "stored_matrix", name_of(type), ": found ", bytes, " bytes for shape ", shape,
          ", expected rows of blocks of ", info.bytes, " for ", info.values, " values");
    const auto [down, across] = scales.block;
    check(down > 0 && across > 0, "stored_matrix", "scales are for blocks of ", down, " x ", across);
    const Index members = shape.rank() == 3 ? shape[0] : 1;
    const Index wanted = scaled ? members * ((shape[-2] - 1) / down + 1) * ((shape[-1] - 1) / across + 1) : 0;
    check(std::cmp_equal(scales.values.size(), wanted), "stored_matrix", name_of(type), ": found ",
          scales.values.size(), " scales for shape ", shape, ", expected ", wanted);
  }

  static StoredMatrix make(BlockType type, const Shape& shape, const std::byte* data,
                           const std::shared_ptr<const void>& owner, const ScaleGrid& scales, D device) {
    const Index row_bytes = shape[-1] / info_of(type).values * info_of(type).bytes;
    if (shape.rank() == 3) {
      std::vector<StoredMatrix> members;
      const std::size_t each = scales.values.size() / static_cast<std::size_t>(shape[0]);
      for (Index i = 0; i < shape[0]; ++i)
        members.push_back(make(type, shape.without(0), data + i * shape[1] * row_bytes, owner,
                               {scales.values.subspan(static_cast<std::size_t>(i) * each, each), scales.block},
                               device));
      return stack(std::move(members));
    }
    StoredMatrix result(
        new Content{.shape = shape,
                    .type = type,
                    .device = device,
                    .data = data,
                    .row_bytes = row_bytes,
                    .owner = owner,
                    .scale_block = scales.block,
                    .layout = {.read = [](D on, const StoredPart& part, float* to) { dequantise(on, part, to); }}});
    if (!scales.values.empty()) {
      const Index across = (shape[1] - 1) / scales.block[1] + 1;
      auto& grid = result.content_->scales;
      grid = Buffer<float, D>(device, {std::ssize(scales.values) / across, across});
      copy_from_host(device, grid.mutable_data(), scales.values.data(), scales.values.size_bytes());
    }
    return result;
  }

  Ref<Content> content_;
};

}  // namespace atom
