#include "quant/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/half.h"

namespace emelex {
namespace {

void put_uint16(std::byte* to, uint16_t value) {
  to[0] = static_cast<std::byte>(value & 0xFFU);
  to[1] = static_cast<std::byte>(value >> 8);
}

void put_float(std::byte* to, float value) {
  put_uint16(to, static_cast<uint16_t>(float_bits(value)));
  put_uint16(to + 2, static_cast<uint16_t>(float_bits(value) >> 16));
}

float inverse(float x) { return x == 0.0F ? 0.0F : 1.0F / x; }

// Towards zero, within bounds; `least` for a NaN.
int to_int(float x, int least, int most) {
  if (!(x > static_cast<float>(least))) return least;
  return x < static_cast<float>(most) ? static_cast<int>(x) : most;
}

// 32 values of 4 bits in 16 bytes: value(i) beside value(i + 16).
template <class Value>
void put_pairs(std::byte* to, const Value& value) {
  for (int i = 0; i < 16; ++i) to[i] = static_cast<std::byte>(value(i) | (value(i + 16) << 4));
}

// The value farthest from zero becomes -8, the end of the range that has one more step.
void quantize_q4_0(const float* from, std::byte* to) {
  const float farthest = *std::max_element(from, from + 32, [](float a, float b) { return std::abs(a) < std::abs(b); });
  const float scale = farthest / -8.0F;
  const float factor = inverse(scale);
  put_uint16(to, float_to_half(scale));
  put_pairs(to + 2, [&](int i) { return to_int(from[i] * factor + 8.5F, 0, 15); });
}

void quantize_q4_1(const float* from, std::byte* to) {
  const auto [least, most] = std::minmax_element(from, from + 32);
  const float minimum = *least;
  const float scale = (*most - minimum) / 15.0F;
  const float factor = inverse(scale);
  put_uint16(to, float_to_half(scale));
  put_uint16(to + 2, float_to_half(minimum));
  put_pairs(to + 4, [&](int i) { return to_int((from[i] - minimum) * factor + 0.5F, 0, 15); });
}

void quantize_q8_0(const float* from, std::byte* to) {
  const float farthest = *std::max_element(from, from + 32, [](float a, float b) { return std::abs(a) < std::abs(b); });
  const float scale = std::abs(farthest) / 127.0F;
  const float factor = inverse(scale);
  put_uint16(to, float_to_half(scale));
  for (int i = 0; i < 32; ++i) {
    to[2 + i] = static_cast<std::byte>(to_int(std::round(from[i] * factor), -128, 127));
  }
}

void quantize_block(TensorType type, const float* from, std::byte* to) {
  switch (type) {
    case TensorType::f32:
      put_float(to, *from);
      return;
    case TensorType::f16:
      put_uint16(to, float_to_half(*from));
      return;
    case TensorType::bf16:
      put_uint16(to, float_to_bfloat16(*from));
      return;
    case TensorType::q4_0:
      quantize_q4_0(from, to);
      return;
    case TensorType::q4_1:
      quantize_q4_1(from, to);
      return;
    case TensorType::q8_0:
      quantize_q8_0(from, to);
      return;
    default:
      throw Error(ErrorCode::unsupported,
                  str_cat("[quantize] expected a type that can be written, got ", info(type).name));
  }
}

}  // namespace

std::vector<std::byte> quantize(TensorType type, std::span<const float> from) {
  std::vector<std::byte> result(row_bytes(type, static_cast<int64_t>(from.size())));
  const auto block_size = static_cast<size_t>(info(type).block_size);
  const auto block_bytes = static_cast<size_t>(info(type).block_bytes);
  std::byte* block = result.data();
  for (size_t i = 0; i < from.size(); i += block_size, block += block_bytes) quantize_block(type, &from[i], block);
  return result;
}

}  // namespace emelex
