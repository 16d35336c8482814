#pragma once

#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "kernels/mlx/mlx_context.h"

namespace emelex::mlx_backend {

// Attention over an MlxKvPool, by MLX's fused kernel where it can be.
std::unique_ptr<AttentionOp> make_mlx_attention(MlxContextPtr context, const AttentionConfig& config,
                                                const std::vector<float>& sinks, int layer);

}  // namespace emelex::mlx_backend
