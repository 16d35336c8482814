#include "kernels/cpu/simd/avx512_bf16.h"

#include "kernels/cpu/isa/tables.h"
#include "kernels/cpu/simd/matmul_plain.h"

namespace emelex::cpu {

constinit const Bf16Kernels avx512_bf16::kBf16 = {PlainMatmul<Avx512Bf16, PlainBf16Dots>::run, Avx512Bf16::round_row};

}  // namespace emelex::cpu
