#pragma once

#include <memory>

#include "kernels/mlx/mlx_context.h"
#include "kernels/route.h"

namespace emelex::mlx_route {

// The cache as MLX arrays, one of keys and one of values for each layer: [blocks · kBlockTokens, kv_heads, head_dim].
std::unique_ptr<KvStore> make_mlx_kv_store(MlxContextPtr context, const KvShape& shape);

}  // namespace emelex::mlx_route
