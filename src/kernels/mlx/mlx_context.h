#pragma once

#include <mlx/array.h>
#include <mlx/stream.h>

#include <functional>
#include <memory>
#include <vector>

#include "kernels/step.h"

namespace emelex::mlx_backend {

namespace mx = mlx::core;

using MlxFunction = std::function<std::vector<mx::array>(const std::vector<mx::array>&)>;

// What the parts of the MLX backend share. Residuals, norms and the results of products are float32. Products read
// inputs, scales and plain weights in `dtype`: on a CPU float32, for exactness; on a GPU float16, which its fast
// kernels want (mlx_scaling.h keeps them in its range).
struct MlxContext {
  mx::Stream stream;
  bool gpu;
  mx::Dtype dtype;
  MlxFunction row_factors = {};  // mlx_scaling.h's
  MlxFunction scale_row = {};
  MlxFunction unscale_row = {};
  MlxFunction to_half = {};
};

using MlxContextPtr = std::shared_ptr<const MlxContext>;

}  // namespace emelex::mlx_backend
