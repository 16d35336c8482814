#include "tools/quantize/row_source.h"

#include <cmath>

#include "base/strings.h"
#include "emelex/error.h"
#include "models/architecture.h"

namespace emelex {
namespace {

// What rounds to the largest float16. The scales of all block types are float16, of values at least as large.
constexpr float kMostHalf = 65519.0F;

[[noreturn]] void fail(const Tensor& tensor, int64_t row, std::string_view expected, float got) {
  throw Error(ErrorCode::corrupt_file, str_cat("[quantize] expected ", expected, " in ", quote_bytes(tensor.name),
                                               ", got ", std::to_string(got), " in row ", row));
}

}  // namespace

int64_t RowSource::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < tensor_->shape.size(); ++i) rows *= tensor_->shape[i];
  return rows;
}

int64_t RowSource::source_row(int64_t row) const {
  if (!reorders()) return row;
  const int64_t head = row / head_dim_ * head_dim_;
  const int64_t i = row - head;
  const int64_t half = head_dim_ / 2;
  if (order_ == RowOrder::halves_to_pairs) return head + i % 2 * half + i / 2;
  return head + i % half * 2 + i / half;
}

void RowSource::read(int64_t first, std::span<float> to, bool fits_half) const {
  const auto n = static_cast<size_t>(columns());
  if (!reorders()) {
    tensor_->read_rows(first, to);
  } else if (tensor_->shape.size() == 1) {  // a bias has a value for each row
    std::vector<float> values(n);
    tensor_->read_rows(0, values);
    for (size_t i = 0; i < n; ++i) to[i] = values[static_cast<size_t>(source_row(static_cast<int64_t>(i)))];
  } else {
    for (size_t i = 0; i < to.size() / n; ++i) {
      tensor_->read_rows(source_row(first + static_cast<int64_t>(i)), to.subspan(i * n, n));
    }
  }
  for (size_t i = 0; i < to.size(); ++i) {
    const int64_t row = first + static_cast<int64_t>(i / n);
    if (!std::isfinite(to[i])) fail(*tensor_, row, "finite numbers", to[i]);
    if (fits_half && std::abs(to[i]) > kMostHalf) fail(*tensor_, row, "numbers that float16 holds (try bf16)", to[i]);
  }
}

std::optional<RopePairs> gguf_rope_pairs(const Weights& weights) {
  const Architecture* found = architectures().find(weights.metadata().require_string("general.architecture"));
  return found == nullptr ? std::nullopt : std::optional(found->rope_pairs);
}

RowOrders::RowOrders(const Weights& weights, std::optional<RopePairs> wanted) {
  const Metadata& metadata = weights.metadata();
  if (!wanted || rope_pairs(weights) == *wanted) return;
  order_ = *wanted == RopePairs::interleaved ? RowOrder::halves_to_pairs : RowOrder::pairs_to_halves;
  const std::string architecture = metadata.require_string("general.architecture");
  heads_ = metadata.require_integer(str_cat(architecture, ".attention.head_count"), 1, 1 << 20);
  kv_heads_ = metadata.integer(str_cat(architecture, ".attention.head_count_kv")).value_or(heads_);
}

RowSource RowOrders::source(const Tensor& tensor) const {
  const std::string_view name = tensor.name;
  const int64_t heads = name.find("attn_q.") != std::string_view::npos   ? heads_
                        : name.find("attn_k.") != std::string_view::npos ? kv_heads_
                                                                         : 0;
  if (order_ == RowOrder::same || heads == 0) return RowSource(tensor);
  const int64_t rows = tensor.shape.front();
  if (tensor.shape.size() > 2 || heads < 1 || rows % heads != 0 || rows / heads % 2 != 0) {
    throw Error(ErrorCode::corrupt_file, str_cat("[quantize] expected ", quote_bytes(name),
                                                 " to have an even number of "
                                                 "rows for each of ",
                                                 heads, " heads, got ", shape_text(tensor.shape)));
  }
  return RowSource(tensor, order_, rows / heads);
}

}  // namespace emelex
