#pragma once

#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_context.h"

namespace emelex::cpu {

// Matrices in the mapped file, multiplied where they lie, and their biases. All have the same number of columns.
std::unique_ptr<Linear> make_linear(CpuContextPtr context, const std::vector<Matrix>& matrices);

}  // namespace emelex::cpu
