#pragma once

#include <memory>

#include "kernels/backend.h"

namespace emelex::cuda {

// The backend over emelex's own kernels for NVIDIA GPUs of compute capability 8.0 and later: rows are float32, products
// multiply float16 by float16 into float32. Of MLX only mx::array is used, as a handle. A step in which each sequence
// has one token is captured once for each number of rows (in steps of two) and of attention's splits, and replayed.
// Throws Error(unsupported) where there is no such GPU, driver or compiler, with what is missing. Call it on the thread
// that will compute.
std::unique_ptr<Backend> make_cuda_backend();

// Bytes that a model's weights take on the GPU, with the driver's context and a layer's largest matrices once more,
// unpacked. An estimate.
int64_t gpu_bytes(const Weights& weights);

// Bytes that the matrices which tokens are multiplied with take as float16. A backend that may keep that form beside
// the packed one computes prompts and steps of more than 64 sequences faster.
int64_t gpu_float16_bytes(const Weights& weights);

// Why make_cuda_backend would throw, or nothing. Quick; starts the driver.
std::string cuda_obstacle();

}  // namespace emelex::cuda
