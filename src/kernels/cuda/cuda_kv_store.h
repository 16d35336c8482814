#pragma once

#include <memory>

#include "kernels/cuda/cuda_context.h"
#include "kernels/route.h"

namespace emelex::cuda {

// The cache in the GPU's memory, a piece for each block, and attention over it. There is one for a context at a time.
// Throws Error(unsupported) for numbers that its kernels do not store.
std::unique_ptr<KvStore> make_cuda_kv_store(CudaContextPtr context, const KvShape& shape);

}  // namespace emelex::cuda
