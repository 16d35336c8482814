#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/elementwise.h"
#include "kernels/cpu/simd/unroll.h"

// How keys and values lie in a block of the KV cache, as traits over an instruction set S. A head is [padded_dim]
// [kBlockTokens] of keys or [kBlockTokens][padded_dim] of values, so that both products run along contiguous lanes.
//   store(layout, keys, values, slot, k, v)                one token's head into its slot
//   scores<R>(layout, keys, next, q, out)                  out[r, p] = q[r] · k[p] for all positions
//   accumulate<R>(layout, values, next, n, weights, scratch, acc)  acc[r] += Σ weights[r, p] · v[p] over the first n
//   positions
// Both ask for as many bytes from `next` on as they read, evenly: what will be read after these. Heads lie apart, and
// no processor's own prefetcher knows which is next.

namespace emelex::cpu {
namespace {

constexpr int kVectorsPerBlock = kBlockTokens / kLanes;

template <class S>
[[gnu::always_inline]] inline typename S::F load_kv(const int8_t* p) {
  return S::load_i8(p);
}
template <class S, class Element>
[[gnu::always_inline]] inline typename S::F load_kv(const Element* p) {
  return S::load(p);
}

// Asks for the bytes at `next` that correspond to `count` elements from v[at] on.
template <int kCount, class Element>
[[gnu::always_inline]] inline void ask_for(const Element* next, int at) {
  const auto* p = reinterpret_cast<const std::byte*>(next + at);
  for (size_t i = 0; i < kCount * sizeof(Element); i += 64) __builtin_prefetch(p + i, 0, 2);
}

// acc[r] += Σ weights[r, p] · v[p] over the first n positions, for C vectors of dimensions from `dim` on
template <class S, int R, int C, class Element>
void add_values(const Element* v, const Element* next, int n, int padded_dim, int dim, const float* weights,
                float* acc) {
  typename S::F sums[R][C];
  EMELEX_UNROLL
  for (int r = 0; r < R; ++r) {
    EMELEX_UNROLL
    for (int c = 0; c < C; ++c) sums[r][c] = S::load(acc + r * padded_dim + dim + c * kLanes);
  }
  for (int p = 0; p < n; ++p) {
    ask_for<C * kLanes>(next, p * padded_dim + dim);
    EMELEX_UNROLL
    for (int c = 0; c < C; ++c) {
      const auto value = load_kv<S>(v + p * padded_dim + dim + c * kLanes);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) sums[r][c] = S::fma(S::set(weights[r * kBlockTokens + p]), value, sums[r][c]);
    }
  }
  EMELEX_UNROLL
  for (int r = 0; r < R; ++r) {
    EMELEX_UNROLL
    for (int c = 0; c < C; ++c) S::store(acc + r * padded_dim + dim + c * kLanes, sums[r][c]);
  }
}

// Element: uint16_t for float16, float for float32.
template <class S, class Element>
struct PlainKv {
  using F = typename S::F;

  static void store(const KvLayout& layout, std::byte* keys, std::byte* values, int slot, const float* k,
                    const float* v) {
    const int dim = layout.head_dim;
    auto* key = reinterpret_cast<Element*>(keys);
    auto* value = reinterpret_cast<Element*>(values) + slot * layout.padded_dim();
    for (int d = 0; d < dim; d += kLanes) {
      const int n = dim - d < kLanes ? dim - d : kLanes;
      S::store(value + d, storable(n == kLanes ? S::load(v + d) : load_rest<S>(v + d, n)));
      Element column[kLanes];
      S::store(column, storable(n == kLanes ? S::load(k + d) : load_rest<S>(k + d, n)));
      for (int i = 0; i < n; ++i) key[(d + i) * kBlockTokens + slot] = column[i];
    }
  }

  template <int R>
  static void scores(const KvLayout& layout, const std::byte* keys, const std::byte* next, const float* const (&q)[R],
                     float* out) {
    const auto* k = reinterpret_cast<const Element*>(keys);
    const auto* after = reinterpret_cast<const Element*>(next);
    for (int i = 0; i < kVectorsPerBlock; i += kAtOnce) {
      part_scores<R>(layout, k + i * kLanes, after + i * kLanes, q, out + i * kLanes);
    }
  }

