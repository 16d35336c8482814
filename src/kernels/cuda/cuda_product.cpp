#include "kernels/cuda/cuda_product.h"

#include <algorithm>

#include "kernels/cuda/cuda_activation.h"
#include "kernels/cuda/cuda_array.h"

namespace emelex::cuda {

CudaProduct::CudaProduct(CudaContextPtr context, Backend& backend, ProductMatrices matrices,
                         std::unique_ptr<CudaNorm> norm, std::optional<Activation> activation)
    : context_(std::move(context)),
      backend_(&backend),
      matrices_(std::move(matrices)),
      norm_(std::move(norm)),
      activation_(activation) {
  const int columns = matrices_.groups.front().matrix->columns();
  norm_fuses_ = norm_ == nullptr || (norm_->is_rms() && norm_->size() == columns);
}

std::vector<mx::array> CudaProduct::operator()(const mx::array& x, const Batch&) const { return compute(x, 0); }

mx::array CudaProduct::add_to(const mx::array& residual, const mx::array& x, const Batch&) const {
  if (activation_) return backend_->add(residual, compute(x, 0).front());
  return compute(x, of(residual).data()).front();
}

bool CudaProduct::fuses(int tokens, bool gates) const {
  if (!norm_fuses_ || (gates && (matrices_.rows.size() != 2 || matrices_.groups.size() != 1))) return false;
  return std::all_of(matrices_.groups.begin(), matrices_.groups.end(),
                     [&](const MatrixGroup& group) { return group.matrix->has_fused(tokens, gates); });
}

std::vector<mx::array> CudaProduct::compute(const mx::array& x, DevicePointer residual) const {
  const int tokens = of(x).rows();
  if (activation_ && fuses(tokens, true)) return multiply_fused(x, residual, true);
  if (fuses(tokens, false)) return activated(multiply_fused(x, residual, false));
  const mx::array in = norm_ != nullptr ? norm_->for_product(x) : x;
  if (gates_after_gemm(tokens)) return {multiply_gated(in)};
  return activated(multiply(in, residual));
}

bool CudaProduct::gates_after_gemm(int tokens) const {
  return activation_ && matrices_.rows.size() == 2 && matrices_.groups.size() == 1 &&
         matrices_.rows[0] == matrices_.rows[1] && matrices_.groups.front().matrix->has_gemm(tokens);
}

mx::array CudaProduct::multiply_gated(const mx::array& x) const {
  const CudaMatrix& matrix = *matrices_.groups.front().matrix;
  const auto products = matrix.multiply_all(of(x));
  const DevicePointer gate = of(products).data();
  const auto bias = [&](size_t i) { return matrices_.biases[i] ? matrices_.biases[i]->pointer() : 0; };
  const auto result = make_array(context_->device, of(x).rows(), matrices_.rows[0], false);  // read by products alone
  activate_rows(*context_->device, gate_of(*activation_),
                {gate, gate + static_cast<size_t>(matrix.first_row(1)) * sizeof(float), of(products).columns(),
                 of(x).half_scales(), bias(0), bias(1)},
                of(result));
  return result;
}

std::vector<mx::array> CudaProduct::multiply(const mx::array& x, DevicePointer residual) const {
  std::vector<mx::array> results;
  for (const int rows : matrices_.rows) results.push_back(make_array(context_->device, of(x).rows(), rows));
  for (const MatrixGroup& group : matrices_.groups) {
    std::vector<DevicePointer> outs;
    std::vector<DevicePointer> biases;
    for (const size_t i : group.outputs) {
      outs.push_back(of(results[i]).data());
      biases.push_back(matrices_.biases[i] ? matrices_.biases[i]->pointer() : 0);
    }
    group.matrix->multiply(of(x), outs, biases, residual);
  }
  return results;
}

std::vector<mx::array> CudaProduct::multiply_fused(const mx::array& x, DevicePointer residual, bool gates) const {
  std::vector<mx::array> results;
  const size_t n = gates ? 1 : matrices_.rows.size();
  for (size_t i = 0; i < n; ++i) results.push_back(make_array(context_->device, of(x).rows(), matrices_.rows[i]));
  Surroundings around;
  around.residual = residual;
  if (norm_ != nullptr) {
    around.norm = norm_->weight();
    around.eps = norm_->eps();
  }
  if (gates) around.gate = static_cast<GateKind>(gate_of(*activation_));
  for (const MatrixGroup& group : matrices_.groups) {
    std::vector<DevicePointer> outs;
    std::vector<DevicePointer> biases;
    for (const size_t i : group.outputs) {
      if (i < n) outs.push_back(of(results[i]).data());
      biases.push_back(matrices_.biases[i] ? matrices_.biases[i]->pointer() : 0);
    }
    group.matrix->multiply_fused(of(x), around, outs, biases);
  }
  return results;
}

std::vector<mx::array> CudaProduct::activated(std::vector<mx::array> results) const {
  if (!activation_) return results;
  return {backend_->activate(*activation_, results)};
}

}  // namespace emelex::cuda
