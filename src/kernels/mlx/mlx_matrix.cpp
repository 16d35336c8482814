#include "kernels/mlx/mlx_matrix.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/matrix_size.h"
#include "quant/half.h"

namespace emelex::mlx_backend {
namespace {

// Values of a block of GGUF's simple types.
constexpr int kGroup = 32;

// A block of a GGUF type as an affine group: 32 unsigned values and their scale and bias.
struct Group {
  uint8_t q[kGroup];
  float scale;
  float bias;
};

float half_at(const std::byte* p) {
  uint16_t half = 0;
  std::memcpy(&half, p, 2);
  return half_to_float(half);
}

// Byte i holds value i in its low half and value i + 16 in its high half.
void read_nibbles(const std::byte* p, Group& group) {
  for (int i = 0; i < 16; ++i) {
    const auto pair = std::to_integer<uint8_t>(p[i]);
    group.q[i] = pair & 15;
    group.q[i + 16] = pair >> 4;
  }
}

void read_group(TensorType type, const std::byte* block, Group& group) {
  group.scale = half_at(block);
  if (type == TensorType::q8_0) {
    for (int i = 0; i < kGroup; ++i) group.q[i] = std::to_integer<uint8_t>(block[2 + i]) ^ 0x80;
    group.bias = -128.0F * group.scale;
  } else if (type == TensorType::q4_1) {
    read_nibbles(block + 4, group);
    group.bias = half_at(block + 2);
  } else {
    read_nibbles(block + 2, group);
    group.bias = -8.0F * group.scale;
  }
}

int affine_bits(TensorType type) {
  switch (type) {
    case TensorType::q4_0:
    case TensorType::q4_1:
      return 4;
    case TensorType::q8_0:
      return 8;
    default:
      return 0;
  }
}

// Appends a tensor's groups in the order of the file: rows one after another.
void append_groups(const Tensor& tensor, int bits, std::vector<uint32_t>& words, std::vector<float>& scales,
                   std::vector<float>& biases) {
  const auto block_bytes = static_cast<size_t>(info(tensor.type).block_bytes);
  const int per_word = 32 / bits;
  Group group{};
  for (size_t at = 0; at < tensor.data.size(); at += block_bytes) {
    read_group(tensor.type, tensor.data.data() + at, group);
    for (int i = 0; i < kGroup; i += per_word) {
      uint32_t word = 0;
      for (int j = 0; j < per_word; ++j) word |= static_cast<uint32_t>(group.q[i + j]) << (bits * j);
      words.push_back(word);
    }
    scales.push_back(group.scale);
    biases.push_back(group.bias);
  }
}

mx::array as_dtype(const MlxContext& context, const mx::array& x, mx::Dtype dtype) {
  auto converted = mx::astype(x, dtype, context.stream);
  mx::eval(converted);  // now, so that the float32 original is let go
  return converted;
}

// Whether all values are in the range of the context's type. A matrix of which some are not stays in float32, and so
// MLX multiplies in float32.
bool in_range(const MlxContext& context, const mx::array& values) {
  if (context.dtype != mx::float16) return true;
  const auto most = mx::max(mx::abs(values, context.stream), context.stream);
  return mx::astype(most, mx::float32, context.stream).item<float>() <= 65504.0F;
}

// Kernels multiply a code by its scale before they add the bias.
void convert_scales(const MlxContext& context, MlxMatrix& matrix) {
  const auto most = mx::array(static_cast<float>((1 << matrix.format->bits) - 1));
  const auto scaled = mx::multiply(mx::astype(*matrix.scales, mx::float32, context.stream), most, context.stream);
  const bool all = in_range(context, scaled) && in_range(context, *matrix.biases);
  const mx::Dtype dtype = all ? context.dtype : mx::float32;
  matrix.scales = as_dtype(context, *matrix.scales, dtype);
  matrix.biases = as_dtype(context, *matrix.biases, dtype);
}

MlxMatrix repacked_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors, int rows, int bits) {
  const int columns = matrix_size(*tensors.front()).columns;
  const auto groups = static_cast<size_t>(rows) * static_cast<size_t>(columns / kGroup);
  std::vector<uint32_t> words;
  std::vector<float> scales;
  std::vector<float> biases;
  words.reserve(groups * static_cast<size_t>(bits));
  scales.reserve(groups);
  biases.reserve(groups);
  for (const Tensor* tensor : tensors) append_groups(*tensor, bits, words, scales, biases);
  const mx::Shape per_group{rows, columns / kGroup};
  MlxMatrix matrix{rows,
                   columns,
                   MlxFormat{MlxMode::affine, bits, kGroup},
                   mx::array(words.data(), {rows, columns * bits / 32}, mx::uint32),
                   mx::array(scales.data(), per_group, mx::float32),
                   mx::array(biases.data(), per_group, mx::float32)};
  convert_scales(context, matrix);
  return matrix;
}

mx::Dtype scale_dtype(const MlxFormat& format) {
  if (format.mode != MlxMode::affine) return mx::uint8;
  if (format.scale_type == TensorType::f32) return mx::float32;
  return format.scale_type == TensorType::f16 ? mx::float16 : mx::bfloat16;
}

// A part of several tensors as one array, made of the file's bytes, which may lie at any address.
mx::array joined(const MlxContext& context, const std::vector<const Tensor*>& tensors, mx::Dtype dtype,
                 std::span<const std::byte> (*part)(const Tensor& tensor)) {
  std::vector<mx::array> arrays;
  for (const Tensor* tensor : tensors) {
    const std::span<const std::byte> bytes = part(*tensor);
    const auto row_bytes = static_cast<int>(bytes.size() / static_cast<size_t>(tensor->rows()));
    arrays.emplace_back(reinterpret_cast<const uint8_t*>(bytes.data()), mx::Shape{matrix_size(*tensor).rows, row_bytes},
                        mx::uint8);
  }
  const auto all = arrays.size() == 1 ? arrays.front() : mx::concatenate(arrays, 0, context.stream);
  auto result = mx::view(all, dtype, context.stream);
  mx::eval(result);
  return result;
}

MlxMatrix mlx_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors, int rows) {
  const MlxFormat& format = tensors.front()->mlx->format;
  const mx::Dtype dtype = scale_dtype(format);
  MlxMatrix matrix{rows,
                   matrix_size(*tensors.front()).columns,
                   format,
                   joined(context, tensors, mx::uint32, [](const Tensor& tensor) { return tensor.data; }),
                   joined(context, tensors, dtype, [](const Tensor& tensor) { return tensor.mlx->scales; }),
                   std::nullopt};
  if (format.mode != MlxMode::affine) return matrix;
  matrix.biases = joined(context, tensors, dtype, [](const Tensor& tensor) { return tensor.mlx->biases; });
  convert_scales(context, matrix);
  return matrix;
}

}  // namespace

