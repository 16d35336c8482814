#include "quant/dequantize.h"

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/block_types.h"

namespace emelex {

void dequantize(TensorType type, std::span<const std::byte> from, std::span<float> to) {
  const size_t expected = row_bytes(type, static_cast<int64_t>(to.size()));
  if (from.size() != expected) {
    throw Error(ErrorCode::invalid_argument, str_cat("[dequantize] expected ", expected, " bytes for ", to.size(),
                                                     " values of ", info(type).name, ", got ", from.size()));
  }
  const auto block_size = static_cast<size_t>(info(type).block_size);
  block_type(type).dequantize(from.data(), to.size() / block_size, to.data());
}

}  // namespace emelex
