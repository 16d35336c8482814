#include "kernels/cpu/gated.h"

#include <algorithm>

namespace emelex::cpu {
namespace {

// g / (1 + e⁻ᵃᵍ) · (u + 1) is silu(a g) · (u + 1) / a, so SwiGLU's kernel does the work.
void clamped_swiglu(const KernelTable& kernels, const float* gate, const float* up, int n, float* out) {
  constexpr int kPiece = 256;
  float g[kPiece];
  float u[kPiece];
  for (int at = 0; at < n; at += kPiece) {
    const int size = std::min(kPiece, n - at);
    for (int i = 0; i < size; ++i) {
      g[i] = kGateSteepness * std::min(gate[at + i], kGateClamp);
      u[i] = (std::clamp(up[at + i], -kGateClamp, kGateClamp) + 1.0F) / kGateSteepness;
    }
    kernels.swiglu(g, u, size, out + at);
  }
}

}  // namespace

void gated(const KernelTable& kernels, Activation activation, const float* gate, const float* up, int n, float* out) {
  switch (activation) {
    case Activation::silu:
      return kernels.swiglu(gate, up, n, out);
    case Activation::gelu:
      return kernels.geglu(gate, up, n, out);
    case Activation::clamped_silu:
      return clamped_swiglu(kernels, gate, up, n, out);
  }
}

}  // namespace emelex::cpu
