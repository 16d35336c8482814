#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/kernel_table.h"

namespace emelex::cpu {

// out[i] = activation(gate[i]) · up[i]. `out` may be `gate`.
void gated(const KernelTable& kernels, Activation activation, const float* gate, const float* up, int n, float* out);

}  // namespace emelex::cpu
