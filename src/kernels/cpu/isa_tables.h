#pragma once

#include "kernels/cpu/kernel_table.h"

// The table of each instruction set; defined in isa_<set>.cpp, which alone is compiled with that set's flags. Only
// isa.cpp may use one, after it has asked the CPU.

namespace emelex::cpu {

extern const KernelTable kScalarTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512Table;
extern const Bf16Kernels kAvx512Bf16Kernels;
extern const KernelTable kNeonDotprodTable;
extern const KernelTable kNeonI8mmTable;

}  // namespace emelex::cpu
