#pragma once

#include <cstddef>

// The types whose values are named in groups of 4 or 8, by a place in a grid (iq_grids.h). All have 256 values and an
// f16 scale d; below, s is a group's small integer scale.
//   IQ2_XXS, IQ2_XS, IQ2_S   x = d·(0.5 + s)/4 · grid · sign    s for 32, 16 and 16 values
//   IQ3_XXS                  x = d·(0.5 + s)/2 · grid · sign    s for 32 values
//   IQ3_S                    x = d·(1 + 2s) · grid · sign       s for 32 values
//   IQ1_S, IQ1_M             x = d·(1 + 2s) · (grid ± 1/8)      s for 32 and 16 values, ± for 32 and 8
// Layouts: the block structs of https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
namespace emelex {

void dequantize_iq1_s(const std::byte* block, float* to);
void dequantize_iq1_m(const std::byte* block, float* to);
void dequantize_iq2_xxs(const std::byte* block, float* to);
void dequantize_iq2_xs(const std::byte* block, float* to);
void dequantize_iq2_s(const std::byte* block, float* to);
void dequantize_iq3_xxs(const std::byte* block, float* to);
void dequantize_iq3_s(const std::byte* block, float* to);

}  // namespace emelex
