#pragma once

#include <cstdint>

// What this CPU can execute, as far as the kernels need it.

namespace emelex::cpu {

using CpuFeatures = uint32_t;  // a set of the bits below

enum CpuFeature : CpuFeatures {
  kAvx2 = 1U << 0U,
  kFma = 1U << 1U,
  kF16c = 1U << 2U,
  kAvx512F = 1U << 3U,
  kAvx512Bw = 1U << 4U,
  kAvx512Dq = 1U << 5U,
  kAvx512Vl = 1U << 6U,
  kAvx512Vnni = 1U << 7U,
  kAvx512Bf16 = 1U << 8U,
  kNeonDotProduct = 1U << 9U,  // FEAT_DotProd
  kNeonI8mm = 1U << 10U,       // FEAT_I8MM
  kAmxTile = 1U << 11U,        // and the process may use it
  kAmxInt8 = 1U << 12U,
};

// All that the compiler may use in the file of an instruction set, by its flags in src/kernels/CMakeLists.txt.
inline constexpr CpuFeatures kAvx2Needs = kAvx2 | kFma | kF16c;
inline constexpr CpuFeatures kAvx512Needs = kAvx2Needs | kAvx512F | kAvx512Bw | kAvx512Dq | kAvx512Vl | kAvx512Vnni;
inline constexpr CpuFeatures kAvx512Bf16Needs = kAvx512Needs | kAvx512Bf16;
inline constexpr CpuFeatures kAvx512AmxNeeds = kAvx512Bf16Needs | kAmxTile | kAmxInt8;
inline constexpr CpuFeatures kNeonDotprodNeeds = kNeonDotProduct;
inline constexpr CpuFeatures kNeonI8mmNeeds = kNeonDotProduct | kNeonI8mm;

// Those of the CPU that runs this, of which the operating system saves the registers. Asks the system for the
// permission to use AMX, which holds for the process from then on.
CpuFeatures cpu_features();

// Whether the CPU has AMX and the system refuses it to this process.
bool amx_refused();

}  // namespace emelex::cpu
