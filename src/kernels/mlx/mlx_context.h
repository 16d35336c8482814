#pragma once

#include <mlx/array.h>
#include <mlx/stream.h>

#include <memory>
#include <vector>

#include "kernels/step.h"

namespace emelex::mlx_route {

namespace mx = mlx::core;

// What the MLX route's parts share. On a CPU everything is float32, for exactness; on a GPU activations, scales and
// plain weights are float16, which its fast kernels want.
struct MlxContext {
  mx::Stream stream;
  bool gpu;
  mx::Dtype dtype;  // of activations, scales and plain weights
};

using MlxContextPtr = std::shared_ptr<const MlxContext>;

}  // namespace emelex::mlx_route
