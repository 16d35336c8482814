#pragma once

#include "kernels/cpu/kernel_table.h"

// The kernels of each instruction set, as constants: isa.cpp puts a table together without running code that was
// compiled with a set's flags. Only isa.cpp may use them, and call a kernel only after it has asked the CPU.

namespace emelex::cpu {

// What the files of this folder make for one instruction set, each file one part.
struct KernelParts {
  const char* name;
  int max_tile;
  int packed_rows;
  const Int8Kernels* legacy_quants;
  const Int8Kernels* k_quants;
  const MlxInt8Kernels* mlx_quants;
  const FloatKernels* float_products;
  const ElementwiseKernels* elementwise;
  const AttentionKernels* attention;
};

namespace scalar {
extern const KernelParts kParts;
}
namespace avx2 {
extern const KernelParts kParts;
}
namespace avx512 {
extern const KernelParts kParts;
}
namespace avx512_bf16 {
extern const Bf16Kernels kBf16;  // the rest is avx512's
}
namespace avx512_amx {
extern const TiledFn kTiled;  // the rest is avx512_bf16's
}
namespace neon_dotprod {
extern const KernelParts kParts;
}
namespace neon_i8mm {
extern const KernelParts kParts;
}

}  // namespace emelex::cpu
