#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/dequantize.h"
#include "quant/mlx_quants.h"
#include "quant/quantize.h"

namespace emelex {
namespace {

constexpr int kMostGroup = 128;
constexpr int kRefinements = 4;

struct Line {
  float scale;
  float bias;
};

// A number as its stored type has it.
float stored(TensorType type, float x) {
  std::byte bytes[4];
  const std::span<std::byte> room(bytes, static_cast<size_t>(info(type).block_bytes));
  quantize(type, {&x, 1}, room);
  float back = 0;
  dequantize(type, room, {&back, 1});
  return back;
}

// MLX's rule: the end of the range that is farther from zero is met exactly, and so is zero where it lies in the range.
// https://github.com/ml-explore/mlx/blob/main/mlx/ops.cpp (affine_quantize)
Line first_line(std::span<const float> x, float most_level) {
  constexpr float kLeastScale = 1e-7F;
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  const bool low_is_farther = std::abs(*least) > std::abs(*most);
  float scale = std::max((*most - *least) / most_level, kLeastScale);
  if (!low_is_farther) scale = -scale;
  const float edge = low_is_farther ? *least : *most;
  const float steps = std::rint(edge / scale);
  if (steps == 0) return {scale, 0};
  return {edge / steps, edge};
}

class GroupSearch {
 public:
  GroupSearch(const MlxFormat& format, std::span<const float> x)
      : format_(format), x_(x), most_level_(static_cast<float>((1 << format.bits) - 1)) {}

  // Fills `levels`, and returns the scale and bias that they stand on.
  Line run(uint8_t* levels) {
    consider(first_line(x_, most_level_));
    for (int i = 0; i < kRefinements && consider(fit()); ++i) {
    }
    std::copy_n(best_, x_.size(), levels);
    return line_;
  }

 private:
  bool consider(Line line) {
    line = {stored(format_.scale_type, line.scale), stored(format_.scale_type, line.bias)};
    if (!std::isfinite(line.scale) || !std::isfinite(line.bias)) return false;
    uint8_t levels[kMostGroup];
    const float inverse = line.scale != 0 ? 1.0F / line.scale : 0.0F;
    double error = 0;
    for (size_t i = 0; i < x_.size(); ++i) {
      const float level = std::clamp(std::rint((x_[i] - line.bias) * inverse), 0.0F, most_level_);
      const double difference = static_cast<double>(x_[i]) - static_cast<double>(level * line.scale + line.bias);
      levels[i] = static_cast<uint8_t>(level);
      error += difference * difference;
    }
    if (!(error < error_)) return false;
    error_ = error;
    line_ = line;
    std::copy_n(levels, x_.size(), best_);
    return true;
  }

  // The least-squares line through (level, x).
  Line fit() const {
    const auto n = static_cast<double>(x_.size());
    double sum_q = 0;
    double sum_qq = 0;
    double sum_x = 0;
    double sum_xq = 0;
    for (size_t i = 0; i < x_.size(); ++i) {
      const double q = best_[i];
      sum_q += q;
      sum_qq += q * q;
      sum_x += static_cast<double>(x_[i]);
      sum_xq += q * static_cast<double>(x_[i]);
    }
    const double determinant = n * sum_qq - sum_q * sum_q;
    if (!(determinant > 0))
      return {line_.scale, static_cast<float>(sum_x / n - sum_q / n * static_cast<double>(line_.scale))};
    const double scale = (n * sum_xq - sum_x * sum_q) / determinant;
    return {static_cast<float>(scale), static_cast<float>((sum_x - scale * sum_q) / n)};
  }

  const MlxFormat& format_;
  std::span<const float> x_;
  float most_level_;
  double error_ = std::numeric_limits<double>::infinity();
  Line line_{0, 0};
  uint8_t best_[kMostGroup] = {};
};

// Adds value `i` to a string of `bits`-bit values.
void put_value(std::byte* values, size_t i, size_t bits, unsigned value) {
  const size_t at = i * bits;
  const unsigned shifted = value << (at % 8);
  values[at / 8] |= static_cast<std::byte>(shifted & 0xFFU);
  if (shifted > 0xFFU) values[at / 8 + 1] |= static_cast<std::byte>(shifted >> 8);
}

}  // namespace

void quantize_mlx(const MlxFormat& format, std::span<const float> from, std::span<std::byte> values,
                  std::span<std::byte> scales, std::span<std::byte> biases) {
  if (format.mode != MlxMode::affine) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[mlx] expected an affine format to write, got ", mlx_mode_name(format.mode)));
  }
  check_mlx_sizes(format, from.size(), values.size(), scales.size(), biases.size());
  std::fill(values.begin(), values.end(), std::byte{0});
  const auto group_size = static_cast<size_t>(format.group_size);
  const auto scale_bytes = static_cast<size_t>(mlx_scale_bytes(format));
  for (size_t group = 0; group < from.size() / group_size; ++group) {
    uint8_t levels[kMostGroup];
    const Line line = GroupSearch(format, from.subspan(group * group_size, group_size)).run(levels);
    for (size_t i = 0; i < group_size; ++i) {
      put_value(values.data(), group * group_size + i, static_cast<size_t>(format.bits), levels[i]);
    }
    quantize(format.scale_type, {&line.scale, 1}, scales.subspan(group * scale_bytes, scale_bytes));
    quantize(format.scale_type, {&line.bias, 1}, biases.subspan(group * scale_bytes, scale_bytes));
  }
}

}  // namespace emelex
