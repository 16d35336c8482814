#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>

#include "models/tiny_llama.h"

namespace emelex::test {
namespace {

namespace mx = mlx::core;

// One of MLX's arrays, as bytes that stay.
struct Bytes {
  explicit Bytes(mx::array from) {
    from = mx::contiguous(from);
    mx::eval(from);
    bytes.resize(from.nbytes());
    std::copy_n(reinterpret_cast<const std::byte*>(from.data<uint8_t>()), bytes.size(), bytes.begin());
  }
  std::vector<std::byte> bytes;
};

mx::Dtype dtype_of(TensorType type) {
  if (type == TensorType::f32) return mx::float32;
  return type == TensorType::f16 ? mx::float16 : mx::bfloat16;
}

}  // namespace

Tensor quantized_by_mlx(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values,
                        const MlxFormat& format) {
  mx::set_default_device(mx::Device::cpu);
  const mx::array plain(values.data(), {static_cast<int>(shape[0]), static_cast<int>(shape[1])}, mx::float32);
  const auto parts = mx::quantize(mx::astype(plain, dtype_of(format.scale_type)), format.group_size, format.bits,
                                  std::string(mlx_mode_name(format.mode)));
  const auto bytes = std::make_shared<std::vector<Bytes>>();
  for (const mx::array& part : parts) bytes->emplace_back(part);
  std::span<const std::byte> biases;
  if (bytes->size() > 2) biases = bytes->at(2).bytes;
  return {name,  TensorType::mlx,
          shape, bytes->at(0).bytes,
          bytes, std::make_shared<const MlxParts>(MlxParts{format, bytes->at(1).bytes, biases})};
}

}  // namespace emelex::test
