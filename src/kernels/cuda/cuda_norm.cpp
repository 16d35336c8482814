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

DeviceMemory uploaded_values(CudaContext& context, const std::vector<float>& values) {
  DeviceMemory memory(context.device, values.size() * sizeof(float));
  context.device->upload(memory.pointer(), values.data(), values.size() * sizeof(float));
  context.device->wait();
  return memory;
}

float largest_magnitude(const std::vector<float>& values) {
  float most = 0;
  for (const float value : values) most = std::max(most, std::fabs(value));
  return most;
}

}  // namespace

DeviceMemory uploaded(CudaContext& context, const Tensor& tensor) {
  return uploaded_values(context, values_of(tensor));
}

CudaNorm::Values::Values(CudaContext& context, const Tensor& tensor) {
  const std::vector<float> values = values_of(tensor);
  memory = uploaded_values(context, values);
  most = largest_magnitude(values);
}

CudaNorm::CudaNorm(CudaContextPtr context, const NormSpec& spec)
    : context_(std::move(context)),
      kernel_(context_->device->kernel({"elementwise", {}}, "normalize")),
      size_(static_cast<int>(spec.weight->columns())),
      weight_(*context_, *spec.weight),
      eps_(spec.eps),
      centered_(spec.kind == NormSpec::Kind::layer) {
  if (spec.bias != nullptr) bias_ = Values(*context_, *spec.bias);
}

mx::array CudaNorm::operator()(const mx::array& x, const Batch&) const { return normalized(x, true); }

mx::array CudaNorm::for_product(const mx::array& x) const { return normalized(x, of(x).columns() != size_); }

mx::array CudaNorm::normalized(const mx::array& x, bool has_floats) const {
  const CudaArray& in = of(x);
  const auto result = make_array(context_->device, in.rows(), in.columns(), has_floats);
  CudaArray& out = of(result);
  // Rows that are one run go into products; heads do not.
  if (in.columns() == size_) out.take_halves(true);
  const auto runs = static_cast<unsigned>(in.rows() * (in.columns() / size_));
  const unsigned threads = size_ <= 128 ? 128 : 512;
  context_->device->launch(kernel_, {runs}, threads, in.data(), weight_.memory.pointer(), bias_.memory.pointer(), eps_,
                           size_, centered_ ? 1 : 0, has_floats ? out.data() : DevicePointer{0}, out.halves(),
                           out.half_stride(), out.half_scales(), weight_.most, bias_.most);
  return result;
}

}  // namespace emelex::cuda
