#include "quant/dequantize.h"

#include <cstdint>
#include <cstring>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/half.h"

// Blocks as GGUF lays them out, 32 values each, all numbers little-endian:
//   Q4_0  f16 scale, 16 bytes                x = (q - 8) * scale
//   Q4_1  f16 scale, f16 minimum, 16 bytes   x = q * scale + minimum
//   Q8_0  f16 scale, 32 signed bytes         x = q * scale
// Of a byte with two 4-bit values, byte i holds value i in its low half and value i + 16 in its high half.
namespace emelex {
namespace {

uint8_t byte_at(const std::byte* from) { return std::to_integer<uint8_t>(*from); }

uint16_t uint16_at(const std::byte* from) { return static_cast<uint16_t>(byte_at(from) | (byte_at(from + 1) << 8)); }

uint32_t uint32_at(const std::byte* from) {
  return uint16_at(from) | (static_cast<uint32_t>(uint16_at(from + 2)) << 16);
}

void dequantize_q4_0(const std::byte* block, float* to) {
  const float scale = half_to_float(uint16_at(block));
  for (int i = 0; i < 16; ++i) {
    const int pair = byte_at(block + 2 + i);
    to[i] = static_cast<float>((pair & 15) - 8) * scale;
    to[i + 16] = static_cast<float>((pair >> 4) - 8) * scale;
  }
}

void dequantize_q4_1(const std::byte* block, float* to) {
  const float scale = half_to_float(uint16_at(block));
  const float minimum = half_to_float(uint16_at(block + 2));
  for (int i = 0; i < 16; ++i) {
    const int pair = byte_at(block + 4 + i);
    to[i] = static_cast<float>(pair & 15) * scale + minimum;
    to[i + 16] = static_cast<float>(pair >> 4) * scale + minimum;
  }
}

void dequantize_q8_0(const std::byte* block, float* to) {
  const float scale = half_to_float(uint16_at(block));
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(static_cast<int8_t>(byte_at(block + 2 + i))) * scale;
}

void dequantize_block(TensorType type, const std::byte* block, float* to) {
  switch (type) {
    case TensorType::f32:
      *to = float_from_bits(uint32_at(block));
      return;
    case TensorType::f16:
      *to = half_to_float(uint16_at(block));
      return;
    case TensorType::bf16:
      *to = bfloat16_to_float(uint16_at(block));
      return;
    case TensorType::q4_0:
      dequantize_q4_0(block, to);
      return;
    case TensorType::q4_1:
      dequantize_q4_1(block, to);
      return;
    case TensorType::q8_0:
      dequantize_q8_0(block, to);
      return;
  }
}

}  // namespace

void dequantize(TensorType type, std::span<const std::byte> from, std::span<float> to) {
  const size_t expected = row_bytes(type, static_cast<int64_t>(to.size()));
  if (from.size() != expected) {
    throw Error(ErrorCode::invalid_argument, str_cat("[dequantize] expected ", expected, " bytes for ", to.size(),
                                                     " values of ", info(type).name, ", got ", from.size()));
  }
  const auto block_size = static_cast<size_t>(info(type).block_size);
  const auto block_bytes = static_cast<size_t>(info(type).block_bytes);
  const std::byte* block = from.data();
  for (size_t i = 0; i < to.size(); i += block_size, block += block_bytes) dequantize_block(type, block, &to[i]);
}

}  // namespace emelex
