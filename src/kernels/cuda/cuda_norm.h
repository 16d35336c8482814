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
  // As a product reads them: rows of float16 alone, where the norm is of whole rows.
  mx::array for_product(const mx::array& x) const;

  // What a product needs that normalizes its input itself.
  bool is_rms() const { return !centered_; }
  int size() const { return size_; }
  DevicePointer weight() const { return weight_.memory.pointer(); }
  float eps() const { return eps_; }

 private:
  struct Values {
    DeviceMemory memory;
    float most = 0;  // magnitude

    Values() = default;
    Values(CudaContext& context, const Tensor& tensor);
  };

  mx::array normalized(const mx::array& x, bool has_floats) const;

  CudaContextPtr context_;
  FunctionHandle kernel_;
  int size_;
  Values weight_;
  Values bias_;
  float eps_;
  bool centered_;  // LayerNorm, else RMSNorm
};

}  // namespace emelex::cuda
