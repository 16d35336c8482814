#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_context.h"

namespace emelex::cpu {

// Experts whose matrices stay in the mapped file until they are packed, each by itself.
std::unique_ptr<Experts> make_experts(CpuContextPtr context, const ExpertsConfig& config,
                                      const ExpertMatrices& matrices);

}  // namespace emelex::cpu
