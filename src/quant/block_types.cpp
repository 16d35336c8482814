#include "quant/block_types.h"

#include <array>

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

template <int kSize, int kBytes, auto kDequantize>
constexpr BlockType make(std::string_view name) {
  return {{name, kSize, kBytes}, [](const std::byte* from, size_t blocks, float* to) {
            for (size_t i = 0; i < blocks; ++i) kDequantize(from + i * kBytes, to + i * kSize);
          }};
}

// In the order of TensorType.
constexpr std::array<BlockType, kTensorTypeCount> kTypes = {
    make<1, 4, dequantize_f32>("F32"),
    make<1, 2, dequantize_f16>("F16"),
    make<1, 2, dequantize_bf16>("BF16"),
    make<32, 18, dequantize_q4_0>("Q4_0"),
    make<32, 20, dequantize_q4_1>("Q4_1"),
    make<32, 22, dequantize_q5_0>("Q5_0"),
    make<32, 24, dequantize_q5_1>("Q5_1"),
    make<32, 34, dequantize_q8_0>("Q8_0"),
    make<256, 84, dequantize_q2_k>("Q2_K"),
    make<256, 110, dequantize_q3_k>("Q3_K"),
    make<256, 144, dequantize_q4_k>("Q4_K"),
    make<256, 176, dequantize_q5_k>("Q5_K"),
    make<256, 210, dequantize_q6_k>("Q6_K"),
    make<32, 18, dequantize_iq4_nl>("IQ4_NL"),
    make<256, 136, dequantize_iq4_xs>("IQ4_XS"),
    make<32, 17, dequantize_mxfp4>("MXFP4"),
    make<256, 50, dequantize_iq1_s>("IQ1_S"),
    make<256, 56, dequantize_iq1_m>("IQ1_M"),
    make<256, 66, dequantize_iq2_xxs>("IQ2_XXS"),
    make<256, 74, dequantize_iq2_xs>("IQ2_XS"),
    make<256, 82, dequantize_iq2_s>("IQ2_S"),
    make<256, 98, dequantize_iq3_xxs>("IQ3_XXS"),
    make<256, 110, dequantize_iq3_s>("IQ3_S"),
    make<256, 54, dequantize_tq1_0>("TQ1_0"),
    make<256, 66, dequantize_tq2_0>("TQ2_0"),
};

}  // namespace

const BlockType& block_type(TensorType type) { return kTypes.at(static_cast<size_t>(type)); }

}  // namespace emelex