  template <int R>
  static void accumulate(const KvLayout& layout, const std::byte* values, const std::byte* next, int n,
                         const float* weights, float*, float* acc) {
    const auto* v = reinterpret_cast<const Element*>(values);
    const auto* after = reinterpret_cast<const Element*>(next);
    const int padded_dim = layout.padded_dim();
    int dim = 0;
    constexpr int kWidth = kAtOnce * kLanes;
    for (; dim + kWidth <= padded_dim; dim += kWidth) {
      add_values<S, R, kAtOnce>(v, after, n, padded_dim, dim, weights, acc);
    }
    for (; dim < padded_dim; dim += kLanes) add_values<S, R, 1>(v, after, n, padded_dim, dim, weights, acc);
  }

 private:
  static constexpr int kAtOnce = S::kKvVectors;
  static_assert(kVectorsPerBlock % kAtOnce == 0);

  // Of kAtOnce vectors of positions.
  template <int R>
  static void part_scores(const KvLayout& layout, const Element* k, const Element* next, const float* const (&q)[R],
                          float* out) {
    F acc[R][kAtOnce];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) acc[r][i] = S::zero();
    }
    for (int d = 0; d < layout.head_dim; ++d) {
      ask_for<kAtOnce * kLanes>(next, d * kBlockTokens);
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) {
        const F key = S::load(k + d * kBlockTokens + i * kLanes);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) acc[r][i] = S::fma(S::set(q[r][d]), key, acc[r][i]);
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) S::store(out + r * kBlockTokens + i * kLanes, acc[r][i]);
    }
  }

  static F storable(F x) {
    if constexpr (sizeof(Element) == 2) x = S::max(S::min(x, S::set(65504.0F)), S::set(-65504.0F));
    return x;
  }
};

// q8_0: 8-bit integers, and behind them a float16 scale for every kKvScaleValues values: [scale of a token]
// [kBlockTokens]. Integers are widened to floats, so queries and weights are not rounded.
template <class S>
struct ScaledKv {
  using F = typename S::F;

  static void store(const KvLayout& layout, std::byte* keys, std::byte* values, int slot, const float* k,
                    const float* v) {
    auto* key = reinterpret_cast<int8_t*>(keys);
    auto* value = reinterpret_cast<int8_t*>(values) + slot * layout.padded_dim();
    for (int d = 0; d < layout.head_dim; d += kKvScaleValues) {
      const int n = layout.head_dim - d < kKvScaleValues ? layout.head_dim - d : kKvScaleValues;
      const size_t scale = static_cast<size_t>(d / kKvScaleValues * kBlockTokens + slot) * sizeof(uint16_t);
      int8_t steps[kKvScaleValues];
      put(scale_bytes(layout, keys) + scale, round_values(k + d, n, steps));
      for (int i = 0; i < n; ++i) key[(d + i) * kBlockTokens + slot] = steps[i];
      put(scale_bytes(layout, values) + scale, round_values(v + d, n, steps));
      std::memcpy(value + d, steps, static_cast<size_t>(n));
    }
  }

  template <int R>
  static void scores(const KvLayout& layout, const std::byte* keys, const std::byte* next, const float* const (&q)[R],
                     float* out) {
    // At most half a block at once: its sums, and those of the values under one scale, fit into the registers.
    for (int i = 0; i < kVectorsPerBlock; i += kAtOnce) {
      part_scores<R>(layout, keys, next, q, i * kLanes, out + i * kLanes);
    }
  }

