#include "quant/block_types.h"

#include <array>
#include <type_traits>

#include "quant/bytes.h"
#include "quant/codebook_quants.h"
#include "quant/iq_quants.h"
#include "quant/k_quants.h"
#include "quant/simple_quants.h"
#include "quant/ternary_quants.h"

namespace emelex {
namespace {

void dequantize_f32(const std::byte* from, float* to) { *to = float_from_bits(uint32_at(from)); }
void dequantize_f16(const std::byte* from, float* to) { *to = half_at(from); }
void dequantize_bf16(const std::byte* from, float* to) { *to = bfloat16_to_float(uint16_at(from)); }

void quantize_f32(const float* from, std::byte* to) { put_uint32(to, float_bits(*from)); }
void quantize_f16(const float* from, std::byte* to) { put_half(to, *from); }
void quantize_bf16(const float* from, std::byte* to) { put_uint16(to, float_to_bfloat16(*from)); }

template <int kSize, int kBytes, auto kQuantize>
void quantize_all(const float* from, const float* importance, size_t blocks, std::byte* to) {
  for (size_t i = 0; i < blocks; ++i) {
    if constexpr (std::is_invocable_v<decltype(kQuantize), const float*, std::byte*>) {
      kQuantize(from + i * kSize, to + i * kBytes);
    } else {
      kQuantize(from + i * kSize, importance == nullptr ? nullptr : importance + i * kSize, to + i * kBytes);
    }
  }
}

template <int kSize, int kBytes, auto kDequantize>
constexpr BlockType read_only(std::string_view name) {
  const auto dequantize_all = [](const std::byte* from, size_t blocks, float* to) {
    for (size_t i = 0; i < blocks; ++i) kDequantize(from + i * kBytes, to + i * kSize);
  };
  return {{name, kSize, kBytes}, dequantize_all, nullptr};
}

template <int kSize, int kBytes, auto kDequantize, auto kQuantize>
constexpr BlockType both(std::string_view name) {
  BlockType type = read_only<kSize, kBytes, kDequantize>(name);
  type.quantize = quantize_all<kSize, kBytes, kQuantize>;
  return type;
}

// In the order of TensorType.
constexpr std::array<BlockType, kTensorTypeCount> kTypes = {
    both<1, 4, dequantize_f32, quantize_f32>("F32"),
    both<1, 2, dequantize_f16, quantize_f16>("F16"),
    both<1, 2, dequantize_bf16, quantize_bf16>("BF16"),
    both<32, 18, dequantize_q4_0, quantize_q4_0>("Q4_0"),
    both<32, 20, dequantize_q4_1, quantize_q4_1>("Q4_1"),
    both<32, 22, dequantize_q5_0, quantize_q5_0>("Q5_0"),
    both<32, 24, dequantize_q5_1, quantize_q5_1>("Q5_1"),
    both<32, 34, dequantize_q8_0, quantize_q8_0>("Q8_0"),
    both<256, 84, dequantize_q2_k, quantize_q2_k>("Q2_K"),
    both<256, 110, dequantize_q3_k, quantize_q3_k>("Q3_K"),
    both<256, 144, dequantize_q4_k, quantize_q4_k>("Q4_K"),
    both<256, 176, dequantize_q5_k, quantize_q5_k>("Q5_K"),
    both<256, 210, dequantize_q6_k, quantize_q6_k>("Q6_K"),
    both<32, 18, dequantize_iq4_nl, quantize_iq4_nl>("IQ4_NL"),
    both<256, 136, dequantize_iq4_xs, quantize_iq4_xs>("IQ4_XS"),
    both<32, 17, dequantize_mxfp4, quantize_mxfp4>("MXFP4"),
    read_only<256, 50, dequantize_iq1_s>("IQ1_S"),
    read_only<256, 56, dequantize_iq1_m>("IQ1_M"),
    read_only<256, 66, dequantize_iq2_xxs>("IQ2_XXS"),
    read_only<256, 74, dequantize_iq2_xs>("IQ2_XS"),
    read_only<256, 82, dequantize_iq2_s>("IQ2_S"),
    read_only<256, 98, dequantize_iq3_xxs>("IQ3_XXS"),
    read_only<256, 110, dequantize_iq3_s>("IQ3_S"),
    both<256, 54, dequantize_tq1_0, quantize_tq1_0>("TQ1_0"),
    both<256, 66, dequantize_tq2_0, quantize_tq2_0>("TQ2_0"),
};

}  // namespace

const BlockType& block_type(TensorType type) { return kTypes.at(static_cast<size_t>(type)); }

}  // namespace emelex