mx::array plain_array(const Tensor& tensor) {
  matrix_size(tensor);  // throws where its sizes don't fit MLX's
  std::vector<float> floats(static_cast<size_t>(tensor.rows() * tensor.columns()));
  tensor.read_rows(0, floats);
  mx::Shape shape;
  for (const int64_t n : tensor.shape) shape.push_back(static_cast<int>(n));
  return mx::array(floats.data(), shape, mx::float32);
}

namespace {

// The values of small floats' scales are powers of two, or E4M3 numbers, of which 448 is the largest.
constexpr float kMostNvfp4Scale = 448.0F;

// The largest magnitude that a code of a format has before it is scaled.
float largest_code(const MlxFormat& format) { return format.mode == MlxMode::mxfp8 ? 448.0F : 6.0F; }

// At least the sum of the magnitudes of any row's weights.
float bound_of_row_sums(const MlxContext& context, const MlxMatrix& matrix) {
  const mx::Stream& stream = context.stream;
  const auto largest_sum = [&](const mx::array& values, float factor) {
    const auto magnitudes = mx::astype(mx::abs(values, stream), mx::float32, stream);
    return factor * mx::max(mx::sum(magnitudes, 1, false, stream), stream).item<float>();
  };
  if (!matrix.format) return largest_sum(matrix.weight, 1.0F);
  const MlxFormat& format = *matrix.format;
  const auto columns = static_cast<float>(matrix.columns);
  if (format.mode == MlxMode::affine) {
    const auto scales = mx::astype(*matrix.scales, mx::float32, stream);
    const auto first = mx::astype(*matrix.biases, mx::float32, stream);
    const auto most = static_cast<float>((1 << format.bits) - 1);
    const auto last = mx::add(first, mx::multiply(scales, mx::array(most), stream), stream);
    return largest_sum(mx::maximum(mx::abs(first, stream), mx::abs(last, stream), stream),
                       static_cast<float>(format.group_size));
  }
  if (format.mode == MlxMode::nvfp4) return columns * largest_code(format) * kMostNvfp4Scale;
  const auto exponent = static_cast<int>(mx::max(*matrix.scales, stream).item<uint8_t>()) - 127;
  return columns * std::ldexp(largest_code(format), exponent);
}

MlxMatrix made_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors) {
  int rows = 0;
  for (const Tensor* tensor : tensors) rows += matrix_size(*tensor).rows;
  if (tensors.front()->mlx) return mlx_matrix(context, tensors, rows);
  const int bits = affine_bits(tensors.front()->type);
  if (bits > 0) return repacked_matrix(context, tensors, rows, bits);
  std::vector<mx::array> parts;
  for (const Tensor* tensor : tensors) {
    const auto values = plain_array(*tensor);
    parts.push_back(as_dtype(context, values, in_range(context, values) ? context.dtype : mx::float32));
  }
  auto weight = parts.size() == 1 ? parts.front() : mx::concatenate(parts, 0, context.stream);
  mx::eval(weight);
  return {rows, matrix_size(*tensors.front()).columns, std::nullopt, weight, std::nullopt, std::nullopt};
}

}  // namespace

