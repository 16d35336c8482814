#include "quant/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/block_types.h"

namespace emelex {
namespace {

void check_importance(TensorType type, std::span<const float> from, std::span<const float> importance) {
  if (importance.empty()) return;
  (void)row_bytes(type, static_cast<int64_t>(importance.size()));
  if (from.size() % importance.size() != 0) {
    throw Error(ErrorCode::invalid_argument, str_cat("[quantize] expected rows of ", importance.size(),
                                                     " values, as importance has, got ", from.size(), " values"));
  }
  const auto wrong = [](float x) { return !(x >= 0) || !std::isfinite(x); };
  if (const auto at = std::find_if(importance.begin(), importance.end(), wrong); at != importance.end()) {
    throw Error(ErrorCode::invalid_argument, str_cat("[quantize] expected importance of at least 0, got ",
                                                     std::to_string(*at), " for column ", at - importance.begin()));
  }
}

}  // namespace

bool can_quantize(TensorType type) { return block_type(type).quantize != nullptr; }

std::vector<std::byte> quantize(TensorType type, std::span<const float> from, std::span<const float> importance) {
  std::vector<std::byte> result(row_bytes(type, static_cast<int64_t>(from.size())));
  quantize(type, from, result, importance);
  return result;
}

void quantize(TensorType type, std::span<const float> from, std::span<std::byte> to,
              std::span<const float> importance) {
  const BlockType& blocks = block_type(type);
  const size_t expected = row_bytes(type, static_cast<int64_t>(from.size()));
  if (to.size() != expected) {
    throw Error(ErrorCode::invalid_argument, str_cat("[quantize] expected room for ", expected, " bytes of ",
                                                     blocks.info.name, ", got ", to.size()));
  }
  if (blocks.quantize == nullptr) {
    throw Error(ErrorCode::unsupported,
                str_cat("[quantize] expected a type that can be written, got ", blocks.info.name));
  }
  check_importance(type, from, importance);
  std::fill(to.begin(), to.end(), std::byte{0});
  const size_t row = importance.empty() ? from.size() : importance.size();
  if (row == 0) return;
  const size_t row_blocks = row / static_cast<size_t>(blocks.info.block_size);
  const size_t bytes = row_blocks * static_cast<size_t>(blocks.info.block_bytes);
  for (size_t i = 0; i < from.size() / row; ++i) {
    blocks.quantize(from.data() + i * row, importance.empty() ? nullptr : importance.data(), row_blocks,
                    to.data() + i * bytes);
  }
}

void require_finite(std::span<const float> values) {
  const auto wrong = [](float x) { return !std::isfinite(x); };
  if (const auto at = std::find_if(values.begin(), values.end(), wrong); at != values.end()) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[quantize] expected finite values, got ", std::to_string(*at), " at ", at - values.begin()));
  }
}

}  // namespace emelex
