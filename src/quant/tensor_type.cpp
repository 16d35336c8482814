#include "quant/tensor_type.h"

#include <array>

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

// In the order of TensorType. The blocks' layouts are in dequantize.cpp.
constexpr std::array<TensorTypeInfo, 6> kTypes = {{
    {"F32", 1, 4},
    {"F16", 1, 2},
    {"BF16", 1, 2},
    {"Q4_0", 32, 18},
    {"Q4_1", 32, 20},
    {"Q8_0", 32, 34},
}};

}  // namespace

const TensorTypeInfo& info(TensorType type) { return kTypes.at(static_cast<size_t>(type)); }

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
