#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"

// The kernels that pass over a row: RMSNorm, LayerNorm, SwiGLU, rotary embedding, rounding of activations.

namespace emelex::cpu {
namespace {

// eˣ to 2 ulp: 2ⁿ · eʳ with n the nearest integer to x / ln 2 and a polynomial for |r| ≤ ln 2 / 2 (Cody and Waite).
// 0 below -87, where the result would no longer be a normal number; largest finite value's neighbourhood above 88.
template <class S>
typename S::F exp(typename S::F x) {
  constexpr float kLowest = -87.0F;
  const auto bounded = S::max(S::min(x, S::set(88.0F)), S::set(kLowest));
  const auto n = S::round(S::mul(bounded, S::set(1.44269504F)));
  auto r = S::fma(n, S::set(-0.693145752F), bounded);
  r = S::fma(n, S::set(-1.42860677e-6F), r);
  // The Taylor series to r⁷ / 7!.
  auto p = S::set(1.98412698e-4F);
  p = S::fma(p, r, S::set(1.38888889e-3F));
  p = S::fma(p, r, S::set(8.33333333e-3F));
  p = S::fma(p, r, S::set(4.16666667e-2F));
  p = S::fma(p, r, S::set(1.66666667e-1F));
  p = S::fma(p, r, S::set(0.5F));
  p = S::fma(p, r, S::set(1.0F));
  p = S::fma(p, r, S::set(1.0F));
  return S::zero_below(S::mul(p, S::pow2(n)), x, kLowest);
}

// The last n < 16 floats of a row, with zeros after them.
template <class S>
typename S::F load_rest(const float* p, int n) {
  float lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return S::load(lanes);
}

template <class S>
void store_rest(float* p, int n, typename S::F value) {
  float lanes[kLanes];
  S::store(lanes, value);
  std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
}

template <class S>
void rms_norm(const float* x, const float* weight, float eps, int n, float* out) {
  auto squares = S::zero();
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto v = S::load(x + i);
    squares = S::fma(v, v, squares);
  }
  if (i < n) {
    const auto v = load_rest<S>(x + i, n - i);
    squares = S::fma(v, v, squares);
  }
  const float mean = S::reduce_add(squares) / static_cast<float>(n);
  const auto scale = S::set(1.0F / __builtin_sqrtf(mean + eps));
  for (i = 0; i + kLanes <= n; i += kLanes) {
    S::store(out + i, S::mul(S::mul(S::load(x + i), scale), S::load(weight + i)));
  }
  if (i < n) {
    store_rest<S>(out + i, n - i, S::mul(S::mul(load_rest<S>(x + i, n - i), scale), load_rest<S>(weight + i, n - i)));
  }
}

// The values less their mean go to `out` first, so that what stands beyond the row counts for nothing.
template <class S>
void layer_norm(const float* x, const float* weight, const float* bias, float eps, int n, float* out) {
  auto sums = S::zero();
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) sums = S::add(sums, S::load(x + i));
  if (i < n) sums = S::add(sums, load_rest<S>(x + i, n - i));
  const auto mean = S::set(S::reduce_add(sums) / static_cast<float>(n));
  for (i = 0; i + kLanes <= n; i += kLanes) S::store(out + i, S::sub(S::load(x + i), mean));
  if (i < n) store_rest<S>(out + i, n - i, S::sub(load_rest<S>(x + i, n - i), mean));

  auto squares = S::zero();
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const auto v = S::load(out + i);
    squares = S::fma(v, v, squares);
  }
  if (i < n) {
    const auto v = load_rest<S>(out + i, n - i);
    squares = S::fma(v, v, squares);
  }
  const float variance = S::reduce_add(squares) / static_cast<float>(n);
  const auto scale = S::set(1.0F / __builtin_sqrtf(variance + eps));
  for (i = 0; i + kLanes <= n; i += kLanes) {
    S::store(out + i, S::fma(S::mul(S::load(out + i), scale), S::load(weight + i), S::load(bias + i)));
  }
  if (i < n) {
    const auto v = S::mul(load_rest<S>(out + i, n - i), scale);
    store_rest<S>(out + i, n - i, S::fma(v, load_rest<S>(weight + i, n - i), load_rest<S>(bias + i, n - i)));
  }
}

template <class S>
typename S::F silu_times(typename S::F gate, typename S::F up) {
  const auto e = exp<S>(S::sub(S::zero(), gate));
  return S::mul(S::div(gate, S::add(S::set(1.0F), e)), up);
}

template <class S>
void swiglu(const float* gate, const float* up, int n, float* out) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) S::store(out + i, silu_times<S>(S::load(gate + i), S::load(up + i)));
  if (i < n) {
    store_rest<S>(out + i, n - i, silu_times<S>(load_rest<S>(gate + i, n - i), load_rest<S>(up + i, n - i)));
  }
}

