#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"
#include "kernels/mlx/mlx_context.h"

namespace emelex::mlx_backend {

// Experts over MLX's gathering products. activation(gate, up) is the config's.
std::unique_ptr<Experts> make_mlx_experts(MlxContextPtr context, const ExpertsConfig& config,
                                          const ExpertMatrices& matrices,
                                          std::function<mx::array(const mx::array&, const mx::array&)> activation);

}  // namespace emelex::mlx_backend
