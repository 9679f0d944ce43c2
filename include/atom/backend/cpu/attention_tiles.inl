// SPDX-License-Identifier: Apache-2.0
// What attention's passes are made of (attention.inl): small products, transposed key blocks, scores.

// R rows of two registers of the product at a time: sixteen registers hold six rows, thirty-two hold eight.
constexpr int attention_rows = ATOM_ISA_LEVEL == 2 ? 8 : 6;

template <int rows, int registers, class T>
ATOM_KERNEL void attention_inner(const detail::AttentionProduct<T>& p, Index row, Index column) {
  using V = Lanes<T>;
  using Loose = typename V::Loose;
  T* const c = p.c + row * p.c_row + column;
  typename V::Raw sums[rows][registers];
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    sums[i][j] = typename V::Raw{};
    if (p.accumulate) sums[i][j] = reinterpret_cast<const Loose*>(c + i * p.c_row)[j];
  }
  const T* a = p.a + row * p.a_row;
  const T* b = p.b + column;
  const Index a_row = p.a_row, a_step = p.a_step, b_row = p.b_row;
  for (Index depth = p.depth; depth > 0; --depth, a += a_step, b += b_row) {
    typename V::Raw values[registers];
    ATOM_UNROLL for (int j = 0; j < registers; ++j) values[j] = reinterpret_cast<const Loose*>(b)[j];
    ATOM_UNROLL for (int i = 0; i < rows; ++i) {
      const typename V::Raw x = a[i * a_row] - typename V::Raw{};
#if ATOM_ISA_LEVEL > 0
      ATOM_UNROLL for (int j = 0; j < registers; ++j) ATOM_CALL_NATIVE(Native<T>::fma)(sums[i][j], x, values[j]);
#else
      ATOM_UNROLL for (int j = 0; j < registers; ++j) sums[i][j] = x * values[j] + sums[i][j];
#endif
    }
  }
  ATOM_UNROLL for (int i = 0; i < rows; ++i) ATOM_UNROLL for (int j = 0; j < registers; ++j) {
    reinterpret_cast<Loose*>(c + i * p.c_row)[j] = sums[i][j];
  }
}

// Some rows from `row` on: as many tiles of R as there are, then fewer rows at a time.
template <int R, int registers, class T>
ATOM_ALWAYS_INLINE void attention_columns(const detail::AttentionProduct<T>& p, Index row, Index column) {
  for (; row + R <= p.rows; row += R) attention_inner<R, registers>(p, row, column);
  if constexpr (R > 1) attention_columns<(R > 4 ? 4 : R / 2), registers>(p, row, column);
}

template <class T> ATOM_KERNEL void attention_product(const detail::AttentionProduct<T>& p) {
  using V = Lanes<T>;
  constexpr Index width = V::per_register;
  Index column = 0;
  for (; column + 2 * width <= p.columns; column += 2 * width) attention_columns<attention_rows, 2>(p, 0, column);
  for (; column + width <= p.columns; column += width) attention_columns<attention_rows, 1>(p, 0, column);
  const Index rest = p.columns - column;  // of unusual head widths
  for (Index row = 0; row < p.rows && rest > 0; ++row) {
    T* c = p.c + row * p.c_row + column;
    V sum = p.accumulate ? V::load(c, rest) : V(T(0));
    for (Index i = 0; i < p.depth; ++i)
      sum = fma(V(p.a[row * p.a_row + i * p.a_step]), V::load(p.b + i * p.b_row + column, rest), sum);
    sum.store(c, rest);
  }
}

// to (width, key_block) = from (count, width) transposed; columns from count up to a multiple of 16 become 0.
template <class T> ATOM_KERNEL void attention_transpose(const T* from, Index row, Index count, Index width, T* to) {
  using Block = Transpose<T>;
  Index j = 0;
  for (; j + Block::width <= count; j += Block::width) {
    Index i = 0;
    for (; i + Block::per_line <= width; i += Block::per_line) {
      typename Block::Raw lines[Block::per_line];
      Block::read(lines, from + j * row + i, row);
      ATOM_UNROLL for (int r = 0; r < Block::per_line; ++r) {
        *reinterpret_cast<typename Block::Loose*>(to + (i + r) * key_block + j) = lines[r];
      }
    }
    for (; i < width; ++i)
      for (Index r = j; r < j + Block::width; ++r) to[i * key_block + r] = from[r * row + i];
  }
  for (; j < detail::round_up(count, 16); ++j)
    for (Index i = 0; i < width; ++i) to[i * key_block + j] = j < count ? from[j * row + i] : T(0);
}

// ---- key blocks -----------------------------------------------------------------------------------------------------