// Plain loops: without contraction every instruction set computes the same.
template <class S>
void rope(float* head, int dim, bool interleaved, const float* cos_sin) {
  const int half = dim / 2;
  const float* cosine = cos_sin;
  const float* sine = cos_sin + half;
  const int step = interleaved ? 2 : 1;
  const int partner = interleaved ? 1 : half;
  for (int i = 0; i < half; ++i) {
    const float a = head[i * step];
    const float b = head[i * step + partner];
    head[i * step] = a * cosine[i] - b * sine[i];
    head[i * step + partner] = a * sine[i] + b * cosine[i];
  }
}

// The middle and half the range of a block of activations.
struct BlockRange {
  float center;
  float half;
};

template <class S>
BlockRange block_range(const float* x) {
  const auto lo = S::load(x);
  const auto hi = S::load(x + kLanes);
  const float largest = S::reduce_max(S::max(lo, hi));
  const float smallest = -S::reduce_max(S::sub(S::zero(), S::min(lo, hi)));
  return {0.5F * largest + 0.5F * smallest, 0.5F * largest - 0.5F * smallest};
}

// 16 values to integers -limit … limit. The bounds matter where the center could not be told from its neighbours.
template <class S>
typename S::F to_steps(const float* x, float center, float inverse, float limit) {
  const auto steps = S::mul(S::sub(S::load(x), S::set(center)), S::set(inverse));
  return S::round(S::min(S::max(steps, S::set(-limit)), S::set(limit)));
}

template <class S>
void store_steps(typename S::F q, bool wide, int8_t* low, int8_t* high) {
  if (wide) {
    // A quarter up, so that no value is halfway and the low part stays within -128 … 127.
    const auto upper = S::round(S::mul(S::add(q, S::set(0.25F)), S::set(1.0F / 256.0F)));
    S::store_i8(high, upper);
    S::store_i8(low, S::fma(upper, S::set(-256.0F), q));
  } else {
    std::memset(high, 0, kLanes);
    S::store_i8(low, q);
  }
}

template <class S>
void quantize_activations(const float* x, int token, const QuantizedActivations& out) {
  const TokenTile tile = token_tile(token, out.tokens, out.max_tile);
  const auto n_blocks = static_cast<size_t>(out.columns / kActivationBlock);
  const auto size = static_cast<size_t>(tile.size);
  const auto in_tile = static_cast<size_t>(token - tile.first);
  const size_t first = static_cast<size_t>(tile.first) * n_blocks + in_tile;
  double squares = 0;
  for (size_t b = 0; b < n_blocks; ++b) {
    const BlockRange range = block_range<S>(x + b * kActivationBlock);
    out.centers[first + b * size] = range.center;
    out.scales[first + b * size] = range.half;
    squares += static_cast<double>(range.half) * static_cast<double>(range.half);
  }
  const double limit = kWideRange * __builtin_sqrt(squares / static_cast<double>(n_blocks));

  for (size_t b = 0; b < n_blocks; ++b, x += kActivationBlock) {
    const size_t at = first + b * size;
    const float center = out.centers[at];
    const float half = out.scales[at];
    const bool wide = half > limit;
    const float steps = wide ? 32639.0F : 127.0F;               // 127 · 256 + 127
    const float inverse = half > 1e-30F ? steps / half : 0.0F;  // a smaller range is none
    const auto q_lo = to_steps<S>(x, center, inverse, steps);
    const auto q_hi = to_steps<S>(x + kLanes, center, inverse, steps);
    int8_t* low = out.values + at * kActivationBlock;
    int8_t* high = out.high + at * kActivationBlock;
    store_steps<S>(q_lo, wide, low, high);
    store_steps<S>(q_hi, wide, low + kLanes, high + kLanes);
    const float scale = inverse > 0.0F ? half / steps : 0.0F;
    const float sum_lo = S::reduce_add(q_lo);  // of integers below 2²⁴: exact
    const float sum_hi = S::reduce_add(q_hi);
    out.scales[at] = scale;
    out.sums[at] = scale * (sum_lo + sum_hi);
    out.half_sums[2 * at - in_tile] = scale * sum_lo;
    out.half_sums[2 * at - in_tile + size] = scale * sum_hi;
    out.int_sums[at] = static_cast<int32_t>(sum_lo + sum_hi);
    out.int_half_sums[2 * at - in_tile] = static_cast<int32_t>(sum_lo);
    out.int_half_sums[2 * at - in_tile + size] = static_cast<int32_t>(sum_hi);
    out.wide[at] = wide ? 1 : 0;
  }
}

}  // namespace
}  // namespace emelex::cpu
