// SPDX-License-Identifier: Apache-2.0
// rope: rotary position embedding from a table of angles that is built once.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/check_ids.hpp"
#include "../backend/rope.hpp"
#include "../core/math.hpp"
#include "rope_scaling.hpp"

namespace atom::ops {

// Cosine and sine of position * frequency, computed in double and rounded to T once.
template <class T, class D = Device> struct RopeTable {
  RopeTable() = default;
  // `magnitude` multiplies both (yarn's attention factor).
  RopeTable(std::span<const double> frequencies, Index position_count, RopePairing which = RopePairing::half_split,
            double magnitude = 1, D device = {})
      : pairing(which) {
    check(position_count >= 0, "rope", "the number of positions is not negative: found ", position_count);
    const Shape shape{position_count, static_cast<Index>(frequencies.size())};
    std::vector<T> cosine_values, sine_values;
    cosine_values.reserve(static_cast<std::size_t>(element_count(shape)));
    sine_values.reserve(cosine_values.capacity());
    for (Index position = 0; position < position_count; ++position)
      for (const double frequency : frequencies) {
        const double angle = static_cast<double>(position) * frequency;
        cosine_values.push_back(static_cast<T>(magnitude * math::cos(angle)));
        sine_values.push_back(static_cast<T>(magnitude * math::sin(angle)));
      }
    cosines = Tensor<T, D>::from(cosine_values, shape, device);
    sines = Tensor<T, D>::from(sine_values, shape, device);
  }
  // Of a text of `length` tokens (0: position_count), which matters to the scalings that depend on it.
  RopeTable(const RopeSpec& spec, Index position_count, D device = {}, Index length = 0)
      : RopeTable(rope_angles(spec, length > 0 ? length : position_count), spec.pairing, position_count, device) {}

  bool defined() const { return cosines.defined(); }
  Index positions() const { return cosines.dim(0); }
  Index rotated() const { return 2 * cosines.dim(1); }

  Tensor<T, D> cosines, sines;  // (positions, rotated / 2)
  RopePairing pairing = RopePairing::half_split;

 private:
  RopeTable(const RopeAngles& angles, RopePairing which, Index position_count, D device)
      : RopeTable(angles.frequencies, position_count, which, angles.magnitude, device) {}
};

namespace detail {

template <class T, class D> void check_rope(const Tensor<T, D>& x, const RopeTable<T, D>& table) {
  check(x.rank() == 4, "rope", "x has shape ", x.shape(), ", expected (b, t, h, d)");
  check(table.cosines.defined(), "rope", "the table is undefined");
  check(table.rotated() <= x.dim(-1), "rope", "the table rotates ", table.rotated(),
        " elements, expected at most d: ", x.dim(-1));
}

// `positions` may be undefined.
template <class T, class D> Buffer<T, D> rope(const Buffer<T, D>& x, const RopeTable<T, D>& table,
                                              const Buffer<std::int32_t, D>& positions, Index start, bool backward) {
  const auto rows = x.strides()[3] == 1 || x.dim(3) <= 1 ? x : contiguous(x);
  Buffer<T, D> y(x.device(), x.shape());
  apply_rope(x.device(), RopeArgs<T>{.x = rows.view(),
                                     .y = y.mutable_view(),
                                     .rotated = table.rotated(),
                                     .pairing = table.pairing,
                                     .backward = backward,
                                     .cosines = table.cosines.buffer().data(),
                                     .sines = table.sines.buffer().data(),
                                     .positions = positions.data(),
                                     .start = start});
  return y;
}

template <class T, class D> Tensor<T, D> rope(const Tensor<T, D>& x, const RopeTable<T, D>& table,
                                              const Buffer<std::int32_t, D>& positions, Index start) {
  return record<"rope">(
      rope(x.buffer(), table, positions, start, false),
      [table, positions, start](const Buffer<T, D>& dy) { return rope(dy, table, positions, start, true); }, x);
}

}  // namespace detail

// x (b, t, h, d) turned by the table's angles; time i stands at position start + i. Elements of d past the table's are
// copied. Errors: shapes; a position beyond the table.
template <class T, class D> Tensor<T, D> rope(const Tensor<T, D>& x, const RopeTable<T, D>& table, Index start = 0) {
  detail::check_rope(x, table);
  check(start >= 0 && x.dim(1) <= table.positions() - start, "rope", "positions ", start, " to ", start + x.dim(1) - 1,
        ", expected 0..", table.positions() - 1);
  return detail::rope(x, table, Buffer<std::int32_t, D>(), start);
}

// The same with the position of each row and time given: positions (b, t).
template <class T, class D>
Tensor<T, D> rope(const Tensor<T, D>& x, const RopeTable<T, D>& table, const Tensor<std::int32_t, D>& positions) {
  detail::check_rope(x, table);
  check(positions.shape() == Shape{x.dim(0), x.dim(1)}, "rope", "positions have shape ", positions.shape(),
        ", expected (b, t): ", Shape{x.dim(0), x.dim(1)});
  const auto packed = contiguous(positions.buffer());
  check_ids(x.device(), "rope", packed.view(), table.positions());
  return detail::rope(x, table, packed, 0);
}

}  // namespace atom::ops
