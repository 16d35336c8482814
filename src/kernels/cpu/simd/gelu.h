#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/elementwise.h"

// The hyperbolic tangent, and what is made of it: GELU and the soft cap.

namespace emelex::cpu {
namespace {

// 1 - 2 / (1 + e²ˣ), off by at most 2e-7.
template <class S>
typename S::F tanh(typename S::F x) {
  const auto e = exp<S>(S::add(x, x));
  return S::sub(S::set(1.0F), S::div(S::set(2.0F), S::add(S::set(1.0F), e)));
}

// GELU with its tangent (Hendrycks and Gimpel, arXiv:1606.08415): x / 2 · (1 + tanh u), u = √(2/π) (x + 0.044715 x³),
// which is x / (1 + e⁻²ᵘ).
template <class S>
typename S::F gelu(typename S::F x) {
  constexpr float kLinear = -1.59576912F;  // -2 √(2/π)
  constexpr float kCubic = -0.0713548163F;
  const auto u = S::mul(x, S::fma(S::mul(x, x), S::set(kCubic), S::set(kLinear)));
  return S::div(x, S::add(S::set(1.0F), exp<S>(u)));
}

// out[i] = f(x[i])
template <class S, class Function>
void map_row(const float* x, int n, float* out, const Function& f) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) S::store(out + i, f(S::load(x + i)));
  if (i < n) store_rest<S>(out + i, n - i, f(load_rest<S>(x + i, n - i)));
}

template <class S>
void gelu_row(const float* x, int n, float* out) {
  map_row<S>(x, n, out, [](typename S::F v) { return gelu<S>(v); });
}

template <class S>
void geglu(const float* gate, const float* up, int n, float* out) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) S::store(out + i, S::mul(gelu<S>(S::load(gate + i)), S::load(up + i)));
  if (i < n) {
    store_rest<S>(out + i, n - i, S::mul(gelu<S>(load_rest<S>(gate + i, n - i)), load_rest<S>(up + i, n - i)));
  }
}

template <class S>
void soft_cap(const float* x, float cap, int n, float* out) {
  const auto caps = S::set(cap);
  map_row<S>(x, n, out, [&](typename S::F v) { return S::mul(caps, tanh<S>(S::div(v, caps))); });
}

}  // namespace
}  // namespace emelex::cpu
