#include "kernels/cuda/cuda_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cuda/cuda_array.h"

namespace emelex::cuda {
namespace {

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.rows() * tensor.columns()));
  tensor.read_rows(0, values);
  return values;
}

// The largest magnitude.
float largest(const Tensor& tensor) {
  float most = 0;
  for (const float value : values_of(tensor)) most = std::max(most, std::fabs(value));
  return most;
}

}  // namespace

DeviceMemory uploaded(CudaContext& context, const Tensor& tensor) {
  const std::vector<float> values = values_of(tensor);
  DeviceMemory memory(context.device, values.size() * sizeof(float));
  context.device->upload(memory.pointer(), values.data(), values.size() * sizeof(float));
  context.device->wait();
  return memory;
}

CudaNorm::CudaNorm(CudaContextPtr context, const NormSpec& spec)
    : context_(std::move(context)),
      kernel_(context_->device->kernel({"elementwise", {}}, "normalize")),
      size_(static_cast<int>(spec.weight->columns())),
      weight_(uploaded(*context_, *spec.weight)),
      most_weight_(largest(*spec.weight)),
      eps_(spec.eps),
      centered_(spec.kind == NormSpec::Kind::layer) {
  if (spec.bias == nullptr) return;
  bias_ = uploaded(*context_, *spec.bias);
  most_bias_ = largest(*spec.bias);
}

mx::array CudaNorm::operator()(const mx::array& x, const Batch&) const {
  const CudaArray& in = of(x);
  const auto result = make_array(context_->device, in.rows(), in.columns());
  CudaArray& out = of(result);
  // Rows that are one run go into products; heads do not.
  if (in.columns() == size_) out.take_halves(true);
  const auto runs = static_cast<unsigned>(in.rows() * (in.columns() / size_));
  const unsigned threads = size_ <= 128 ? 128 : 512;
  context_->device->launch(kernel_, {runs}, threads, in.data(), weight_.pointer(), bias_.pointer(), eps_, size_,
                           centered_ ? 1 : 0, out.data(), out.halves(), out.half_stride(), out.half_scales(),
                           most_weight_, most_bias_);
  return result;
}

}  // namespace emelex::cuda
