#pragma once

#include <mlx/array.h>

#include "kernels/cuda/cuda_context.h"
#include "kernels/product.h"

namespace emelex::cuda {

// A tensor's values as float32 on the GPU.
DeviceMemory uploaded(CudaContext& context, const Tensor& tensor);

class CudaNorm : public Norm {
 public:
  CudaNorm(CudaContextPtr context, const NormSpec& spec);

  mx::array operator()(const mx::array& x, const Batch& batch) const override;

  // What a product needs that normalizes its input itself.
  bool is_rms() const { return !centered_; }
  int size() const { return size_; }
  DevicePointer weight() const { return weight_.pointer(); }
  float eps() const { return eps_; }

 private:
  CudaContextPtr context_;
  FunctionHandle kernel_;
  int size_;
  DeviceMemory weight_;
  DeviceMemory bias_;
  float most_weight_;
  float most_bias_ = 0;
  float eps_;
  bool centered_;  // LayerNorm, else RMSNorm
};

}  // namespace emelex::cuda
