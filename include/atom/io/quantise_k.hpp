// SPDX-License-Identifier: Apache-2.0
// Blocks of 256 values from float: Q4_K, Q5_K, Q6_K. Scales are searched for the least squared error: for each run of
// 16 or 32 values a few scales are tried, each refined by least squares for the codes that it gives; then the best is
// rounded to the 6 or 8 bits that the block has for it, among its neighbours again by the error. Sums have one order.
#pragma once

#include "quantise_32.hpp"

namespace atom::io::detail {

template <std::size_t n> using Run = std::array<float, n>;

// What is stored of a run: value = scale * code - offset.
struct Grid {
  float scale = 0, offset = 0;
};

// The numbers that a format has for codes, and for scale and offset in units of the block's.
struct KLevels {
  float least_code, most_code;
  int least_scale, most_scale, most_offset;
};

// What was found with the least error so far, of equal ones the first.
template <class Found> struct Best {
  float error = std::numeric_limits<float>::infinity();
  Found found = {};
  void consider(float other_error, const Found& other) {
    if (!(other_error < error)) return;
    error = other_error;
    found = other;
  }
};

template <std::size_t n> ATOM_EXACT float tree_sum(Run<n> terms) {
  ATOM_EXACT_BODY
  for (std::size_t half = n / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) terms[i] += terms[i + half];
  return terms[0];
}

template <std::size_t n> ATOM_EXACT float dot(const Run<n>& a, const Run<n>& b) {
  ATOM_EXACT_BODY
  Run<n> products;
  for (std::size_t i = 0; i < n; ++i) products[i] = a[i] * b[i];
  return tree_sum(products);
}

template <std::size_t n>
ATOM_EXACT Run<n> nearest_codes(const Run<n>& values, const Grid& grid, const KLevels& levels) {
  ATOM_EXACT_BODY
  const float inverse = inverse_of(grid.scale);
  Run<n> codes;
  for (std::size_t i = 0; i < n; ++i) {
    const float code = std::min(std::max((values[i] + grid.offset) * inverse, levels.least_code), levels.most_code);
    codes[i] = static_cast<float>(static_cast<int>(code - levels.least_code + 0.5F)) + levels.least_code;
  }
  return codes;
}

template <std::size_t n> ATOM_EXACT float squared_error(const Run<n>& values, const Run<n>& codes, const Grid& grid) {
  ATOM_EXACT_BODY
  Run<n> errors;
  for (std::size_t i = 0; i < n; ++i) errors[i] = grid.scale * codes[i] - grid.offset - values[i];
  return dot(errors, errors);
}

// The grid of least squared error for these codes, of those with offset >= least_offset (<= 0).
template <std::size_t n> ATOM_EXACT Grid least_squares(const Run<n>& values, const Run<n>& codes, float least_offset) {
  ATOM_EXACT_BODY
  const float x = tree_sum(values), xq = dot(values, codes), q = tree_sum(codes), qq = dot(codes, codes);
  const float spread = n * qq - q * q;
  const Grid grid{(n * xq - x * q) / spread, (xq * q - x * qq) / spread};
  if (spread > 0 && grid.offset >= least_offset) return grid;
  return {(xq + least_offset * q) / qq, least_offset};
}

// The best grid found for values = scale * code - offset, offset >= 0. The search is in values less the least of them,
// so that a run of near equal ones is not lost in rounding.
ATOM_EXACT inline Grid fit_grid(Run<32> values, const KLevels& levels) {
  ATOM_EXACT_BODY
  float low = 0, high = values[0];
  for (const float value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  for (float& value : values) value -= low;
  Best<Grid> best{dot(values, values)};
  for (const float more : {-2.F, -1.5F, -1.F, -0.5F, 0.F, 0.5F}) {
    const auto codes = nearest_codes(values, {(high - low) / (levels.most_code + more)}, levels);
    const Grid grid = least_squares(values, codes, low);
    best.consider(squared_error(values, codes, grid), grid);
  }
  return {best.found.scale, best.found.offset - low};
}

// The best grid found for values = scale * code.
ATOM_EXACT inline Grid fit_grid(const Run<16>& values, const KLevels& levels) {
  ATOM_EXACT_BODY
  float largest = 0;
  for (const float value : values) largest = std::abs(value) > std::abs(largest) ? value : largest;
  Best<Grid> best{dot(values, values)};
  for (const float more : {-6.F, -5.F, -4.F, -3.F, -2.F, -1.F, 0.F, 1.F}) {
    const auto codes = nearest_codes(values, {largest / (levels.least_code - more)}, levels);
    const Grid grid{dot(values, codes) / dot(codes, codes)};
    best.consider(squared_error(values, codes, grid), grid);
  }
  return best.found;
}

// A run as a block has it: scale and offset in units of the block's.
template <std::size_t n> struct StoredRun {
  int scale = 0, offset = 0;
  Run<n> codes = {};
};

inline int nearest_level(float value, float unit, int least, int most) {
  return static_cast<int>(
      std::round(std::clamp(value * inverse_of(unit), static_cast<float>(least), static_cast<float>(most))));
}

// The best of the levels next to the wanted grid, which are at most 3 x 3.
template <std::size_t n>
ATOM_EXACT StoredRun<n> stored_run(const Run<n>& values, const Grid& wanted, const Grid& unit, const KLevels& levels) {
  ATOM_EXACT_BODY
  const int scale = nearest_level(wanted.scale, unit.scale, levels.least_scale, levels.most_scale);
  const int offset = nearest_level(wanted.offset, unit.offset, 0, levels.most_offset);
  Best<StoredRun<n>> best;
  for (int s = std::max(scale - 1, levels.least_scale); s <= std::min(scale + 1, levels.most_scale); ++s) {
    for (int o = std::max(offset - 1, 0); o <= std::min(offset + 1, levels.most_offset); ++o) {
      const Grid grid{unit.scale * static_cast<float>(s), unit.offset * static_cast<float>(o)};
      const auto codes = nearest_codes(values, grid, levels);
      best.consider(squared_error(values, codes, grid), {s, o, codes});
    }
  }
  return best.found;
}

// The half nearest to value among those not nearer to zero: with it as the unit, no scale is out of reach.
inline half unit_of(std::string_view where, BlockType type, float value, float largest) {
  half unit = scale_of(where, type, value, largest);
  if (std::abs(static_cast<float>(unit)) < std::abs(value)) ++unit.bits;
  return scale_of(where, type, static_cast<float>(unit), largest);
}

template <std::size_t n, class Block>
ATOM_EXACT std::array<StoredRun<n>, 256 / n> stored_runs(std::string_view where, std::span<const float> values,
                                                         Block& block, const KLevels& levels) {
  ATOM_EXACT_BODY
  const float largest = largest_of(where, Block::type, values).value;
  scale_of(where, Block::type, largest / (128 * 32), largest);  // squares stay finite
  std::array<Run<n>, 256 / n> runs;
  std::array<Grid, 256 / n> grids;
  Grid most;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    std::ranges::copy(values.subspan(n * k, n), runs[k].begin());
    grids[k] = fit_grid(runs[k], levels);
    if (std::abs(grids[k].scale) > std::abs(most.scale)) most.scale = grids[k].scale;
    most.offset = std::max(most.offset, grids[k].offset);
  }
  Grid unit;
  const int furthest = levels.least_scale < 0 ? levels.least_scale : levels.most_scale;
  block.d = unit_of(where, Block::type, most.scale / static_cast<float>(furthest), largest);
  unit.scale = static_cast<float>(block.d);
  if constexpr (requires { block.m; }) {
    block.m = unit_of(where, Block::type, most.offset / static_cast<float>(levels.most_offset), largest);
    unit.offset = static_cast<float>(block.m);
  }
  std::array<StoredRun<n>, 256 / n> stored;
  for (std::size_t k = 0; k < runs.size(); ++k) stored[k] = stored_run(runs[k], grids[k], unit, levels);
  return stored;
}

// The inverse of ScalesK::scale() and offset().
inline void set_level(blocks::ScalesK& scales, std::size_t k, int scale, int offset) {
  const auto s = static_cast<unsigned>(scale), o = static_cast<unsigned>(offset);
  const auto add = [&](std::size_t at, unsigned bits) { scales.bytes[at] |= static_cast<std::uint8_t>(bits); };
  if (k < 4) {
    add(k, s);
    add(k + 4, o);
  } else {
    add(k + 4, (s & 15U) | (o & 15U) << 4U);
    add(k - 4, s >> 4U << 6U);
    add(k, o >> 4U << 6U);
  }
}

template <int last, class Block> void quantise_k(std::string_view where, std::span<const float> values, Block& block) {
  block = {};
  const auto runs = stored_runs<32>(where, values, block, {0, last, 0, 63, 63});
  for (std::size_t k = 0; k < 8; ++k) {
    set_level(block.scales, k, runs[k].scale, runs[k].offset);
    for (std::size_t i = 0; i < 32; ++i) {
      const auto code = static_cast<unsigned>(runs[k].codes[i]);
      block.q[32 * (k / 2) + i] |= static_cast<std::uint8_t>((code & 15U) << 4 * (k % 2));
      if constexpr (requires { block.fifth; }) block.fifth[i] |= static_cast<std::uint8_t>(code >> 4U << k);
    }
  }
}

inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q4_K& block) {
  quantise_k<15>(where, values, block);
}
inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q5_K& block) {
  quantise_k<31>(where, values, block);
}

inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q6_K& block) {
  block = {};
  const auto runs = stored_runs<16>(where, values, block, {-32, 31, -128, 127, 0});
  for (std::size_t k = 0; k < 16; ++k) {
    block.scales[k] = static_cast<std::int8_t>(runs[k].scale);
    const std::size_t side = k / 8, run = k / 2 % 4;
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t at = 16 * (k % 2) + i;
      const auto code = static_cast<unsigned>(runs[k].codes[i] + 32);
      block.low[64 * side + 32 * (run % 2) + at] |= static_cast<std::uint8_t>((code & 15U) << 4 * (run / 2));
      block.high[32 * side + at] |= static_cast<std::uint8_t>(code >> 4U << 2 * run);
    }
  }
}

}  // namespace atom::io::detail