MlxMatrix make_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors) {
  MlxMatrix matrix = made_matrix(context, tensors);
  if (context.dtype != mx::float32) matrix.input_exponent = input_exponent(bound_of_row_sums(context, matrix));
  return matrix;
}

bool stored_alike(const Tensor& a, const Tensor& b) {
  return a.type == b.type && (!a.mlx || a.mlx->format == b.mlx->format);
}

mx::array MlxMatrix::multiply(const MlxContext& context, const ProductInput& input) const {
  const auto product =
      format ? mx::quantized_matmul(input.x, weight, *scales, biases, true, format->group_size, format->bits,
                                    std::string(mlx_mode_name(format->mode)), context.stream)
             : mx::matmul(input.x, mx::transpose(weight, context.stream), context.stream);
  return product_result(context, product, input);
}

mx::array MlxMatrix::take(const MlxContext& context, const mx::array& ids) const {
  const auto rows_of = [&](const mx::array& a) { return mx::take(a, ids, 0, context.stream); };
  const auto floats_of = [&](const mx::array& a) { return mx::astype(rows_of(a), mx::float32, context.stream); };
  if (!format) return floats_of(weight);
  std::optional<mx::array> row_biases;
  if (biases) row_biases = floats_of(*biases);
  const auto row_scales = format->mode == MlxMode::affine ? floats_of(*scales) : rows_of(*scales);
  return mx::dequantize(rows_of(weight), row_scales, row_biases, format->group_size, format->bits,
                        std::string(mlx_mode_name(format->mode)), std::nullopt, mx::float32, context.stream);
}

}  // namespace emelex::mlx_backend
