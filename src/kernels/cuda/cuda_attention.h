#pragma once

#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "kernels/cuda/cuda_context.h"

namespace emelex::cuda {

// Attention over a CudaKvPool.
std::unique_ptr<AttentionOp> make_cuda_attention(CudaContextPtr context, const AttentionConfig& config,
                                                 const std::vector<float>& sinks, int layer);

}  // namespace emelex::cuda
