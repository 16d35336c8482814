#include "weights/tensor_slice.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

std::span<const std::byte> part(std::span<const std::byte> bytes, int64_t rows, int64_t first, int64_t n) {
  const size_t row_bytes = bytes.size() / static_cast<size_t>(rows);
  return bytes.subspan(static_cast<size_t>(first) * row_bytes, static_cast<size_t>(n) * row_bytes);
}

}  // namespace

Tensor tensor_slice(const Tensor& tensor, int64_t first, int64_t n) {
  const int64_t rows = tensor.shape.front();
  if (tensor.shape.size() == 1 && (tensor.mlx || info(tensor.type).block_size > 1)) {
    throw Error(ErrorCode::unsupported, str_cat("[weights] expected plain numbers in ", quote_bytes(tensor.name),
                                                ", got ", tensor.type_name()));
  }
  Tensor slice = tensor;
  slice.shape.front() = n;
  slice.data = part(tensor.data, rows, first, n);
  if (tensor.mlx) {
    slice.mlx = std::make_shared<const MlxParts>(MlxParts{tensor.mlx->format, part(tensor.mlx->scales, rows, first, n),
                                                          part(tensor.mlx->biases, rows, first, n)});
  }
  return slice;
}

Tensor tensor_part(const Tensor& stack, int64_t i) {
  Tensor part = tensor_slice(stack, i, 1);
  part.shape.erase(part.shape.begin());
  return part;
}

}  // namespace emelex
