#pragma once

#include "kernels/cpu/isa/tables.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/unpacked_blocks.h"

// For the files of this folder, which are compiled once for each instruction set, with that set's compiler flags.
// CMakeLists.txt defines
//   EMELEX_ISA          the set's name, which is the namespace of what these files define
//   EMELEX_ISA_HEADER   the header of the set's vectors
//   EMELEX_ISA_VECTORS  their type

#include EMELEX_ISA_HEADER

namespace emelex::cpu {
namespace {
using Set = EMELEX_ISA_VECTORS;
}

namespace EMELEX_ISA {

extern const UnpackedFn kUnpackedProducts[kUnpackedKernels];  // by UnpackedKind::number()

// The parts, each defined in the file of the same name.
extern const Int8Kernels kLegacyQuants;
extern const Int8Kernels kKQuants;
extern const MlxInt8Kernels kMlxQuants;
extern const FloatKernels kFloatProducts;
extern const AttentionKernels kAttention;

}  // namespace EMELEX_ISA

}  // namespace emelex::cpu
