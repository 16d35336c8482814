#include "weights/transposed.h"

#include <cstring>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

Tensor transposed(const Tensor& tensor) {
  if (tensor.shape.size() < 2 || tensor.mlx || info(tensor.type).block_size > 1) {
    throw Error(ErrorCode::unsupported,
                str_cat("[weights] expected matrices of plain numbers in ", quote_bytes(tensor.name), ", got ",
                        tensor.type_name(), " of shape ", shape_text(tensor.shape)));
  }
  const auto bytes = std::make_shared<std::vector<std::byte>>(tensor.data.size());
  const auto rows = static_cast<size_t>(tensor.rows());
  const auto columns = static_cast<size_t>(tensor.columns());
  const auto size = static_cast<size_t>(info(tensor.type).block_bytes);
  for (size_t matrix = 0; matrix < bytes->size(); matrix += rows * columns * size) {
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) {
        std::memcpy(bytes->data() + matrix + (c * rows + r) * size,
                    tensor.data.data() + matrix + (r * columns + c) * size, size);
      }
    }
  }
  Tensor result = tensor;
  std::swap(result.shape[result.shape.size() - 1], result.shape[result.shape.size() - 2]);
  result.data = *bytes;
  result.file = bytes;
  return result;
}

}  // namespace emelex
