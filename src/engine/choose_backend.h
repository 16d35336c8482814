#pragma once

#include <memory>

#include "emelex/engine.h"
#include "kernels/backend.h"

namespace emelex {

// The device and the kernels that a model is going to run on; nothing automatic is left.
struct BackendChoice {
  Device device;
  KernelBackend kernels;
  // whether a model that the cuda kernels lack something for may run by without_cuda()
  bool may_fall_back = false;
};

// What the options, EMELEX_KERNELS and this machine come to. Throws Error: invalid_argument for an unknown name or a
// pair that cannot be, unsupported where no GPU can be used, with why.
BackendChoice choose_backend(const LoadOptions& options);

// The choice for a model that the cuda kernels lack something for: MLX on its GPU, else the CPU.
BackendChoice without_cuda(const BackendChoice& choice);

// On the thread that will compute.
std::unique_ptr<Backend> make_backend(const BackendChoice& choice, int threads);

}  // namespace emelex
