#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_table.h"

namespace emelex::cpu {

// The tables that a CPU with these features can run, the best first; "scalar" is always the last. Runs
// nothing that was compiled for one of them.
std::vector<const KernelTable*> tables_for(CpuFeatures features);

// The name of kernel_table()'s set, and whether the system keeps the process from a better one.
std::string instruction_set();

}  // namespace emelex::cpu
