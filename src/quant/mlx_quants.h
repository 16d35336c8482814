#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "quant/tensor_type.h"

// The formats of MLX's quantized folders, where a matrix's values, scales and biases are three tensors.
// https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html
//
// A row of values is one string of bits, the first value in the lowest bits of the first byte. What a group of them has
// in common lies apart:
//
//   affine  2, 3, 4, 5, 6 or 8 bits, groups of 32, 64 or 128: a scale and a bias      x = q · scale + bias
//   mxfp4   E2M1 numbers, groups of 32: a scale of one byte, a power of two (E8M0)     x = q · scale
//   mxfp8   E4M3 numbers, groups of 32: the same
//   nvfp4   E2M1 numbers, groups of 16: a scale of one byte, E4M3                      x = q · scale
//
// The small floats are those of the OCP Microscaling Formats specification, version 1.0.
namespace emelex {

enum class MlxMode { affine, mxfp4, mxfp8, nvfp4 };

struct MlxFormat {
  MlxMode mode = MlxMode::affine;
  int bits = 4;
  int group_size = 64;
  TensorType scale_type = TensorType::f16;  // affine: of scales and biases, f32, f16 or bf16

  bool operator==(const MlxFormat&) const = default;
};

// "affine", "mxfp4", …; nothing for a name that MLX does not have.
std::optional<MlxMode> mlx_mode_named(std::string_view name);
std::string_view mlx_mode_name(MlxMode mode);

// What MLX takes for a mode where nothing is said.
MlxFormat default_mlx_format(MlxMode mode);

// Whether MLX has that mode with those bits and that group size.
bool is_mlx_format(const MlxFormat& format);

// Bytes of a group's scale; its bias, if it has one, takes as many.
int mlx_scale_bytes(const MlxFormat& format);

// Bytes of a row of `columns` values, which groups divide: of the values themselves, and of their scales (or biases).
size_t mlx_row_bytes(const MlxFormat& format, int64_t columns);
size_t mlx_scale_row_bytes(const MlxFormat& format, int64_t columns);

// Throws Error(invalid_argument) unless that many bytes are what `n` values take, or is_mlx_format is false.
void check_mlx_sizes(const MlxFormat& format, size_t n, size_t values, size_t scales, size_t biases);

// The float32 values of stored ones, as mx::dequantize gives them on a CPU for scales and biases in float32. `to` is
// whole groups, one row or several; `values`, `scales` and `biases` (empty but for affine) are as long as that needs,
// at any address. Throws Error(invalid_argument) when the sizes do not fit or is_mlx_format is false.
void dequantize_mlx(const MlxFormat& format, std::span<const std::byte> values, std::span<const std::byte> scales,
                    std::span<const std::byte> biases, std::span<float> to);

// The stored form of float32 values, which are whole groups, in an affine format. A group begins with MLX's own scale
// and bias, made exact for their stored type, and then with the least-squares ones for the integers that they give, as
// long as that brings its squared error down: no group's is larger than with mx::quantize. Values must be finite.
// Throws Error(invalid_argument) as above.
void quantize_mlx(const MlxFormat& format, std::span<const float> from, std::span<std::byte> values,
                  std::span<std::byte> scales, std::span<std::byte> biases);

}  // namespace emelex