  template <int R>
  static void accumulate(const KvLayout& layout, const std::byte* values, const std::byte* next, int n,
                         const float* weights, float* scratch, float* acc) {
    const auto* v = reinterpret_cast<const int8_t*>(values);
    const auto* after = reinterpret_cast<const int8_t*>(next);
    const int padded_dim = layout.padded_dim();
    for (int d = 0; d < padded_dim; d += kKvScaleValues) {
      EMELEX_UNROLL
      for (int i = 0; i < kVectorsPerBlock; ++i) {
        const F scale = load_scales(layout, values, d, i * kLanes);
        for (int r = 0; r < R; ++r) {
          const int at = r * kBlockTokens + i * kLanes;
          S::store(scratch + at, S::mul(S::load(weights + at), scale));
        }
      }
      if (padded_dim - d < kKvScaleValues) {
        add_values<S, R, 1>(v, after, n, padded_dim, d, scratch, acc);
      } else {
        for (int i = 0; i < 2; i += kAtOnce) {
          add_values<S, R, kAtOnce>(v, after, n, padded_dim, d + i * kLanes, scratch, acc);
        }
      }
    }
  }

 private:
  static constexpr int kAtOnce = S::kKvVectors < 2 ? 1 : 2;

  static void put(std::byte* p, uint16_t scale) { std::memcpy(p, &scale, sizeof(scale)); }
  static std::byte* scale_bytes(const KvLayout& layout, std::byte* head) {
    return head + static_cast<size_t>(layout.padded_dim()) * kBlockTokens;
  }
  // of 16 positions, for the values of dimension d
  static F load_scales(const KvLayout& layout, const std::byte* head, int d, int position) {
    const auto* all = reinterpret_cast<const uint16_t*>(head + static_cast<size_t>(layout.padded_dim()) * kBlockTokens);
    return S::load(all + d / kKvScaleValues * kBlockTokens + position);
  }

  // n ≤ kKvScaleValues values as integers -127 … 127 times a float16, which is returned.
  static uint16_t round_values(const float* x, int n, int8_t* steps) {
    float lanes[kKvScaleValues] = {};
    std::memcpy(lanes, x, static_cast<size_t>(n) * sizeof(float));
    const F low = S::load(lanes);
    const F high = S::load(lanes + kLanes);
    const float most = S::reduce_max(S::max(S::abs(low), S::abs(high)));
    uint16_t scale[kLanes];
    S::store(scale, S::min(S::set(most * (1.0F / 127.0F)), S::set(65504.0F)));
    const float rounded = S::first(S::load(scale));
    const F inverse = S::set(rounded > 0.0F ? 1.0F / rounded : 0.0F);
    const F bound = S::set(127.0F);
    const F least = S::set(-127.0F);
    S::store_i8(steps, S::round(S::min(S::max(S::mul(low, inverse), least), bound)));
    S::store_i8(steps + kLanes, S::round(S::min(S::max(S::mul(high, inverse), least), bound)));
    return scale[0];
  }

  // kAtOnce vectors of positions from `position` on.
  template <int R>
  static void part_scores(const KvLayout& layout, const std::byte* keys, const std::byte* next,
                          const float* const (&q)[R], int position, float* out) {
    const auto* k = reinterpret_cast<const int8_t*>(keys) + position;
    const auto* after = reinterpret_cast<const int8_t*>(next) + position;
    F acc[R][kAtOnce];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) acc[r][i] = S::zero();
    }
    for (int d = 0; d < layout.head_dim; d += kKvScaleValues) {
      const int end = d + kKvScaleValues < layout.head_dim ? d + kKvScaleValues : layout.head_dim;
      F part[R][kAtOnce];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int i = 0; i < kAtOnce; ++i) part[r][i] = S::zero();
      }
      for (int j = d; j < end; ++j) {
        ask_for<kAtOnce * kLanes>(after, j * kBlockTokens);
        EMELEX_UNROLL
        for (int i = 0; i < kAtOnce; ++i) {
          const F key = S::load_i8(k + j * kBlockTokens + i * kLanes);
          EMELEX_UNROLL
          for (int r = 0; r < R; ++r) part[r][i] = S::fma(S::set(q[r][j]), key, part[r][i]);
        }
      }
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) {
        const F scale = load_scales(layout, keys, d, position + i * kLanes);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) acc[r][i] = S::fma(part[r][i], scale, acc[r][i]);
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int i = 0; i < kAtOnce; ++i) S::store(out + r * kBlockTokens + i * kLanes, acc[r][i]);
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
