#pragma once

#include "kernels/cuda/cuda_array.h"
#include "kernels/product.h"

namespace emelex::cuda {

// What source/elementwise.cu's `activation` makes of two rows. The first are GateKinds.
enum ActivationKind { kSiluGate, kGeluGate, kClampedGate, kGeluAlone, kHalvesAlone };

ActivationKind gate_of(Activation activation);

// Rows of products, which are `stride` values apart, and what is still to be done to them before the activation.
struct ActivationInput {
  DevicePointer gate = 0;
  DevicePointer up = 0;  // 0: there is none
  int stride = 0;
  DevicePointer x_scale = 0;  // of each row; 0: 1
  DevicePointer gate_bias = 0;
  DevicePointer up_bias = 0;
};

// Writes the activated rows to `out` as float32, where it has such and `kind` is not kHalvesAlone, and as float16, for
// which it takes memory.
void activate_rows(Device& device, ActivationKind kind, const ActivationInput& in, CudaArray& out);

}  // namespace emelex::cuda
