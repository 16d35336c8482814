#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/avx512_bf16.h"
#include "kernels/cpu/simd/matmul_plain.h"

namespace emelex::cpu {

constinit const Bf16Kernels kAvx512Bf16Kernels = {PlainMatmul<Avx512Bf16, PlainBf16Dots>::run, Avx512Bf16::round_row};

}  // namespace emelex::cpu
