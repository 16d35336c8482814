#pragma once

#include <mlx/array.h>

#include <memory>
#include <optional>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_matrix.h"
#include "kernels/cuda/cuda_norm.h"

namespace emelex::cuda {

using MatrixPtr = std::shared_ptr<const CudaMatrix>;

// Matrices that are neighbours and of one packed format are one launch.
struct MatrixGroup {
  MatrixPtr matrix;
  std::vector<size_t> outputs;  // of all
};

// The matrices of a product, with their biases.
struct ProductMatrices {
  std::vector<MatrixGroup> groups;
  std::vector<int> rows;                            // of each matrix that was given
  std::vector<std::optional<DeviceMemory>> biases;  // likewise
};

// Few tokens are computed by one launch for each group, with the norm before it and, where the groups allow, the gate
// after it. More tokens take launches of their own for the norm and the activation, which then adds biases.
class CudaProduct : public Linear {
 public:
  // `backend` outlives the product and has the activations.
  CudaProduct(CudaContextPtr context, Backend& backend, ProductMatrices matrices, std::unique_ptr<CudaNorm> norm,
              std::optional<Activation> activation);

  std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const override;
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override;

 private:
  std::vector<mx::array> compute(const mx::array& x, DevicePointer residual) const;
  std::vector<mx::array> multiply(const mx::array& x, DevicePointer residual) const;
  std::vector<mx::array> multiply_fused(const mx::array& x, DevicePointer residual, bool gates) const;
  bool fuses(int tokens, bool gates) const;
  bool gates_after_gemm(int tokens) const;
  mx::array multiply_gated(const mx::array& x) const;
  std::vector<mx::array> activated(std::vector<mx::array> results) const;

  CudaContextPtr context_;
  Backend* backend_;
  ProductMatrices matrices_;
  std::unique_ptr<CudaNorm> norm_;  // null: the input as it is
  std::optional<Activation> activation_;
  bool norm_fuses_;  // the norm can be computed with the product
};

}  // namespace emelex::cuda
