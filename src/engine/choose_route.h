#pragma once

#include <memory>

#include "emelex/engine.h"
#include "kernels/route.h"

namespace emelex {

// The device and the kernels that a model is going to run on; nothing automatic is left.
struct RouteChoice {
  Device device;
  KernelRoute kernels;

  // whether all is computed in float32, as in a reference
  bool exact() const {
    return kernels == KernelRoute::float32 || (kernels == KernelRoute::mlx && device == Device::cpu);
  }
};

// What the options, EMELEX_KERNELS and this machine come to. Throws Error: invalid_argument for an unknown name or a
// pair that cannot be, unsupported where MLX has no GPU.
RouteChoice choose_route(const LoadOptions& options);

// On the thread that will compute.
std::unique_ptr<Route> make_route(const RouteChoice& choice, int threads);

}  // namespace emelex