// Elements column..column+15 of a line of a part that is not exact; at: of the first of them.
ATOM_ALWAYS_INLINE Lanes<float> attention_widen(const KvPart<float>& part, Index line, Index column, Index at) {
  if (part.type == CacheType::f16) return lanes_of_half(part.halves() + at);
  const auto codes = to_float(widened(part.codes() + at));
  if (part.transposed) return lanes_of_half(part.scales() + part.scale_at(column, line)) * codes;
  return Lanes<float>(static_cast<float>(part.scales()[part.scale_at(line, column)])) * codes;
}

// to = the first `present` slots of a part as T, in the part's own order.
template <class T> ATOM_KERNEL void attention_widen_part(const KvPart<T>& part, Index present, T* to) {
  const Index lines = part.transposed ? part.width : present, length = part.transposed ? key_block : part.width;
  const Index wanted = part.transposed ? present : part.width;
  for (Index line = 0; line < lines; ++line, to += length) {
    Index column = 0;
    if constexpr (std::same_as<T, float>)
      for (; column + 16 <= wanted; column += 16)
        attention_widen(part, line, column, line * length + column).store(to + column);
    for (; column < wanted; ++column) to[column] = part.transposed ? part.load(column, line) : part.load(line, column);
  }
}

// A block's keys (d, key_block) and values, as rows of T.
template <class T> struct AttentionBlock {
  const T *keys, *values;
  Index values_row;
};
template <class T> ATOM_KERNEL AttentionBlock<T> attention_block(const AttentionForward<T>& a, Index batch, Index head,
                                                                 Index slot, Index present,
                                                                 const detail::AttentionForwardScratch<T>& scratch) {
  if (!a.cache.data) {
    const T* keys = a.k.data + batch * a.k.strides[0] + slot * a.k.strides[1] + head * a.k.strides[2];
    const T* values = a.v.data + batch * a.v.strides[0] + slot * a.v.strides[1] + head * a.v.strides[2];
    attention_transpose<T>(keys, a.k.strides[1], present, a.q.shape[3], scratch.keys);
    return {scratch.keys, values, a.v.strides[1]};
  }
  const KvPart<T> keys = a.cache.keys(batch, slot, head), values = a.cache.values(batch, slot, head);
  const T* rows = values.exact();
  if (a.cache.type != CacheType::exact) {
    attention_widen_part<T>(values, present, scratch.values);
    rows = scratch.values;
  }
  if (a.cache.values_in_keys)
    attention_transpose<T>(rows, keys.width, present, keys.width, scratch.keys);
  else if (a.cache.type == CacheType::exact)
    return {keys.exact(), rows, values.width};
  else
    attention_widen_part<T>(keys, present, scratch.keys);
  return {scratch.keys, rows, values.width};
}

// ---- scores ---------------------------------------------------------------------------------------------------------

// Which lanes of a T a comparison of keys means.
template <class T> ATOM_ALWAYS_INLINE Mask<T> attention_lanes(Mask<std::int32_t> keys) {
  if constexpr (sizeof(T) == sizeof(std::int32_t)) {
    Mask<T> mask;
    ATOM_UNROLL for (int i = 0; i < Mask<T>::registers; ++i) mask.r[i] = keys.r[i];
    return mask;
  } else {
    return convert<T>(select(keys, Lanes<std::int32_t>(1), Lanes<std::int32_t>(0))) != Lanes<T>(0);
  }
}

// Scores in place of products, -inf where the query does not see the key; slopes, 0 there.
// This is all that is compiled anew for each policy.
template <class T, class P> ATOM_KERNEL void attention_scores(const void* erased, const detail::AttentionScores<T>& a) {
  using V = Lanes<T>;
  using Keys = Lanes<std::int32_t>;
  const P& policy = *static_cast<const P*>(erased);
  AttnIndex<Keys> at{a.query, Keys(0), a.head};
  for (Index row = 0; row < a.rows; ++row) {
    for (Index j = a.from; j < a.to; j += 16) {
      const std::int32_t key = a.block + static_cast<std::int32_t>(j);
      at.key = Keys::iota() + key;
      Mask<std::int32_t> seen = policy_visible(policy, at);
      if (key < a.present.first || key + 15 > a.present.last)
        seen = seen & (at.key >= a.present.first) & (at.key <= a.present.last);
      const Mask<T> mask = attention_lanes<T>(seen);
      const V product = V::load(a.scores + row * key_block + j) * a.scale;
      const V score = policy_score(policy, product, at);
      select(mask, score, V(-std::numeric_limits<T>::infinity())).store(a.scores + row * key_block + j);
      if constexpr (detail::HasSlope<P>)
        if (a.slopes) select(mask, policy_slope(policy, product, at), V(T(0))).store(a.slopes + row * key_block + j);
    }
    if (++at.head == a.end_head) at.head = a.first_head, ++at.query;
  }
}
