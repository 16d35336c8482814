#pragma once

#include <memory>

#include "emelex/engine.h"
#include "kernels/route.h"

namespace emelex {

// The device and the kernels that a model is going to run on; nothing automatic is left.
struct RouteChoice {
  Device device;
  KernelRoute kernels;
  // whether a model that the cuda kernels lack something for may run by without_cuda()
  bool may_fall_back = false;
};

// What the options, EMELEX_KERNELS and this machine come to. Throws Error: invalid_argument for an unknown name or a
// pair that cannot be, unsupported where no GPU can be used, with why.
RouteChoice choose_route(const LoadOptions& options);

// The choice for a model that the cuda kernels lack something for: MLX on its GPU, else the CPU.
RouteChoice without_cuda(const RouteChoice& choice);

// On the thread that will compute.
std::unique_ptr<Route> make_route(const RouteChoice& choice, int threads);

}  // namespace emelex
