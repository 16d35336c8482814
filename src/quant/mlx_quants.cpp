#include "quant/mlx_quants.h"

#include <array>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/bytes.h"
#include "quant/dequantize.h"
#include "quant/half.h"

namespace emelex {
namespace {

// In the order of MlxMode.
constexpr std::array<std::string_view, 4> kModeNames = {"affine", "mxfp4", "mxfp8", "nvfp4"};

// Sign, two bits of exponent, one of fraction.
float e2m1_to_float(unsigned bits) {
  constexpr float kMagnitudes[] = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  const float magnitude = kMagnitudes[bits & 7U];
  return (bits & 8U) != 0 ? -magnitude : magnitude;
}

// Sign, four bits of exponent, three of fraction; no infinity, and one NaN of either sign.
float e4m3_to_float(unsigned bits) {
  const uint32_t sign = (bits & 0x80U) << 24;
  const uint32_t magnitude = bits & 0x7FU;
  if (magnitude == 0x7F) return float_from_bits(sign | 0x7FC00000U);
  if (magnitude < 8) return float_from_bits(sign | float_bits(static_cast<float>(magnitude) * 0x1p-9F));
  return float_from_bits(sign | ((magnitude << 20) + (120U << 23)));
}

// 2^(bits - 127). The last is infinity, as in MLX's CPU kernels, where the specification has NaN.
float e8m0_to_float(unsigned bits) { return bits == 0 ? 0x1p-127F : float_from_bits(bits << 23); }

// Value `i` of a string of `bits`-bit values, which may lie across two bytes.
unsigned value_at(const std::byte* values, size_t i, size_t bits) {
  const size_t at = i * bits;
  const size_t shift = at % 8;
  unsigned word = byte_at(values + at / 8);
  if (shift + bits > 8) word |= static_cast<unsigned>(byte_at(values + at / 8 + 1)) << 8;
  return (word >> shift) & ((1U << bits) - 1U);
}

float scale_at(const MlxFormat& format, const std::byte* scales, size_t group) {
  if (format.mode == MlxMode::nvfp4) return e4m3_to_float(byte_at(scales + group));
  if (format.mode != MlxMode::affine) return e8m0_to_float(byte_at(scales + group));
  const auto bytes = static_cast<size_t>(mlx_scale_bytes(format));
  float scale = 0;
  dequantize(format.scale_type, {scales + group * bytes, bytes}, {&scale, 1});
  return scale;
}

float number(MlxMode mode, unsigned bits) {
  if (mode == MlxMode::affine) return static_cast<float>(bits);
  return mode == MlxMode::mxfp8 ? e4m3_to_float(bits) : e2m1_to_float(bits);
}

}  // namespace

std::optional<MlxMode> mlx_mode_named(std::string_view name) {
  for (size_t i = 0; i < kModeNames.size(); ++i) {
    if (kModeNames[i] == name) return static_cast<MlxMode>(i);
  }
  return std::nullopt;
}

std::string_view mlx_mode_name(MlxMode mode) { return kModeNames.at(static_cast<size_t>(mode)); }

MlxFormat default_mlx_format(MlxMode mode) {
  switch (mode) {
    case MlxMode::affine:
      return {mode, 4, 64};
    case MlxMode::mxfp4:
      return {mode, 4, 32};
    case MlxMode::mxfp8:
      return {mode, 8, 32};
    case MlxMode::nvfp4:
      return {mode, 4, 16};
  }
  __builtin_unreachable();
}

bool is_mlx_format(const MlxFormat& format) {
  const MlxFormat only = default_mlx_format(format.mode);
  if (format.mode != MlxMode::affine) return format.bits == only.bits && format.group_size == only.group_size;
  const int bits = format.bits;
  const int group = format.group_size;
  const TensorType scale = format.scale_type;
  return ((bits >= 2 && bits <= 6) || bits == 8) && (group == 32 || group == 64 || group == 128) &&
         (scale == TensorType::f32 || scale == TensorType::f16 || scale == TensorType::bf16);
}

int mlx_scale_bytes(const MlxFormat& format) {
  return format.mode == MlxMode::affine ? info(format.scale_type).block_bytes : 1;
}

size_t mlx_row_bytes(const MlxFormat& format, int64_t columns) {
  return static_cast<size_t>(columns) / 8 * static_cast<size_t>(format.bits);
}

size_t mlx_scale_row_bytes(const MlxFormat& format, int64_t columns) {
  return static_cast<size_t>(columns / format.group_size) * static_cast<size_t>(mlx_scale_bytes(format));
}

void check_mlx_sizes(const MlxFormat& format, size_t n, size_t values, size_t scales, size_t biases) {
  if (!is_mlx_format(format)) {
    throw Error(ErrorCode::invalid_argument, str_cat("[mlx] expected a format of MLX, got ", mlx_mode_name(format.mode),
                                                     " with ", format.bits, " bits in groups of ", format.group_size));
  }
  const auto group_size = static_cast<size_t>(format.group_size);
  const auto scale_bytes = n / group_size * static_cast<size_t>(mlx_scale_bytes(format));
  if (n % group_size == 0 && values == n / 8 * static_cast<size_t>(format.bits) && scales == scale_bytes &&
      biases == (format.mode == MlxMode::affine ? scale_bytes : 0)) {
    return;
  }
  throw Error(ErrorCode::invalid_argument,
              str_cat("[mlx] expected the bytes of ", n, " values in groups of ", group_size, ", got ", values,
                      " of values, ", scales, " of scales and ", biases, " of biases"));
}

void dequantize_mlx(const MlxFormat& format, std::span<const std::byte> values, std::span<const std::byte> scales,
                    std::span<const std::byte> biases, std::span<float> to) {
  check_mlx_sizes(format, to.size(), values.size(), scales.size(), biases.size());
  const auto group_size = static_cast<size_t>(format.group_size);
  const auto bits = static_cast<size_t>(format.bits);
  const bool affine = format.mode == MlxMode::affine;
  for (size_t group = 0; group < to.size() / group_size; ++group) {
    const float scale = scale_at(format, scales.data(), group);
    const float bias = affine ? scale_at(format, biases.data(), group) : 0.0F;
    for (size_t i = group * group_size; i < (group + 1) * group_size; ++i) {
      const float product = number(format.mode, value_at(values.data(), i, bits)) * scale;
      to[i] = affine ? product + bias : product;
    }
  }
}

}  // namespace emelex
