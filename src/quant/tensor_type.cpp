#include "quant/tensor_type.h"

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "quant/block_types.h"

namespace emelex {

const TensorTypeInfo& info(TensorType type) { return block_type(type).info; }

std::optional<TensorType> tensor_type_named(std::string_view name) {
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    if (info(type).name == name) return type;
  }
  return std::nullopt;
}

size_t row_bytes(TensorType type, int64_t n) {
  const TensorTypeInfo& layout = info(type);
  if (n < 0 || n % layout.block_size != 0) {
    throw Error(ErrorCode::corrupt_file, str_cat("[quant] expected rows of a multiple of ", layout.block_size,
                                                 " values for type ", layout.name, ", got rows of ", n));
  }
  const auto blocks = static_cast<size_t>(n / layout.block_size);
  const std::optional<size_t> bytes = checked_mul(blocks, static_cast<size_t>(layout.block_bytes));
  if (!bytes) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[quant] expected rows that fit in memory, got rows of ", n, " values"));
  }
  return *bytes;
}

}  // namespace emelex
